"""No statement gives other rows over the files that its scans demand than over all that are granted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.gateway.parameters import NONE
from tests.catalog.gateway.prunable import FIRST, JOINS, KINDS, Engine, joins, statements, written


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("pruned")
    made = Engine([written(folder, table) for table in KINDS])
    yield made
    made.connection.close()


@settings(max_examples=300, deadline=None)
@given(text=statements(), seed=st.randoms(use_true_random=False))
def test_what_is_left_out_holds_no_row_of_the_answer(engine: Engine, text: str, seed: Any) -> None:
    compare(engine, text, seed)


@pytest.mark.parametrize("how", JOINS)
def test_what_is_left_out_below_a_join_holds_no_row_of_the_answer(engine: Engine, how: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(text=joins(how), seed=st.randoms(use_true_random=False))
    def check(text: str, seed: Any) -> None:
        compare(engine, text, seed)

    check()


def compare(engine: Engine, text: str, seed: Any) -> None:
    """Of some granted files those that are chosen give the same rows as all of them."""
    statement = engine.judged(text)
    granted = {
        name: replace(s, files=tuple(f for f in s.files if seed.random() < 0.8) or s.files[:1])
        for name, s in engine.snapshots.items()
    }
    everything = {name: [f.path for f in s.files] for name, s in granted.items()}
    chosen = engine.chosen(statement, granted=granted)
    assert all(set(paths) <= set(everything[name]) for name, paths in chosen.items())
    try:
        wanted = engine.rows(statement, NONE, everything)
    except duckdb.Error:
        return  # the engine does not take it, or fails on a value
    assert engine.rows(statement, NONE, {**everything, **chosen}) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # 8 files are of December 2024, 9 of no known month
        ("SELECT * FROM spend WHERE day = '2024-12-05'", {"spend": 17}),
        ("SELECT * FROM spend s WHERE s.day = '2024-12-05' AND left(dong, 5) = '11110'", {"spend": 2}),
        ("SELECT * FROM spend, stamps WHERE day = '2024-12-05'", {"spend": 17, "stamps": 30}),
        (
            "SELECT * FROM spend LEFT JOIN stamps s ON s.n = spend.n AND s.q = '20244'",
            {"spend": 44, "stamps": 6},
        ),
        (
            "SELECT * FROM spend JOIN plain p ON p.m = n AND spend.day = '2024-12-05'",
            {"spend": 17, "plain": 1},
        ),
        (
            "SELECT * FROM spend a RIGHT JOIN plain p ON p.m = a.n AND a.day = '2024-12-05'",
            {"spend": 17, "plain": 1},
        ),
        (
            "SELECT * FROM plain p ANTI JOIN spend s ON s.n = p.m AND s.day = '2024-12-05'",
            {"spend": 17, "plain": 1},
        ),
        # nothing of these is certain
        (
            "SELECT * FROM spend a LEFT JOIN plain p ON p.m = a.n AND a.day = '2024-12-05'",
            {"spend": 44, "plain": 1},
        ),
        (
            "SELECT * FROM plain p RIGHT JOIN spend a ON p.m = a.n AND a.day = '2024-12-05'",
            {"spend": 44, "plain": 1},
        ),
        (
            "SELECT * FROM plain p FULL JOIN spend a ON p.m = a.n AND a.day = '2024-12-05'",
            {"spend": 44, "plain": 1},
        ),
        (
            "SELECT * FROM spend a ANTI JOIN plain p ON p.m = a.n AND a.day = '2024-12-05'",
            {"spend": 44, "plain": 1},
        ),
        ("SELECT * FROM spend WHERE day = '2024-12-05' USING SAMPLE 50%", {"spend": 44}),
        ("SELECT * FROM spend TABLESAMPLE 50% WHERE day = '2024-12-05'", {"spend": 44}),
        ("SELECT * FROM spend AS s(dong, day, n) WHERE dong = '2024-12-05'", {"spend": 44}),
        (
            "SELECT * FROM spend FULL JOIN plain USING (day) WHERE day = '2024-12-05'",
            {"spend": 44, "plain": 1},
        ),
        ("SELECT * FROM plain NATURAL JOIN spend WHERE day = '2024-12-05'", {"spend": 44, "plain": 1}),
        (
            "SELECT * FROM plain p SEMI JOIN spend s ON s.n = p.m WHERE day = '2024-12-05'",
            {"spend": 44, "plain": 1},
        ),
        (
            "SELECT * FROM plain p ANTI JOIN spend s ON s.n = p.m WHERE day = '2024-12-05'",
            {"spend": 44, "plain": 1},
        ),
        (
            "SELECT * FROM stamps a ASOF JOIN spend b ON a.n >= b.n WHERE b.day = '2024-12-05'",
            {"spend": 44, "stamps": 30},
        ),
        (
            "SELECT * FROM stamps a POSITIONAL JOIN spend b WHERE b.day = '2024-12-05'",
            {"spend": 44, "stamps": 30},
        ),
        ("SELECT * FROM spend a JOIN spend a ON true WHERE a.day = '2024-12-05'", {"spend": 44}),
        (
            "SELECT * FROM spend WHERE EXISTS (SELECT 1 FROM plain WHERE spend.day = '2024-12-05')",
            {"spend": 44, "plain": 1},
        ),
        ("SELECT * FROM (SELECT * FROM spend) s WHERE s.day = '2024-12-05'", {"spend": 44}),
        ("SELECT * FROM spend GROUP BY ALL HAVING day = '2024-12-05'", {"spend": 44}),
        ("SELECT * FROM spend WHERE CASE WHEN n > 1 THEN day = '2024-12-05' END", {"spend": 44}),
        ("SELECT * FROM spend WHERE (day = '2024-12-05') IS NOT TRUE", {"spend": 44}),
        ("SELECT * FROM spend WHERE lower(dong) = '11110' OR day = '2024-12-05'", {"spend": 44}),
        ("SELECT * FROM spend WHERE month(day) BETWEEN 2 AND 3 AND n = 1", {"spend": 17}),
    ],
)
def test_what_is_certain_leaves_files_out_and_nothing_else_does(
    engine: Engine, text: str, wanted: dict[str, int]
) -> None:
    chosen = engine.chosen(engine.judged(text))
    assert {table: len(paths) for table, paths in chosen.items()} == wanted


def test_a_great_many_comparisons_are_not_looked_at(engine: Engine) -> None:
    days = [f"day = '{FIRST + timedelta(days=i)}'" for i in range(201)]
    assert engine.judged(f"SELECT * FROM spend WHERE {' OR '.join(days)}").demands == {"spend": (None,)}
    assert (
        engine.judged(f"SELECT * FROM spend WHERE {' OR '.join(days[:200])}").demands["spend"][0] is not None
    )
    listed = ", ".join(f"'{i}'" for i in range(20_000))
    assert len(engine.chosen(engine.judged(f"SELECT * FROM spend WHERE dong IN ({listed})"))["spend"]) < 44
