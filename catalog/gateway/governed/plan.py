"""What a governed statement asks, in checked parts only: no text of a person is in it. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from catalog.descriptions import ColumnType, Dataset
from catalog.descriptions.model import PARTS, Aggregates, Noise, Step, Total

PART_WORDS: Final = {Step.HOUR: "hour", Step.WEEKDAY: "isodow"}  # `date_part` of a step that is a part


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Level:
    """Something that may be grouped and chosen by: a column, or one step of a date or moment."""

    column: str
    step: str = ""

    @property
    def sql(self) -> str:
        """As an expression over the table."""
        if not self.step:
            return quoted(self.column)
        step = Step(self.step)
        if step in PARTS:
            return f"date_part('{PART_WORDS[step]}', {quoted(self.column)})"
        return f"date_trunc('{step}', {quoted(self.column)})"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Choice:
    """Rows whose level is one of the values, or between two; `values` are SQL literals made here."""

    level: Level
    between: bool
    values: tuple[str, ...]

    @property
    def sql(self) -> str:
        """As a condition over the table."""
        if self.between:
            return f"{self.level.sql} BETWEEN {self.values[0]} AND {self.values[1]}"
        return f"{self.level.sql} IN ({', '.join(self.values)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number of each group: `rows`, `units`, or a function of a measure."""

    what: str
    column: str = ""


ROWS: Final = Figure(what="rows")
UNITS: Final = Figure(what="units")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A column of the answer."""

    name: str
    value: Level | Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One term of ORDER BY: the output by place from 0."""

    output: int
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which cells a statement is about: what the ledger compares. Both parts are in one canonical order."""

    levels: tuple[Level, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole governed statement.

    Attributes
    ----------
    limit, offset
        Rows of the answer [groups]; -1 for no limit.
    """

    table: str
    shape: Shape
    outputs: tuple[Output, ...]
    order: tuple[Order, ...] = ()
    limit: int = -1
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A restricted dataset's declared rules over its columns.

    Attributes
    ----------
    levels
        Everything that may be grouped by, with the type of the column.
    unit
        Columns whose different values are units; empty where `counted` counts them.
    """

    dataset: str
    aggregates: Aggregates
    levels: Mapping[Level, ColumnType]
    measures: Mapping[str, frozenset[Total]]
    unit: tuple[str, ...]
    counted: str

    @property
    def minimum(self) -> int:
        """Units a group must have [units]."""
        return self.aggregates.minimum

    @property
    def noise(self) -> Noise | None:
        """What counts are changed by."""
        return self.aggregates.noise


def rules_of(dataset: Dataset) -> Rules | None:
    """The rules of a restricted dataset; None where it declares none, so that nothing may be asked."""
    declared = dataset.aggregates
    if declared is None:
        return None
    levels: dict[Level, ColumnType] = {}
    for hierarchy in declared.hierarchies:
        for column in hierarchy.columns:
            kind = dataset.column(column).type
            for step in hierarchy.steps or ("",):
                day = step == Step.DAY and kind is ColumnType.DATE  # a date is its own day
                levels[Level(column=column, step="" if day else str(step))] = kind
    return Rules(
        dataset=dataset.name,
        aggregates=declared,
        levels=levels,
        measures={m.column: frozenset(m.functions) for m in declared.measures},
        unit=() if declared.units else dataset.entity.columns,
        counted=declared.units,
    )


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
