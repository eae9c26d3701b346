"""Which files and parts of a version a demand leaves out, by what is known of them. Reads nothing.

What is known is a lowest and a highest value: of a file from its partition (구획) in the catalogue, of a part
from the footers of its row groups. Missing values lie between no bounds, and fulfil no demand.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from catalog.gateway.parameters import NONE, Parameters
from catalog.gateway.partitions import Partition
from catalog.gateway.sql.demands import (
    ABOVE,
    Among,
    Asked,
    Compare,
    Demand,
    Every,
    Some,
    Term,
    Value,
    demand,
    of_columns,
    value_of,
)
from catalog.warehouse import Bounds, PartedBy, Snapshot

_TRUNCATE: Final = re.compile(r"truncate\[([0-9]{1,4})\]")
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_DAY: Final = timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999)  # to its last moment
# (lowest, highest, constant) → no value can fulfil it
_NONE: Final[Mapping[str, Callable[[Any, Any, Any], bool]]] = {
    "<": lambda low, high, c: low >= c,
    "<=": lambda low, high, c: low > c,
    ">": lambda low, high, c: high <= c,
    ">=": lambda low, high, c: high < c,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """No value of a column lies outside `low` … `high` in any of these (by number): missing ones aside."""

    low: Value
    high: Value
    where: frozenset[int]


Index = Mapping[str, Sequence[Known]]
"""Column → what is known of it. A file may be in none, or in several."""


def kept(
    index: Index, number: int, scans: Iterable[Demand | None], parameters: Parameters
) -> tuple[int, ...]:
    """Which of a table's files some scan may find a row in.

    Parameters
    ----------
    number
        Of files that there are.
    scans
        What each scan of the table demands; one that demands nothing needs every file.

    Returns
    -------
    tuple of int
        Numbers of files in their order.
    """
    wanted: set[int] = set()
    for asked in scans:
        out: frozenset[int] = frozenset() if asked is None else unfit(asked, index, parameters)
        wanted |= set(range(number)) - out
    return tuple(sorted(wanted))


def by_partition(snapshot: Snapshot) -> Index:
    """What the partitions of a version's files say of the columns they were made from."""
    names = {field.field_id: (field.name, field.duckdb_type) for field in snapshot.fields}
    found: dict[str, list[Known]] = {}
    for meaning in snapshot.parted:
        if meaning.field_id not in names:
            continue
        name, kind = names[meaning.field_id]
        files: dict[str, set[int]] = {}
        for number, file in enumerate(snapshot.files):
            for partition, text in file.partition:
                if partition == meaning.name:
                    files.setdefault(text, set()).add(number)
        for text, numbers in files.items():
            ends = _ends(meaning, kind, text)
            if ends is not None:
                found.setdefault(name, []).append(Known(low=ends[0], high=ends[1], where=frozenset(numbers)))
    return found


def remaining(
    snapshot: Snapshot,
    table: str,
    parts: Sequence[Partition],
    where: Mapping[str, Any],
    bounds: Sequence[Sequence[Mapping[int, Bounds]]],
) -> tuple[int, ...]:
    """Numbers of the parts that may hold a row the condition wants.

    Parameters
    ----------
    bounds
        For each file of the version, for each of its row groups: field id → lowest and highest value.
    """
    wanted = demand([where], of_columns(table, [(f.name, f.duckdb_type) for f in snapshot.fields]))
    if wanted is None:
        return tuple(range(len(parts)))
    names = {f.field_id: f.name for f in snapshot.fields}
    index: dict[str, list[Known]] = {}
    groups: list[set[int]] = [set() for _ in parts]
    count = 0
    for file, found in enumerate(bounds):
        first = 0
        for rows, columns in zip(snapshot.files[file].row_groups, found, strict=True):
            for part, inside in zip(parts, groups, strict=True):
                if part.file == file and part.first <= first < part.first + part.rows:
                    inside.add(count)
            for field_id, known in columns.items():
                if field_id in names:
                    low, high = _comparable(known.low), _comparable(known.high)
                    index.setdefault(names[field_id], []).append(
                        Known(low=low, high=high, where=frozenset({count}))
                    )
            first, count = first + rows, count + 1
    out = unfit(wanted, index, NONE)
    return tuple(number for number, inside in enumerate(groups) if not inside or inside - out)


