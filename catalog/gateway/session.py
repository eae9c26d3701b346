"""One session at the gateway: its parser, worker and queries. Knows whose it is, not how that was decided."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Final

from catalog.errors import CatalogError
from catalog.gateway import refusals
from catalog.gateway.admission import Admission, QueryLimits, Work
from catalog.gateway.guard import Guard, QueryEvent, QueryEventKind, QueryId, SessionIdentity
from catalog.gateway.parameters import NONE, Parameters
from catalog.gateway.processes import Ended, SandboxedParser, Starter, WorkerProcess
from catalog.gateway.queries import Ledger
from catalog.gateway.saved import SavedTables
from catalog.gateway.sql import functions
from catalog.gateway.sql.statement import prepare
from catalog.gateway.workspace import (
    Places,
    Table,
    Versions,
    Workspace,
    code_systems,
    facts,
    pinned,
    quoted,
    resolve,
    views,
    wanted_pins,
)
from catalog.warehouse import Snapshot

__all__ = ["RESTARTING", "Admission", "QueryLimits", "SessionGateway"]

LOG = logging.getLogger(__name__)
MAX_OPEN: Final = 16  # admitted and not ended, one session
TICKET_SECONDS: Final = 60.0
ID_BYTES: Final = 8
ENGINE_SHARE: Final = 0.75  # of the worker's memory; the rest is for Arrow, gRPC and the interpreter
SESSION_CLOSED: Final = "session-closed"
RESTARTING: Final = "gateway-restarted"


class SessionGateway:
    """Decides and serves for one session.

    Parameters
    ----------
    geometry
        Dataset → (geometry column, CRS).
    codes
        Dataset → column → code system.
    taken
        Names of all datasets there are; nothing is saved under them.
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
        taken: Collection[str],
    ) -> None:
        self.identity = identity
        self._guard, self._versions, self._starter, self._ledger = guard, versions, starter, ledger
        self.places, self._limits, self._geometry = places, limits, geometry
        self.codes = codes
        self.saved = SavedTables(taken)
        self.functions = functions.load()
        self.parser = SandboxedParser(starter, identity.session_id)
        self._lock = threading.Lock()  # of the worker and its key
        self._worker: WorkerProcess | None = None
        self._workers: list[WorkerProcess] = []  # the current one and those that drain
        self._key: object = None
        self._generation = 0
        self._closed = ""  # why, once it is
        self._pins: list[tuple[str, int]] = []  # replaced whole, so readers need no lock

    # -- what the wire calls

    def query(
        self,
        text: str,
        parameters: Parameters = NONE,
        save_as: str | None = None,
        into: socket.socket | None = None,
    ) -> Admission:
        """Decide on a person's statement, record it, and give a ticket or, with a socket, begin to run it.

        Parameters
        ----------
        parameters
            Values of its placeholders; bound by the engine.
        save_as
            Keep the result in the worker under this name instead of sending it; the ticket then gives one
            row: rows and bytes of all saved tables.

        Raises
        ------
        QueryRefused
            Recorded; nothing ran.
        GatewayError
            It could not be recorded or served.
        """
        with self.refusals_on_record(text), self.saved.in_order(save_as is not None) as ordered:
            self.demand_room()
            workspace = self._pin(self.workspace(), text)
            generation = self._generation_for(workspace)
            kept = self.saved.names(generation) if ordered else ()
            try:
                statement = prepare(
                    text,
                    (*workspace.readable, *kept),
                    self.functions,
                    self.parser,
                    code_systems(workspace, self.codes),
                    parameters.names,
                )
            except refusals.QueryRefused as refused:
                if refused.reason == "table-not-granted":
                    for name in workspace.expired:
                        if name.lower() in text.lower():
                            workspace.refuse_expired(name)
                    self.saved.refuse_lost(generation, text)
                raise
            used = statement.tables & set(kept)
            tables = {t.name: t for t in workspace.demand(sorted(statement.tables - used))}
            tables |= {t.name: t for t in self.saved.sources(used, generation)}
            if save_as is not None:
                self.saved.demand_free(save_as, self._open_queries(), statement.tables)
            work = Work(
                runs=statement.text, parameters=parameters, save_as=save_as or "", saved=frozenset(used)
            )
            return self.admit(workspace, [tables[name] for name in sorted(tables)], work, into)

    def drop(self, name: str) -> bool:
        """Forget a saved table; False if there is none.

        Raises
        ------
        QueryRefused
            `saved-in-use`.
        """
        self.saved.demand_free(name, self._open_queries())
        with self._lock:
            if self._worker is not None:
                self._worker.drop(name)
        return self.saved.drop(name)

    def table(self, name: str) -> tuple[Workspace, Table]:
        """A granted table, or `table@version`, and the workspace that has it."""
        workspace = self._pin(self.workspace(), quoted(name))
        (table,) = workspace.demand([name])
        return workspace, table

    def cancel(self, query_id: str) -> bool:
        """Stop one of this session's queries; False if it is not running."""
        workers = self._workers_of(query_id)
        for worker in workers:
            worker.cancel(query_id)
        return bool(workers)

    def progress(self, query_id: str) -> tuple[int, float] | None:
        """Rows and percent of one of this session's long queries; None where nothing is known."""
        found = (worker.progress(query_id) for worker in self._workers_of(query_id))
        return next((known for known in found if known is not None), None)

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
        pins = wanted_pins(workspace, text, self._pins)
        if pins is None:
            return workspace
        made = pinned(workspace, pins, self._versions)
        self._pins = pins
        return made

    def warm(self) -> None:
        """Start parser and worker before the first query; a failure shows at the first query instead."""
        try:
            self.parser.warm()
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
        self.parser.close()
        for query in self._ledger.open_of(self.identity.session_id):
            self._ledger.end(query.event.query_id, QueryEventKind.FAILED, reason=reason)

    # -- admission

    def demand_room(self) -> None:
        """Refuse what would be one query too many.

        Raises
        ------
        QueryRefused
            `too-many-queries`.
        """
        if len(self._open_queries()) >= MAX_OPEN:
            raise refusals.too_many_queries(MAX_OPEN)

    def admit(
        self,
        workspace: Workspace,
        tables: Sequence[Table],
        work: Work,
        into: socket.socket | None = None,
    ) -> Admission:
        """Record what was decided, and make its ticket good or begin to run it.

        Raises
        ------
        QueryRefused
            `saved-gone`: the worker with a saved table went meanwhile.
        GatewayError
            It could not be recorded or served.
        """
        query_id = QueryId(secrets.token_hex(ID_BYTES))
        handle = query_id + secrets.token_hex(16)  # the id is shown; 128 bits stay between broker and reader
        with self._lock:
            if self._closed:
                raise refusals.session_closed() if self._closed == SESSION_CLOSED else refusals.restarting()
            worker, generation = self._ready(workspace), self._generation
        self.saved.sources(work.saved, generation)
        event = QueryEvent(
            kind=QueryEventKind.ADMITTED,
            query_id=query_id,
            identity=self.identity,
            time=datetime.now(UTC),
            statement=work.recorded,
            tables=tuple(t.scanned for t in tables),
            purposes=tuple(sorted({t.grant.purpose for t in tables})),
            parameters=work.parameters.literals,
        )
        self._ledger.admit(event, generation)
        if work.saved:
            self.saved.use(query_id, work.saved, self._open_queries())
        try:
            if work.save_as:
                worker.drop(work.save_as)
                self.saved.keep(work.save_as, query_id, generation, tables)
            order = {**work.order, "seconds": self._limits.seconds, "ttl": TICKET_SECONDS}
            if into is not None:
                worker.run(handle, order, into)
            else:
                worker.admit(handle, order)
        except refusals.GatewayError:
            self.saved.failed(query_id)
            self._ledger.end(query_id, QueryEventKind.FAILED, reason="worker-died")
            raise
        return Admission(
            query_id=query_id,
            ticket=bytes.fromhex(handle),
            location=f"grpc+unix://{worker.listen}",
            facts={"query_id": query_id, **facts(tables, self._geometry)},
        )

    def refusals_on_record(self, asked: str) -> AbstractContextManager[None]:
        """Whatever is refused inside is recorded, by digest of what was asked."""
        return self._ledger.refusals_on_record(self.identity, asked)

    def _workers_of(self, query_id: str) -> tuple[WorkerProcess, ...]:
        """Those that may run one of this session's queries; none for a query of another."""
        with self._lock:
            return tuple(self._workers) if query_id in self._open_queries() else ()

    def _open_queries(self) -> set[QueryId]:
        return {q.event.query_id for q in self._ledger.open_of(self.identity.session_id)}

    # -- the worker

    def _generation_for(self, workspace: Workspace) -> int:
        """Number of the worker that would run a query now, be it a new one."""
        with self._lock:
            return self._generation if self._serves(workspace) else self._generation + 1

    def _serves(self, workspace: Workspace) -> bool:
        return self._worker is not None and self._worker.alive and self._key == workspace.key

    def _ready(self, workspace: Workspace) -> WorkerProcess:
        """The worker for exactly this workspace; an older one drains. Call with the lock held."""
        if self._worker is not None and self._serves(workspace):
            return self._worker
        if self._worker is not None:
            self._worker.drain()
            self._worker = None
        self._generation += 1
        generation = self._generation
        session_id = self.identity.session_id
        files = workspace.files
        socket = self.places.session(session_id) / "data" / f"worker-{generation}.sock"
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
                "listen": self.places.worker_socket(session_id, generation),
                "views": views(workspace, self.places),
                "files": [self.places.data(f) for f in files],
                "threads": self._limits.threads,
                "memory": int(self._limits.memory * ENGINE_SHARE),
                "spill": self.places.spill(session_id),
                "spill_size": self._limits.spill,
                "batch_rows": self._limits.batch_rows,
                "saved_rows": self._limits.saved_rows,
                "saved_bytes": self._limits.saved_bytes,
            },
            on_ended=self._ended,
            on_death=lambda worker: self._died(worker, generation),
        )
        self._workers.append(self._worker)
        self._key = workspace.key
        return self._worker

    def _ended(self, ended: Ended) -> None:
        if ended.status != "finished":
            self.saved.failed(ended.handle[: 2 * ID_BYTES])
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
