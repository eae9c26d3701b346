"""The use case of anybody: read what the record says of oneself, of nobody else. Knows no page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

from access_control.audit.event import Action, ActorAs, AuditEvent
from access_control.audit.reader import AuditReader, Filter, Page, Recorded
from access_control.audit.sink import AuditSink
from access_control.errors import Invalid
from access_control.people.model import Person
from access_control.statements import Shown, Statements

OBJECT: Final = "own-record"
AT_ONCE: Final = 30
FURTHER: Final = (1, 4, AT_ONCE, AT_ONCE)  # read as well, to find where a query began whose end is there
MOST_SCANNED: Final = 50_000  # lines looked at for one page: anybody may ask for one
ENDS: Final = frozenset({Action.QUERY_FINISHED, Action.QUERY_FAILED, Action.QUERY_CANCELLED})
SHOWN: Final = ENDS | {
    Action.QUERY_ADMITTED, Action.QUERY_REFUSED,
    Action.SESSION_MOUNTED, Action.SESSION_STARTED,
    Action.EXPORT_SUBMITTED, Action.EXPORT_WITHDRAWN, Action.EXPORT_VIEWED, Action.EXPORT_DOWNLOADED,
    Action.PERSON_SIGNED_IN, Action.PERSON_SIGNED_OUT, Action.PERSON_LINK_REDEEMED,
    Action.PERSON_PASSWORD_CHANGED,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One thing the person did, as the record has it.

    Attributes
    ----------
    end
        How a query ended; None where it runs, or where a newer page has it.
    statement
        Of a query: filled in while its values exist.
    tables
        Dataset, variant, version.
    """

    event: AuditEvent
    end: AuditEvent | None
    statement: Shown | None
    tables: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPage:
    """Newest first; `older` leads on, for this person alone."""

    accesses: tuple[Access, ...]
    older: str


class OwnRecord:
    """Reads a person's own part of the log; that it was read is itself recorded, before anything is shown.

    Parameters
    ----------
    folder
        The log's folder; only read here.
    sink
        Where the record of reading goes.
    secret
        Seals where a page ends: a place in the log says how much others do.
    """

    def __init__(self, folder: Path, sink: AuditSink, secret: bytes) -> None:
        self._reader = AuditReader(folder)
        self._statements = Statements(folder)
        self._sink, self._secret = sink, secret

    def page(self, person: Person, project: str, dataset: str, before: str, now: datetime) -> OwnPage:
        """What this person did, newest first, or what is older than an earlier page.

        Raises
        ------
        Invalid
            `before` is no page of this person's.
        AuditUnavailable
            That it is read cannot be recorded.
        """
        position = self._opened(person, before) if before else None
        asked = {"project": project, "dataset": dataset}
        detail = {name: value for name, value in asked.items() if value}
        self._sink.append_all(
            [
                AuditEvent(
                    time=now, actor=person.handle, action=Action.AUDIT_READ, object=OBJECT, detail=detail
                )
            ]
        )
        wanted = Filter(
            actor=person.handle, actions=SHOWN, project=project, dataset=dataset, since=person.created
        )
        entries, older = self._entries(wanted, position)
        return OwnPage(
            accesses=self._together([e for e in entries if e.event.actor_as is ActorAs.HANDLE]),
            older=self._sealed(person, older) if older else "",
        )

    def _entries(self, wanted: Filter, position: str | None) -> tuple[list[Recorded], str | None]:
        """A page's entries; what ended on it began on it too, where that is not too far away."""
        page = self._read(wanted, position, AT_ONCE)
        entries = list(page.entries)
        for more in FURTHER:
            if page.older is None or not _unbegun(entries):
                break
            page = self._read(wanted, page.older, more)
            entries += page.entries
        return entries, page.older

    def _read(self, wanted: Filter, position: str | None, limit: int) -> Page:
        return self._reader.page(wanted, before=position, limit=limit, most=MOST_SCANNED)

    def _together(self, entries: list[Recorded]) -> tuple[Access, ...]:
        """A query and its end are one access, where the query began."""
        statements = self._statements.of(entries)
        ends = {e.event.object: e.event for e in entries if e.event.action in ENDS}
        begun = {e.event.object for e in entries if e.event.action is Action.QUERY_ADMITTED}
        return tuple(
            Access(
                event=e.event,
                end=ends.get(e.event.object) if e.event.action is Action.QUERY_ADMITTED else None,
                statement=statements.get(e.seq),
                tables=_tables(e.event),
            )
            for e in entries
            if e.event.action not in ENDS or e.event.object not in begun
        )

    def _seal(self, person: Person) -> Fernet:
        key = hashlib.blake2b(f"{person.number}".encode(), key=self._secret[:64], digest_size=32).digest()
        return Fernet(base64.urlsafe_b64encode(key))

    def _sealed(self, person: Person, position: str) -> str:
        return self._seal(person).encrypt(position.encode()).decode()

    def _opened(self, person: Person, sealed: str) -> str:
        try:
            return self._seal(person).decrypt(sealed.encode(errors="replace")).decode()
        except InvalidToken:
            raise Invalid("accesses-page") from None


def _unbegun(entries: Iterable[Recorded]) -> set[str]:
    """Queries whose end is there and whose beginning is not."""
    ended: set[str] = set()
    for entry in entries:  # newest first
        if entry.event.action in ENDS:
            ended.add(entry.event.object)
        elif entry.event.action is Action.QUERY_ADMITTED:
            ended.discard(entry.event.object)
    return ended


def _tables(event: AuditEvent) -> tuple[tuple[str, str, str], ...]:
    tables = event.detail.get("tables")
    if not isinstance(tables, list):
        return ()
    return tuple((str(t["dataset"]), str(t["variant"]), str(t["snapshot"])) for t in tables)
