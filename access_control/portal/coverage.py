"""Which periods and areas a version has rows for, counted by the collecting process. Knows no page.

A period between the first and the last that has no rows is listed with none, so that a hole is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

import duckdb

from catalog.codes import load
from catalog.descriptions import Dataset, PeriodUnit

MOST_BARS: Final = 72  # of a chart; more periods than that are added up to the next coarser unit
MOST_PERIODS: Final = 20_000
_FORMAT = {PeriodUnit.DAY: "%Y-%m-%d", PeriodUnit.MONTH: "%Y-%m"}


def periods(c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset) -> dict[str, int]:
    """Period → rows, in order; empty where the dataset has no periods."""
    if dataset.period is None:
        return {}
    column, unit = dataset.period.column, dataset.period.unit
    value = f'"{column}"' if unit is PeriodUnit.QUARTER else f"strftime(\"{column}\", '{_FORMAT[unit]}')"
    found = c.execute(
        f"SELECT {value}, count(*) FROM ({source}) GROUP BY 1 ORDER BY 1 LIMIT {MOST_PERIODS}"  # noqa: S608
    ).fetchall()
    return {str(period): int(rows) for period, rows in found if period is not None}


def areas(c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset) -> dict[str, int]:
    """Name of the gu → rows, for datasets with a column of MOIS gu or dong codes; empty for others."""
    column = next(
        (d.name for d in dataset.columns if d.code_system.startswith(("MOIS-gu-", "MOIS-dong-"))), None
    )
    if column is None:
        return {}
    names = load().names(("MOIS-gu-5", "2015"))
    found = c.execute(
        f'SELECT left("{column}", 5), count(*) FROM ({source}) GROUP BY 1 ORDER BY 1'  # noqa: S608
    ).fetchall()
    counts = {str(code): int(rows) for code, rows in found if code is not None}
    known = {name: counts.pop(code, 0) for code, name in names.items()}
    return known | {f"? {code}": rows for code, rows in counts.items()} if any(known.values()) else {}


def charted(counted: Mapping[str, int], unit: PeriodUnit | None) -> list[tuple[str, int]]:
    """Periods for a chart: holes as zero, and coarser ones where there are too many."""
    if not counted or unit is None:
        return []
    every = [(period, counted.get(period, 0)) for period in _between(min(counted), max(counted), unit)]
    for length in (7, 4):  # YYYY-MM, YYYY
        if len(every) > MOST_BARS:
            every = _added_up(every, length)
    return every


def _added_up(every: list[tuple[str, int]], length: int) -> list[tuple[str, int]]:
    sums: dict[str, int] = {}
    for period, rows in every:
        sums[period[:length]] = sums.get(period[:length], 0) + rows
    return list(sums.items())


def _between(first: str, last: str, unit: PeriodUnit) -> list[str]:
    """Every period from the first to the last; only these two where they are not written as expected."""
    found: list[Any] = []
    try:
        match unit:
            case PeriodUnit.DAY:
                start, end = date.fromisoformat(first), date.fromisoformat(last)
                days = min((end - start).days, MOST_PERIODS)
                return [(start + timedelta(days=i)).isoformat() for i in range(days + 1)]
            case PeriodUnit.MONTH:
                for index in range(_months(first, "-", 12), _months(last, "-", 12) + 1):
                    found.append(f"{index // 12}-{index % 12 + 1:02}")
            case PeriodUnit.QUARTER:
                for index in range(_months(first, "", 4), _months(last, "", 4) + 1):
                    found.append(f"{index // 4}{index % 4 + 1}")
    except ValueError:
        return sorted({first, last})
    return found[:MOST_PERIODS]


def _months(period: str, separator: str, per_year: int) -> int:
    year, part = period[:4], period[4 + len(separator) :]
    if not 1 <= int(part) <= per_year:
        raise ValueError(period)
    return int(year) * per_year + int(part) - 1
