"""Secrets that stand for a person: web sessions, tickets, sign-in and setup links, and failed attempts.

Knows only the SHA-256 of each secret: who reads the database cannot sign in with it. Knows no rule about
people. A ticket is taken by one `DELETE … RETURNING`, so of two who present it one gets it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa

from access_control.database import UtcDateTime, metadata

SECRET_BYTES = 32
TICKET_LIFE = timedelta(seconds=60)
SETUP_LIFE = timedelta(hours=24)
WEB_IDLE = timedelta(hours=12)
WEB_LIFE = timedelta(days=7)
WEB_SEEN_EVERY = timedelta(minutes=5)  # a page view within it is not a write
ATTEMPTS, ATTEMPT_WINDOW = 5, timedelta(minutes=15)

web_session = sa.Table(
    "web_session",
    metadata,
    sa.Column("secret", sa.String(64), primary_key=True),
    sa.Column("person", sa.ForeignKey("person.handle"), nullable=False, index=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("seen", UtcDateTime, nullable=False),
)
ticket = sa.Table(
    "ticket",
    metadata,
    sa.Column("secret", sa.String(64), primary_key=True),
    sa.Column("person", sa.ForeignKey("person.handle"), nullable=False, index=True),
    sa.Column("audience", sa.String(64), nullable=False),
    sa.Column("expires", UtcDateTime, nullable=False),
)
sign_in_link = sa.Table(
    "sign_in_link",
    metadata,
    sa.Column("secret", sa.String(64), primary_key=True),
    sa.Column("person", sa.ForeignKey("person.handle"), nullable=False, index=True),
    sa.Column("expires", UtcDateTime, nullable=False),
)
setup_link = sa.Table(
    "setup_link",
    metadata,
    sa.Column("secret", sa.String(64), primary_key=True),
    sa.Column("expires", UtcDateTime, nullable=False),
)
failed_attempt = sa.Table(
    "failed_attempt",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("handle", sa.String(31), nullable=False),
    sa.Column("time", UtcDateTime, nullable=False, index=True),
    sa.Index("ix_failed_attempt_handle_time", "handle", "time"),
)


def new_secret() -> str:
    """256 random bits, as they go into a link or a cookie."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def open_web_session(connection: sa.Connection, handle: str, now: datetime) -> str:
    """Start a signed-in web session, forget expired ones; return its secret."""
    gone = sa.or_(web_session.c.seen <= now - WEB_IDLE, web_session.c.created <= now - WEB_LIFE)
    connection.execute(sa.delete(web_session).where(gone))
    secret = new_secret()
    connection.execute(
        sa.insert(web_session).values(secret=digest(secret), person=handle, created=now, seen=now)
    )
    return secret


def holder_of_web_session(connection: sa.Connection, secret: str, now: datetime) -> tuple[str, bool] | None:
    """Handle behind a web session not expired, and whether it is time to note that it is in use."""
    row = connection.execute(
        sa.select(web_session.c.person, web_session.c.seen).where(
            web_session.c.secret == digest(secret),
            web_session.c.seen > now - WEB_IDLE,
            web_session.c.created > now - WEB_LIFE,
        )
    ).first()
    return None if row is None else (row.person, now - row.seen >= WEB_SEEN_EVERY)


def touch_web_session(connection: sa.Connection, secret: str, now: datetime) -> None:
    """Note that a web session is in use; never moves back."""
    connection.execute(
        sa.update(web_session)
        .where(web_session.c.secret == digest(secret), web_session.c.seen < now)
        .values(seen=now)
    )


def close_web_session(connection: sa.Connection, secret: str) -> str | None:
    """End a web session; return whose it was."""
    return connection.execute(
        sa.delete(web_session).where(web_session.c.secret == digest(secret)).returning(web_session.c.person)
    ).scalar()


