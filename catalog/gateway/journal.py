"""Admitted queries in files that survive the broker, until their end is on record. Records nothing itself.

A query's file holds its admission, one line of JSON, and after that how it ended, as soon as that is known.
It survives the process, not the machine: nothing is synced.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from pathlib import Path

from catalog.descriptions.scope import scope_of
from catalog.gateway.guard import (
    NEARBY,
    Evidence,
    QueryEvent,
    QueryEventKind,
    QueryId,
    Route,
    Scan,
    ScannedTable,
    SessionIdentity,
    Transport,
)
from catalog.gateway.sql.normal import Normal

_OF_AN_END = ("kind", "rows", "bytes", "seconds", "reason", "digest")
LOG = logging.getLogger(__name__)


class Journal:
    """The files of one broker's queries, in a folder that is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin(self, event: QueryEvent) -> None:
        """Keep an admission.

        Raises
        ------
        OSError
            It is not kept.
        """
        self._file(event.query_id).write_text(json.dumps(event, default=_plain), "utf-8")

    def end(self, event: QueryEvent) -> None:
        """Keep how it ended; without it the next broker knows only that it did."""
        said = {
            name: getattr(event, name) for name in ("kind", "rows", "bytes", "seconds", "reason", "digest")
        }
        line = json.dumps({"time": event.time.isoformat(), **said})
        with contextlib.suppress(OSError), self._file(event.query_id).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")

    def forget(self, query_id: QueryId) -> None:
        """Its end is on record, or it never was."""
        self._file(query_id).unlink(missing_ok=True)

    def left(self) -> Iterator[tuple[QueryEvent, QueryEvent | None]]:
        """Admissions that are there, and how they ended where that is known."""
        for file in sorted(self._folder.glob("*.json")):
            try:
                admission, *more = file.read_text("utf-8").split("\n")
                event = _event(json.loads(admission))
            except (ValueError, KeyError, TypeError):
                LOG.warning("an unreadable journal entry was skipped")  # cut off before its admission
                file.unlink(missing_ok=True)
                continue
            yield event, _ended(event, more)

    def _file(self, query_id: QueryId) -> Path:
        return self._folder / f"{query_id}.json"


def _plain(value: object) -> object:
    """For JSON; not `asdict`, whose deep copies took longer than the file."""
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return str(value)


def _ended(admitted: QueryEvent, more: list[str]) -> QueryEvent | None:
    """None where the line is not there, or not whole."""
    if not more:
        return None
    try:
        said = json.loads(more[0])
        return replace(
            admitted,
            kind=QueryEventKind(said["kind"]),
            time=datetime.fromisoformat(said["time"]),
            rows=int(said["rows"]),
            bytes=int(said["bytes"]),
            seconds=float(said["seconds"]),
            reason=str(said["reason"]),
            digest=str(said["digest"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _event(value: dict[str, object]) -> QueryEvent:
    held = dict(value)
    identity = held.pop("identity")
    tables = held.pop("tables")
    purposes = held.pop("purposes")
    evidence = held.get("evidence")  # absent in the journal of an earlier release
    route = held.get("route")  # likewise
    if not isinstance(identity, dict) or not isinstance(tables, list) or not isinstance(purposes, list):
        raise TypeError("no event")
    return QueryEvent(
        kind=QueryEventKind(str(held["kind"])),
        query_id=QueryId(str(held["query_id"])),
        identity=SessionIdentity(**identity),
        time=datetime.fromisoformat(str(held["time"])),
        statement=str(held["statement"]),
        tables=tuple(ScannedTable(**{**t, "partitions": scope_of(t.get("partitions", ()))}) for t in tables),
        purposes=tuple(str(p) for p in purposes),
        parameters=tuple((str(name), str(text)) for name, text in _pairs(held.get("parameters"))),
        normal=_normal(held.get("normal")),
        evidence=Evidence(**evidence) if isinstance(evidence, dict) else None,
        route=_route(route) if isinstance(route, dict) else NEARBY,
        scans=_scans(held.get("scans")),
    )


def _route(value: dict[str, object]) -> Route:
    return Route(transport=Transport(str(value["transport"])), certificate=str(value["certificate"]))


def _scans(value: object) -> tuple[Scan, ...]:
    """Absent in the journal of an earlier release."""
    scans = value if isinstance(value, list) else []
    return tuple(
        Scan(
            **{
                **scan,
                "columns": None if scan["columns"] is None else tuple(map(str, scan["columns"])),
                "partitions": scope_of(scan["partitions"]),
            }
        )
        for scan in scans
    )


def _normal(value: object) -> Normal | None:
    """Absent in the journal of an earlier release."""
    if not isinstance(value, dict):
        return None
    return Normal(
        text=str(value["text"]),
        literals=tuple(map(str, value["literals"])),
        parameters=tuple((str(name), str(place)) for name, place in _pairs(value["parameters"])),
    )


def _pairs(value: object) -> list[list[object]]:
    """Absent in the journal of an earlier release."""
    return value if isinstance(value, list) else []
