"""Answers what the catalogue's gateway asks: who is live, what is granted, is it on record, may this leave.

Knows the desks' answers, not how the gateway uses them. A session is granted something only while it is live
and its person is active and still a member of an open project; it then reads its project's grants and the
open data of the default project, whose grants the installation keeps up. A dashboard has no person and reads
with its own project's grants alone. Every answer is asked anew: a grant taken back is gone at the next query.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from access_control import locale
from access_control.audit.event import Action, AuditEvent, EventId
from access_control.audit.sink import AuditSink
from access_control.certificates.desk import bearer
from access_control.database import Database
from access_control.decision import Decision, deny
from access_control.errors import AccessError, AuditError, AuditUnavailable
from access_control.exports.desk import ExportsDesk
from access_control.exports.model import Incoming
from access_control.exports.names import check_names, normal_name
from access_control.exports.policy import check_count
from access_control.grants import store as grants
from access_control.grants.model import Grant
from access_control.people import store as people
from access_control.people.model import SYSTEM
from access_control.projects import store as projects
from access_control.projects.model import OPEN_DATA
from access_control.sessions import policy, store
from access_control.sessions.model import NOBODY
from access_control.statements import taken_apart
from catalog.descriptions.scope import Scope
from catalog.gateway.guard import (
    NEARBY,
    ExportReceipt,
    ExportRefused,
    GrantedTable,
    OutboxFile,
    QueryEvent,
    QueryEventKind,
    RecordFailed,
    RecordUnsure,
    Scan,
    ScannedTable,
    SessionId,
    SessionIdentity,
)
from catalog.sandbox.launcher import Launcher

ACTIONS: Final[Mapping[QueryEventKind, Action]] = {
    QueryEventKind.ADMITTED: Action.QUERY_ADMITTED,
    QueryEventKind.REFUSED: Action.QUERY_REFUSED,
    QueryEventKind.FINISHED: Action.QUERY_FINISHED,
    QueryEventKind.FAILED: Action.QUERY_FAILED,
    QueryEventKind.CANCELLED: Action.QUERY_CANCELLED,
}


_Parts = tuple[str, str, Scope]
MOST_ANSWERS: Final = 1000  # sessions whose last answer is kept
LONGEST_ANSWER: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What was granted when the database stood at `state`; good from `since` until the first grant ends."""

    state: int
    since: datetime
    until: datetime
    tables: tuple[GrantedTable, ...]

    def holds(self, state: int, now: datetime) -> bool:
        """Whether asking anew would answer the same."""
        return state == self.state and self.since <= now < min(self.until, self.since + LONGEST_ANSWER)


