"""The tables of people and applications and every read and write of them. Knows no rule and no audit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from access_control.database import UtcDateTime, metadata
from access_control.errors import Missing
from access_control.people.model import (
    FIRST_NUMBER,
    Application,
    ApplicationId,
    ApplicationStatus,
    Handle,
    Kind,
    Person,
    PersonStatus,
    Role,
    handle_of,
)

person = sa.Table(
    "person",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("handle", sa.String(31), nullable=False, unique=True),
    sa.Column("display_name", sa.String(60), nullable=False),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("email_key", sa.String(254), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("status_reason", sa.Text, nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
)
person_role = sa.Table(
    "person_role",
    metadata,
    sa.Column("person", sa.ForeignKey("person.handle"), primary_key=True),
    sa.Column("role", sa.String(16), primary_key=True),
)
password = sa.Table(
    "password",
    metadata,
    sa.Column("person", sa.ForeignKey("person.handle"), primary_key=True),
    sa.Column("encoded", sa.String(255), nullable=False),
    sa.Column("changed", UtcDateTime, nullable=False),
)
application = sa.Table(
    "application",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("handle", sa.String(31), nullable=False),
    sa.Column("display_name", sa.String(60), nullable=False),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("email_key", sa.String(254), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("affiliation", sa.String(120), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("consented", UtcDateTime, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("submitted", UtcDateTime, nullable=False),
    sa.Column("decided", UtcDateTime, nullable=True),
    sa.Column("decided_by", sa.ForeignKey("person.handle"), nullable=True),
    sa.Column("encoded", sa.String(255), nullable=True),
)
_pending = application.c.status == ApplicationStatus.PENDING.value
for _name, _column in (("handle", application.c.handle), ("email", application.c.email_key)):
    sa.Index(
        f"ix_application_pending_{_name}",
        _column,
        unique=True,
        sqlite_where=_pending,
        postgresql_where=_pending,
    )


def email_key(email: str) -> str:
    """What makes two addresses the same: letter case does not tell people apart."""
    return email.casefold()


def is_handle_taken(connection: sa.Connection, handle: str) -> bool:
    """Whether a person has this handle or a waiting application asks for it."""
    taken = sa.union_all(
        sa.select(person.c.handle).where(person.c.handle == handle),
        sa.select(application.c.handle).where(application.c.handle == handle, _pending),
    )
    return connection.execute(taken.limit(1)).first() is not None


def is_email_taken(connection: sa.Connection, email: str) -> bool:
    """Whether a person or a waiting application has this address."""
    key = email_key(email)
    taken = sa.union_all(
        sa.select(person.c.handle).where(person.c.email_key == key),
        sa.select(application.c.handle).where(application.c.email_key == key, _pending),
    )
    return connection.execute(taken.limit(1)).first() is not None


def add_application(
    connection: sa.Connection,
    *,
    handle: str,
    display_name: str,
    email: str,
    kind: Kind,
    affiliation: str,
    purpose: str,
    encoded: str,
    now: datetime,
) -> Application:
    """Keep a new application with its password hash."""
    added = connection.execute(
        sa.insert(application)
        .values(
            handle=handle,
            display_name=display_name,
            email=email,
            email_key=email_key(email),
            kind=kind.value,
            affiliation=affiliation,
            purpose=purpose,
            consented=now,
            status=ApplicationStatus.PENDING.value,
            reason="",
            submitted=now,
            encoded=encoded,
        )
        .returning(application)
    ).one()
    return _application(added)


def find_application(connection: sa.Connection, application_id: int) -> Application | None:
    """The application with this number."""
    row = connection.execute(sa.select(application).where(application.c.id == application_id)).first()
    return None if row is None else _application(row)


def list_applications(connection: sa.Connection, status: ApplicationStatus | None) -> tuple[Application, ...]:
    """Applications, the oldest first."""
    query = sa.select(application).order_by(application.c.submitted, application.c.id)
    if status is not None:
        query = query.where(application.c.status == status.value)
    return tuple(_application(row) for row in connection.execute(query))


def decide_application(
    connection: sa.Connection,
    application_id: int,
    *,
    status: ApplicationStatus,
    reason: str,
    decided_by: str,
    now: datetime,
) -> str | None:
    """Close a waiting application; return its password hash, or None if it is not waiting.

    The hash is dropped on approval, when the person gets it, and kept on rejection: who knows the password
    may read the reason.
    """
    still_waiting = sa.and_(application.c.id == application_id, _pending)
    encoded = connection.execute(sa.select(application.c.encoded).where(still_waiting)).scalar()
    changed = connection.execute(
        sa.update(application)
        .where(still_waiting)
        .values(
            status=status.value,
            reason=reason,
            decided=now,
            decided_by=decided_by,
            encoded=None if status is ApplicationStatus.APPROVED else application.c.encoded,
        )
    )
    return str(encoded) if changed.rowcount == 1 else None


def latest_application(connection: sa.Connection, handle: str) -> tuple[Application, str] | None:
    """The last application for a handle whose password hash is still kept, and that hash."""
    row = connection.execute(
        sa.select(application)
        .where(application.c.handle == handle, application.c.encoded.is_not(None))
        .order_by(application.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else (_application(row), str(row.encoded))


def add_person(
    connection: sa.Connection,
    *,
    handle: str,
    display_name: str,
    email: str,
    kind: Kind,
    roles: Iterable[Role],
    now: datetime,
) -> Person:
    """Keep a new person; numbers only grow."""
    highest = connection.execute(sa.select(sa.func.max(person.c.number))).scalar()
    number = FIRST_NUMBER if highest is None else highest + 1
    connection.execute(
        sa.insert(person).values(
            number=number,
            handle=handle,
            display_name=display_name,
            email=email,
            email_key=email_key(email),
            kind=kind.value,
            status=PersonStatus.ACTIVE.value,
            status_reason="",
            created=now,
        )
    )
    set_roles(connection, handle, roles)
    added = find_person(connection, handle)
    assert added is not None
    return added


def find_person(connection: sa.Connection, handle: str) -> Person | None:
    """The person with this handle."""
    found = _people(connection, person.c.handle == handle)
    return found[0] if found else None


def get_person(connection: sa.Connection, who: Person | str) -> Person:
    """The person as they are now, whatever the caller remembers of them.

    Raises
    ------
    Missing
        `person-unknown`
    """
    handle = handle_of(who)
    found = find_person(connection, handle)
    if found is None:
        raise Missing("person-unknown", handle=handle[:40])
    return found


def list_people(connection: sa.Connection) -> tuple[Person, ...]:
    """Everybody, the first first."""
    return _people(connection, sa.true())


def people_named(connection: sa.Connection, handles: sa.Select[tuple[str]]) -> tuple[Person, ...]:
    """The people whose handles the query gives."""
    return _people(connection, person.c.handle.in_(handles))


def count_active(connection: sa.Connection, role: Role) -> int:
    """How many active people hold a role."""
    query = (
        sa.select(sa.func.count())
        .select_from(person_role.join(person))
        .where(person_role.c.role == role.value, person.c.status == PersonStatus.ACTIVE.value)
    )
    return connection.execute(query).scalar_one()


def set_roles(connection: sa.Connection, handle: str, roles: Iterable[Role]) -> None:
    """Let a person hold exactly these roles."""
    connection.execute(sa.delete(person_role).where(person_role.c.person == handle))
    rows = [{"person": handle, "role": role.value} for role in sorted(set(roles))]
    if rows:
        connection.execute(sa.insert(person_role), rows)


def set_status(connection: sa.Connection, handle: str, status: PersonStatus, reason: str) -> None:
    """Let a person act, or no longer."""
    connection.execute(
        sa.update(person).where(person.c.handle == handle).values(status=status.value, status_reason=reason)
    )


def encoded_password(connection: sa.Connection, handle: str) -> str | None:
    """A person's password hash; None for unknown people and those who sign in by link only."""
    return connection.execute(sa.select(password.c.encoded).where(password.c.person == handle)).scalar()


