"""The words of a description: frozen values. Knows no file format and does no reading."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One sentence or name in both languages."""

    ko: str
    en: str


class Tier(StrEnum):
    """How freely rows may be read: by anyone signed in, with a grant, or as aggregates only."""

    OPEN = "open"
    CONTROLLED = "controlled"
    RESTRICTED = "restricted"


class ColumnType(StrEnum):
    """Physical type of a column, in Apache Iceberg's words."""

    STRING = "string"
    INT = "int"
    LONG = "long"
    DOUBLE = "double"
    DATE = "date"
    TIMESTAMP = "timestamp"
    BINARY = "binary"

    @property
    def duckdb(self) -> str:
        """The same type in DuckDB's words."""
        return _DUCKDB[self]


_DUCKDB = {
    ColumnType.STRING: "VARCHAR",
    ColumnType.INT: "INTEGER",
    ColumnType.LONG: "BIGINT",
    ColumnType.DOUBLE: "DOUBLE",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.BINARY: "BLOB",
}


class Role(StrEnum):
    """What a column is to an analyst and to disclosure control."""

    DIMENSION = "dimension"
    IDENTIFIER = "identifier"
    QUASI_IDENTIFIER = "quasi_identifier"
    MEASURE = "measure"
    WEIGHT = "weight"
    COUNT = "count"
    GEOMETRY = "geometry"
    METADATA = "metadata"


class Rows(StrEnum):
    """What one row is about: one person's or firm's doings, many added up, or a place, reading or code."""

    INDIVIDUALS = "individuals"
    AGGREGATED = "aggregated"
    THINGS = "things"


class ExportClass(StrEnum):
    """Kinds of results, coarsest last: 원값, 단순집계, 응용집계, 시각화."""

    RAW = "raw"
    AGGREGATE = "aggregate"
    DERIVED = "derived"
    CHART = "chart"


class PeriodUnit(StrEnum):
    """Length of the period that a newly given file replaces."""

    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The column that says which period a row belongs to; a period given again replaces the earlier one."""

    column: str
    unit: PeriodUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """The column holding WKB and the reference system of its coordinates."""

    column: str
    crs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Whom the rows speak of: what disclosure control protects and has to count.

    Parameters
    ----------
    columns
        Equal values there mean the same one (the entity key); empty unless rows are of individuals.
    whose
        Who or what it is, and where rows name none, why.
    """

    rows: Rows
    columns: tuple[str, ...]
    whose: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPolicy:
    """Which kinds of results may leave, and from how many contributors a cell must come."""

    classes: tuple[ExportClass, ...]
    minimum_count: int
    note: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `unit` and `code_system` are empty where they do not apply, `was` if never renamed."""

    name: str
    type: ColumnType
    title: Text
    unit: str
    code_system: str
    role: Role
    missing: Text | None
    was: str = ""

    @property
    def nullable(self) -> bool:
        """Whether a value may be absent; `missing` then says what absence means."""
        return self.missing is not None


class How(StrEnum):
    """How a variant's column comes from one of the main variant."""

    SAME = "same"
    PREFIX = "prefix"
    MONTH = "month"
    MASK = "mask"
    SUM = "sum"
    MEAN = "mean"


AGGREGATES = frozenset({How.SUM, How.MEAN})


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantColumn:
    """One column of a variant; `number` is for prefix [characters], `value` for mask."""

    name: str
    source: str
    how: How
    number: int
    value: str
    title: Text
    code_system: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A published variant: masked, coarsened or, where a column is summed or averaged, aggregated.

    Parameters
    ----------
    counted, least
        Groups whose `counted` is below `least` are left out; 0 leaves none out.
    tier
        Its own, where it is not as private as its dataset; None where it is.
    """

    name: str
    title: Text
    columns: tuple[VariantColumn, ...]
    counted: str
    least: int
    tier: Tier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A part of a dataset by one column, kept in files of its own, so that a grant can name it.

    Parameters
    ----------
    how, number
        `same` and `prefix` (of `number` [characters]) for text, `month` for a date or moment.
    """

    name: str
    source: str
    how: How
    number: int
    title: Text
    code_system: str


class Step(StrEnum):
    """What a date or moment is made into before it is grouped by: a period's start, or a part of it."""

    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    HOUR = "hour"
    WEEKDAY = "weekday"


PARTS = frozenset({Step.HOUR, Step.WEEKDAY})  # hour of the day, day of the week (1 is Monday)


class Total(StrEnum):
    """What may be computed of a measure."""

    SUM = "sum"
    AVG = "avg"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Columns, coarse to fine, that may be grouped and chosen by; `steps` for dates and moments."""

    name: str
    columns: tuple[str, ...]
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A column that is only ever added up."""

    column: str
    functions: tuple[Total, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What a restricted dataset's counts are changed by: the cell key method.

    A record carries a key, drawn evenly from 0 to `keys` - 1 once and for all. The keys of a cell's records
    added up, modulo `keys`, are its cell key: the same records always get the same noise.

    Attributes
    ----------
    column
        The column with the record's key.
    keys
        How many keys there are.
    changes
        By count from 1 to `COUNTS`, then by cell key from 0 [units].
    """

    COUNTS: ClassVar = 750
    REPEATED: ClassVar = 250  # the last of them also serve all larger counts, over and over

    column: str
    keys: int
    changes: tuple[int, ...]

    def applied(self, count: int, key: int) -> int:
        """A count [units] with its noise, by the sum of its records' keys."""
        if count < 1:
            return count
        row = count if count <= self.COUNTS else (count - 1) % self.REPEATED + self.COUNTS - self.REPEATED + 1
        return count + self.changes[(row - 1) * self.keys + key % self.keys]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregates:
    """What a restricted dataset answers: groups of enough units, and of each these totals.

    Attributes
    ----------
    units
        The column that counts units; empty where units are the different values of `entity.columns`.
    minimum
        Units that a group must have [units].
    budget
        Groups that one project may be told of one dataset [groups].
    noise
        What counts are changed by; None where they are exact. There are no measures beside it, since a sum
        would tell the count.
    """

    units: str
    minimum: int
    budget: int
    hierarchies: tuple[Hierarchy, ...]
    measures: tuple[Measure, ...]
    noise: Noise | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Everything said of one dataset; no rows.

    Attributes
    ----------
    aggregates
        Of a restricted dataset, what may be asked; without it nothing may.
    lookups
        Columns that are asked for one value among very many and that the order does not help, such as a
        hashed card: their files carry Bloom filters.
    """

    name: str
    title: Text
    description: Text
    custodian: Text
    tier: Tier
    licence: Text
    update_cycle: Text
    spatial: Text
    temporal: Text
    unit_of_observation: Text
    key: tuple[str, ...]
    entity: Entity
    sort: tuple[str, ...]
    period: Period | None
    columns: tuple[Column, ...]
    geometry: Geometry | None
    export_policy: ExportPolicy
    source: Text
    source_url: str
    keywords: tuple[str, ...]
    variants: tuple[Variant, ...] = ()
    partitions: tuple[Partition, ...] = ()
    lookups: tuple[str, ...] = ()
    aggregates: Aggregates | None = None

    def variant(self, name: str) -> Variant:
        """The declared variant of that name; `KeyError` if there is none."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise KeyError(name)

    def column(self, name: str) -> Column:
        """The column of that name; `KeyError` if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
