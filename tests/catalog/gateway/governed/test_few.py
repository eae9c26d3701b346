"""Differences of two answers as the worker computes them, against counting by hand over random rows."""

from __future__ import annotations

import dataclasses
import random
from collections import defaultdict
from collections.abc import Hashable

import duckdb
import pytest

from catalog.gateway.governed.compose import Cells, cells, few, remainder_units
from catalog.gateway.governed.plan import Choice, Level, Rules, Shape
from tests.catalog.gateway.governed.test_judge import RULES

AGGREGATES = dataclasses.replace(RULES.aggregates, minimum=4)
DISTINCT = dataclasses.replace(RULES, aggregates=AGGREGATES)
PAIRS = dataclasses.replace(DISTINCT, unit=("card_hash", "trip_id"))
COUNTED = dataclasses.replace(DISTINCT, unit=(), counted="fare")
COLUMNS = ("mode", "boarding_line", "user_type")
LEVELS = [Level(column=c) for c in COLUMNS]
Row = dict[str, str | int | None]


def measured(rows: list[Row], rules: Rules) -> int:
    """Units of rows, by hand."""
    if rules.counted:
        return sum(int(row["fare"] or 0) for row in rows)
    return len({tuple(row[c] for c in rules.unit) for row in rows})


def sets(rows: list[Row], answered: Cells, rules: Rules) -> list[frozenset[int]]:
    """The cells of an answer as sets of row numbers, and all of them together."""
    found: dict[Hashable, set[int]] = defaultdict(set)
    for number, row in enumerate(rows):
        if all(f"'{row[c.level.column]}'" in c.values for c in answered.shape.choices):
            found[tuple(row[level.column] for level in answered.shape.levels)].add(number)

    def rank(item: tuple[Hashable, set[int]]) -> tuple[int, list[tuple[bool, str]]]:
        keys = item[0]
        assert isinstance(keys, tuple)
        return measured([rows[n] for n in item[1]], rules), [(k is not None, str(k)) for k in keys]

    ordered = [numbers for _, numbers in sorted(found.items(), key=rank)]
    small = set().union(*ordered[: answered.merged])
    made = [*ordered[answered.merged :], *([small] if small else [])]
    return [frozenset(s) for s in [*made, set().union(*ordered)]]


def by_hand(rows: list[Row], one: Cells, other: Cells, rules: Rules) -> bool:
    """Whether two different sets that share rows differ by too few."""
    return any(
        a & b and 0 < measured([rows[n] for n in a ^ b], rules) < rules.minimum
        for a in sets(rows, one, rules)
        for b in sets(rows, other, rules)
    )


@pytest.mark.parametrize("rules", [DISTINCT, PAIRS, COUNTED], ids=["distinct", "pairs", "counted"])
def test_differences_are_found_as_by_hand(rules: Rules) -> None:
    dice = random.Random(4)
    engine = duckdb.connect()
    engine.execute("CREATE SCHEMA campus")
    found = []
    for _ in range(60):
        rows: list[Row] = [
            {
                "card_hash": f"c{dice.randrange(30)}",
                "trip_id": f"t{dice.randrange(2)}",
                "mode": dice.choice("aaab"),
                "boarding_line": dice.choice("pppqqr"),
                "user_type": dice.choice([*"xxxxxxy", None]),
                "fare": dice.randrange(3),
            }
            for _ in range(dice.randrange(5, 80))
        ]
        engine.execute(
            "CREATE OR REPLACE TABLE campus.t (card_hash VARCHAR, trip_id VARCHAR, mode VARCHAR, "
            "boarding_line VARCHAR, user_type VARCHAR, fare BIGINT)"
        )
        engine.executemany("INSERT INTO campus.t VALUES (?, ?, ?, ?, ?, ?)", [list(r.values()) for r in rows])
        one, other = (
            Cells(shape=_shape(dice), merged=dice.randrange(3)) for _ in range(2)
        )  # merged as any number: what is compared is what was given
        expected = by_hand(rows, one, other, rules)
        assert bool(engine.execute(few("t", one, other, rules)).fetchall()) == expected
        found.append(expected)
    assert 5 < sum(found) < 55, "both happen"


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