class CampusGuard:
    """The rules of Campus behind `catalog.gateway.guard.Guard`; thread-safe as its parts are."""

    def __init__(self, db: Database, exports: ExportsDesk, audit: AuditSink, launcher: Launcher) -> None:
        self._db = db
        self._exports = exports
        self._audit = audit
        self._launcher = launcher
        self._answers: dict[SessionIdentity, _Answer] = {}  # what was granted lately, by session

    def live_sessions(self) -> tuple[SessionIdentity, ...]:
        """Sessions opening or running now."""
        with self._db.read() as connection:
            return tuple(
                SessionIdentity(
                    session_id=SessionId(session.session_id), person=session.person, project=session.project
                )
                for session in store.live(connection)
            )

    def bearer(self, serial: str, now: datetime) -> SessionIdentity | None:
        """The session a certificate stands for, while its person may work."""
        with self._db.read() as connection:
            session = bearer(connection, serial, now)
            if session is None:
                return None
            identity = SessionIdentity(
                session_id=SessionId(session.session_id), person=session.person, project=session.project
            )
            return identity if _may_read(connection, identity) else None

    def granted(self, identity: SessionIdentity, now: datetime) -> tuple[GrantedTable, ...]:
        """What the session may read now: its project's grants and, with a person in it, what is open.

        Of several grants on the same parts of a table the one that lasts longest. An earlier answer holds
        while nothing was committed to the database since and no grant of it has run out.
        """
        state = self._db.state()
        known = self._answers.get(identity)
        if known is not None and state is not None and known.holds(state, now):
            return known.tables
        found = self._granted(identity, now)
        until = min((t.expires for t in found if t.expires is not None), default=now)
        if len(self._answers) >= MOST_ANSWERS:
            self._answers = {}
        if state is not None:
            self._answers[identity] = _Answer(state=state, since=now, until=until, tables=found)
        return found

    def _granted(self, identity: SessionIdentity, now: datetime) -> tuple[GrantedTable, ...]:
        with self._db.read() as connection:
            if not _may_read(connection, identity):
                return ()
            own = _longest(grants.effective(connection, identity.project, now))
            opened: Mapping[_Parts, Grant] = {}
            if identity.person != NOBODY:
                opened = _longest(grants.effective(connection, OPEN_DATA, now))
        held = {**opened, **own}
        return tuple(_granted(held[key]) for key in sorted(held))

    def standing(self, identity: SessionIdentity, now: datetime) -> tuple[GrantedTable, ...]:
        """Of what is granted, what the installation itself grants: never limited to parts of a table."""
        with self._db.read() as connection:
            if not _may_read(connection, identity):
                return ()
            found = list(grants.effective(connection, identity.project, now))
            if identity.person != NOBODY:
                found += grants.effective(connection, OPEN_DATA, now)
        kept = _longest([grant for grant in found if grant.given_by == SYSTEM])
        return tuple(_granted(kept[key]) for key in sorted(kept))

    def record_mounts(
        self, identity: SessionIdentity, mounts: tuple[ScannedTable, ...], now: datetime
    ) -> int:
        """Make durable which versions a starting session has mounted, and return the number.

        Raises
        ------
        RecordFailed
            It is not durable.
        """
        event = AuditEvent(
            time=now,
            actor=identity.person or SYSTEM,
            action=Action.SESSION_MOUNTED,
            project=identity.project,
            session_id=identity.session_id,
            detail={"tables": [_table(mount) for mount in mounts]},
        )
        return self._append(event)

    def record(self, event: QueryEvent) -> int:
        """Make the event durable in the audit log and return its sequence number, once a step of a query.

        Raises
        ------
        RecordUnsure
            The log did not answer; it may have taken the event.
        RecordFailed
            It is not durable.
        """
        return self._append(_audit_event(event))

    def record_all(self, events: Sequence[QueryEvent]) -> None:
        """The same of several, at once.

        Raises
        ------
        RecordUnsure, RecordFailed
            As `record`, of any of them.
        """
        self._append(*map(_audit_event, events))

    def submit_export(
        self, identity: SessionIdentity, names: tuple[str, ...], purpose: str, now: datetime
    ) -> ExportReceipt:
        """Copy files of the session's outbox and ask for their release.

        Raises
        ------
        ExportRefused, CatalogError
            Refused by a rule, or by the launcher that opens the files, with what to do.
        """
        try:
            self._may_use_outbox(identity).require()
            check_count(len(names)).require()
            check_names([normal_name(name) for name in names]).require()
            opened = self._launcher.open_outbox(identity.person, identity.project, names)
            try:
                files = [Incoming(name=name, source=fd) for name, fd in zip(names, opened, strict=True)]
                request = self._exports.submit(identity.person, identity.project, files, purpose, now)
            finally:
                for fd in opened:
                    os.close(fd)
        except AccessError as error:
            raise ExportRefused(error.reason, **_both(error)) from error
        return ExportReceipt(
            request_id=request.id,
            url_path=f"/exports/{request.id}",
            files=tuple((file.name, file.sha256, file.size) for file in request.files),
        )

    def outbox(self, identity: SessionIdentity) -> tuple[OutboxFile, ...]:
        """Files in the session's outbox; none for a session that may not work."""
        if not self._may_use_outbox(identity):
            return ()
        return tuple(
            OutboxFile(name=file.name, size=file.size, modified=file.modified)
            for file in self._launcher.list_outbox(identity.person, identity.project)
        )

    def _append(self, *events: AuditEvent) -> int:
        """The sequence number of the last; 0 where there is none."""
        try:
            return max(self._audit.append_all(events), default=0)
        except AuditUnavailable as error:
            raise RecordUnsure(error.reason, **_both(error)) from error
        except AuditError as error:
            raise RecordFailed(error.reason, **_both(error)) from error

    def _may_use_outbox(self, identity: SessionIdentity) -> Decision:
        if identity.person == NOBODY:
            return deny("session-without-person", project=identity.project)
        with self._db.read() as connection:
            return _may_read(connection, identity)