def issue_ticket(connection: sa.Connection, handle: str, audience: str, now: datetime) -> str:
    """A secret good once, for one audience, for a minute; forgets expired ones."""
    connection.execute(sa.delete(ticket).where(ticket.c.expires <= now))
    secret = new_secret()
    connection.execute(
        sa.insert(ticket).values(
            secret=digest(secret), person=handle, audience=audience, expires=now + TICKET_LIFE
        )
    )
    return secret


def take_ticket(connection: sa.Connection, secret: str, audience: str, now: datetime) -> str | None:
    """Use a ticket up; return its handle if it was for this audience and in time."""
    row = connection.execute(
        sa.delete(ticket)
        .where(ticket.c.secret == digest(secret))
        .returning(ticket.c.person, ticket.c.audience, ticket.c.expires)
    ).first()
    if row is None or row.audience != audience or row.expires <= now:
        return None
    return str(row.person)


def issue_link(connection: sa.Connection, handle: str, expires: datetime, now: datetime) -> str:
    """A secret that signs a person in until it expires; replaces the person's earlier one."""
    connection.execute(
        sa.delete(sign_in_link).where(sa.or_(sign_in_link.c.person == handle, sign_in_link.c.expires <= now))
    )
    secret = new_secret()
    connection.execute(sa.insert(sign_in_link).values(secret=digest(secret), person=handle, expires=expires))
    return secret


def holder_of_link(connection: sa.Connection, secret: str, now: datetime) -> str | None:
    """Handle a sign-in link stands for, while it lasts."""
    return connection.execute(
        sa.select(sign_in_link.c.person).where(
            sign_in_link.c.secret == digest(secret), sign_in_link.c.expires > now
        )
    ).scalar()


def issue_setup(connection: sa.Connection, now: datetime) -> str:
    """The one setup secret; replaces the earlier one."""
    connection.execute(sa.delete(setup_link))
    secret = new_secret()
    connection.execute(sa.insert(setup_link).values(secret=digest(secret), expires=now + SETUP_LIFE))
    return secret


def is_setup(connection: sa.Connection, secret: str, now: datetime) -> bool:
    """Whether this is the setup secret and still good; does not use it up."""
    good = sa.and_(setup_link.c.secret == digest(secret), setup_link.c.expires > now)
    return connection.execute(sa.select(setup_link.c.secret).where(good)).first() is not None


def close_setup(connection: sa.Connection) -> None:
    """No setup secret is good any more."""
    connection.execute(sa.delete(setup_link))


def forget_person(connection: sa.Connection, handle: str) -> None:
    """End everything that stands for a person: web sessions, tickets and links."""
    for table in (web_session, ticket, sign_in_link):
        connection.execute(sa.delete(table).where(table.c.person == handle))


def note_failure(connection: sa.Connection, handle: str, now: datetime) -> int:
    """Note a failed sign-in for a handle, known or not; return how many there were in the window."""
    connection.execute(sa.delete(failed_attempt).where(failed_attempt.c.time <= now - ATTEMPT_WINDOW))
    connection.execute(sa.insert(failed_attempt).values(handle=handle, time=now))
    return len(_failures(connection, handle, now))


def locked_until(connection: sa.Connection, handle: str, now: datetime) -> datetime | None:
    """When a handle locked by failures may try again; None when it may now."""
    times = _failures(connection, handle, now)
    return times[-ATTEMPTS] + ATTEMPT_WINDOW if len(times) >= ATTEMPTS else None


def forget_failures(connection: sa.Connection, handle: str) -> None:
    """A successful sign-in clears the count."""
    connection.execute(sa.delete(failed_attempt).where(failed_attempt.c.handle == handle))


def _failures(connection: sa.Connection, handle: str, now: datetime) -> list[datetime]:
    query = (
        sa.select(failed_attempt.c.time)
        .where(failed_attempt.c.handle == handle, failed_attempt.c.time > now - ATTEMPT_WINDOW)
        .order_by(failed_attempt.c.time)
    )
    return list(connection.execute(query).scalars())
