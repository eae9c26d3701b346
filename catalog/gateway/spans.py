"""Between which values a column lies in files or parts, in a quick order to look through. Reads nothing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from catalog.gateway.sql.constants import Value
from catalog.gateway.sql.demands import Term

MOST: Final = 32  # terms of one column that are remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """No value of a column lies outside `low` … `high` in any of these (by number): missing ones aside."""

    low: Value
    high: Value
    where: tuple[int, ...]


class Spans:
    """What is known of one column. Safe to use from several threads."""

    def __init__(self, known: Iterable[Known]) -> None:
        order: Any = sorted(known, key=lambda k: k.low)
        self._by_low: Sequence[Known] = order
        self._lows: Sequence[Any] = [k.low for k in order]
        order = sorted(order, key=lambda k: k.high)
        self._by_high: Sequence[Known] = order
        self._highs: Sequence[Any] = [k.high for k in order]
        self._made: dict[tuple[str, str], Spans] = {}

    def of(self, term: Term) -> Spans:
        """The same of what is made of the column."""
        key = term.how, term.what
        if not term.how:
            return self
        found = self._made.get(key)
        if found is None:
            ends = ((k, _span(term, k.low, k.high)) for k in self._by_low)
            found = Spans(Known(low=e[0], high=e[1], where=k.where) for k, e in ends if e is not None)
            if len(self._made) >= MOST:
                self._made = {}
            self._made[key] = found
        return found

    def none(self, how: str, value: Value) -> set[int]:
        """Where no value is `<`, `<=`, `>` or `>=` this one."""
        match how:
            case "<":
                return _all(self._by_low[bisect_left(self._lows, value) :])
            case "<=":
                return _all(self._by_low[bisect_right(self._lows, value) :])
            case ">":
                return _all(self._by_high[: bisect_right(self._highs, value)])
            case _:
                return _all(self._by_high[: bisect_left(self._highs, value)])

    def none_of(self, values: Sequence[Any]) -> set[int]:
        """Where no value is one of these, of which there is at least one."""
        wanted = sorted(values)
        out = self.none("<=", wanted[-1]) | self.none(">=", wanted[0])
        if len(wanted) > 1:
            first = bisect_left(self._highs, wanted[0])
            for known in self._by_high[first:]:
                place = bisect_left(wanted, known.low)
                if place == len(wanted) or wanted[place] > known.high:
                    out.update(known.where)
        return out


def spans(known: Mapping[Any, Iterable[int]]) -> Spans:
    """Of (low, high) → where that is so."""
    return Spans(Known(low=low, high=high, where=tuple(where)) for (low, high), where in known.items())


def _all(known: Iterable[Known]) -> set[int]:
    return {number for each in known for number in each.where}


def _span(term: Term, low: Value, high: Value) -> tuple[Value, Value] | None:
    """Lowest and highest value of a term where its column lies between two; None where that is not known."""
    match term.how:
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
