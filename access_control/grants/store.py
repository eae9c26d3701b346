"""The table of grants and every read and write of it. Knows no rule and no audit."""

from __future__ import annotations

import json
from datetime import datetime

import sqlalchemy as sa

from access_control.database import UtcDateTime, metadata
from access_control.grants.model import Grant, GrantId
from access_control.projects.model import Slug
from catalog.descriptions.scope import WHOLE, Scope, scope_of

grant = sa.Table(
    "data_grant",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.ForeignKey("project.slug"), nullable=False, index=True),
    sa.Column("dataset", sa.String(63), nullable=False),
    sa.Column("variant", sa.String(63), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("expires", UtcDateTime, nullable=False),
    sa.Column("given_by", sa.String(31), nullable=False),
    sa.Column("given", UtcDateTime, nullable=False),
    sa.Column("revoked", UtcDateTime, nullable=True),
    sa.Column("revoked_by", sa.String(31), nullable=True),
    sa.Column("revoked_reason", sa.Text, nullable=True),
    sa.Column("partitions", sa.Text, nullable=False, server_default="{}"),
)


def add(
    connection: sa.Connection,
    *,
    project: str,
    dataset: str,
    variant: str,
    purpose: str,
    expires: datetime,
    given_by: str,
    now: datetime,
    partitions: Scope = WHOLE,
) -> Grant:
    """Keep a new grant."""
    row = connection.execute(
        sa.insert(grant)
        .values(
            project=project,
            dataset=dataset,
            variant=variant,
            purpose=purpose,
            expires=expires,
            given_by=given_by,
            given=now,
            partitions=written(partitions),
        )
        .returning(grant)
    ).one()
    return _grant(row)


def find(connection: sa.Connection, grant_id: int) -> Grant | None:
    """The grant with this number."""
    row = connection.execute(sa.select(grant).where(grant.c.id == grant_id)).first()
    return None if row is None else _grant(row)


def of_project(connection: sa.Connection, slug: str) -> tuple[Grant, ...]:
    """Every grant a project ever had, the first first."""
    query = sa.select(grant).where(grant.c.project == slug).order_by(grant.c.id)
    return tuple(_grant(row) for row in connection.execute(query))


def effective(connection: sa.Connection, slug: str | None, now: datetime) -> tuple[Grant, ...]:
    """The grants that can be used now, of one project or of all, by dataset."""
    query = (
        sa.select(grant)
        .where(grant.c.revoked.is_(None), grant.c.given <= now, grant.c.expires > now)
        .order_by(grant.c.dataset, grant.c.variant, grant.c.id)
    )
    if slug is not None:
        query = query.where(grant.c.project == slug)
    return tuple(_grant(row) for row in connection.execute(query))


def revoke(connection: sa.Connection, grant_id: int, by: str, reason: str, now: datetime) -> None:
    """Take a grant back."""
    connection.execute(
        sa.update(grant)
        .where(grant.c.id == grant_id, grant.c.revoked.is_(None))
        .values(revoked=now, revoked_by=by, revoked_reason=reason)
    )


def extend(connection: sa.Connection, grant_id: int, expires: datetime) -> None:
    """Let a grant last until another day."""
    connection.execute(
        sa.update(grant).where(grant.c.id == grant_id, grant.c.revoked.is_(None)).values(expires=expires)
    )


def revoked_by(connection: sa.Connection, slug: str, dataset: str, variant: str) -> str | None:
    """Who took back the last grant a project had on a dataset; None if it was not taken back."""
    query = (
        sa.select(grant.c.revoked_by)
        .where(grant.c.project == slug, grant.c.dataset == dataset, grant.c.variant == variant)
        .order_by(grant.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def _grant(row: sa.Row[tuple[object, ...]]) -> Grant:
    return Grant(
        id=GrantId(row.id),
        project=Slug(row.project),
        dataset=row.dataset,
        variant=row.variant,
        purpose=row.purpose,
        expires=row.expires,
        given_by=row.given_by,
        given=row.given,
        revoked=row.revoked,
        partitions=read(row.partitions),
    )


def written(scope: Scope) -> str:
    """A scope as JSON text."""
    return json.dumps({name: list(values) for name, values in scope}, ensure_ascii=False)


def read(text: str) -> Scope:
    """A scope from its JSON text."""
    return scope_of(json.loads(text))
