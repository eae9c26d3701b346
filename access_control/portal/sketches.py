"""Chooses what a version's rows are drawn as: a line, bars, a histogram. Knows no page and no map.

Amounts and counts are added up, levels (people present, temperatures, concentrations) averaged; where rows
come by quarter, bars show the newest one, because people or shops of two quarters must not be added up.
"""

from __future__ import annotations

import math
from typing import Any, Final

import duckdb

from access_control.portal.facts import Figure
from access_control.portal.figures import nice_step, short
from catalog.codes import load
from catalog.descriptions import Column, ColumnType, Dataset, PeriodUnit, Role

MOST_POINTS: Final = 400
MOST_BARS: Final = 12
BINS: Final = 24
ENOUGH: Final = 1_000_000  # rows are looked at for a histogram; of more, as many are drawn by chance
ADDED: Final = {"KRW", "persons", "payments", "rentals", "shops", "facilities", "households"}
PLACES: Final = {"°", "m", "bytes"}  # units of coordinates and of what is no measurement of the city
LINES: Final = ("hour", "half_hour", "date")
SKEWED: Final = 20  # times the median: a histogram's bins then grow tenfold


def figure(c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset) -> Figure | None:
    """A line over hours or days, else the largest groups."""
    measure = measure_of(dataset)
    names = {column.name for column in dataset.columns}
    for column in LINES:
        if column in names and measure is not None:
            return _line(c, source, dataset, column, measure)
    return _bars(c, source, dataset, measure)


def measure_of(dataset: Dataset) -> Column | None:
    """The first column that measures or counts, coordinates aside."""
    wanted = {Role.MEASURE, Role.COUNT}
    return next((x for x in dataset.columns if x.role in wanted and x.unit not in PLACES), None)


def how(dataset: Dataset, measure: Column | None, over: str = "") -> str:
    """Whether values of a group are added up or averaged; rows are counted where nothing is measured.

    People present (a measure of persons, by hour or day) are averaged over time, and added up over places
    only where every group is one day.
    """
    if measure is None:
        return "count"
    times = {column.name for column in dataset.columns} & {"hour", "date"}
    level = measure.unit == "persons" and measure.role is Role.MEASURE
    present = level and ("hour" in times or ("date" in times and over != "date"))
    return "sum" if measure.unit in ADDED and not present and "평균" not in measure.title.ko else "mean"


def value_sql(measure: Column | None, way: str) -> str:
    """The aggregate in SQL."""
    if measure is None:
        return "count(*)"
    function = {"mean": "avg", "sum": "sum"}[way]
    return f'{function}("{measure.name}")'


def newest(c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset) -> tuple[str, str]:
    """The rows of the newest quarter and its name; all rows of datasets that do not come by quarter."""
    if dataset.period is None or dataset.period.unit is not PeriodUnit.QUARTER:
        return source, ""
    column = dataset.period.column
    ((last,),) = c.execute(f'SELECT max("{column}") FROM ({source})').fetchall()  # noqa: S608 our names
    if not (isinstance(last, str) and last.isalnum()):
        return source, ""
    return f"SELECT * FROM ({source}) WHERE \"{column}\" = '{last}'", last  # noqa: S608 checked above


def _line(
    c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset, column: str, measure: Column
) -> Figure | None:
    way = how(dataset, measure, column)
    points = c.execute(
        f'SELECT "{column}", {value_sql(measure, way)} FROM ({source}) '  # noqa: S608 names of the description
        f'WHERE "{measure.name}" IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT {MOST_POINTS}'
    ).fetchall()
    return _chart("line", column, measure.name, way, points)


def _bars(
    c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset, measure: Column | None
) -> Figure | None:
    source, period = newest(c, source, dataset)
    column = _grouping(c, source, dataset)
    if column is None:
        return None
    code = code_of(dataset, column)
    way = how(dataset, measure)
    first = f'"{code}"' if code else "NULL"
    found = c.execute(
        f'SELECT {first}, "{column}", {value_sql(measure, way)} FROM ({source}) '  # noqa: S608 our names
        f'WHERE "{column}" IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT {MOST_BARS}'
    ).fetchall()
    gu = load().names(("MOIS-gu-5", "2015")) if column == "dong_name" else {}
    points = [(f"{gu.get(str(of)[:5], '')} {name}".strip(), value) for of, name, value in found]
    return _chart("bars", column, measure.name if measure else "", way, points, period)