def _may_read(connection: sa.Connection, identity: SessionIdentity) -> Decision:
    session = store.find(connection, identity.session_id)
    if session is None or (session.person, session.project) != (identity.person, identity.project):
        return deny("session-unknown", session=identity.session_id)
    if not (decision := policy.may_run(session)):
        return decision
    project = projects.find(connection, session.project)
    if project is None:
        return deny("project-unknown", project=session.project)
    if session.person == NOBODY:
        return policy.admit_dashboard(project)
    person = people.find_person(connection, session.person)
    if person is None:
        return deny("person-unknown", handle=session.person)
    member = projects.is_member(connection, session.project, session.person)
    return policy.admit(person, project, member=member)


def _longest(held: Iterable[Grant]) -> Mapping[_Parts, Grant]:
    """Of several grants on the same parts the one that lasts longest."""
    found: dict[_Parts, Grant] = {}
    for grant in held:
        key = (grant.dataset, grant.variant, grant.partitions)
        if key not in found or found[key].expires < grant.expires:
            found[key] = grant
    return found


def _granted(grant: Grant) -> GrantedTable:
    return GrantedTable(
        dataset=grant.dataset,
        variant=grant.variant,
        grant_id=str(grant.id),
        purpose=grant.purpose,
        expires=grant.expires,
        partitions=grant.partitions,
    )


def _audit_event(event: QueryEvent) -> AuditEvent:
    statement, literals = taken_apart(event)
    return AuditEvent(
        event_id=_step_id(event),
        time=event.time,
        actor=event.identity.person or SYSTEM,
        action=ACTIONS[event.kind],
        project=event.identity.project,
        session_id=event.identity.session_id,
        object=f"query:{event.query_id}",
        detail={
            **statement,
            "tables": [_table(table) for table in event.tables],
            "purposes": list(event.purposes),
            "rows": event.rows,
            "bytes": event.bytes,
            "seconds": event.seconds,
            "reason": event.reason,
            **_evidence(event),
            **_route(event),
            **_scans(event),
        },
        literals=literals,
    )


def _scans(event: QueryEvent) -> dict[str, object]:
    """Of an admission only: its end names the same query."""
    if event.kind is not QueryEventKind.ADMITTED:
        return {}
    return {"scans": [_scan(scan) for scan in event.scans]}


def _scan(scan: Scan) -> dict[str, object]:
    return {
        "dataset": scan.dataset,
        "variant": scan.variant,
        "snapshot": str(scan.snapshot_id),
        "columns": None if scan.columns is None else list(scan.columns),
        "partitions": {name: list(values) for name, values in scan.partitions},
        "files": scan.files,
        "granted_files": scan.granted,
    }


def _step_id(event: QueryEvent) -> EventId:
    """The same for whatever is recorded of one step of a query: the log takes an identifier once."""
    begins = event.kind in (QueryEventKind.ADMITTED, QueryEventKind.REFUSED)
    step = f"query:{event.query_id}:{event.kind if begins else 'end'}"
    return EventId(hashlib.sha256(step.encode()).hexdigest()[:32])


def _evidence(event: QueryEvent) -> dict[str, object]:
    """Of a governed answer only: every other event stays as it is."""
    if event.evidence is None:
        return {}
    found = asdict(event.evidence)
    return {"evidence": {**found, "snapshot_id": str(found["snapshot_id"]), "digest": event.digest}}


def _route(event: QueryEvent) -> dict[str, object]:
    """Of a statement from another machine only: every other one came over its session's own socket."""
    if event.route == NEARBY:
        return {}
    return {"route": {"transport": str(event.route.transport), "certificate": event.route.certificate}}


def _table(table: ScannedTable) -> dict[str, object]:
    return {
        "dataset": table.dataset,
        "variant": table.variant,
        "snapshot": str(table.snapshot_id),
        "grant": table.grant_id,
        "partitions": {name: list(values) for name, values in table.partitions},
    }


def _both(error: AccessError) -> dict[str, str]:
    return {
        "ko": locale.text(locale.Lang.KO, error.reason, **error.params),
        "en": locale.text(locale.Lang.EN, error.reason, **error.params),
    }
