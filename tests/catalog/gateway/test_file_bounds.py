"""Leaving files out by their own lowest and highest values changes no answer, whatever values they hold."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.gateway.parameters import NONE
from catalog.gateway.pruning import index_of, kept
from catalog.gateway.spans import Spans, spans
from catalog.gateway.sql.demands import Among, Compare, Term
from catalog.gateway.sql.statement import Statement, prepare
from catalog.warehouse import (
    DataFile,
    Field,
    PartedBy,
    Publication,
    Snapshot,
    duckdb_relation_sql,
    file_bounds,
)
from catalog.workers.query import choose
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


def judged(where: str) -> Statement:
    text = f"SELECT * FROM t WHERE {where}"
    return prepare(text, ("t",), FUNCTIONS, PARSER, {}, NONE.names, {"t": tuple(KINDS.items())})


def chosen(snapshot: Snapshot, statement: Statement) -> tuple[int, ...]:
    return kept(index_of(snapshot), len(snapshot.files), statement.demands["t"], NONE)


# -- random tables and conditions


class Drawn:
    """A table and conditions of it, by a seed: evenly drawn, where hypothesis likes few and small values."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.present: dict[str, list[Any]] = {}

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

    def condition(self, depth: int = 2) -> str:
        if depth and self.random.random() < 0.3:
            made = f"({self.condition(depth - 1)}) {self.one_of(['AND', 'OR'])} ({self.condition(depth - 1)})"
            return f"NOT ({made})" if self.random.random() < 0.1 else made
        return self.comparison()

    def comparison(self) -> str:
        column = self.one_of([*KINDS, "s", "x"])
        sign = self.one_of(["=", "<", "<=", ">", ">=", "<", "<=", ">", ">=", "<>"])
        one, other, third = (self.literal(column) for _ in range(3))
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
        choices = VALUES[list(KINDS).index(column)]
        value = self.one_of(self.present[column] or choices if self.random.random() < 0.5 else choices)
        match value:
            case float():
                return repr(value) if math.isfinite(value) else f"'{value}'::DOUBLE"
            case str():
                return "'" + value.replace("'", "''") + "'"
            case datetime() | date():
                day = f"{value:%Y-%m-%d}".rjust(10, "0")
                return str(self.one_of([f"TIMESTAMP '{value}'", f"'{value}'", f"DATE '{day}'", f"'{day}'"]))
        return str(self.one_of([value, value, f"{value}.5"]))


def _sortable(value: Any) -> Any:
    return 0 if value is None or (isinstance(value, float) and math.isnan(value)) else value


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_files_that_are_kept_hold_every_row_of_the_answer(seed: int) -> None:
    drawn = Drawn(seed)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as engine:
        snapshot = drawn.table(Path(folder))
        paths = [file.path for file in snapshot.files]
        engine.execute("SET threads = 1; CREATE SCHEMA campus")
        select = duckdb_relation_sql(snapshot, paths, mark="t", chosen_by="t")
        engine.execute(f"CREATE VIEW campus.t AS {select}")
        for _ in range(25):
            where = drawn.condition()
            statement = judged(where)
            numbers = chosen(snapshot, statement)
            if len(numbers) == len(paths):
                continue  # nothing is left out
            try:
                wanted = rows(engine, statement, paths)
            except duckdb.Error:
                continue  # the engine does not take it
            assert rows(engine, statement, [paths[i] for i in numbers or (0,)]) == wanted, where


def rows(engine: Any, statement: Statement, paths: list[str]) -> list[str]:
    cursor = engine.cursor()
    try:
        choose(cursor, {"t": paths})
        return sorted(map(repr, cursor.execute(statement.text).fetchall()))
    finally:
        cursor.close()


# -- what is left out


