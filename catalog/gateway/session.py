"""One session at the gateway: its parser, worker and queries. Knows whose it is, not how that was decided."""

from __future__ import annotations

import json
import logging
import secrets
import socket
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from catalog.errors import CatalogError
from catalog.gateway import refusals
from catalog.gateway.admission import ID_BYTES, Admission, QueryLimits, Work, tickets_of
from catalog.gateway.ended import Ended
from catalog.gateway.footprint import Footprints
from catalog.gateway.governed import words
from catalog.gateway.governed.desk import Governance
from catalog.gateway.guard import Guard, QueryEventKind, QueryId, SessionIdentity
from catalog.gateway.parameters import NONE, Parameters
from catalog.gateway.patience import patiently
from catalog.gateway.pins import Pins
from catalog.gateway.processes import SandboxedParser, Starter
from catalog.gateway.queries import Ledger
from catalog.gateway.saved import SavedTables
from catalog.gateway.sql import functions
from catalog.gateway.sql.known import Known
from catalog.gateway.sql.statement import Statement, prepare
from catalog.gateway.turns import Turns
from catalog.gateway.workers import RESTARTING, SESSION_CLOSED, Workers
from catalog.gateway.workspace import (
    Places,
    Table,
    Versions,
    Workspace,
    code_systems,
    columns_of,
    facts,
    keys_of,
    quoted,
    resolve,
)
from catalog.warehouse import Snapshot

__all__ = ["RESTARTING", "Admission", "QueryLimits", "SessionGateway"]

