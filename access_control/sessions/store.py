"""The table of sessions and every read and write of it. Knows no rule, no sandbox and no audit."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from access_control.database import UtcDateTime, metadata
from access_control.people.model import Handle
from access_control.projects.model import Slug
from access_control.sessions.model import LIVE, NOBODY, Session, SessionId, SessionStatus

session = sa.Table(
    "session",
    metadata,
    sa.Column("session_id", sa.String(20), primary_key=True),
    sa.Column("person", sa.ForeignKey("person.handle"), nullable=True, index=True),
    sa.Column("project", sa.ForeignKey("project.slug"), nullable=False, index=True),
    sa.Column("site", sa.String(63), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("started", UtcDateTime, nullable=False),
    sa.Column("stopped", UtcDateTime, nullable=True),
    sa.Column("reason", sa.String(200), nullable=False),
)
_live = session.c.status.in_([status.value for status in LIVE])
sa.Index(
    "ix_session_live_site",
    session.c.site,
    unique=True,
    sqlite_where=sa.text("status != 'stopped'"),
    postgresql_where=sa.text("status != 'stopped'"),
)


def add(connection: sa.Connection, new: Session) -> None:
    """Keep a new session."""
    connection.execute(
        sa.insert(session).values(
            session_id=new.session_id,
            person=new.person or None,
            project=new.project,
            site=new.site,
            status=new.status.value,
            started=new.started,
            stopped=new.stopped,
            reason=new.reason,
        )
    )


def find(connection: sa.Connection, session_id: str) -> Session | None:
    """The session with this id."""
    row = connection.execute(sa.select(session).where(session.c.session_id == session_id)).first()
    return None if row is None else _session(row)


def live(connection: sa.Connection) -> tuple[Session, ...]:
    """Every session that may still ask for data, the oldest first."""
    query = sa.select(session).where(_live).order_by(session.c.started, session.c.session_id)
    return tuple(_session(row) for row in connection.execute(query))


def live_at(connection: sa.Connection, site: str) -> Session | None:
    """The live session of a site; there is one at most."""
    row = connection.execute(sa.select(session).where(_live, session.c.site == site)).first()
    return None if row is None else _session(row)


def of_person(connection: sa.Connection, handle: str) -> tuple[Session, ...]:
    """A person's sessions, the newest first."""
    query = (
        sa.select(session)
        .where(session.c.person == handle)
        .order_by(session.c.started.desc(), session.c.session_id)
    )
    return tuple(_session(row) for row in connection.execute(query))


def at_site(connection: sa.Connection, site: str) -> Session | None:
    """The newest session of a site, live or not."""
    query = sa.select(session).where(session.c.site == site).order_by(session.c.started.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else _session(row)


def set_running(connection: sa.Connection, session_id: str) -> bool:
    """Mark an opening session running; False if it was not opening."""
    changed = connection.execute(
        sa.update(session)
        .where(session.c.session_id == session_id, session.c.status == SessionStatus.OPENING.value)
        .values(status=SessionStatus.RUNNING.value)
    )
    return changed.rowcount == 1


def set_stopped(connection: sa.Connection, session_id: str, reason: str, now: datetime) -> bool:
    """Mark a live session stopped; False if it was not live."""
    changed = connection.execute(
        sa.update(session)
        .where(session.c.session_id == session_id, _live)
        .values(status=SessionStatus.STOPPED.value, stopped=now, reason=reason)
    )
    return changed.rowcount == 1


def _session(row: sa.Row[tuple[object, ...]]) -> Session:
    return Session(
        session_id=SessionId(row.session_id),
        person=NOBODY if row.person is None else Handle(row.person),
        project=Slug(row.project),
        site=row.site,
        status=SessionStatus(row.status),
        started=row.started,
        stopped=row.stopped,
        reason=row.reason,
    )