@pytest.fixture(scope="module")
def sorted_files(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Ten files of ten days each, from 2025-01-01."""
    folder = tmp_path_factory.mktemp("sorted")
    files = []
    for number in range(10):
        rows = [
            (number, number * 2**40, number + row / 16, f"{LONG * 3}{number}",
             date.fromordinal(739252 + 10 * number + row), datetime(2025, 1, 1, number, row))
            for row in range(10)
        ]  # fmt: skip
        path, bounds = written(folder, number, rows, 3)
        files.append((path, (), bounds, 10))
    return snapshot_of(files, parted=False)


EVERY = tuple(range(10))


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("d = DATE '2025-01-15'", (1,)),
        ("d IN ('2025-01-15', '2025-04-01')", (1, 9)),
        ("d >= '2025-03-30' AND i <> 9", (8, 9)),
        ("d < '2025-01-11'", (0,)),
        ("d > '2025-04-09'", (9,)),
        ("d > '2025-04-10'", ()),
        ("month(d) = 2", (3, 4, 5)),
        ("strftime(d, '%Y%m') = '202502'", (3, 4, 5)),
        ("i = 3 OR l > 8796093022208", (3, 9)),
        ("x BETWEEN 2.6 AND 3", (0, 1, 2, 3)),
        ("x < 0.5", (0,)),
        ("x > 8.9", EVERY),  # NaN is above every number
        ("t = TIMESTAMP '2025-01-01 03:04:00'", (3,)),
        (f"s = '{LONG * 3}4'", EVERY),  # they begin with the same 32 characters
        (f"s < '{LONG}'", ()),
        (f"s > '{LONG * 4}'", EVERY),
        ("s > '하'", ()),
        ("left(s, 2) = '서울'", EVERY),
        ("left(s, 2) = '부산'", ()),
        ("i IS NULL", EVERY),
        ("i + 0 = 3", EVERY),
    ],
)
def test_files_without_a_wanted_row_are_left_out(
    sorted_files: Snapshot, where: str, wanted: tuple[int, ...]
) -> None:
    assert chosen(sorted_files, judged(where)) == wanted


def test_partitions_and_bounds_leave_out_together(sorted_files: Snapshot) -> None:
    """By its month a file of which no bounds are known; by its bounds one of a month that fits."""
    months = [("2025-01",) * 3 + ("2025-02",) * 3 + ("2025-03",) * 4][0]
    files = tuple(
        replace(f, partition=(("month", month),), bounds="" if number in (2, 6) else f.bounds)
        for number, (f, month) in enumerate(zip(sorted_files.files, months, strict=True))
    )
    meaning = (PartedBy(name="month", field_id=5, transform="month"),)
    both = replace(sorted_files, files=files, parted=meaning)
    asked = judged("d = '2025-01-15'")
    assert chosen(both, asked) == (1, 2)
    assert chosen(replace(both, parted=()), asked) == (1, 2, 6)
    assert chosen(replace(both, files=tuple(replace(f, bounds="") for f in files)), asked) == (0, 1, 2)


def test_a_column_that_was_added_or_is_of_another_kind_says_nothing(sorted_files: Snapshot) -> None:
    """By its lasting number, not by its name."""
    asked = judged("i = 3")
    for number, kind, wanted in (
        (1, "BIGINT", (3,)),
        (9, "INTEGER", EVERY),
        (1, "VARCHAR", EVERY),
        (5, "INTEGER", EVERY),
    ):
        fields = tuple(
            replace(f, field_id=number, duckdb_type=kind) if f.name == "i" else f for f in sorted_files.fields
        )
        assert chosen(replace(sorted_files, fields=fields), asked) == wanted


# -- the order they are looked through in


ENDS = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda ends: (min(ends), max(ends)))


@settings(max_examples=300, deadline=None)
@given(ends=st.lists(ENDS, max_size=12), values=st.lists(st.integers(-1, 13), min_size=1, max_size=5))
def test_looking_through_an_order_says_what_looking_at_each_does(
    ends: list[tuple[int, int]], values: list[int]
) -> None:
    places: dict[Any, list[int]] = {}
    for number, (low, high) in enumerate(ends):
        places.setdefault((Decimal(low), Decimal(high)), []).append(number)
    made: Spans = spans(places)
    fits: dict[str, Callable[[int, int], bool]] = {
        "<": lambda v, c: v < c,
        "<=": lambda v, c: v <= c,
        ">": lambda v, c: v > c,
        ">=": lambda v, c: v >= c,
    }
    for how, holds in fits.items():
        none = {n for n, (a, b) in enumerate(ends) if not holds(a, values[0]) and not holds(b, values[0])}
        assert made.none(how, Decimal(values[0])) == none
    none = {n for n, (a, b) in enumerate(ends) if not any(a <= v <= b for v in values)}
    assert made.none_of([Decimal(v) for v in values]) == none


def test_an_order_is_made_once_for_each_term_and_not_for_ever_more(sorted_files: Snapshot) -> None:
    known = index_of(sorted_files)("s")
    assert known is not None and index_of(sorted_files)("no such column") is None
    terms = [Term(column="s", kind="VARCHAR", how="left", what=str(n)) for n in range(1, 100)]
    first = known.of(terms[0])
    assert known.of(terms[0]) is first and len(first.none("<", b"a")) == 10
    for term in terms:
        known.of(term)
    assert known.of(terms[0]) is not first and known.of(Term(column="s", kind="VARCHAR")) is known


def test_a_year_of_fewer_than_four_digits_is_not_worded_as_the_engine_does() -> None:
    """Python writes 1, the engine 0001."""
    ends = datetime(1, 1, 1), datetime(999, 12, 31)
    asked = Among(term=Term(column="d", kind="VARCHAR", how="format", what="%Y"), values=(b"0001",))
    assert kept({"d": spans({ends: [0]})}.get, 1, [asked], NONE) == (0,)


def test_a_value_that_is_not_known_leaves_nothing_out(sorted_files: Snapshot) -> None:
    term = Term(column="i", kind="WHOLE")
    for asked in (
        Among(term=term, values=()),
        Compare(how="<", term=Term(column="z", kind="WHOLE"), value=Decimal(1)),
    ):
        assert kept(index_of(sorted_files), 10, [asked], NONE) == EVERY
