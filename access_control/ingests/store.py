"""The tables of ingest runs, their files and exceptions, and every read and write of them. Knows no rule."""

from __future__ import annotations

import secrets
from dataclasses import replace

import sqlalchemy as sa

from access_control.database import UtcDateTime, metadata
from access_control.errors import Conflict, Missing
from access_control.ingests.model import WORKING, IngestRun, IngestStatus, RunId, Uploaded
from access_control.people.model import Handle
from catalog.warehouse import AcceptedException

ingest_run = sa.Table(
    "ingest_run",
    metadata,
    sa.Column("id", sa.String(20), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("dataset", sa.String(63), nullable=False),
    sa.Column("person", sa.ForeignKey("person.handle"), nullable=False),
    sa.Column("status", sa.String(16), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("event_id", sa.String(32), nullable=False),
    sa.Column("base", sa.BigInteger, nullable=True),
    sa.Column("snapshot", sa.BigInteger, nullable=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("changed", UtcDateTime, nullable=False),
)
ingest_file = sa.Table(
    "ingest_file",
    metadata,
    sa.Column("run", sa.ForeignKey("ingest_run.id"), primary_key=True),
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)
ingest_exception = sa.Table(
    "ingest_exception",
    metadata,
    sa.Column("run", sa.ForeignKey("ingest_run.id"), primary_key=True),
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
)
_ENDED = (IngestStatus.PUBLISHED.value, IngestStatus.DISCARDED.value)
MOST_LISTED = 100  # runs


def new_id() -> RunId:
    """20 hex digits."""
    return RunId(secrets.token_hex(10))


def add(connection: sa.Connection, run: IngestRun) -> IngestRun:
    """Keep a new run under the next number."""
    highest = connection.execute(sa.select(sa.func.max(ingest_run.c.number))).scalar()
    numbered = replace(run, number=(highest or 0) + 1)
    connection.execute(
        sa.insert(ingest_run).values(
            id=numbered.id,
            number=numbered.number,
            dataset=numbered.dataset,
            person=numbered.person,
            event_id=numbered.event_id,
            created=numbered.created,
            **_standing(numbered),
        )
    )
    rows = [
        {"run": numbered.id, "no": no, "name": f.name, "sha256": f.sha256, "size": f.size}
        for no, f in enumerate(numbered.files, start=1)
    ]
    connection.execute(sa.insert(ingest_file), rows)
    return numbered


def save(connection: sa.Connection, before: IngestRun, after: IngestRun) -> None:
    """Keep where a run stands now, if it still stood where it was read.

    Raises
    ------
    Conflict
        `ingest-changed-meanwhile`
    """
    changed = connection.execute(
        sa.update(ingest_run)
        .where(
            ingest_run.c.id == before.id,
            ingest_run.c.status == before.status.value,
            ingest_run.c.attempt == before.attempt,
        )
        .values(**_standing(after))
    )
    if changed.rowcount != 1:
        raise Conflict("ingest-changed-meanwhile", number=before.number)
    if after.exceptions != before.exceptions:
        connection.execute(sa.delete(ingest_exception).where(ingest_exception.c.run == before.id))
        rows = [{"run": before.id, "name": e.check, "reason": e.reason} for e in after.exceptions]
        if rows:
            connection.execute(sa.insert(ingest_exception), rows)


def get(connection: sa.Connection, run_id: str) -> IngestRun:
    """The run with this id.

    Raises
    ------
    Missing
        `ingest-unknown`
    """
    found = _runs(connection, sa.select(ingest_run).where(ingest_run.c.id == run_id))
    if not found:
        raise Missing("ingest-unknown", id=run_id[:40])
    return found[0]


def newest(connection: sa.Connection) -> tuple[IngestRun, ...]:
    """The newest runs, the newest first."""
    return _runs(connection, sa.select(ingest_run).order_by(ingest_run.c.number.desc()).limit(MOST_LISTED))


def working(connection: sa.Connection) -> tuple[IngestRun, ...]:
    """The runs a process is at work on."""
    states = [status.value for status in WORKING]
    return _runs(connection, sa.select(ingest_run).where(ingest_run.c.status.in_(states)))


def held(connection: sa.Connection) -> frozenset[str]:
    """Hashes of the files that runs which have not ended still need."""
    query = (
        sa.select(ingest_file.c.sha256)
        .join(ingest_run, ingest_run.c.id == ingest_file.c.run)
        .where(ingest_run.c.status.not_in(_ENDED))
    )
    return frozenset(connection.execute(query).scalars())


def _standing(run: IngestRun) -> dict[str, object]:
    return {
        "status": run.status.value,
        "attempt": run.attempt,
        "base": run.base,
        "snapshot": run.snapshot,
        "rows": run.rows,
        "changed": run.changed,
    }


def _runs(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> tuple[IngestRun, ...]:
    return tuple(_run(connection, row) for row in connection.execute(query).all())


def _run(connection: sa.Connection, row: sa.Row[tuple[object, ...]]) -> IngestRun:
    files = connection.execute(
        sa.select(ingest_file).where(ingest_file.c.run == row.id).order_by(ingest_file.c.no)
    )
    exceptions = connection.execute(
        sa.select(ingest_exception).where(ingest_exception.c.run == row.id).order_by(ingest_exception.c.name)
    )
    return IngestRun(
        id=RunId(row.id),
        number=row.number,
        dataset=row.dataset,
        person=Handle(row.person),
        status=IngestStatus(row.status),
        attempt=row.attempt,
        event_id=row.event_id,
        base=row.base,
        snapshot=row.snapshot,
        rows=row.rows,
        created=row.created,
        changed=row.changed,
        files=tuple(Uploaded(name=f.name, sha256=f.sha256, size=f.size) for f in files),
        exceptions=tuple(AcceptedException(check=e.name, reason=e.reason) for e in exceptions),
    )
