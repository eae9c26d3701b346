"""Lowest and highest values of data files and of their row groups, from footers. Reads no row.

What is known of a whole file is worded once, when it is written, for the list of files beside the Iceberg
metadata: one entry a column. PyIceberg's manifests pass over row groups whose footer says nothing (texts too
long for it, say), so what they say of the file need not hold; here such a column is not known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

LONGEST: Final = 32  # characters of a text that are listed
MOST: Final = 100  # columns of a file that are, as in Iceberg
_KINDS: Final = {  # the engine's types → how values of such a column are worded
    "INTEGER": frozenset({"int"}),
    "BIGINT": frozenset({"int"}),  # it may have been an INTEGER when the file was written
    "DOUBLE": frozenset({"float"}),
    "VARCHAR": frozenset({"text", "begins"}),
    "DATE": frozenset({"date"}),
    "TIMESTAMP": frozenset({"time"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """No value lies outside `low` … `high`; missing values and NaN are not counted.

    Attributes
    ----------
    begins
        `high` is a text's beginning: the highest value is one that begins so.
    """

    low: Any
    high: Any
    begins: bool = False


def file_bounds(footer: Any) -> str:
    """What the list of files says of a file: JSON of `[field id, kind, low, high]` for the columns it can.

    Parameters
    ----------
    footer
        A `pyarrow.parquet.FileMetaData`.
    """
    entries = []
    for index, field_id in list(enumerate(_field_ids(footer)))[:MOST]:
        known = [_known(footer.row_group(number), index) for number in range(footer.num_row_groups)]
        if field_id < 0 or None in known:
            continue
        found = [bounds for bounds in known if isinstance(bounds, Bounds)]
        worded = _worded(min(b.low for b in found), max(b.high for b in found)) if found else None
        if worded is not None:
            entries.append([field_id, *worded])
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":"))


def listed_bounds(text: str, field_id: int, kind: str) -> Bounds | None:
    """What `file_bounds` said of a column; None where that is nothing, or was said of another kind of values.

    Parameters
    ----------
    kind
        The engine's type of the column today.
    """
    try:
        entries = json.loads(text or "[]")
        for entry in entries if isinstance(entries, list) else ():
            match entry:
                case [int(found), str(how), low, high] if found == field_id:
                    return _read(how, low, high) if how in _KINDS.get(kind, ()) else None
    except (ValueError, TypeError):
        return None
    return None


@lru_cache(maxsize=4096)
def row_group_bounds(file: Path) -> tuple[Mapping[int, Bounds], ...]:
    """For each row group of an immutable file: field id → bounds, of the columns that have any."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        footer = parquet.metadata
    ids = _field_ids(footer)
    found = []
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        known = {field_id: _known(group, index) for index, field_id in enumerate(ids)}
        found.append({field_id: b for field_id, b in known.items() if isinstance(b, Bounds)})
    return tuple(found)


def _field_ids(footer: Any) -> list[int]:
    """Of the columns in their order; -1 for one that has none."""
    return [int((f.metadata or {}).get(b"PARQUET:field_id", -1)) for f in footer.schema.to_arrow_schema()]


def _known(group: Any, index: int) -> Bounds | bool | None:
    """Of one column in a row group; True where it has no value there, None where the footer does not say."""
    statistics = group.column(index).statistics if group.num_rows else None
    if statistics is None:
        return True if not group.num_rows else None
    try:
        if statistics.has_min_max:
            return Bounds(low=statistics.min, high=statistics.max)
    except (ValueError, OverflowError):  # no text, or a day that Python has no word for
        return None
    return True if statistics.has_null_count and statistics.null_count == group.num_rows else None


def _worded(low: Any, high: Any) -> tuple[str, Any, Any] | None:
    if isinstance(low, str):
        return "begins" if len(high) > LONGEST else "text", low[:LONGEST], high[:LONGEST]
    if isinstance(low, float):
        return ("float", low, high) if math.isfinite(low) and math.isfinite(high) else None
    if isinstance(low, int):
        return "int", low, high
    if isinstance(low, date):
        return "time" if isinstance(low, datetime) else "date", low.isoformat(), high.isoformat()
    return None


def _read(how: str, low: Any, high: Any) -> Bounds | None:
    match how, low, high:
        case (("text" | "begins"), str(), str()) if low.encode() <= high.encode():
            return Bounds(low=low, high=high, begins=how == "begins")
        case "int", int(), int() if not isinstance(low, bool) and not isinstance(high, bool) and low <= high:
            return Bounds(low=low, high=high)
        case "float", float(), float() if math.isfinite(low) and math.isfinite(high) and low <= high:
            return Bounds(low=low, high=high)
        case "date", str(), str():
            days = date.fromisoformat(low), date.fromisoformat(high)
            return Bounds(low=days[0], high=days[1]) if days[0] <= days[1] else None
        case "time", str(), str():
            times = datetime.fromisoformat(low), datetime.fromisoformat(high)
            plain = all(t.tzinfo is None for t in times)
            return Bounds(low=times[0], high=times[1]) if plain and times[0] <= times[1] else None
    return None