def keep_password(connection: sa.Connection, handle: str, encoded: str, now: datetime) -> None:
    """Let this be the person's password hash."""
    connection.execute(sa.delete(password).where(password.c.person == handle))
    connection.execute(sa.insert(password).values(person=handle, encoded=encoded, changed=now))


def _people(connection: sa.Connection, which: sa.ColumnElement[bool]) -> tuple[Person, ...]:
    rows = connection.execute(sa.select(person).where(which).order_by(person.c.number)).all()
    held: dict[str, set[Role]] = {row.handle: set() for row in rows}
    roles = sa.select(person_role).where(person_role.c.person.in_(sa.select(person.c.handle).where(which)))
    for row in connection.execute(roles):
        held[row.person].add(Role(row.role))
    return tuple(
        Person(
            number=row.number,
            handle=Handle(row.handle),
            display_name=row.display_name,
            email=row.email,
            kind=Kind(row.kind),
            roles=frozenset(held[row.handle]),
            status=PersonStatus(row.status),
            created=row.created,
        )
        for row in rows
    )


def _application(row: sa.Row[tuple[object, ...]]) -> Application:
    return Application(
        id=ApplicationId(row.id),
        handle=Handle(row.handle),
        display_name=row.display_name,
        email=row.email,
        kind=Kind(row.kind),
        affiliation=row.affiliation,
        purpose=row.purpose,
        status=ApplicationStatus(row.status),
        reason=row.reason,
        submitted=row.submitted,
        decided=row.decided,
        decided_by=None if row.decided_by is None else Handle(row.decided_by),
    )
