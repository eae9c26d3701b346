"""How a query's statement goes on record and comes out again. Knows the event's fields, not who may read.

What a person put into a statement (literals, names of their own, bound values) lies beside the log; the event
has the statement without it. Only an admission and a refusal carry it: the end of a query is the same query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from access_control.audit.event import Action
from access_control.audit.literals import FIELD, Literals
from access_control.audit.reader import Recorded
from access_control.audit.side_reader import SideReader
from access_control.audit.side_store import side_of
from catalog.gateway.guard import QueryEvent, QueryEventKind
from catalog.gateway.sql.normal import Normal, fill, whole

WITH_LITERALS = frozenset({QueryEventKind.ADMITTED, QueryEventKind.REFUSED})
HOLDERS = frozenset({Action.QUERY_ADMITTED, Action.QUERY_REFUSED})


class State(StrEnum):
    """What became of the literals of an entry."""

    PLAIN = "plain"  # the event has the statement as it was, from an earlier release, or there were none
    FILLED = "filled"
    ERASED = "erased"
    ELSEWHERE = "elsewhere"  # the end of a query: they belong to its admission
    DAMAGED = "damaged"  # not whole, or not what was recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A statement as a person may see it; its bound values are (name, SQL literal)."""

    text: str
    parameters: tuple[tuple[str, str], ...]
    state: State


def taken_apart(event: QueryEvent) -> tuple[Mapping[str, object], Literals | None]:
    """What stays in the event's detail, and what goes beside the log."""
    normal = event.normal or whole(event.statement, event.parameters)
    detail = {"statement": normal.text, "parameters": dict(normal.parameters)}
    if event.kind not in WITH_LITERALS or not normal.literals:
        return detail, None
    return detail, Literals(values=normal.literals)


class Statements:
    """Statements of recorded queries, filled in while their literals exist."""

    def __init__(self, folder: Path) -> None:
        self._side = side_of(folder)

    def of(self, entries: Iterable[Recorded]) -> Mapping[int, Shown]:
        """By number of the entry; entries without a statement are left out."""
        reader = SideReader(self._side)
        return {
            entry.seq: shown
            for entry in sorted(entries, key=lambda each: each.seq)
            if (shown := _shown(reader, entry)) is not None
        }


def _shown(reader: SideReader, entry: Recorded) -> Shown | None:
    event = entry.event
    statement, bound = event.detail.get("statement"), event.detail.get("parameters")
    if not event.action.startswith("query.") or not isinstance(statement, str):
        return None
    pairs = tuple((str(k), str(v)) for k, v in bound.items()) if isinstance(bound, dict) else ()
    stated = event.detail.get(FIELD)
    if not isinstance(stated, dict):
        ended = event.action not in HOLDERS and "$" in statement
        return Shown(text=statement, parameters=pairs, state=State.ELSEWHERE if ended else State.PLAIN)
    literals = reader.find(entry.seq, event.event_id)
    if literals is None:
        return Shown(text=statement, parameters=pairs, state=State.ERASED)
    try:
        if literals.commitment(event.event_id) != stated.get("commitment"):
            raise ValueError("not what was recorded")
        return _filled(Normal(text=statement, literals=literals.values, parameters=pairs))
    except ValueError:
        return Shown(text=statement, parameters=pairs, state=State.DAMAGED)


def _filled(normal: Normal) -> Shown:
    values = normal.literals
    pairs = tuple((fill(name, values).removeprefix("$"), fill(v, values)) for name, v in normal.parameters)
    return Shown(text=fill(normal.text, values), parameters=pairs, state=State.FILLED)