def unfit(wanted: Demand, index: Index, parameters: Parameters) -> frozenset[int]:
    """Numbers of those in which no row can fulfil the demand."""
    match wanted:
        case Every(parts=parts):
            return frozenset[int]().union(*(unfit(part, index, parameters) for part in parts))
        case Some(parts=parts):
            first, *others = (unfit(part, index, parameters) for part in parts)
            return first.intersection(*others)
        case Compare(term=term, value=value):
            none = _none(wanted.how, term, _value(value, term, parameters))
        case Among(term=term, values=values):
            none = _among(_value(value, term, parameters) for value in values)
    out: set[int] = set()
    for known in index.get(term.column, ()):
        if (
            not known.where <= out
            and (ends := _span(term, known.low, known.high)) is not None
            and none(*ends)
        ):
            out |= known.where
    return frozenset(out)


def _none(how: str, term: Term, value: Value | None) -> Callable[[Any, Any], bool]:
    if value is None or (term.kind == "DOUBLE" and how in {">", ">="}):
        return lambda low, high: False  # NaN is above every number, and between no bounds
    return lambda low, high: _NONE[how](low, high, value)


def _among(values: Iterable[Value | None]) -> Callable[[Any, Any], bool]:
    found: list[Any] = list(values)
    if any(value is None for value in found):
        return lambda low, high: False
    found.sort()

    def none(low: Any, high: Any) -> bool:
        place = bisect_left(found, low)
        return place == len(found) or found[place] > high

    return none


def _value(value: Value | Asked, term: Term, parameters: Parameters) -> Value | None:
    return value_of(value, term.kind, parameters) if isinstance(value, Asked) else value


def _span(term: Term, low: Value, high: Value) -> tuple[Value, Value] | None:
    """Lowest and highest value of a term where its column lies between two; None where that is not known."""
    match term.how:
        case "":
            return low, high
        case "left" if isinstance(low, bytes) and isinstance(high, bytes):
            return _left(low, int(term.what)), _left(high, int(term.what))
        case "trunc" if isinstance(low, datetime) and isinstance(high, datetime):
            return _trunc(low, term.what), _trunc(high, term.what)
        case "format" if isinstance(low, datetime) and isinstance(high, datetime) and low.year >= 1000:
            return low.strftime(term.what).encode(), high.strftime(term.what).encode()
        case "part" if isinstance(low, datetime) and isinstance(high, datetime):
            one, other = _part(low, term.what), _part(high, term.what)
            return (one, other) if term.what == "year" or low.year == high.year else None
    return None


def _left(text: bytes, characters: int) -> bytes:
    """The first characters; `ABOVE` counts as one."""
    return text.decode("utf-8", "surrogateescape")[:characters].encode("utf-8", "surrogateescape")


def _trunc(when: datetime, step: str) -> datetime:
    month = {"year": 1, "quarter": (when.month - 1) // 3 * 3 + 1}.get(step, when.month)
    return datetime(when.year, month, when.day if step == "day" else 1)


def _part(when: datetime, part: str) -> Decimal:
    return Decimal({"year": when.year, "quarter": (when.month + 2) // 3}.get(part, when.month))


def _ends(meaning: PartedBy, kind: str, text: str) -> tuple[Value, Value] | None:
    """Lowest and highest value a column can have in a partition of this value."""
    if meaning.transform == "identity" and kind == "VARCHAR":
        return text.encode(), text.encode()
    if (found := _TRUNCATE.fullmatch(meaning.transform)) and kind == "VARCHAR":
        whole = len(text) < int(found[1])  # shorter than what is cut off: nothing was
        return text.encode(), text.encode() if whole else text.encode() + ABOVE
    if (found := _MONTH.fullmatch(text)) and meaning.transform == "month" and kind in {"DATE", "TIMESTAMP"}:
        year, month = int(found[1]), int(found[2])
        if year < 1 or not 1 <= month <= 12:
            return None
        last = datetime(year, month, calendar.monthrange(year, month)[1])
        return datetime(year, month, 1), last if kind == "DATE" else last + _DAY
    return None


def _comparable(bound: Any) -> Any:
    """Texts by their bytes, as the engine orders them; numbers exactly; days as moments."""
    if isinstance(bound, str):
        return bound.encode()
    if isinstance(bound, date) and not isinstance(bound, datetime):
        return datetime(bound.year, bound.month, bound.day)
    return Decimal(bound) if isinstance(bound, (int, float)) else bound
