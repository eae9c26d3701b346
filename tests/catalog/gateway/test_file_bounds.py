"""Leaving files out by their own lowest and highest values changes no answer, whatever values they hold."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given as drawn_from
from hypothesis import settings
from hypothesis import strategies as st

from catalog.gateway.parameters import NONE, of_python
from catalog.gateway.pruning import index_of, kept
from catalog.gateway.spans import Spans, spans
from catalog.gateway.sql.demands import Among, Compare, Term
from catalog.warehouse import PartedBy, Snapshot, duckdb_relation_sql
from catalog.workers.query import bound_values
from tests.catalog.gateway.bounded import (
    DAYS,
    LONG,
    MOMENTS,
    Drawn,
    chosen,
    judged,
    long_list,
    rows,
    snapshot_of,
    written,
)


@settings(max_examples=40, deadline=None)
@drawn_from(seed=st.integers(0, 2**32))
def test_the_files_that_are_kept_hold_every_row_of_the_answer(seed: int) -> None:
    drawn = Drawn(seed)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as engine:
        snapshot = drawn.table(Path(folder))
        paths = [file.path for file in snapshot.files]
        engine.execute("SET threads = 1; CREATE SCHEMA campus")
        select = duckdb_relation_sql(snapshot, paths, mark="t", chosen_by="t")
        engine.execute(f"CREATE VIEW campus.t AS {select}")
        for _ in range(25):
            where, given = drawn.asked()
            statement = judged(where, given)
            numbers = chosen(snapshot, statement, given)
            if len(numbers) == len(paths):
                continue  # nothing is left out
            try:
                wanted = rows(engine, statement, paths, given)
            except duckdb.Error:
                continue  # the engine does not take it
            left = [paths[i] for i in numbers or (0,)]
            assert rows(engine, statement, left, given) == wanted, (where, given)


# -- what is left out


@pytest.fixture(scope="module")
def sorted_files(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Ten files of ten days each, from 2025-01-01."""
    folder = tmp_path_factory.mktemp("sorted")
    files = []
    for number in range(10):
        made = [
            (number, number * 2**40, number + row / 16, f"{LONG * 3}{number}",
             date.fromordinal(739252 + 10 * number + row), datetime(2025, 1, 1, number, row))
            for row in range(10)
        ]  # fmt: skip
        path, bounds = written(folder, number, made, 3)
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
        ("i < +1 OR i > -(-8)", (0, 9)),
        ("i IN (1::DOUBLE)", EVERY),
        ("i <= 0::SMALLINT OR i > 8::BIGINT", (0, 9)),
        ("i > -5::INTEGER AND l <= -0", (0,)),
        ("x < CAST(0.5 AS DOUBLE)", (0,)),
        ("i = 300::UTINYINT", EVERY),  # the engine refuses it
        ("i < CAST(1.5 AS INTEGER)", EVERY),
        ("i < TRY_CAST(1 AS INTEGER)", EVERY),
        (f"i IN ({long_list('3', '-3', '30')})", (3,)),
        (f"l IN ({long_list('3', '8796093022208')})", (8,)),
        (f"x IN ({long_list('2.5', '2.625', '-2')})", (2,)),
        (f"s IN ({long_list(repr(LONG * 3 + 'x'), repr('가'))})", EVERY),
        (f"s IN ({long_list(repr('a,b'), repr('가'))})", ()),
        (f"d IN ({long_list(repr('2025-01-15'), repr('2025-04-01'))})", (1, 9)),
        (f"d::DATE IN ({long_list(repr('2025-01-15'))})", (1,)),
        (f"d IN ({long_list(repr('2025-1-15'))})", EVERY),  # a day as we do not read it
        (f"t IN ({long_list(repr('2025-01-01 03:04:00'))})", (3,)),
        (f"i NOT IN ({long_list('3')})", EVERY),
        (f"i IN ({long_list('3')}) OR d = '2025-04-01'", (3, 9)),
        (f"(i IN ({long_list('3')})) IS NOT TRUE", EVERY),
        (f"i + 0 IN ({long_list('3')})", EVERY),
        (f"i IN ({long_list('3', '2.5')})", (3,)),  # no long list to the engine
        ("i IN (SELECT unnest(CAST(string_split('3,x', ',') AS INTEGER[])))", EVERY),
        ("i IN (SELECT unnest(CAST(string_split('3,4', '') AS INTEGER[])))", EVERY),
        (f"i IN (SELECT unnest(CAST(string_split('{'1' * 500}x', '1') AS INTEGER[])))", EVERY),  # in no time
        ("i IN (SELECT unnest(CAST(string_split('3|4', '|') AS INTEGER[])))", (3, 4)),
        ("i IN (SELECT unnest(CAST(string_split('3,4', ',') AS INTEGER[])) LIMIT 1)", EVERY),
        ("i IN (SELECT unnest(CAST(string_split('3,4', ',') AS INTEGER[])) WHERE i > 3)", EVERY),
        ("i < ANY (SELECT unnest(CAST(string_split('3,4', ',') AS INTEGER[])))", EVERY),
        ("s IN (SELECT unnest(CAST(string_split('3,4', ',') AS INTEGER[]))::VARCHAR)", EVERY),
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


