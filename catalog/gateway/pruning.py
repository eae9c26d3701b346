"""Which files and parts of a version a demand leaves out, by what is known of them. Reads nothing.

What is known is a lowest and a highest value: of a file from its partition (구획) and from the bounds that
were listed when it was written, of a part from the footers of its row groups. Missing values lie between no
bounds, and fulfil no demand.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from catalog.gateway.parameters import NONE, Parameters
from catalog.gateway.partitions import Partition
from catalog.gateway.spans import Spans, spans
from catalog.gateway.sql.constants import Asked, Value, value_of
from catalog.gateway.sql.demands import ABOVE, Among, Compare, Demand, Every, Some, Term, demand, of_columns
from catalog.warehouse import Bounds, PartedBy, Snapshot, listed_bounds

_TRUNCATE: Final = re.compile(r"truncate\[([0-9]{1,4})\]")
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_DAY: Final = timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999)  # to its last moment
Index = Callable[[str], Spans | None]
"""Column → what is known of it. A file may be in none of it, or in several places."""
_Found = dict[tuple[Value, Value], set[int]]


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
        out = set[int]() if asked is None else unfit(asked, index, parameters)
        wanted |= set(range(number)) - out
    return tuple(sorted(wanted))


def index_of(snapshot: Snapshot) -> Index:
    """What partitions and bounds say of a version's files, column by column once it is asked for.

    Safe to use from several threads; two that ask for a column at once may both read it.
    """
    kinds = {field.name: (field.field_id, field.duckdb_type) for field in snapshot.fields}
    known: dict[str, Spans] = {}

    def index(column: str) -> Spans | None:
        if column not in kinds:
            return None
        if column not in known:
            field_id, kind = kinds[column]
            found: _Found = {}
            for number, file in enumerate(snapshot.files):
                bounds = listed_bounds(file.bounds, field_id, kind)
                if bounds is not None:
                    found.setdefault(_comparable(bounds), set()).add(number)
            for meaning in snapshot.parted:
                if meaning.field_id == field_id:
                    _parted(snapshot, meaning, kind, found)
            known[column] = spans(found)
        return known[column]

    return index


def _parted(snapshot: Snapshot, meaning: PartedBy, kind: str, found: _Found) -> None:
    """Add what a partition's values say of the column it was made from."""
    files: dict[str, set[int]] = {}
    for number, file in enumerate(snapshot.files):
        for partition, text in file.partition:
            if partition == meaning.name:
                files.setdefault(text, set()).add(number)
    for text, numbers in files.items():
        ends = _ends(meaning, kind, text)
        if ends is not None:
            found.setdefault(ends, set()).update(numbers)


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
    index: dict[str, _Found] = {}
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
                    index.setdefault(names[field_id], {}).setdefault(_comparable(known), set()).add(count)
            first, count = first + rows, count + 1
    out = unfit(wanted, {name: spans(found) for name, found in index.items()}.get, NONE)
    return tuple(number for number, inside in enumerate(groups) if not inside or inside - out)


def unfit(wanted: Demand, index: Index, parameters: Parameters) -> set[int]:
    """Numbers of those in which no row can fulfil the demand."""
    match wanted:
        case Every(parts=parts):
            return set[int]().union(*(unfit(part, index, parameters) for part in parts))
        case Some(parts=parts):
            first, *others = (unfit(part, index, parameters) for part in parts)
            return first.intersection(*others)
        case Compare(term=term) | Among(term=term):
            known = index(term.column)
    if known is None:
        return set()
    given = wanted.values if isinstance(wanted, Among) else (wanted.value,)
    sure = [found for value in given if (found := _value(value, term, parameters)) is not None]
    if not sure or len(sure) < len(given):
        return set()
    if isinstance(wanted, Among):
        return known.of(term).none_of(sure)
    if term.kind == "DOUBLE" and wanted.how in {">", ">="}:
        return set()  # NaN is above every number, and between no bounds
    return known.of(term).none(wanted.how, sure[0])


def _value(value: Value | Asked, term: Term, parameters: Parameters) -> Value | None:
    return value_of(value, term.kind, parameters) if isinstance(value, Asked) else value


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


def _comparable(bounds: Bounds) -> tuple[Any, Any]:
    low, high = _ordered(bounds.low), _ordered(bounds.high)
    return low, high + ABOVE if bounds.begins else high


def _ordered(bound: Any) -> Any:
    """Texts by their bytes, as the engine orders them; numbers exactly; days as moments."""
    if isinstance(bound, str):
        return bound.encode()
    if isinstance(bound, date) and not isinstance(bound, datetime):
        return datetime(bound.year, bound.month, bound.day)
    return Decimal(bound) if isinstance(bound, (int, float)) else bound
