"""Values shared by all readers of publisher files: the refusal, the recipe, what was read. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from catalog.descriptions import Text
from catalog.errors import CatalogError


class IngestError(CatalogError):
    """A publisher's file that was refused; nothing was published.

    Parameters
    ----------
    reason
        Stable code, such as `unknown-layout` or `bad-value`.
    file
        The file's name.
    line
        Line, spreadsheet row or record number counted from 1; None when the whole file is meant.
    """

    def __init__(self, reason: str, *, file: str, line: int | None, ko: str, en: str) -> None:
        where_ko = f"{file} {line}행" if line is not None else file
        where_en = f"{file} line {line}" if line is not None else file
        super().__init__(reason, ko=f"{where_ko}: {ko}", en=f"{where_en}: {en}")
        self.file = file
        self.line = line


class Format(StrEnum):
    """How a layout's bytes are arranged."""

    CSV = "csv"
    WEEKLY_JSON = "weekly_json"
    GEOJSON = "geojson"
    SHAPEFILE = "shapefile"
    XLSX = "xlsx"


class Reader(StrEnum):
    """How one publisher value is read; each accepts exactly one notation."""

    TEXT = "text"
    DATE = "date"
    WHOLE = "whole"
    DECIMAL_WHOLE = "decimal_whole"
    NUMBER = "number"
    SUPPRESSIBLE = "suppressible"
    QUARTER = "quarter"
    CODE5 = "code5"
    CODE7 = "code7"
    CODE8 = "code8"
    CODE10 = "code10"
    SERIES = "series"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceField:
    """One column of a publisher's file; `column` is empty when it is not taken over."""

    header: str
    column: str
    read: Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One arrangement in which a publisher gives a dataset."""

    name: str
    title: Text
    format: Format
    fields: tuple[SourceField, ...]
    trailing_empty: int
    header_prefix: str
    final_newline: bool
    second_header: tuple[str, ...]
    crs: str

    @property
    def headers(self) -> tuple[str, ...]:
        """The publisher's column names, in order."""
        return tuple(f.header for f in self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A layout known to be wrong for this dataset, and why."""

    name: str
    format: Format
    headers: tuple[str, ...]
    because: Text


class Rule(StrEnum):
    """How a column that no file carries is made."""

    SUM = "sum"
    PREFIX = "prefix"
    OCCURRENCE = "occurrence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A column made from others: a sum of parts, a code's first digits, or the n-th row of a repeated key."""

    column: str
    rule: Rule
    inputs: tuple[str, ...]
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All layouts of one dataset; a new layout is an entry in `recipe.yml`, not code."""

    version: str
    layouts: tuple[Layout, ...]
    refused: tuple[Refused, ...]
    derive: tuple[Derived, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What one file gave.

    Parameters
    ----------
    columns
        Arrow arrays by column name of the description.
    rows
        Rows taken [rows]; equal to the records the file holds.
    line
        Line, spreadsheet row or record number of row i.
    """

    file: str
    layout: Layout
    columns: dict[str, Any]
    rows: int
    line: Callable[[int], int]
