"""What every contender is asked, in SQL that all of them read. Knows no contender."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

FETCH: Final = 10_000_000  # rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One statement of the benchmark.

    Attributes
    ----------
    text
        With `{t}` for the table, `{day}` and `{dong}` for the point, `{i}` for a number new each time.
    times
        How often it is asked in one round.
    same
        Whether its answer is the same for everybody, so that it can be compared.
    ratio, over, late
        The issue's targets against in-process DuckDB: ratio of medians, or milliseconds over its median,
        and over it for the 99th percentile; 0 for none.
    """

    name: str
    text: str
    times: int = 1
    same: bool = True
    ratio: float = 0.0
    over: float = 0.0
    late: float = 0.0


QUESTIONS: Final = (
    Question(
        name="aggregate",
        text="SELECT left(dong_code, 5) AS gu, hour, date_trunc('month', date) AS month, "
        "sum(population) AS s, count(*) AS n FROM {t} "
        "GROUP BY left(dong_code, 5), hour, date_trunc('month', date) ORDER BY 1, 2, 3",
        ratio=1.05,
    ),
    Question(
        name="fetch x 5 (strings)",
        text=f"SELECT date, dong_code, sex, age, population FROM {{t}} LIMIT {FETCH}",
        same=False,
        ratio=1.15,
    ),
    Question(
        name="fetch x 3 (numbers)",
        text=f"SELECT date, hour, population FROM {{t}} LIMIT {FETCH}",
        same=False,
        ratio=1.15,
    ),
    Question(
        name="point",
        text="SELECT sum(population) AS s, count(*) AS n FROM {t} "
        "WHERE date = DATE '{day}' AND dong_code = '{dong}'",
        times=20,
        over=2.0,
    ),
    Question(name="tiny", text="SELECT 1 AS a", times=40, over=2.0, late=10.0),
    Question(name="tiny, new each time", text="SELECT {i} AS a", times=40, same=False, over=2.0, late=10.0),
)
AGGREGATE: Final = QUESTIONS[0]


def statement(question: Question, table: str, day: date, dong: str) -> str:
    """Its text but for `{i}`."""
    return question.text.replace("{t}", table).replace("{day}", day.isoformat()).replace("{dong}", dong)
