"""One session at the gateway: its parser, worker and queries. Knows whose it is, not how that was decided."""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from catalog.errors import CatalogError
from catalog.gateway import refusals
from catalog.gateway.guard import Guard, QueryEvent, QueryEventKind, QueryId, SessionIdentity
from catalog.gateway.partitions import Partition, partition_statement, partitions
from catalog.gateway.processes import Ended, SandboxedParser, Starter, WorkerProcess
from catalog.gateway.queries import Ledger
from catalog.gateway.sql import functions
from catalog.gateway.sql.statement import prepare
from catalog.gateway.sql.tree import fold
from catalog.gateway.workspace import (
    Places,
    Table,
    Versions,
    Workspace,
    asked_versions,
    code_systems,
    facts,
    pinned,
    resolve,
    views,
)
from catalog.warehouse import Snapshot

LOG = logging.getLogger(__name__)
MOST_PINS: Final = 4  # earlier versions one session has mounted at once
MAX_OPEN: Final = 16  # admitted and not ended, one session
TICKET_SECONDS: Final = 60.0
ID_BYTES: Final = 8
ENGINE_SHARE: Final = 0.75  # of the worker's memory; the rest is for Arrow, gRPC and the interpreter
SESSION_CLOSED: Final = "session-closed"
RESTARTING: Final = "gateway-restarted"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """Limits of one session's worker: memory and spill [bytes], one query's time [s], engine threads."""

    memory: int = 1 << 30
    spill: int = 2 << 30
    seconds: float = 600.0
    threads: int = 2
    batch_rows: int = 122_880


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A recorded query: the ticket that runs it once, where, and what its reader should know."""

    query_id: QueryId
    ticket: bytes
    location: str
    facts: Mapping[str, Any]


class SessionGateway:
    """Decides and serves for one session.

    Parameters
    ----------
    geometry
        Dataset → (geometry column, CRS).
    codes
        Dataset → column → code system.
    """

    def __init__(
        self,
        identity: SessionIdentity,
        *,
        guard: Guard,
        versions: Versions,
        starter: Starter,
        ledger: Ledger,
        places: Places,
        limits: QueryLimits,
        geometry: Mapping[str, tuple[str, str]],
        codes: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.identity = identity
        self._guard, self._versions, self._starter, self._ledger = guard, versions, starter, ledger
        self._places, self._limits, self._geometry = places, limits, geometry
        self._codes = codes
        self._functions = functions.load()
        self._parser = SandboxedParser(starter, identity.session_id)
        self._lock = threading.Lock()  # of the worker and its key
        self._worker: WorkerProcess | None = None
        self._workers: list[WorkerProcess] = []  # the current one and those that drain
        self._key: object = None
        self._files: frozenset[str] = frozenset()  # that the worker holds
        self._generation = 0
        self._closed = ""  # why, once it is
        self._pins: list[tuple[str, int]] = []  # replaced whole, so readers need no lock

    # -- what the wire calls

    def query(self, text: str) -> Admission:
        """Decide on a person's statement, record it, and give a ticket.

        Raises
        ------
        QueryRefused
            Recorded; nothing ran.
        GatewayError
            It could not be recorded or served.
        """
        workspace = self.workspace()
        try:
            self._demand_room()
            workspace = self._pin(workspace, text)
            try:
                statement = prepare(
                    text,
                    tuple(workspace.readable),
                    self._functions,
                    self._parser,
                    code_systems(workspace, self._codes),
                )
            except refusals.QueryRefused as refused:
                if refused.reason == "table-not-granted":
                    for name in workspace.expired:
                        if name.lower() in text.lower():
                            workspace.refuse_expired(name)
                raise
        except refusals.QueryRefused as refused:
            self._record_refusal(text, refused.reason)
            raise
        tables = workspace.demand(sorted(statement.tables))
        return self._admit(workspace, tables, shown=statement.text, runs=statement.text)

    def partitions(self, name: str) -> tuple[Table, tuple[Partition, ...]]:
        """How a table may be read in parts."""
        (table,) = self.workspace().demand([name])
        return table, partitions(table.snapshot)

    def read_partition(self, name: str, snapshot_id: int, index: int, columns: Sequence[str]) -> Admission:
        """Give a ticket for one part of one version.

        Raises
        ------
        QueryRefused, GatewayError
            As `query`; `snapshot-changed` if the version is no longer the newest.
        """
        workspace = self.workspace()
        try:
            self._demand_room()
            (table,) = workspace.demand([name])
            shown, runs = partition_statement(table, snapshot_id, index, columns, self._places)
        except refusals.QueryRefused as refused:
            self._record_refusal(f"partition {name} {snapshot_id} {index}", refused.reason)
            raise
        return self._admit(workspace, (table,), shown=shown, runs=runs)

    def cancel(self, query_id: str) -> bool:
        """Stop one of this session's queries; False if it is not running."""
        mine = {q.event.query_id for q in self._ledger.open_of(self.identity.session_id)}
        if query_id not in mine:
            return False
        with self._lock:
            workers = tuple(self._workers)
        for worker in workers:
            worker.cancel(query_id)
        return True

    # -- what the watch calls

    def stop_query(self, query_id: str, reason: str, ko: str, en: str) -> None:
        """Stop one query at its worker and say why to its reader."""
        with self._lock:
            workers = tuple(self._workers)
        for worker in workers:
            worker.cancel(query_id, reason=reason, ko=ko, en=en)

    def kill_worker(self, generation: int) -> None:
        """End a worker with everything that still runs in it; the next statement gets another."""
        with self._lock:
            found = [worker for worker in self._workers if worker.generation == generation]
        for worker in found:
            worker.stop()

    def renew(self) -> None:
        """Make the worker anew if it holds files that may no longer be read."""
        workspace = self.workspace()
        with self._lock:
            alive = self._worker is not None and not self._closed
            if alive and not self._files <= set(workspace.files):
                self._ready(workspace)

    def workspace(self) -> Workspace:
        """What may be read now."""
        now = datetime.now(UTC)
        found = resolve(self._guard.granted(self.identity, now), self._versions, now)
        try:
            return pinned(found, self._pins, self._versions) if self._pins else found
        except refusals.QueryRefused:  # a version that was kept is no more
            self._pins = []
            return found

    def versions(self, name: str) -> tuple[Table, tuple[Snapshot, ...]]:
        """A granted table and every version of it, newest first."""
        (table,) = self.workspace().demand([name])
        return table, self._versions.all(table)

    def _pin(self, workspace: Workspace, text: str) -> Workspace:
        """Keep the earlier versions a statement names; the least lately asked for give way.

        The worker is made anew for a version it has not mounted yet, and keeps it for the next statement.
        """
        asked = [
            (fold(name), version)
            for name, version in asked_versions(text)
            if any(fold(known) == fold(name) for known in workspace.tables)
        ]
        if not asked:
            return workspace
        if len(asked) > MOST_PINS:
            raise refusals.too_many_versions(MOST_PINS)
        kept = [pin for pin in self._pins if pin not in asked]
        pins = [*kept, *asked][-MOST_PINS:]
        made = pinned(workspace, pins, self._versions)
        self._pins = pins
        return made

    def warm(self) -> None:
        """Start parser and worker before the first query; a failure shows at the first query instead."""
        try:
            self._parser.warm()
            with self._lock:
                if not self._closed:
                    self._ready(self.workspace())
        except CatalogError:
            LOG.warning("a session's worker could not be started ahead of its first query")

    def close(self, reason: str = SESSION_CLOSED) -> None:
        """End the worker and the parser; running queries are recorded as failed, for this reason."""
        with self._lock:
            self._closed = reason
            workers, self._workers, self._worker = self._workers, [], None
        for worker in workers:
            worker.stop()
        self._parser.close()
        for query in self._ledger.open_of(self.identity.session_id):
            self._ledger.end(query.event.query_id, QueryEventKind.FAILED, reason=reason)

    # -- admission

    def _demand_room(self) -> None:
        if len(self._ledger.open_of(self.identity.session_id)) >= MAX_OPEN:
            raise refusals.too_many_queries(MAX_OPEN)

    def _admit(self, workspace: Workspace, tables: Sequence[Table], *, shown: str, runs: str) -> Admission:
        query_id = QueryId(secrets.token_hex(ID_BYTES))
        handle = query_id + secrets.token_hex(16)  # the id is shown; 128 bits stay between broker and reader
        with self._lock:
            if self._closed:
                raise refusals.session_closed() if self._closed == SESSION_CLOSED else refusals.restarting()
            worker, generation = self._ready(workspace), self._generation
        event = QueryEvent(
            kind=QueryEventKind.ADMITTED,
            query_id=query_id,
            identity=self.identity,
            time=datetime.now(UTC),
            statement=shown,
            tables=tuple(scanned for t in tables for scanned in t.scanned),
            purposes=tuple(sorted({grant.purpose for t in tables for grant in t.grants})),
        )
        self._ledger.admit(event, generation)
        try:
            worker.admit(handle, runs, seconds=self._limits.seconds, ttl=TICKET_SECONDS)
        except refusals.GatewayError:
            self._ledger.end(query_id, QueryEventKind.FAILED, reason="worker-died")
            raise
        return Admission(
            query_id=query_id,
            ticket=bytes.fromhex(handle),
            location=f"grpc+unix://{worker.listen}",
            facts={"query_id": query_id, **facts(tables, self._geometry)},
        )

    def _record_refusal(self, text: str, reason: str) -> None:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        self._ledger.refuse(
            QueryEvent(
                kind=QueryEventKind.REFUSED,
                query_id=QueryId(secrets.token_hex(8)),
                identity=self.identity,
                time=datetime.now(UTC),
                statement=f"sha256:{digest}",
                reason=reason,
            )
        )

    # -- the worker

    def _ready(self, workspace: Workspace) -> WorkerProcess:
        """The worker for exactly this workspace; an older one drains. Call with the lock held."""
        if self._worker is not None and self._worker.alive and self._key == workspace.key:
            return self._worker
        if self._worker is not None:
            self._worker.drain()
            self._worker = None
        self._generation += 1
        generation = self._generation
        session_id = self.identity.session_id
        files = workspace.files
        socket = self._places.session(session_id) / "data" / f"worker-{generation}.sock"
        socket.unlink(missing_ok=True)
        try:
            started, control = self._starter.start_worker(
                session_id, generation, [(f, f"/data/{f}") for f in files], self._limits.memory
            )
        except (CatalogError, OSError) as error:
            raise refusals.worker_unavailable() from error
        self._worker = WorkerProcess(
            self._starter,
            started,
            control,
            {
                "listen": self._places.worker_socket(session_id, generation),
                "views": views(workspace, self._places),
                "files": [self._places.data(f) for f in files],
                "threads": self._limits.threads,
                "memory": int(self._limits.memory * ENGINE_SHARE),
                "spill": self._places.spill(session_id),
                "spill_size": self._limits.spill,
                "batch_rows": self._limits.batch_rows,
            },
            on_ended=self._ended,
            on_death=lambda worker: self._died(worker, generation),
            generation=generation,
        )
        self._workers.append(self._worker)
        self._key, self._files = workspace.key, frozenset(files)
        return self._worker

    def _ended(self, ended: Ended) -> None:
        kinds = {"finished": QueryEventKind.FINISHED, "cancelled": QueryEventKind.CANCELLED}
        self._ledger.end(
            QueryId(ended.handle[: 2 * ID_BYTES]),
            kinds.get(ended.status, QueryEventKind.FAILED),
            rows=ended.rows,
            size=ended.bytes,
            reason=ended.reason,
        )

    def _died(self, worker: WorkerProcess, generation: int) -> None:
        self._ledger.end_generation(self.identity.session_id, generation, "worker-died")
        with self._lock:
            if worker in self._workers:
                self._workers.remove(worker)
            if self._worker is worker:
                self._worker = None
