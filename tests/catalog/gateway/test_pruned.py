"""No statement gives other rows over the files that its scans demand than over all that are granted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.gateway.parameters import NONE
from catalog.gateway.pruning import unfit
from catalog.gateway.spans import Known, Spans
from catalog.gateway.sql.values import LONG
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


DECEMBER = {"2024-12", "None"}


@pytest.mark.parametrize(
    ("where", "stays"),
    [
        ("dong = '11110530' OR day = '2024-12-05'", lambda gu, month: gu == "11110" or month in DECEMBER),
        ("day < '2024-12-20'", lambda gu, month: month in {"2024-11", *DECEMBER}),
        ("'2024-12-20' > day", lambda gu, month: month in {"2024-11", *DECEMBER}),
        ("'2025-01-30' < day", lambda gu, month: month in {"2025-01", "2025-02", "None"}),
        ("day <= '2024-12-01'", lambda gu, month: month in {"2024-11", *DECEMBER}),
        ("day >= DATE '2025-01-31'", lambda gu, month: month in {"2025-01", "2025-02", "None"}),
        ("day > TIMESTAMP '2024-12-31 12:00:00'", lambda gu, month: month in {"2025-01", "2025-02", "None"}),
        ("day IN ('2025-02-05', '2024-12-05')", lambda gu, month: month in {"2025-02", *DECEMBER}),
        ("dong = '116'", lambda gu, month: gu == "116"),
        ("dong IN ('11740', lower('X'))", lambda gu, month: True),
        ("dong IN ('11740', NULL)", lambda gu, month: True),
        ("dong LIKE '1_1%'", lambda gu, month: gu.startswith("1")),
        ("dong LIKE '종로구청%'", lambda gu, month: gu.startswith("종로구청")),
        ("left(dong, 3) = '116'", lambda gu, month: gu.startswith("116")),
        ("left(dong, 8) >= '11740'", lambda gu, month: gu >= "11740"),
        ("strftime(day, '%Y%m') = '202412'", lambda gu, month: month in DECEMBER),
        ("strftime(day, '%m-%Y') < '11-2024'", lambda gu, month: True),
        ("date_trunc('quarter', day) = '2024-10-01'", lambda gu, month: month in {"2024-11", *DECEMBER}),
        ("day(day) = 1", lambda gu, month: True),
        ("NOT (day = '2024-12-05')", lambda gu, month: True),
        ("day <> '2024-12-05'", lambda gu, month: True),
        ("dong = 11740", lambda gu, month: True),
    ],
)
def test_what_stays(engine: Engine, where: str, stays: Callable[[str, str], bool]) -> None:
    chosen = engine.chosen(engine.judged(f"SELECT * FROM spend WHERE {where}"))["spend"]
    files = engine.snapshots["spend"].files
    assert set(chosen) == {f.path for f in files if stays(*(dict(f.partition)[n] for n in ("gu", "month")))}


def test_a_month_ends_with_its_last_moment_and_a_table_read_twice_has_both(engine: Engine) -> None:
    files = engine.snapshots["stamps"].files
    late = "SELECT * FROM stamps WHERE moment >= '2024-11-30 20:00:00' AND month(moment) = 11"
    chosen = engine.chosen(engine.judged(late))["stamps"]
    assert set(chosen) == {f.path for f in files if dict(f.partition)["month"] in {"2024-11", "None"}}
    both = f"{late} UNION ALL SELECT * FROM stamps WHERE q = '20244' AND month(moment) = 12"
    more = engine.chosen(engine.judged(both))["stamps"]
    assert set(chosen) < set(more) < {f.path for f in files}


def test_months_of_two_years_say_nothing_of_a_month(engine: Engine) -> None:
    """As the footers of row groups may have it; a partition is one month."""
    known = Known(low=datetime(2024, 11, 1), high=datetime(2025, 2, 1), where=(0,))
    for condition, out in (("month(day) = 12", set()), ("year(day) = 2023", {0}), ("month(day) = 7", set())):
        [asked] = engine.judged(f"SELECT * FROM spend WHERE {condition}").demands["spend"]
        assert asked is not None and unfit(asked, {"day": Spans([known])}.get, NONE) == out


def test_a_great_many_comparisons_are_not_looked_at(engine: Engine) -> None:
    days = [f"day = '{FIRST + timedelta(days=i)}'" for i in range(201)]
    assert engine.judged(f"SELECT * FROM spend WHERE {' OR '.join(days)}").demands == {"spend": (None,)}
    assert (
        engine.judged(f"SELECT * FROM spend WHERE {' OR '.join(days[:200])}").demands["spend"][0] is not None
    )
    listed = ", ".join(f"'{i}'" for i in range(LONG - 1))
    assert len(engine.chosen(engine.judged(f"SELECT * FROM spend WHERE dong IN ({listed})"))["spend"]) < 44
