"""What `twin.yml` declares, as frozen values with their tables resolved. Draws nothing and reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import numpy as np

from catalog.descriptions.variants import TWIN
from catalog.errors import CatalogError

__all__ = ["TWIN", "Calendar", "Factor", "Form", "Kind", "Measure", "Step", "SynthError", "Twin"]


class SynthError(CatalogError):
    """A twin that is not declared, or cannot be made in that size."""


class Form(StrEnum):
    """How rows arise: drawn cells of a sparse table, every cell of a dense one, or single events."""

    CELLS = "cells"
    GRID = "grid"
    EVENTS = "events"


class Step(StrEnum):
    """Length of a period of the calendar."""

    DAY = "day"
    MONTH = "month"


class Kind(StrEnum):
    """How a column that is no factor is made."""

    COUNT = "count"
    AMOUNT = "amount"
    LEVEL = "level"
    FLOW = "flow"
    TRAVEL = "travel"
    LOOKUP = "lookup"
    FIXED = "fixed"
    SERIAL = "serial"
    PSEUDONYM = "pseudonym"
    CLOCK = "clock"
    LATER = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The periods a twin covers.

    Parameters
    ----------
    rows
        Most rows of one period; more rows make more periods.
    periods
        Fewest periods.
    weekday, month
        Relative volume from Monday to Sunday, from January to December.
    """

    column: str
    start: date
    step: Step
    rows: int
    periods: int
    weekday: tuple[float, ...]
    month: tuple[float, ...]
    source: str

    def day(self, index: int) -> date:
        """The first day of the period of that number, counted from 0."""
        if self.step is Step.DAY:
            return self.start + timedelta(days=index)
        month = self.start.year * 12 + self.start.month - 1 + index
        return date(month // 12, month % 12 + 1, 1)

    def volume(self, day: date) -> float:
        """Relative volume of a period."""
        weekday = self.weekday[day.weekday()] if self.step is Step.DAY else 1.0
        return weekday * self.month[day.month - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One categorical column: shares of its codes, for each code of the column it depends on.

    Parameters
    ----------
    given
        Column it depends on; empty for none.
    shares
        (codes of `given` or 1, codes); every row adds up to 1.
    latent
        Not a column of the dataset itself; others are made from it.
    """

    column: str
    given: str
    codes: tuple[str, ...]
    shares: Any
    latent: bool
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One made column; which values matter depends on the kind.

    Parameters
    ----------
    by_code
        Value by code of `given`: number for amount and fixed, text for lookup.
    distance
        (codes of `given`, codes of `to`) distances [km], for travel.
    """

    column: str
    kind: Kind
    of: str = ""
    given: str = ""
    to: str = ""
    mean: float = 0.0
    spread: float = 0.0
    base: float = 0.0
    below: float = 0.0
    decimals: int = 0
    by_code: tuple[Any, ...] = ()
    distance: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """The whole declaration of one twin.

    Parameters
    ----------
    rows
        Rows of the small published edition [rows].
    weight
        Measure in which the margins are declared; empty where every row counts once.
    """

    dataset: str
    version: str
    seed: int
    rows: int
    form: Form
    weight: str
    calendar: Calendar
    factors: tuple[Factor, ...]
    measures: tuple[Measure, ...]
    order: tuple[str, ...] = field(default=())

    def factor(self, column: str) -> Factor:
        """The factor of that column; `KeyError` if there is none."""
        for factor in self.factors:
            if factor.column == column:
                return factor
        raise KeyError(column)

    def margins(self) -> Mapping[str, Any]:
        """Declared share of every code of every factor, dependence worked out."""
        out: dict[str, Any] = {}
        for column in self.order:
            factor = self.factor(column)
            shares = np.asarray(factor.shares)
            out[column] = out[factor.given] @ shares if factor.given else shares[0]
        return out
