"""The unit of work: a change and its audit events commit together. Knows no desk and no table but the outbox.

Events are written to the outbox in the transaction of the change, so neither exists without the other.
Right after the commit they are relayed to the audit log and the relay waits until they are durable there.
What a crash leaves in the outbox is relayed later; the log takes each event once, by its identifier.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from access_control.audit.event import AuditEvent, decode, encode
from access_control.audit.sink import AuditSink
from access_control.errors import AuditError, DatabaseBusy

log = logging.getLogger(__name__)

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
LONGEST_WAIT = 10.0  # [s] for another writer's transaction
WRITER_LOCK = 0x43414D50  # PostgreSQL advisory lock: units are one at a time there too
RELAYED_AT_ONCE = 500


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A moment: aware in Python, UTC in the database."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse a moment without a time zone; store it in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Moments come back aware, whether the database keeps time zones or not."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


outbox = sa.Table(
    "audit_outbox",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("event_id", sa.String(32), nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
)


class Unit:
    """One transaction and the events that belong to it."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._events: list[AuditEvent] = []

    def record(self, event: AuditEvent) -> None:
        """Record the event if, and only if, this unit commits.

        Raises
        ------
        AuditRefused
            The event cannot be recorded at all: malformed or too large.
        """
        encode(event)
        self._events.append(event)

    @property
    def events(self) -> tuple[AuditEvent, ...]:
        """What was recorded so far, in order."""
        return tuple(self._events)


class Database:
    """A SQLite file or a PostgreSQL server, with one writing unit at a time.

    Parameters
    ----------
    url
        SQLAlchemy URL. The tables must exist: `access_control.migrations.upgrade(url)`.
    audit
        Where recorded events go.
    """

    def __init__(self, url: str, audit: AuditSink) -> None:
        self.url = url
        self._audit = audit
        self._engine = engine(url)
        file = self._engine.url.database if self._engine.dialect.name == "sqlite" else None
        self._watcher = _Watcher(file) if file else None
        self._here = threading.local()
        self._left_over = threading.Event()
        self._left_over.set()  # an earlier process may have left some

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view of the database; writing through it fails."""
        with self._engine.connect() as connection:
            connection = connection.execution_options(postgresql_readonly=True, campus_writes=False)
            with connection.begin():
                yield connection

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """A change and its audit events: all of it or nothing.

        Raises
        ------
        AuditUnavailable
            Events were recorded and the audit log cannot be reached; nothing was changed.
        DatabaseBusy
            Another unit held the database for `LONGEST_WAIT`; nothing was changed.
        RuntimeError
            A unit is open in this thread already: pass that one on.
        """
        if getattr(self._here, "open", False):
            raise RuntimeError("a unit is open in this thread already; pass it on instead of opening another")
        self._here.open = True
        try:
            with self._writing() as connection:
                unit = Unit(connection)
                yield unit
                events = unit.events
                if events:
                    self._keep(connection, events)
                    self._audit.ping()
        finally:
            self._here.open = False
        if events:
            self._relay_now(events)

    def relay_leftovers(self) -> int:
        """Send what a crash or an unreachable log left in the outbox; return how many events that were.

        Raises
        ------
        AuditError
            The log is not there or refused; what it did not take stays in the outbox.
        """
        sent = 0
        while True:
            with self.read() as connection:
                rows = connection.execute(
                    sa.select(outbox.c.event_id, outbox.c.body)
                    .order_by(outbox.c.position)
                    .limit(RELAYED_AT_ONCE)
                ).all()
            if not rows:
                self._left_over.clear()
                return sent
            self._audit.append_all([decode(json.loads(body)) for _, body in rows])
            self._forget([event_id for event_id, _ in rows])
            sent += len(rows)

    def state(self) -> int | None:
        """A number that changes with whatever anybody commits; None where the database cannot tell."""
        return None if self._watcher is None else self._watcher.state()

    def waiting(self) -> int:
        """How many events are in the outbox."""
        with self.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(outbox)).scalar_one()

    def close(self) -> None:
        """Close every connection."""
        if self._watcher is not None:
            self._watcher.close()
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection:
            connection = connection.execution_options(campus_writes=True)
            try:
                transaction = connection.begin()
            except sa.exc.OperationalError as error:
                raise DatabaseBusy("database-busy", seconds=LONGEST_WAIT) from error
            with transaction:
                yield connection

    def _keep(self, connection: sa.Connection, events: Sequence[AuditEvent]) -> None:
        rows = [{"event_id": event.event_id, "body": encode(event).decode()} for event in events]
        connection.execute(sa.insert(outbox), rows)

    def _relay_now(self, events: Sequence[AuditEvent]) -> None:
        """The change is committed and its events are safe in the outbox: from here on nothing may raise."""
        try:
            if self._left_over.is_set():
                self.relay_leftovers()
            else:
                self._audit.append_all(events)
                self._forget([event.event_id for event in events])
        except (AuditError, DatabaseBusy, sa.exc.SQLAlchemyError) as error:
            self._left_over.set()
            log.warning("audit events wait in the outbox: %s", getattr(error, "reason", type(error).__name__))

    def _forget(self, event_ids: Sequence[str]) -> None:
        with self._writing() as connection:
            connection.execute(sa.delete(outbox).where(outbox.c.event_id.in_(event_ids)))


class _Watcher:
    """A connection to a SQLite file that never writes, and so counts every commit of the others."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def state(self) -> int:
        """SQLite's `data_version` (sqlite.org/pragma.html)."""
        with self._lock:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    f"file:{quote(self._file)}?mode=rw",
                    uri=True,
                    check_same_thread=False,
                    isolation_level=None,
                )
                self._connection.execute("PRAGMA query_only=ON")
            (number,) = self._connection.execute("PRAGMA data_version").fetchone()
            return int(number)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def engine(url: str) -> sa.Engine:
    """An engine whose transactions are the same on SQLite and PostgreSQL: whole, durable, one writer."""
    made = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if made.dialect.name == "sqlite":
        sa.event.listen(made, "connect", _open_sqlite)
        sa.event.listen(made, "begin", _begin_sqlite)
    else:
        sa.event.listen(made, "begin", _begin_server)
    return made


def _open_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # the driver starts no transaction of its own; `_begin_sqlite` does
    connection.execute(f"PRAGMA busy_timeout={int(LONGEST_WAIT * 1000)}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("campus_writes", True)
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_server(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("campus_writes", False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout='{int(LONGEST_WAIT * 1000)}ms'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
