"""Differences of two answers as the worker computes them, against counting by hand over random rows."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable

import duckdb
import pytest

from catalog.gateway.governed.compose import Cells, cells, remainder_units
from catalog.gateway.governed.differences import few
from catalog.gateway.governed.plan import Choice, Level, Rules, Shape
from tests.catalog.gateway.governed.test_judge import RULES

AGGREGATES = dataclasses.replace(RULES.aggregates, minimum=4)
DISTINCT = dataclasses.replace(RULES, aggregates=AGGREGATES)
PAIRS = dataclasses.replace(DISTINCT, unit=("card_hash", "trip_id"))
COUNTED = dataclasses.replace(DISTINCT, unit=(), counted="fare")
SPARSE = dataclasses.replace(DISTINCT, aggregates=dataclasses.replace(RULES.aggregates, minimum=9))
COLUMNS = ("mode", "boarding_line", "user_type")
LEVELS = [Level(column=c) for c in COLUMNS]
Row = dict[str, str | int | None]


def measured(rows: list[Row], rules: Rules) -> int:
    """Units of rows, by hand."""
    if rules.counted:
        return sum(int(row["fare"] or 0) for row in rows)
    return len({tuple(row[c] for c in rules.unit) for row in rows})


def cells_of(rows: list[Row], shape: Shape, rules: Rules) -> list[frozenset[int]]:
    """The cells of a shape as sets of row numbers, in the order of their rank."""
    found: dict[tuple[Hashable, ...], set[int]] = defaultdict(set)
    for number, row in enumerate(rows):
        if all(f"'{row[c.level.column]}'" in c.values for c in shape.choices):
            found[tuple(row[level.column] for level in shape.levels)].add(number)

    def rank(item: tuple[tuple[Hashable, ...], set[int]]) -> tuple[int, list[tuple[bool, str]]]:
        return count(rows, item[1], rules), [(k is not None, str(k)) for k in item[0]]

    return [frozenset(numbers) for _, numbers in sorted(found.items(), key=rank)]


def count(rows: list[Row], numbers: Collection[int], rules: Rules) -> int:
    return measured([rows[n] for n in numbers], rules)


def answered(rows: list[Row], shape: Shape, rules: Rules) -> tuple[Cells, list[frozenset[int]]] | None:
    """How many cells are merged as the desk merges them, and the sets that are given; None where none is."""
    ordered = cells_of(rows, shape, rules)
    merged = sum(count(rows, cell, rules) < rules.minimum for cell in ordered)
    if merged and count(rows, _all(ordered[:merged]), rules) < rules.minimum:
        merged += 1
    small = _all(ordered[:merged])
    given = [*ordered[merged:], *([small] if merged else [])]
    if not given or count(rows, given[-1], rules) < rules.minimum:
        return None
    return Cells(shape=shape, merged=merged), given


def by_hand(rows: list[Row], one: list[frozenset[int]], other: list[frozenset[int]], rules: Rules) -> bool:
    """Whether a cell, or all of them, differs by too few from any sum of the other answer's cells."""
    return any(
        0 < count(rows, whole ^ _all(some), rules) < rules.minimum
        for cells, wholes in ((one, other), (other, one))
        for number in range(1, len(cells) + 1)
        for some in itertools.combinations(cells, number)
        for whole in [*wholes, _all(wholes)]
    )


def _all(sets: Iterable[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*sets)


def _dense(dice: random.Random) -> Row:
    """Few values, and one of them most of the time: cells of many units and of few."""
    return {
        "card_hash": f"c{dice.randrange(30)}",
        "trip_id": f"t{dice.randrange(2)}",
        "mode": dice.choice("aaab"),
        "boarding_line": dice.choice("pppqqr"),
        "user_type": dice.choice([*"xxxxxxy", None]),
        "fare": dice.randrange(3),
    }


def _sparse(dice: random.Random) -> Row:
    """The same cards everywhere: no crossing has enough units, and most differences have more than one."""
    return {
        "card_hash": f"c{dice.randrange(14)}",
        "trip_id": "t",
        "mode": dice.choice("ab"),
        "boarding_line": dice.choice("pqr"),
        "user_type": dice.choice("xxxy"),
        "fare": 1,
    }


@pytest.mark.parametrize(
    ("rules", "row"),
    [(DISTINCT, _dense), (PAIRS, _dense), (COUNTED, _dense), (SPARSE, _sparse)],
    ids=["distinct", "pairs", "counted", "sparse"],
)
def test_differences_are_found_as_by_hand(rules: Rules, row: Callable[[random.Random], Row]) -> None:
    dice = random.Random(4)
    engine = duckdb.connect()
    engine.execute("CREATE SCHEMA campus")
    found = []
    for _ in range(150):
        rows = [row(dice) for _ in range(dice.randrange(15, 80))]
        engine.execute(
            "CREATE OR REPLACE TABLE campus.t (card_hash VARCHAR, trip_id VARCHAR, mode VARCHAR, "
            "boarding_line VARCHAR, user_type VARCHAR, fare BIGINT)"
        )
        engine.executemany("INSERT INTO campus.t VALUES (?, ?, ?, ?, ?, ?)", [list(r.values()) for r in rows])
        one, other = (answered(rows, _shape(dice), rules) for _ in range(2))
        if one is None or other is None:
            continue
        expected = by_hand(rows, one[1], other[1], rules)
        assert bool(engine.execute(few("t", one[0], other[0], rules)).fetchall()) == expected
        found.append(expected)
    assert min(sum(found), len(found) - sum(found)) > 8, "both happen"


def test_cells_and_remainders_are_counted_as_by_hand() -> None:
    engine = duckdb.connect()
    engine.execute("CREATE SCHEMA campus")
    engine.execute(
        "CREATE TABLE campus.t AS SELECT 'c' || (i % 9) AS card_hash, chr(97 + (i % 4)::INTEGER) AS mode "
        "FROM range(100) r(i) WHERE i % 4 <> 3 OR i < 8"
    )
    shape = Shape(levels=(Level(column="mode"),), choices=())
    assert engine.execute(cells("t", shape, DISTINCT, 10)).fetchall() == [
        ("d", 2, 2), ("a", 9, 25), ("b", 9, 25), ("c", 9, 25)
    ]  # fmt: skip
    assert len(engine.execute(cells("t", shape, DISTINCT, 2)).fetchall()) == 3
    assert engine.execute(remainder_units("t", Cells(shape=shape, merged=1), DISTINCT)).fetchall() == [(2,)]
    assert engine.execute(remainder_units("t", Cells(shape=shape, merged=2), DISTINCT)).fetchall() == [(9,)]


def _shape(dice: random.Random) -> Shape:
    words = {"mode": "ab", "boarding_line": "pqr", "user_type": "xy"}
    levels = dice.sample(LEVELS, dice.randrange(3))
    chosen = dice.sample(LEVELS, dice.randrange(3))
    choices = [
        Choice(
            level=level,
            between=False,
            values=tuple(f"'{w}'" for w in sorted(dice.sample(words[level.column], dice.randrange(1, 3)))),
        )
        for level in chosen
    ]
    return Shape(levels=tuple(sorted(levels)), choices=tuple(sorted(choices)))
