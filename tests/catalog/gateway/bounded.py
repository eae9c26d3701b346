"""Small tables of every kind of value, with what is listed of their files, and random conditions of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.gateway.parameters import NONE, Parameters, of_python
from catalog.gateway.pruning import index_of, kept
from catalog.gateway.sql import values
from catalog.gateway.sql.statement import Statement, prepare
from catalog.warehouse import DataFile, Field, PartedBy, Publication, Snapshot, file_bounds
from catalog.workers.query import bound_values, choose
from tests.catalog.gateway.prunable import FUNCTIONS
from tests.catalog.gateway.simulator import utc_now
from tests.catalog.gateway.test_tree import PARSER

KINDS = {"i": "INTEGER", "l": "BIGINT", "x": "DOUBLE", "s": "VARCHAR", "d": "DATE", "t": "TIMESTAMP"}
ARROW = [pa.int32(), pa.int64(), pa.float64(), pa.string(), pa.date32(), pa.timestamp("us")]
LONG = "서울특별시 종로구 청운효자동 "
NUMBERS = [*range(-9, 10), -(2**31), 2**31 - 1]
WIDE = [*range(-9, 10), -(2**63), 2**63 - 1, 2**53, 2**53 + 1]
FLOATS = [0.0, -0.0, 1.5, 2.5, -1.5, 0.1, 0.3, 1e300, 5e-324, float(2**53), *(n / 4 for n in range(20))]
STRANGE = [*FLOATS, *[math.nan] * 4, math.inf, -math.inf]
TEXTS = ["", "a", "A", "aa", "가", "각", "가나", "é", "e\u0301", "\U0001f44d\U0001f3fd", "\U0010ffff"]
TEXTS += [
    LONG * 3,
    LONG * 3 + "1",
    LONG * 3 + "2",
    LONG * 2 + "ㄱ",
    (LONG * 3)[:32],
    (LONG * 3)[:31],
    "z" * 5000,
]
DAYS = [date(2024, 11, 28) + timedelta(days=3 * i) for i in range(24)] + [date(1, 1, 1), date(9999, 12, 31)]
MOMENTS = [datetime(2024, 12, 30, 5, 59, 59, 999_999) + timedelta(hours=7 * i) for i in range(40)]
MOMENTS += [datetime(d.year, d.month, d.day) for d in DAYS]
VALUES: list[Sequence[Any]] = [NUMBERS, WIDE, STRANGE, TEXTS, DAYS, MOMENTS]
Row = tuple[Any, ...]


def snapshot_of(files: Sequence[tuple[str, tuple[tuple[str, str], ...], str, int]], parted: bool) -> Snapshot:
    return Snapshot(
        dataset="t",
        variant="main",
        snapshot_id=1,
        files=tuple(
            DataFile(path=path, rows=rows, size=1, row_groups=(rows,), partition=partition, bounds=bounds)
            for path, partition, bounds, rows in files
        ),
        fields=tuple(Field(field_id=i, name=n, duckdb_type=k) for i, (n, k) in enumerate(KINDS.items(), 1)),
        publication=Publication(now=utc_now(), by="x", synthetic=True, source="x", recipe="1"),
        parted=(PartedBy(name="month", field_id=5, transform="month"),) if parted else (),
    )


def written(folder: Path, number: int, rows: Sequence[Row], row_group: int) -> tuple[str, str]:
    """A file of these rows, and what is listed of it."""
    schema = pa.schema(
        [
            pa.field(n, kind, metadata={"PARQUET:field_id": str(i)})
            for i, (n, kind) in enumerate(zip(KINDS, ARROW, strict=True), 1)
        ]
    )
    columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(ARROW)]
    path = folder / f"{number}.parquet"
    pq.write_table(pa.table(columns, schema=schema), path, row_group_size=row_group)
    with pq.ParquetFile(path) as parquet:
        return str(path), file_bounds(parquet.metadata)


def judged(where: str, given: Parameters = NONE) -> Statement:
    text = f"SELECT * FROM t WHERE {where}"
    return prepare(text, ("t",), FUNCTIONS, PARSER, {}, given.names, {"t": tuple(KINDS.items())})


def chosen(snapshot: Snapshot, statement: Statement, given: Parameters = NONE) -> tuple[int, ...]:
    return kept(index_of(snapshot), len(snapshot.files), statement.demands["t"], given)


def rows(engine: Any, statement: Statement, paths: list[str], given: Parameters = NONE) -> list[str]:
    cursor = engine.cursor()
    try:
        choose(cursor, {"t": paths})
        return sorted(map(repr, cursor.execute(statement.text, bound_values(given.wire) or None).fetchall()))
    finally:
        cursor.close()


def long_list(*literals: str) -> str:
    """The literals again and again, as many as make a long list."""
    return ", ".join(literals * (values.LONG // len(literals) + 1))


# -- random tables and conditions


class Drawn:
    """A table and conditions of it, by a seed: evenly drawn, where hypothesis likes few and small values."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.present: dict[str, list[Any]] = {}
        self.bound: dict[str, Any] = {}

    def one_of(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    def table(self, folder: Path) -> Snapshot:
        """Sorted or not, in a few files, parted by month or not; of some files nothing is known."""
        rows: list[Row] = [
            tuple(None if self.random.random() < 0.1 else self.one_of(values) for values in VALUES)
            for _ in range(self.random.randint(1, 40))
        ]
        if self.random.random() < 0.8:
            column = self.random.randrange(len(ARROW))
            rows.sort(key=lambda row: (row[column] is None, _sortable(row[column])))
        parted, every = self.random.random() < 0.3, self.random.randint(1, 8)
        groups: dict[Any, list[Row]] = {}
        for number, row in enumerate(rows):
            month = "None" if row[4] is None else f"{row[4].year:04}-{row[4].month:02}"
            groups.setdefault((number // every, month if parted else ""), []).append(row)
        files = []
        for number, ((_, month), inside) in enumerate(groups.items()):
            path, bounds = written(folder, number, inside, self.random.randint(1, 4))
            bounds = self.one_of([bounds] * 20 + ["", "[", '[[1,"int",9]]'])
            files.append((path, (("month", month),) if parted else (), bounds, len(inside)))
        self.present = {n: [row[i] for row in rows if row[i] is not None] for i, n in enumerate(KINDS)}
        return snapshot_of(files, parted)

    def asked(self) -> tuple[str, Parameters]:
        """A condition and the values that it asks for."""
        self.bound = {}
        where = self.condition()
        return where, of_python({name: value for name, value in self.bound.items() if name in where})

    def condition(self, depth: int = 2) -> str:
        if depth and self.random.random() < 0.3:
            made = f"({self.condition(depth - 1)}) {self.one_of(['AND', 'OR'])} ({self.condition(depth - 1)})"
            return f"NOT ({made})" if self.random.random() < 0.1 else made
        return self.comparison()

    def comparison(self) -> str:
        column = self.one_of([*KINDS, "s", "x"])
        sign = self.one_of(["=", "<", "<=", ">", ">=", "<", "<=", ">", ">=", "<>"])
        one, other, third = (self.literal(column) for _ in range(3))
        if self.random.random() < 0.1:
            return f"{column} IN ({long_list(*(self.plain(column) for _ in range(3)))})"
        if self.random.random() < 0.3:
            one = self.asked_for(column)
            return str(
                self.one_of(
                    [f"{column} {sign} {one}", f"{one} {sign} {column}", f"{column} IN ({other}, {one})"]
                )
            )
        forms = [f"{column} {sign} {one}"] * 3
        forms += [f"{column} BETWEEN {one} AND {other}", f"{one} {sign} {column}"]
        forms += [f"{column} IN ({one}, {other}, {third})", f"{column} IS NOT DISTINCT FROM {one}"]
        if column == "s":
            length = self.random.randint(1, 40)
            forms += [f"left(s, {length}) {sign} left({one}, {length})", f"left(s, {length}) {sign} {one}"]
            forms += [f"starts_with(s, {one})", f"s LIKE {one[:-1]}%'", f"substr(s, 1, 2) = {one}"]
        if column in ("d", "t"):
            part, step = (
                self.one_of(["year", "month", "quarter"]),
                self.one_of(["year", "quarter", "month", "day"]),
            )
            form, day = self.one_of(["%Y", "%Y-%m", "%Y%m%d"]), self.one_of(DAYS)
            forms += [f"{part}({column}) {sign} {self.one_of([1, 2, 4, 11, 12, 2024, 2025, 9999])}",
                      f"date_trunc('{step}', {column}) {sign} DATE '{day}'",
                      f"strftime({column}, '{form}') {sign} strftime({one}::DATE, '{form}')",
                      f"strftime({column}, '{form}') {sign} '{day:{form}}'"]  # fmt: skip
        return str(self.one_of(forms))

    def literal(self, column: str) -> str:
        """A constant, as often as not a value that some row has."""
        value = self.drawn(column)
        match value:
            case float():
                cast = self.one_of(["", "", "::DOUBLE"])
                return f"{value!r}{cast}" if math.isfinite(value) else f"'{value}'::DOUBLE"
            case str():
                return "'" + value.replace("'", "''") + "'"
            case datetime() | date():
                day = f"{value:%Y-%m-%d}".rjust(10, "0")
                return str(self.one_of([f"TIMESTAMP '{value}'", f"'{value}'", f"DATE '{day}'", f"'{day}'"]))
        forms = [value, value, f"{value}.5", f"{value}::BIGINT", f"CAST({value} AS INTEGER)"]
        return str(
            self.one_of([*forms, f"{value}::SMALLINT", f"CAST({value} AS DOUBLE)", f"+{value}", f"{value}e0"])
        )

    def drawn(self, column: str) -> Any:
        choices = VALUES[list(KINDS).index(column)]
        return self.one_of(self.present[column] or choices if self.random.random() < 0.5 else choices)

    def plain(self, column: str) -> str:
        """A literal as a long list has it, or one that keeps a list from being one."""
        value = self.drawn(column)
        match value:
            case int() | float():
                texts = [f"{value}", f"{value + 0.5}", f"{value:.3f}"] if abs(value) < 1e9 else [f"{value}"]
                return str(self.one_of(texts))
            case str():
                return "'" + value[:200].replace("'", "''") + "'"
            case datetime() | date():
                return f"'{value}'"
        raise AssertionError(value)

    def asked_for(self, column: str) -> str:
        """The mark of a bound value, now and then of another type than the column is."""
        value, name = self.drawn(column), f"p{len(self.bound)}_"
        if isinstance(value, (int, float)) and math.isfinite(value):
            forms: list[Any] = [value, value, float(value), value + 0.5]
            if abs(value) < 1e15:
                forms += [int(value), Decimal(f"{value:.20f}"), Decimal(f"{value:.1f}")]
            value = self.one_of(forms)
        elif isinstance(value, date):
            value = self.one_of([value, value, str(value)])
        self.bound[name] = value
        return f"${name}"


def _sortable(value: Any) -> Any:
    return 0 if value is None or (isinstance(value, float) and math.isnan(value)) else value