@pytest.mark.parametrize(
    ("where", "value", "wanted"),
    [
        ("x = ?", 2.5, (2,)),
        ("x < ?", 0.5, (0,)),
        ("x < ?", 1, (0,)),
        ("x <= ?", Decimal("0.5"), (0,)),
        ("x > ?", 8.9, EVERY),  # NaN
        ("x = ?", math.nan, EVERY),
        ("x < ?", -math.inf, EVERY),
        ("i >= ?", Decimal("8.5"), (9,)),
        ("i > ?", -5, EVERY),
        ("i < ?", -5, ()),
        ("i < ?", -5.0, EVERY),  # compared as doubles
        ("l BETWEEN ? AND 2::DOUBLE", 2**53, EVERY),
        ("l BETWEEN -2 AND ?", 0, (0,)),
        ("l BETWEEN 2 * 3 AND ?", 0, EVERY),
        ("i = ?", Decimal("3.0"), (3,)),
        ("l = ?", float(2**54), EVERY),  # 2**54 + 1 is the same double
        ("s < ?", 5.0, EVERY),
        ("i = ?", True, EVERY),
    ],
)
def test_bound_numbers_leave_files_out(
    sorted_files: Snapshot, where: str, value: object, wanted: tuple[int, ...]
) -> None:
    given = of_python([value])
    assert chosen(sorted_files, judged(where, given), given) == wanted


def test_a_number_that_the_engine_reads_as_another_double_leaves_nothing_out(tmp_path: Path) -> None:
    """Of more than 64 bits; what it takes is the value of the file's only row."""
    number = 66569006996264833203
    with duckdb.connect() as engine:
        [(double,)] = engine.execute(f"SELECT {number}::DOUBLE").fetchall()
    assert double != float(number), "this test shows nothing"
    path, bounds = written(tmp_path, 0, [(1, 1, double, "", DAYS[0], MOMENTS[0])], 1)
    snapshot = snapshot_of([(path, (), bounds, 1)], parted=False)
    assert chosen(snapshot, judged(f"x = {number}")) == (0,)


def test_beside_a_double_a_large_whole_number_is_another(tmp_path: Path) -> None:
    number, odd = 2**53 + 4, 2**53 + 3
    path, bounds = written(tmp_path, 0, [(1, number, 1.0, "", DAYS[0], MOMENTS[0])], 1)
    snapshot = snapshot_of([(path, (), bounds, 1)], parted=False)
    for where, value in (("l BETWEEN 0.5e0 AND $n", odd), ("l IN ($n, 0.5e0)", odd), ("l IN ($n, $x)", odd)):
        given = of_python({"n": value, **({"x": 0.5} if "$x" in where else {})})
        with duckdb.connect() as engine:
            text = f"SELECT {where} FROM (SELECT {number} AS l)"
            assert engine.execute(text, bound_values(given.wire)).fetchall() == [(True,)]
        assert chosen(snapshot, judged(where, given), given) == (0,), where


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
@drawn_from(ends=st.lists(ENDS, max_size=12), values=st.lists(st.integers(-1, 13), min_size=1, max_size=5))
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
