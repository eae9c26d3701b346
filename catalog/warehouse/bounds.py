"""Lowest and highest values of the row groups of a data file, from its footer. Reads no row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """No value of the row group lies outside `low` … `high`; missing values and NaN are not counted."""

    low: Any
    high: Any


@lru_cache(maxsize=4096)
def row_group_bounds(file: Path) -> tuple[Mapping[int, Bounds], ...]:
    """For each row group of an immutable file: field id → bounds, of the columns that have any."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        footer = parquet.metadata
        ids = [int((f.metadata or {}).get(b"PARQUET:field_id", -1)) for f in parquet.schema_arrow]
    found = []
    for number in range(footer.num_row_groups):
        group, bounds = footer.row_group(number), {}
        for index, field_id in enumerate(ids):
            statistics = group.column(index).statistics
            if statistics is not None and statistics.has_min_max:
                bounds[field_id] = Bounds(low=statistics.min, high=statistics.max)
        found.append(bounds)
    return tuple(found)
