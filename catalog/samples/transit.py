"""A made-up month of subway ridership from station means. Knows the calendar of May 2025."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.samples.tables import numbers, read_table

FIRST = date(2025, 5, 1)
DAYS = 31
HOLIDAYS = {date(2025, 5, 5), date(2025, 5, 6)}
WEEKDAYS = (0.97, 1.0, 1.01, 1.0, 1.02)
SATURDAY, SUNDAY = 1.10, 0.90
"""Saturday and Sunday against their mean: .787 and .645 of a weekday over the network in 2025-05."""


def subway(folder: Path) -> pa.Table:
    """One row a day, line and station."""
    table = read_table(folder / "stations.csv")
    means = numbers(table, "weekday_boardings", "weekend_weekday", "alightings_per_boarding")
    generator = np.random.default_rng(20250501)
    columns: dict[str, list[Any]] = {c: [] for c in ("date", "line", "station", "on", "off", "registered")}
    for offset in range(DAYS):
        day = FIRST + timedelta(days=offset)
        if day.weekday() == 6 or day in HOLIDAYS:
            factor = means[:, 1] * SUNDAY
        elif day.weekday() == 5:
            factor = means[:, 1] * SATURDAY
        else:
            factor = np.full(len(means), WEEKDAYS[day.weekday()])
        boardings = np.rint(means[:, 0] * factor * np.exp(generator.normal(0.0, 0.06, len(means))))
        alightings = np.rint(boardings * means[:, 2] * np.exp(generator.normal(0.0, 0.015, len(means))))
        used = (boardings + alightings) > 0  # the publisher leaves out stations without use
        n = int(used.sum())
        columns["date"] += [day] * n
        columns["line"] += [v for v, u in zip(table["line"], used, strict=True) if u]
        columns["station"] += [v for v, u in zip(table["station"], used, strict=True) if u]
        columns["on"] += boardings[used].astype(np.int64).tolist()
        columns["off"] += alightings[used].astype(np.int64).tolist()
        columns["registered"] += [day + timedelta(days=3)] * n
    return pa.table(
        {
            "date": pa.array(columns["date"], pa.date32()),
            "line": columns["line"],
            "station": columns["station"],
            "part": pa.array([1] * len(columns["on"]), pa.int32()),
            "boardings": columns["on"],
            "alightings": columns["off"],
            "registered_date": pa.array(columns["registered"], pa.date32()),
        }
    )
