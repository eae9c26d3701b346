"""The use cases of sessions: admitting, opening, marking started and stopped. Starts no sandbox itself.

Whoever starts the sandbox calls `open` first, then `started` when it answers or `stopped` when it does not.
The audit log gets `session.started` only for a sandbox that runs.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from access_control.audit.event import Action, AuditEvent
from access_control.database import Database, Unit
from access_control.decision import Decision, Deny, deny
from access_control.errors import Missing
from access_control.people import store as people
from access_control.people.model import SYSTEM, Handle, Person, handle_of
from access_control.projects import store as projects
from access_control.projects.model import Project, Slug, slug_of
from access_control.sessions import policy, store
from access_control.sessions.model import NOBODY, Session, SessionStatus, new_session_id, site


class SessionsDesk:
    """Says who may work where, and remembers who does."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def admit(self, person: Person | str, project: Project | str, now: datetime) -> Decision:
        """Whether this person, empty for a dashboard, may start a session in this project now."""
        with self._db.read() as connection:
            return _admit(connection, handle_of(person), slug_of(project))

    def open(self, person: Person | str, project: Project | str, now: datetime) -> Session:
        """A new session id for a sandbox about to start; an older live session of the same site is replaced.

        Raises
        ------
        Denied
            As `admit` says; the refusal is recorded.
        """
        handle, slug = handle_of(person), slug_of(project)
        with self._db.unit() as unit:
            decision = _admit(unit.connection, handle, slug)
            if isinstance(decision, Deny):
                unit.record(
                    AuditEvent(
                        time=now,
                        actor=handle[:64] or SYSTEM,
                        action=Action.SESSION_REFUSED,
                        project=slug[:64],
                        detail={"reason": decision.reason},
                    )
                )
                opened = None
            else:
                opened = self._open(unit, handle, slug, now)
        decision.require()
        assert opened is not None
        return opened

    def started(self, session_id: str, now: datetime) -> Session:
        """Mark an opened session running; once is enough, twice is fine.

        Raises
        ------
        Missing, Denied
            `session-unknown`; `session-stopped` when it was stopped or replaced meanwhile: stop the sandbox.
        """
        with self._db.unit() as unit:
            session = _get(unit.connection, session_id)
            policy.may_run(session).require()
            if store.set_running(unit.connection, session_id):
                unit.record(_event(Action.SESSION_STARTED, session, now))
            return _get(unit.connection, session_id)

    def stopped(self, session_id: str, reason: str, now: datetime) -> Session:
        """Mark a session stopped; if it is already, nothing changes and nothing is recorded."""
        with self._db.unit() as unit:
            session = _get(unit.connection, session_id)
            _stop(unit, session, policy.stop_reason(reason), now)
            return _get(unit.connection, session_id)

    def live(self) -> tuple[Session, ...]:
        """Every session opening or running, the oldest first."""
        with self._db.read() as connection:
            return store.live(connection)

    def of(self, person: Person | str) -> tuple[Session, ...]:
        """A person's sessions, the newest first."""
        with self._db.read() as connection:
            return store.of_person(connection, handle_of(person))

    def get(self, session_id: str) -> Session | None:
        """The session with this id."""
        with self._db.read() as connection:
            return store.find(connection, session_id)

    def at_site(self, site: str) -> Session | None:
        """The newest session of a site, live or not."""
        with self._db.read() as connection:
            return store.at_site(connection, site)

    def _open(self, unit: Unit, handle: str, slug: str, now: datetime) -> Session:
        where = site(handle, slug)
        older = store.live_at(unit.connection, where)
        if older is not None:
            _stop(unit, older, policy.REPLACED, now)
        session = Session(
            session_id=new_session_id(),
            person=Handle(handle),
            project=Slug(slug),
            site=where,
            status=SessionStatus.OPENING,
            started=now,
            stopped=None,
            reason="",
        )
        store.add(unit.connection, session)
        unit.record(_event(Action.SESSION_REQUESTED, session, now))
        return session


def _admit(connection: sa.Connection, handle: str, slug: str) -> Decision:
    project = projects.find(connection, slug)
    if project is None:
        return deny("project-unknown", project=slug[:64])
    if handle == NOBODY:
        return policy.admit_dashboard(project)
    person = people.find_person(connection, handle)
    if person is None:
        return deny("person-unknown", handle=handle[:40])
    return policy.admit(person, project, member=projects.is_member(connection, slug, handle))


def _get(connection: sa.Connection, session_id: str) -> Session:
    session = store.find(connection, session_id)
    if session is None:
        raise Missing("session-unknown", session=session_id[:40])
    return session


def _stop(unit: Unit, session: Session, reason: str, now: datetime) -> None:
    if store.set_stopped(unit.connection, session.session_id, reason, now):
        unit.record(_event(Action.SESSION_STOPPED, session, now, reason=reason))


def _event(action: Action, session: Session, now: datetime, **detail: object) -> AuditEvent:
    return AuditEvent(
        time=now,
        actor=session.person or SYSTEM,
        action=action,
        project=session.project,
        session_id=session.session_id,
        object=f"site:{session.site}",
        detail=detail,
    )