LOG = logging.getLogger(__name__)
TICKET_SECONDS: Final = 60.0
SCHEMA_SECONDS: Final = 2.0  # within which a worker says how rows will look, for several readers [s]
WEARS: Final = {"memory-limit", "spill-limit", "time-limit"}  # the engine keeps much of what it took


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
        governance: Governance,
        places: Places,
        limits: QueryLimits,
        turns: Turns,
        geometry: Mapping[str, tuple[str, str]],
        codes: Mapping[str, Mapping[str, str]],
        taken: Collection[str],
    ) -> None:
        self.identity = identity
        self._guard, self._versions, self._ledger = guard, versions, ledger
        self.governance = governance
        self.places, self._limits, self._geometry = places, limits, geometry
        self.codes = codes
        self.saved = SavedTables(taken)
        self.functions = functions.load()
        self._known = Known()
        self.parser = SandboxedParser(starter, identity.session_id)
        self._workers = Workers(
            identity.session_id,
            starter=starter,
            places=places,
            limits=limits,
            turns=turns,
            on_ended=self._ended,
            on_death=lambda number, why: ledger.end_generation(identity.session_id, number, why),
        )
        self._leaving = False
        self._pins = Pins(versions)
        self._footprints = Footprints(places)

    # -- what the wire calls

    def query(
        self,
        text: str,
        parameters: Parameters = NONE,
        save_as: str | None = None,
        into: socket.socket | None = None,
        readers: int = 1,
    ) -> Admission:
        """Decide on a person's statement, record it, and give a ticket or begin to run it.

        Parameters
        ----------
        parameters
            Values of its placeholders; bound by the engine.
        save_as
            Keep the result in the worker under this name instead of sending it; the ticket then gives one
            row: rows and bytes of all saved tables.
        into
            Where the worker writes the rows; without it they wait for the ticket.
        readers
            Who wants to take the rows at once; rows with an order go to one.

        Raises
        ------
        QueryRefused
            Recorded; nothing ran.
        GatewayError
            It could not be recorded or served.
        """
        with self.refusals_on_record(text), self.saved.in_order(save_as is not None) as ordered:
            self.demand_room()
            workspace = self._pins.asked(self.workspace(), text)
            generation = self._workers.generation_for(workspace)
            kept = self.saved.columns(generation, partial(self._workers.ask, workspace)) if ordered else {}
            try:
                statement = self._known.statement(
                    text,
                    (tuple(workspace.versions.items()), tuple(kept.items()), parameters.names),
                    lambda: prepare(
                        text,
                        (*workspace.readable, *kept),
                        self.functions,
                        self.parser,
                        code_systems(workspace, self.codes),
                        parameters.names,
                        {**columns_of(workspace), **kept},
                        keys_of(workspace),
                    ),
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
            work = self._governed(workspace, statement, tables.values(), parameters)
            tables |= {t.name: t for t in self.saved.sources(used, generation)}
            if save_as is not None and statement.explain:
                raise refusals.explain_unsupported()
            if save_as is not None:
                name, read = save_as, statement.tables
                patiently(lambda: self.saved.demand_free(name, self._open_queries(), read))
            work = replace(work, save_as=save_as or "", saved=frozenset(used), into=into)
            work = replace(work, readers=work.shared_by(readers))
            return self.admit(workspace, [tables[name] for name in sorted(tables)], work)

    def drop(self, name: str) -> bool:
        """Forget a saved table; False if there is none.

        Raises
        ------
        QueryRefused
            `saved-in-use`.
        """
        patiently(lambda: self.saved.demand_free(name, self._open_queries()))
        self._workers.drop(name)
        return self.saved.drop(name)

    def table(self, name: str) -> tuple[Workspace, Table]:
        """A granted table, or `table@version`, and the workspace that has it."""
        workspace = self._pins.asked(self.workspace(), quoted(name))
        (table,) = workspace.demand([name])
        return workspace, table

    def kept(self, workspace: Workspace) -> dict[str, bytes]:
        """The saved tables and how their rows look: Arrow IPC messages, empty where nothing is known."""
        if not (names := self.saved.names(self._workers.generation_for(workspace))):
            return {}
        worker = self._workers.ready(workspace)
        orders = {name: Work(runs=f"FROM memory.campus.{quoted(name)}").order for name in names}
        return {name: worker.schema(order, SCHEMA_SECONDS) for name, order in orders.items()}

    def cancel(self, query_id: str) -> bool:
        """Stop one of this session's queries; False if it is not running."""
        if query_id not in self._open_queries():
            return False
        self._workers.cancel(query_id)
        return True

    def progress(self, query_id: str) -> tuple[int, float] | None:
        """Rows and percent of one of this session's long queries; None where nothing is known."""
        if query_id not in self._open_queries():
            return None
        return self._workers.progress(query_id)

    # -- what the watch calls

    def stop_query(self, query_id: str, reason: str, ko: str, en: str) -> None:
        """Stop one query at its worker and say why to its reader."""
        self._workers.cancel(query_id, reason=reason, ko=ko, en=en)

    def kill_worker(self, generation: int) -> None:
        """End a worker with everything that still runs in it; the next statement gets another."""
        self._workers.kill(generation)

    def pulse(self) -> None:
        """End workers that do not answer; takes as long as one may be silent."""
        self._workers.pulse()

    def renew(self) -> None:
        """Make the worker anew if the next statement would."""
        self._workers.renew(self.workspace)

    def workspace(self) -> Workspace:
        """What may be read now."""
        now = datetime.now(UTC)
        found = resolve(self._guard.granted(self.identity, now), self._versions, now)
        return self._pins.kept(found)

    def versions(self, name: str) -> tuple[Table, tuple[Snapshot, ...]]:
        """A granted table and every version of it, newest first."""
        (table,) = self.workspace().demand([name])
        return table, self._versions.all(table)

    def warm(self) -> None:
        """Start parser and worker before the first query; a failure shows at the first query instead."""
        try:
            self.parser.warm()
            self._workers.ready(self.workspace())
        except CatalogError:
            if not self._workers.closed:
                LOG.warning("a session's worker could not be started ahead of its first query")

    def leave(self) -> None:
        """Take no further query; those that were admitted go on."""
        self._leaving = True

    def close(self, reason: str = SESSION_CLOSED) -> None:
        """End the worker and the parser; running queries are recorded as failed, for this reason."""
        self._workers.close(reason)
        self.parser.close()
        for query in self._ledger.open_of(self.identity.session_id):
            self._ledger.end(query.event.query_id, QueryEventKind.FAILED, reason=reason)

    # -- admission

    def _governed(
        self, workspace: Workspace, statement: Statement, tables: Collection[Table], parameters: Parameters
    ) -> Work:
        """The statement as it stands or, over restricted data, the one that was composed in its place."""
        held = [table for table in tables if self.governance.restricted(table)]
        plain = Work.of(statement, parameters)
        if not held:
            return plain
        if statement.explain or statement.lists:  # plans count rows, and lists name values
            raise words.no_plan(held[0].name)
        query_id = QueryId(secrets.token_hex(ID_BYTES))
        worker = self._workers.ready(workspace)
        tree = json.loads(self.parser.serialise(statement.text))
        decided = self.governance.decide(
            tree["statements"][0]["node"],
            held[0],
            parameters,
            project=self.identity.project,
            query_id=query_id,
            inspect=lambda sql: worker.inspect(sql, self._limits.seconds),
            now=datetime.now(UTC),
        )
        if decided is None:
            return plain
        return Work(runs=decided.runs, query_id=query_id, evidence=decided.evidence, facts=decided.facts)

    def demand_room(self) -> None:
        """Refuse what would be one query too many.

        Raises
        ------
        QueryRefused
            `too-many-queries`.
        Restarting
            The gateway is about to stop.
        """
        if self._leaving:
            raise refusals.restarting()
        patiently(self._demand_room)

    def _demand_room(self) -> None:
        if len(self._open_queries()) >= self._limits.open:
            raise refusals.too_many_queries(self._limits.open, self._limits.running)

    def admit(self, workspace: Workspace, tables: Sequence[Table], work: Work) -> Admission:
        """Record what was decided and make its ticket good.

        Raises
        ------
        QueryRefused
            `saved-gone`: the worker with a saved table went meanwhile.
        GatewayError
            It could not be recorded or served.
        """
        query_id = work.query_id or QueryId(secrets.token_hex(ID_BYTES))
        handle = query_id + secrets.token_hex(16)  # the id is shown; 128 bits stay between broker and reader
        worker = self._workers.ready(workspace)
        generation = worker.generation
        self.saved.sources(work.saved, generation)
        work = self._footprints.measured(worker, tables, work)
        schema = worker.schema(work.order, SCHEMA_SECONDS) if work.readers > 1 else b""
        work = work if schema else replace(work, readers=1)
        event = work.admitted(query_id, self.identity, tables, datetime.now(UTC))
        order = {**work.order, "seconds": self._limits.seconds, "ttl": TICKET_SECONDS}
        if (into := work.early) is None:
            self._ledger.admit(event, generation)
        else:
            try:
                self._ledger.admit(event, generation, lambda: worker.run(handle, order, into))
            except refusals.GatewayError as error:
                worker.cancel(query_id, reason=error.reason)
                raise
        if work.saved:
            self.saved.use(query_id, work.saved, self._open_queries())
        try:
            if work.save_as:
                worker.drop(work.save_as)
                self.saved.keep(work.save_as, query_id, generation, tables)
            if work.readers > 1:
                order["tickets"] = [t.hex() for t in tickets_of(bytes.fromhex(handle), work.readers)]
            if work.into is None:
                worker.admit(handle, order)
            elif into is None:
                worker.run(handle, order, work.into)
        except (refusals.GatewayError, MemoryError) as error:
            self.saved.failed(query_id)
            why = "memory-limit" if isinstance(error, MemoryError) else "worker-died"
            self._ledger.end(query_id, QueryEventKind.FAILED, reason=why)
            raise
        return Admission(
            query_id=query_id,
            ticket=bytes.fromhex(handle),
            location=f"grpc+unix://{worker.listen}",
            generation=generation,
            facts={"query_id": query_id, **facts(tables, self._geometry), **work.facts},
            readers=work.readers,
            schema=schema,
        )

    def refusals_on_record(self, asked: str) -> AbstractContextManager[None]:
        """Whatever is refused inside is recorded, with the beginning of what was asked."""
        return self._ledger.refusals_on_record(self.identity, asked)

    def _open_queries(self) -> set[QueryId]:
        return {q.event.query_id for q in self._ledger.open_of(self.identity.session_id)}

    def _ended(self, ended: Ended) -> None:
        query_id = QueryId(ended.handle[: 2 * ID_BYTES])
        if ended.status != "finished":
            self.saved.failed(query_id)
        if ended.digest:
            self.governance.releases.finished(query_id, ended.digest)
        if ended.reason in WEARS:
            self._replace(query_id)
        kinds = {"finished": QueryEventKind.FINISHED, "cancelled": QueryEventKind.CANCELLED}
        self._ledger.end(
            query_id,
            kinds.get(ended.status, QueryEventKind.FAILED),
            rows=ended.rows,
            size=ended.bytes,
            reason=ended.reason,
            digest=ended.digest,
        )

    def _replace(self, query_id: QueryId) -> None:
        """Put a fresh worker in the place of one whose memory ran out, unless it keeps saved tables."""
        worn = self._ledger.generation_of(query_id)
        if worn is not None and not self.saved.names(worn) and self._workers.retire(worn):
            threading.Thread(target=self.warm, daemon=True).start()
