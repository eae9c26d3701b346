"""The gateway with everything real but walls and rules: plain processes, and a guard kept in memory."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from catalog.descriptions import Dataset
from catalog.descriptions.scope import WHOLE, Scope
from catalog.errors import CatalogError
from catalog.gateway.broker import Broker
from catalog.gateway.guard import (
    ExportReceipt,
    ExportRefused,
    GrantedTable,
    OutboxFile,
    QueryEvent,
    QueryEventKind,
    RecordFailed,
    RecordUnsure,
    ScannedTable,
    SessionId,
    SessionIdentity,
)
from catalog.gateway.messages import encode
from catalog.gateway.session import QueryLimits
from catalog.warehouse import Warehouse

REPO = Path(__file__).resolve().parents[3]
SOON = 10.0  # what is stopped has ended by then, well before its time limit, on a slow machine too [s]


@dataclass
class GuardSimulator:
    """Holds to the guard's contract in memory; can be told that the record cannot be written."""

    grants: list[GrantedTable] = field(default_factory=list)
    sessions: list[SessionIdentity] = field(default_factory=list)
    events: list[QueryEvent] = field(default_factory=list)
    exports: list[tuple[str, ...]] = field(default_factory=list)
    certificates: dict[str, SessionIdentity] = field(default_factory=dict)
    mounted: list[tuple[str, tuple[ScannedTable, ...]]] = field(default_factory=list)
    outbox_files: tuple[OutboxFile, ...] = ()
    recording: bool = True
    failing: frozenset[QueryEventKind] = frozenset()
    unheard: frozenset[QueryEventKind] = frozenset()  # recorded, but nobody is told
    lock: threading.Lock = field(default_factory=threading.Lock)

    def grant(
        self,
        dataset: str,
        expires: datetime | None = None,
        variant: str = "main",
        partitions: Scope = WHOLE,
        purpose: str = "study",
    ) -> GrantedTable:
        made = GrantedTable(
            dataset=dataset, variant=variant, grant_id=f"g{len(self.grants)}", purpose=purpose,
            expires=expires, partitions=partitions,
        )  # fmt: skip
        self.grants.append(made)
        return made

    def live_sessions(self) -> tuple[SessionIdentity, ...]:
        return tuple(self.sessions)

    def bearer(self, serial: str, now: datetime) -> SessionIdentity | None:
        found = self.certificates.get(serial)
        return found if found in self.sessions else None

    def granted(self, identity: SessionIdentity, now: datetime) -> tuple[GrantedTable, ...]:
        return tuple(self.grants)

    def standing(self, identity: SessionIdentity, now: datetime) -> tuple[GrantedTable, ...]:
        return tuple(g for g in self.grants if g.purpose == "standing")

    def record_mounts(
        self, identity: SessionIdentity, mounts: tuple[ScannedTable, ...], now: datetime
    ) -> int:
        if not self.recording:
            raise RecordFailed("record-failed", ko="기록 불가", en="cannot record")
        self.mounted.append((identity.session_id, mounts))
        return len(self.mounted)

    def record(self, event: QueryEvent) -> int:
        with self.lock:
            if not self.recording or event.kind in self.failing:
                raise RecordFailed("record-failed", ko="기록 불가", en="cannot record")
            if (event.query_id, _step(event)) not in {(e.query_id, _step(e)) for e in self.events}:
                self.events.append(event)
            if event.kind in self.unheard:
                raise RecordUnsure("record-failed", ko="기록 불명", en="cannot tell")
            return len(self.events)

    def record_all(self, events: Sequence[QueryEvent]) -> None:
        for event in events:
            self.record(event)

    def submit_export(
        self, identity: SessionIdentity, names: tuple[str, ...], purpose: str, now: datetime
    ) -> ExportReceipt:
        known = {f.name: f for f in self.outbox_files}
        missing = [n for n in names if n not in known]
        if missing:
            raise ExportRefused("no-file", ko=f"{missing[0]} 없음", en=f"{missing[0]} is missing")
        self.exports.append(names)
        files = tuple((n, "0" * 64, known[n].size) for n in names)
        return ExportReceipt(request_id="7", url_path="/exports/7", files=files)

    def outbox(self, identity: SessionIdentity) -> tuple[OutboxFile, ...]:
        return self.outbox_files

    def kinds(self, query_id: str | None = None) -> list[str]:
        """Kinds of recorded events in order."""
        with self.lock:
            return [e.kind for e in self.events if query_id in (None, e.query_id)]


def _step(event: QueryEvent) -> str:
    return event.kind if event.kind in (QueryEventKind.ADMITTED, QueryEventKind.REFUSED) else "end"


@dataclass(frozen=True)
class PlainSandbox:
    sandbox_id: str
    process: subprocess.Popen[bytes]