def code_of(dataset: Dataset, column: str) -> str:
    """The code beside a name: two dongs may be called the same; empty where there is none."""
    code = column.removesuffix("_name") + "_code"
    return code if column.endswith("_name") and code in {x.name for x in dataset.columns} else ""


def _grouping(c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset) -> str | None:
    """The name with fewest values; without names, the text with most of the few values bars have room for."""
    texts = [x for x in dataset.columns if x.role is Role.DIMENSION and x.type is ColumnType.STRING]
    texts = [x for x in texts if not x.name.endswith("_code")]
    texts = [x for x in texts if dataset.period is None or x.name != dataset.period.column]
    if not texts:
        return None
    (counts,) = c.execute(
        "SELECT count(*), "  # noqa: S608 names of the description
        + ", ".join(f'count(DISTINCT "{x.name}")' for x in texts)
        + f" FROM ({source})"
    ).fetchall()
    rows, *distinct = counts
    many = [(count, x.name) for count, x in zip(distinct, texts, strict=True) if count >= 2]
    named = [pair for pair in many if pair[1].endswith("_name")]
    few = [pair for pair in many if pair[0] <= MOST_BARS and pair[0] < rows]
    if named:
        return min(named)[1]
    return max(few)[1] if few else None


def histogram(c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset, rows: int) -> Figure | None:
    """How many rows have which value of the measure, between its 0.5 and 99.5 percentiles.

    Where the largest are 20 times the median, bins are even in their logarithm and hold positive values only.
    """
    measure = measure_of(dataset)
    if measure is None:
        return None
    value = f'"{measure.name}"::DOUBLE'
    some = f"USING SAMPLE reservoir({ENOUGH} ROWS) REPEATABLE (42)" if rows > ENOUGH else ""
    c.execute(
        "CREATE OR REPLACE TEMP TABLE looked_at AS SELECT v FROM "  # noqa: S608 names of the description
        f"(SELECT {value} AS v FROM ({source}) WHERE {value} IS NOT NULL) {some}"
    )
    read = "SELECT v FROM looked_at"
    ((low, median, high),) = c.execute(
        f"SELECT quantile_cont(v, 0.005), quantile_cont(v, 0.5), quantile_cont(v, 0.995) FROM ({read})"  # noqa: S608
    ).fetchall()
    if low is None or not low < high:
        return None
    logs = low >= 0 and median > 0 and high > SKEWED * median
    if logs:
        ((low,),) = c.execute(f"SELECT quantile_cont(v, 0.005) FROM ({read}) WHERE v > 0").fetchall()  # noqa: S608
        low, high = math.log10(low), math.log10(high)
    step = (high - low) / BINS if logs else nice_step((high - low) / BINS)
    low = low if logs else math.floor(low / step) * step
    bins = max(1, math.ceil(round((high - low) / step, 6)))
    scaled = "log10(v)" if logs else "v"
    counted = dict(
        c.execute(
            f"SELECT least({bins - 1}, floor(({scaled} - {low!r}) / {step!r})::INTEGER), count(*) "  # noqa: S608
            f"FROM (SELECT v FROM ({read}) WHERE {'v > 0' if logs else 'true'}) "
            f"WHERE {scaled} BETWEEN {low!r} AND {high!r} GROUP BY 1"
        ).fetchall()
    )
    edges = [low + i * step for i in range(bins)]
    labels = [short(10**edge if logs else edge) for edge in edges]
    points = [(label, counted.get(i, 0)) for i, label in enumerate(labels)]
    return _chart("histogram", measure.name, measure.name, "log" if logs else "count", points)


def _chart(
    kind: str, column: str, measure: str, way: str, points: list[Any], period: str = ""
) -> Figure | None:
    kept = tuple((str(label), float(value)) for label, value in points if value is not None)
    return Figure(kind=kind, column=column, measure=measure, how=way, points=kept, period=period)
