"""Reads recorded events newest first, a page at a time, filtered. Knows the files, changes nothing.

A page costs memory for one block and for its own entries, however long the log is. A filter that matches
little stops after `MOST_SCANNED` lines and says where to go on, so no request takes long.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from access_control.audit import segment
from access_control.audit.event import Action, AuditEvent, decode, stamp
from access_control.audit.segment import Segment
from access_control.errors import AuditDamaged, Invalid

BLOCK = 256 << 10  # [bytes]
MOST_SCANNED = 200_000  # lines looked at for one page
LATE = timedelta(days=1)  # how much later than it happened an event may be received and still be found


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events are wanted; everything empty means all.

    `text` is looked for in `object`, any case; `dataset` among the tables of queries and mounts.
    """

    actor: str = ""
    actions: frozenset[Action] = frozenset()
    project: str = ""
    session_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    dataset: str = ""

    def wants(self, event: AuditEvent) -> bool:
        """Whether an event is one of them; `since` is included, `until` is not."""
        return (
            (not self.actor or event.actor == self.actor)
            and (not self.actions or event.action in self.actions)
            and (not self.project or event.project == self.project)
            and (not self.session_id or event.session_id == self.session_id)
            and (self.since is None or event.time >= self.since)
            and (self.until is None or event.time < self.until)
            and (not self.text or self.text.casefold() in event.object.casefold())
            and (not self.dataset or self.dataset in _datasets(event))
        )

    def needles(self) -> list[bytes]:
        """Bytes every wanted line holds: a quick look before a line is parsed."""
        named = {"actor": self.actor, "project": self.project, "session_id": self.session_id}
        named["dataset"] = self.dataset
        if len(self.actions) == 1:
            [named["action"]] = self.actions
        return [
            f'"{name}":{json.dumps(str(value), ensure_ascii=False)}'.encode(errors="replace")
            for name, value in named.items()
            if value
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event as the log holds it."""

    seq: int
    received: datetime
    event: AuditEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries newest first, and where older ones go on; None when there are no older ones.

    A page may hold fewer entries than asked for, even none, and still go on.
    """

    entries: tuple[Recorded, ...]
    older: str | None


class AuditReader:
    """Reads the log in a folder while the writer may be writing it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def page(
        self,
        wanted: Filter | None = None,
        *,
        before: str | None = None,
        limit: int = 50,
        most: int | None = None,
    ) -> Page:
        """The newest wanted events, or the ones older than an earlier page's `older`.

        Parameters
        ----------
        most
            Lines looked at, after which the page ends; `MOST_SCANNED` where it is not said.

        Raises
        ------
        Invalid
            `before` is no position in this log.
        AuditDamaged
            A line is not what was written.
        """
        wanted = wanted or Filter()
        needles = wanted.needles()
        stop = stamp(wanted.since - LATE) if wanted.since else ""
        found: list[Recorded] = []
        for scanned, (each, offset, data) in enumerate(self._backwards(before), start=1):
            if all(needle in data for needle in needles):
                values = _entry(each, offset, data)
                if stop and values["received"] < stop:
                    return Page(entries=tuple(found), older=None)
                event = decode(values["event"])
                if wanted.wants(event):
                    found.append(
                        Recorded(seq=values["seq"], received=_moment(values["received"]), event=event)
                    )
            if len(found) >= limit or scanned >= (most or MOST_SCANNED):
                older = f"{each.first}-{offset}" if offset or each.first else None
                return Page(entries=tuple(found), older=older)
        return Page(entries=tuple(found), older=None)

    def everything(self) -> Iterator[Recorded]:
        """Every entry, oldest first, for exports and tests.

        Raises
        ------
        AuditDamaged
            A line is not what was written.
        """
        for each in segment.segments(self._folder):
            with each.path.open("rb") as file:
                offset = 0
                for data in file:
                    if not data.endswith(b"\n"):
                        return
                    values = _entry(each, offset, data)
                    yield Recorded(
                        seq=values["seq"],
                        received=_moment(values["received"]),
                        event=decode(values["event"]),
                    )
                    offset += len(data)

    def _backwards(self, before: str | None) -> Iterator[tuple[Segment, int, bytes]]:
        found = segment.segments(self._folder)
        limit: int | None = None
        if before is not None:
            first, limit = _position(before)
            found = [each for each in found if each.first <= first]
            if not found or found[-1].first != first or limit > found[-1].path.stat().st_size:
                raise Invalid("audit-page", position=before)
        for each in reversed(found):
            yield from _lines_backwards(each, limit)
            limit = None


def _lines_backwards(each: Segment, limit: int | None) -> Iterator[tuple[Segment, int, bytes]]:
    """Whole lines of a segment from byte `limit` back to its start, with the offset of each."""
    with each.path.open("rb") as file:
        end = file.seek(0, 2) if limit is None else limit
        if limit:
            file.seek(limit - 1)
            if file.read(1) != b"\n":
                raise Invalid("audit-page", position=f"{each.first}-{limit}")
        rest = b""  # the end of a line that starts before `end`
        while end > 0:
            start = max(0, end - BLOCK)
            file.seek(start)
            data = file.read(end - start) + rest
            lines = data.split(b"\n")
            position = start + len(data) - len(lines.pop())  # what follows the last LF is not whole yet
            for line in reversed(lines[1:]):
                position -= len(line) + 1
                yield each, position, line + b"\n"
            rest = lines[0] + b"\n" if lines else b""
            end = start
        if rest:
            yield each, 0, rest


def _entry(each: Segment, offset: int, data: bytes) -> dict[str, Any]:
    try:
        return segment.entry_of(segment.leaf_of(data))
    except ValueError as error:
        raise AuditDamaged(
            "audit-damaged", file=each.path.name, line=0, offset=offset, problem=str(error)
        ) from None


def _datasets(event: AuditEvent) -> set[str]:
    tables = event.detail.get("tables")
    return {str(table.get("dataset")) for table in tables} if isinstance(tables, list) else set()


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _position(text: str) -> tuple[int, int]:
    first, _, offset = text.partition("-")
    if not (text.isascii() and len(text) < 40 and first.isdigit() and offset.isdigit()):
        raise Invalid("audit-page", position=text[:40])
    return int(first), int(offset)
