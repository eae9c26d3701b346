"""Values shared by all readers of publisher files: the refusal, the recipe, what was read. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any

import numpy as np

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
    PORTAL_JSON = "portal_json"
    GEOJSON = "geojson"
    SHAPEFILE = "shapefile"
    XLSX = "xlsx"


class Delimiter(StrEnum):
    """What stands between the values of a delimited record, by its name in a recipe."""

    COMMA = "comma"
    PIPE = "pipe"
    TAB = "tab"
    SEMICOLON = "semicolon"

    @property
    def letter(self) -> str:
        """The character itself."""
        return {"comma": ",", "pipe": "|", "tab": "\t", "semicolon": ";"}[self.value]


class Reader(StrEnum):
    """How one publisher value is read; each accepts exactly one notation."""

    TEXT = "text"
    DATE = "date"
    DATE_DASHED = "date_dashed"
    DATE_DAY_FIRST = "date_day_first"
    DATE_DOTTED = "date_dotted"
    MONTH = "month"
    WHOLE = "whole"
    DECIMAL_WHOLE = "decimal_whole"
    NUMBER = "number"
    BARE_NUMBER = "bare_number"
    SUPPRESSIBLE = "suppressible"
    QUARTER = "quarter"
    CODE2 = "code2"
    CODE5 = "code5"
    CODE7 = "code7"
    CODE8 = "code8"
    CODE10 = "code10"
    SEX = "sex"
    AGE = "age"
    SECOND = "second"
    LINES = "lines"
    OPTIONAL_TEXT = "optional_text"
    OPTIONAL_SECOND = "optional_second"
    SERIES = "series"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceField:
    """One column of a publisher's file; `column` is empty when it is not taken over.

    Parameters
    ----------
    also
        Other names the publisher gives the same column.
    missing
        Texts that mean "no value", read exactly.
    values
        (publisher's text, text to read instead), read exactly.
    pattern
        Regular expression that every value matches; empty for none.
    """

    header: str
    column: str
    read: Reader
    also: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    pattern: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every header the column goes by."""
        return (self.header, *self.also)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A column read from the joined text of publisher columns, or from the part a pattern calls `value`."""

    column: str
    headers: tuple[str, ...]
    read: Reader
    pattern: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Two coordinate columns that become a WKB point in longitude and latitude; `absent` means no place."""

    x: str
    y: str
    crs: str
    longitude: str
    latitude: str
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A column whose values stand in headers: (text in the header, value to read)."""

    column: str
    read: Reader
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpivot:
    """Wide columns made long; headers are patterns such as `{hour} 승차인원`.

    Parameters
    ----------
    after
        Header after which the wide columns begin; empty for the end of the row.
    some
        Whether a file may carry only some of the labels, in the same order.
    drop
        Whether the columns must be there but are not taken.
    """

    keys: tuple[Key, ...]
    cells: tuple[SourceField, ...]
    after: str
    some: bool
    drop: bool

    def expanded(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
        """(key texts, cell headers) of every combination, the last key turning fastest."""
        out = []
        for combination in product(*(k.labels for k in self.keys)):
            words = {k.column: shown for k, (shown, _) in zip(self.keys, combination, strict=True)}
            headers = tuple(c.header.format_map(words) for c in self.cells)
            out.append((tuple(value for _, value in combination), headers))
        return tuple(out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Total rows inside a file: set aside, and each compared with the sum of its group's other rows."""

    column: str
    values: tuple[str, ...]
    within: tuple[str, ...]
    sums: tuple[str, ...]
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One arrangement in which a publisher gives a dataset.

    Parameters
    ----------
    delimiter
        What stands between the values of a record.
    headless
        Whether files have no header: they are recognised by the number and the forms of their values.
    because
        Why files in this arrangement are refused; None where they are taken.
    polygon_area
        Column for the area inside each shape's own lines, in the layout's system [m2]; empty for none.
    """

    name: str
    title: Text
    format: Format
    fields: tuple[SourceField, ...]
    trailing_empty: int
    header_prefix: str
    final_newline: bool
    second_header: tuple[str, ...]
    crs: str
    encoding: str = ""
    delimiter: str = ","
    headless: bool = False
    because: Text | None = None
    every_sheet: bool = False
    constants: tuple[tuple[str, str], ...] = ()
    made: tuple[Made, ...] = ()
    point: Point | None = None
    unpivot: Unpivot | None = None
    aside: Aside | None = None
    polygon_area: str = ""

    @property
    def quoted_lines(self) -> bool:
        """Whether a value may hold line ends, so that a record may be several lines."""
        return any(f.read is Reader.LINES for f in self.fields)

    @property
    def headers(self) -> tuple[str, ...]:
        """The publisher's column names, in order."""
        names = [f.header for f in self.fields]
        if self.unpivot is None:
            return tuple(names)
        at = names.index(self.unpivot.after) + 1 if self.unpivot.after else len(names)
        wide = [h for _, headers in self.unpivot.expanded() for h in headers]
        return (*names[:at], *wide, *names[at:])


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
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A column made from others: a sum, a code's first digits, the n-th row of a repeated key, a constant."""

    column: str
    rule: Rule
    inputs: tuple[str, ...]
    number: int
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All layouts of one dataset; a new layout is an entry in `recipe.yml`, not code."""

    version: str
    layouts: tuple[Layout, ...]
    refused: tuple[Refused, ...]
    derive: tuple[Derived, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Rows of a file in their order.

    Parameters
    ----------
    columns
        Arrow arrays by column name of the description.
    lines
        Line, spreadsheet row or record number of every row, counted from 1.
    """

    columns: dict[str, Any]
    lines: np.ndarray

    @property
    def rows(self) -> int:
        """How many [rows]; records times wide labels."""
        return len(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A file of a format that is read whole."""

    file: str
    layout: Layout
    piece: Piece
