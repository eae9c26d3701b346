"""The table of requests and every read and write of it. Knows no rule and no audit."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from access_control.database import UtcDateTime, metadata
from access_control.errors import Conflict, Missing
from access_control.grants.model import GrantId
from access_control.grants.store import read, written
from access_control.people.model import Handle
from access_control.projects.model import Slug
from access_control.requests.model import GrantRequest, RequestId, RequestStatus
from catalog.descriptions.scope import Scope

LARGEST_NUMBER = (1 << 31) - 1  # of an Integer column

grant_request = sa.Table(
    "grant_request",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("person", sa.ForeignKey("person.handle"), nullable=False, index=True),
    sa.Column("project", sa.ForeignKey("project.slug"), nullable=False),
    sa.Column("dataset", sa.String(63), nullable=False),
    sa.Column("variant", sa.String(63), nullable=False),
    sa.Column("partitions", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("expires", UtcDateTime, nullable=False),
    sa.Column("status", sa.String(16), nullable=False, index=True),
    sa.Column("submitted", UtcDateTime, nullable=False),
    sa.Column("decided_by", sa.ForeignKey("person.handle"), nullable=True),
    sa.Column("decided", UtcDateTime, nullable=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("granted", sa.ForeignKey("data_grant.id"), nullable=True),
)
_WAITING = grant_request.c.status == RequestStatus.SUBMITTED.value


def add(
    connection: sa.Connection,
    *,
    person: str,
    project: str,
    dataset: str,
    variant: str,
    partitions: Scope,
    purpose: str,
    expires: datetime,
    now: datetime,
) -> GrantRequest:
    """Keep a new request."""
    row = connection.execute(
        sa.insert(grant_request)
        .values(
            person=person,
            project=project,
            dataset=dataset,
            variant=variant,
            partitions=written(partitions),
            purpose=purpose,
            expires=expires,
            status=RequestStatus.SUBMITTED.value,
            submitted=now,
            reason="",
        )
        .returning(grant_request)
    ).one()
    return _request(row)


def save(connection: sa.Connection, before: GrantRequest, after: GrantRequest) -> None:
    """Keep where a request stands now, if it still stood where it was read.

    Raises
    ------
    Conflict
        `request-changed`
    """
    changed = connection.execute(
        sa.update(grant_request)
        .where(grant_request.c.id == before.id, grant_request.c.status == before.status.value)
        .values(
            status=after.status.value,
            decided_by=after.decided_by,
            decided=after.decided,
            reason=after.reason,
            granted=after.granted,
        )
    )
    if changed.rowcount != 1:
        raise Conflict("request-changed", id=before.id)


def get(connection: sa.Connection, request_id: int) -> GrantRequest:
    """The request with this number.

    Raises
    ------
    Missing
        `request-unknown`
    """
    query = sa.select(grant_request).where(grant_request.c.id == request_id)
    row = connection.execute(query).first() if 0 < request_id <= LARGEST_NUMBER else None
    if row is None:
        raise Missing("request-unknown", id=request_id)
    return _request(row)


def of_person(connection: sa.Connection, handle: str) -> tuple[GrantRequest, ...]:
    """A person's requests, the newest first."""
    return _requests(connection, grant_request.c.person == handle, newest=True)


def waiting(connection: sa.Connection) -> tuple[GrantRequest, ...]:
    """The requests somebody has to decide about, the oldest first."""
    return _requests(connection, _WAITING, newest=False)


def decided_by(connection: sa.Connection, handle: str) -> tuple[GrantRequest, ...]:
    """What a person decided about others' requests, the newest first."""
    decided = (grant_request.c.decided_by == handle) & (grant_request.c.person != handle)
    return _requests(connection, decided, newest=True)


def count_waiting(connection: sa.Connection, handle: str) -> int:
    """How many of a person's requests wait."""
    query = sa.select(sa.func.count()).select_from(grant_request)
    return connection.execute(query.where(_WAITING, grant_request.c.person == handle)).scalar_one()


def _requests(
    connection: sa.Connection, which: sa.ColumnElement[bool], *, newest: bool
) -> tuple[GrantRequest, ...]:
    order = grant_request.c.id.desc() if newest else grant_request.c.id
    rows = connection.execute(sa.select(grant_request).where(which).order_by(order))
    return tuple(_request(row) for row in rows)


def _request(row: sa.Row[tuple[object, ...]]) -> GrantRequest:
    return GrantRequest(
        id=RequestId(row.id),
        person=Handle(row.person),
        project=Slug(row.project),
        dataset=row.dataset,
        variant=row.variant,
        partitions=read(row.partitions),
        purpose=row.purpose,
        expires=row.expires,
        status=RequestStatus(row.status),
        submitted=row.submitted,
        decided_by=None if row.decided_by is None else Handle(row.decided_by),
        decided=row.decided,
        reason=row.reason,
        granted=None if row.granted is None else GrantId(row.granted),
    )