class PlainStarter:
    """Starts workers and parsers as plain processes of the session environment, without walls."""

    def __init__(self, python: Path = REPO / ".venv-session" / "bin" / "python") -> None:
        self.python = python
        self.running: dict[str, PlainSandbox] = {}
        self.files: list[tuple[tuple[str, str], ...]] = []
        self.broken = False

    def start_worker(
        self, session_id: str, generation: int, files: Sequence[tuple[str, str]], memory: int
    ) -> tuple[PlainSandbox, socket.socket]:
        self.files.append(tuple(files))
        return self._start("query_worker")

    def start_parser(self, session_id: str) -> tuple[PlainSandbox, socket.socket]:
        return self._start("parser")

    def stop(self, sandbox_id: str, grace: float = 5.0) -> None:
        started = self.running.pop(sandbox_id, None)
        if started is not None:
            started.process.kill()
            started.process.wait()

    def close(self) -> None:
        for name in list(self.running):
            self.stop(name)

    def pids(self, program: str) -> list[int]:
        """Running processes of one program, oldest first."""
        running = list(self.running.items())  # others start and end meanwhile
        return [s.process.pid for n, s in running if n.startswith(program)]

    def kill(self, program: str) -> None:
        for pid in self.pids(program):
            with contextlib.suppress(ProcessLookupError):  # it was just ended
                os.kill(pid, signal.SIGKILL)

    def _start(self, program: str) -> tuple[PlainSandbox, socket.socket]:
        if self.broken:
            raise CatalogError("launcher", ko="시작 불가", en="cannot start")
        ours, theirs = socket.socketpair()
        module = f"catalog.workers.{program}"
        command = 'exec 3<&"$1"; exec "$2" -P -m "$3"'
        process = subprocess.Popen(
            ["/bin/bash", "-c", command, "sh", str(theirs.fileno()), str(self.python), module],
            env=os.environ | {"PYTHONPATH": str(REPO)},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        started = PlainSandbox(f"{program}-{secrets.token_hex(4)}", process)
        self.running[started.sandbox_id] = started
        return started, ours


@dataclass
class Installation:
    """A broker with its simulators over a real warehouse."""

    broker: Broker
    guard: GuardSimulator
    starter: PlainStarter
    warehouse: Warehouse
    run: Path
    descriptions: Mapping[str, Dataset]
    limits: QueryLimits
    at_once: int = 16
    remote: tuple[Path, str] | None = None

    def open(self, person: str = "minji", project: str = "open-data") -> str:
        """A new session; returns the address of its socket."""
        identity = SessionIdentity(
            session_id=SessionId(secrets.token_hex(10)), person=person, project=project
        )
        self.guard.sessions.append(identity)
        self.broker.open(identity)
        return f"grpc+unix://{self.run}/gateway/{identity.session_id}/broker.sock"

    def restart(self) -> None:
        """What a killed and restarted broker process does; the old one's workers are killed."""
        self.broker.stop()
        self.broker = new_broker(self)
        self.broker.start()


def new_broker(made: Installation) -> Broker:
    return Broker(
        guard=made.guard,
        warehouse=made.warehouse,
        descriptions=made.descriptions,
        starter=made.starter,
        run=made.run,
        admin=made.run / "gateway.sock",
        limits=made.limits,
        at_once=made.at_once,
        walled=False,
        remote=made.remote,
    )


@contextlib.contextmanager
def installation(
    warehouse: Warehouse,
    descriptions: Mapping[str, Dataset],
    run: Path,
    limits: QueryLimits,
    at_once: int = 16,
    remote: tuple[Path, str] | None = None,
) -> Iterator[Installation]:
    guard, starter = GuardSimulator(), PlainStarter()
    made = Installation(
        broker=None,  # type: ignore[arg-type]
        guard=guard, starter=starter, warehouse=warehouse, run=run, descriptions=descriptions,
        limits=limits, at_once=at_once, remote=remote,
    )  # fmt: skip
    made.broker = new_broker(made)
    made.broker.start()
    try:
        yield made
    finally:
        made.broker.stop()
        starter.close()


def info(client: Any, sql: str) -> Any:
    """What GetFlightInfo says of a statement."""
    command = encode("CommandStatementQuery", query=sql)
    return client.get_flight_info(flight.FlightDescriptor.for_command(command))


def reader(answer: Any) -> Any:
    """Open the stream of an answer at its worker."""
    endpoint = answer.endpoints[0]
    return flight.connect(endpoint.locations[0]).do_get(endpoint.ticket)


def run(client: Any, sql: str) -> pa.Table:
    """A statement's whole result."""
    table: pa.Table = reader(info(client, sql)).read_all()
    return table


def until(condition: Any, seconds: float = 30.0) -> None:
    """Wait until it holds; so long at most, since a machine may be slow."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not come about in time")
        time.sleep(0.02)


def utc_now() -> datetime:
    return datetime.now(UTC)
