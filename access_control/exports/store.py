"""The tables of export requests and their files and every read and write of them. Knows no rule, no bytes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from access_control.database import UtcDateTime, metadata
from access_control.errors import Conflict, Missing
from access_control.exports.model import ExportFile, ExportId, ExportRequest, ExportStatus
from access_control.people.model import Handle
from access_control.projects.model import Slug

export_request = sa.Table(
    "export_request",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("person", sa.ForeignKey("person.handle"), nullable=False, index=True),
    sa.Column("project", sa.ForeignKey("project.slug"), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False, index=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("policy_version", sa.String(32), nullable=False),
    sa.Column("submitted", UtcDateTime, nullable=False),
    sa.Column("decided_by", sa.ForeignKey("person.handle"), nullable=True),
    sa.Column("decided", UtcDateTime, nullable=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
)
export_file = sa.Table(
    "export_file",
    metadata,
    sa.Column("request", sa.ForeignKey("export_request.id"), primary_key=True),
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, index=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("media_type", sa.String(128), nullable=False),
)


def new_id() -> ExportId:
    """An identifier nobody can guess."""
    return ExportId(secrets.token_hex(10))


def add(connection: sa.Connection, request: ExportRequest) -> ExportRequest:
    """Keep a new request under the next number."""
    highest = connection.execute(sa.select(sa.func.max(export_request.c.number))).scalar()
    numbered = replace(request, number=(highest or 0) + 1)
    connection.execute(
        sa.insert(export_request).values(
            id=numbered.id,
            number=numbered.number,
            person=numbered.person,
            project=numbered.project,
            purpose=numbered.purpose,
            digest=numbered.digest,
            policy_version=numbered.policy_version,
            submitted=numbered.submitted,
            **_standing(numbered),
        )
    )
    rows = [
        {
            "request": numbered.id,
            "no": file.no,
            "name": file.name,
            "sha256": file.sha256,
            "size": file.size,
            "media_type": file.media_type,
        }
        for file in numbered.files
    ]
    connection.execute(sa.insert(export_file), rows)
    return numbered


def save(connection: sa.Connection, before: ExportRequest, after: ExportRequest) -> None:
    """Keep where a request stands now, if it still stood where it was read.

    Raises
    ------
    Conflict
        `export-decided-meanwhile`
    """
    changed = connection.execute(
        sa.update(export_request)
        .where(export_request.c.id == before.id, export_request.c.status == before.status.value)
        .values(**_standing(after))
    )
    if changed.rowcount != 1:
        raise Conflict("export-decided-meanwhile", number=before.number)


def get(connection: sa.Connection, request_id: str) -> ExportRequest:
    """The request with this id.

    Raises
    ------
    Missing
        `export-unknown`
    """
    found = _requests(connection, export_request.c.id == request_id)
    if not found:
        raise Missing("export-unknown", id=request_id[:40])
    return found[0]


def of_person(connection: sa.Connection, handle: str) -> tuple[ExportRequest, ...]:
    """A person's requests, the newest first."""
    return tuple(reversed(_requests(connection, export_request.c.person == handle)))


def waiting(connection: sa.Connection) -> tuple[ExportRequest, ...]:
    """The requests that wait for a reviewer, the oldest first."""
    return _requests(connection, export_request.c.status == ExportStatus.SUBMITTED.value)


def decided_by(connection: sa.Connection, handle: str) -> tuple[ExportRequest, ...]:
    """What a reviewer decided, the newest request first."""
    return tuple(reversed(_requests(connection, export_request.c.decided_by == handle)))


def count_waiting(connection: sa.Connection, handle: str) -> int:
    """How many of a person's requests wait."""
    query = (
        sa.select(sa.func.count())
        .select_from(export_request)
        .where(
            export_request.c.person == handle,
            export_request.c.status == ExportStatus.SUBMITTED.value,
        )
    )
    return connection.execute(query).scalar_one()


def hashes(connection: sa.Connection) -> frozenset[str]:
    """The hash of every file of every request."""
    return frozenset(connection.execute(sa.select(export_file.c.sha256).distinct()).scalars())


def _standing(request: ExportRequest) -> dict[str, object]:
    return {
        "status": request.status.value,
        "decided_by": request.decided_by,
        "decided": request.decided,
        "reason": request.reason,
        "comment": request.comment,
    }


def _requests(connection: sa.Connection, which: sa.ColumnElement[bool]) -> tuple[ExportRequest, ...]:
    rows = connection.execute(sa.select(export_request).where(which).order_by(export_request.c.number)).all()
    files: dict[str, list[ExportFile]] = {row.id: [] for row in rows}
    wanted = export_file.c.request.in_(sa.select(export_request.c.id).where(which))
    for row in connection.execute(
        sa.select(export_file).where(wanted).order_by(export_file.c.request, export_file.c.no)
    ):
        files[row.request].append(
            ExportFile(no=row.no, name=row.name, sha256=row.sha256, size=row.size, media_type=row.media_type)
        )
    return tuple(_request(row, files[row.id]) for row in rows)


def _request(row: sa.Row[tuple[object, ...]], files: Sequence[ExportFile]) -> ExportRequest:
    return ExportRequest(
        id=ExportId(row.id),
        number=row.number,
        person=Handle(row.person),
        project=Slug(row.project),
        purpose=row.purpose,
        status=ExportStatus(row.status),
        files=tuple(files),
        digest=row.digest,
        policy_version=row.policy_version,
        submitted=row.submitted,
        decided_by=None if row.decided_by is None else Handle(row.decided_by),
        decided=row.decided,
        reason=row.reason,
        comment=row.comment,
    )
