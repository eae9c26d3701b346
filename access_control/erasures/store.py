"""Finds entries of the log whose literals are here. Reads log and literals, changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from access_control.audit.literals import FIELD
from access_control.audit.reader import AuditReader, Filter
from access_control.audit.side_reader import SideReader
from access_control.audit.side_store import side_of
from access_control.erasures.model import Entry, Selection
from access_control.statements import HOLDERS

AT_ONCE = 500  # entries of one page of the log


def entries(folder: Path, selection: Selection) -> Iterator[Entry]:
    """Entries of the log in this folder that a selection means, newest first."""
    wanted = Filter(
        actor=selection.person,
        actions=HOLDERS,
        project=selection.project,
        until=selection.before,
        text=f"query:{selection.query}" if selection.query else "",
    )
    reader, literals = AuditReader(folder), SideReader(side_of(folder))
    before: str | None = None
    while True:
        page = reader.page(wanted, before=before, limit=AT_ONCE)
        for each in page.entries:
            event = each.event
            if FIELD in event.detail and literals.line(each.seq, event.event_id) is not None:
                yield Entry(
                    seq=each.seq,
                    event_id=event.event_id,
                    actor=event.actor,
                    project=event.project,
                    time=event.time,
                )
        before = page.older
        if before is None:
            return
