"""The broker's side of a worker that was taken over, or hangs: that hurts nobody."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.gateway import processes
from catalog.gateway.control import receive, send
from catalog.gateway.ended import Ended
from catalog.gateway.guard import QueryEvent, QueryEventKind, QueryId, SessionId, SessionIdentity
from catalog.gateway.metrics import Metrics
from catalog.gateway.processes import WorkerProcess
from catalog.gateway.queries import Ledger
from catalog.gateway.refusals import GatewayError
from catalog.gateway.turns import Turns
from tests.catalog.gateway.simulator import GuardSimulator, until

SESSION = SessionId("0" * 20)
ORDER: dict[str, Any] = {"sql": "SELECT 1", "parameters": [], "save_as": ""}
WORK: dict[str, Any] = {**ORDER, "seconds": 10, "ttl": 10}
SAID: dict[str, Any] = {"status": "finished", "rows": 1, "bytes": 8, "seconds": 0.1, "reason": ""}
HANDLE = "ab" * 24


@dataclass(frozen=True)
class Box:
    sandbox_id: str = "worker"


@dataclass
class Taken:
    """A worker in strange hands: its end of the control socket, and what became of its queries."""

    theirs: socket.socket
    turns: Turns
    guard: GuardSimulator
    ledger: Ledger
    ended: list[Ended] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    stopped: list[str] = field(default_factory=list)
    process: WorkerProcess = field(init=False)

    def start(self, ours: socket.socket) -> None:
        def ready() -> None:
            receive(self.theirs)
            send(self.theirs, {"op": "ready"})

        threading.Thread(target=ready, daemon=True).start()
        self.process = WorkerProcess(
            self, Box(), ours, {"listen": "x"}, self._ended, self._died,
            session_id=SESSION, turns=self.turns, generation=1,
        )  # fmt: skip

    def start_worker(
        self, session_id: str, generation: int, files: Sequence[tuple[str, str]], memory: int
    ) -> tuple[Box, socket.socket]:
        raise NotImplementedError

    def start_parser(self, session_id: str) -> tuple[Box, socket.socket]:
        raise NotImplementedError

    def stop(self, sandbox_id: str, grace: float = 5.0) -> None:
        self.stopped.append(sandbox_id)

    def admit(self, handle: str = HANDLE) -> None:
        """A query on record that this worker knows of."""
        event = QueryEvent(
            kind=QueryEventKind.ADMITTED,
            query_id=QueryId(handle[:16]),
            identity=SessionIdentity(session_id=SESSION, person="minji", project="open-data"),
            time=datetime.now(UTC),
            statement="SELECT 1",
        )
        self.ledger.admit(event, 1)

        def known() -> None:
            receive(self.theirs)
            send(self.theirs, {"op": "admitted", "handle": handle})

        threading.Thread(target=known, daemon=True).start()
        self.process.admit(handle, WORK)

    def say(self, **message: Any) -> None:
        send(self.theirs, message)

    def heard(self) -> None:
        """Everything it said was taken in: the last of it is one more admission."""
        self.admit("cd" * 24)

    def _ended(self, ended: Ended) -> None:
        self.ended.append(ended)
        self.ledger.end(
            QueryId(ended.handle[:16]), QueryEventKind.FINISHED, rows=ended.rows, reason=ended.reason
        )

    def _died(self, worker: WorkerProcess) -> None:
        self.ledger.end_generation(SESSION, worker.generation, "worker-died")
        self.gone.set()


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Taken]:
    monkeypatch.setattr(processes, "SEND_SECONDS", 0.3, raising=False)
    guard, turns = GuardSimulator(), Turns(4, 4)
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    made = Taken(theirs, turns, guard, Ledger(guard, tmp_path / "open", Metrics()))
    made.start(ours)
    yield made
    theirs.close()
    made.gone.wait(10)
    turns.close()
    made.ledger.close()


@pytest.mark.parametrize(
    "odd",
    [
        {"reason": "x" * 300_000},  # more than the log takes, so the end would never be on record
        {"reason": "\ud800"},
        {"reason": "문장"},
        {"rows": -1},
        {"bytes": 1 << 70},
        {"digest": "z" * 64},
        {"digest": "0" * 300_000},
        {"status": "admitted"},
    ],
    ids=lambda odd: next(f"{key}={value!r}"[:20] for key, value in odd.items()),
)
def test_an_end_that_is_no_word_of_a_worker_ends_it_and_is_never_recorded(
    taken: Taken, odd: dict[str, Any]
) -> None:
    taken.admit()
    taken.say(op="finished", handle=HANDLE, **{**SAID, **odd})
    assert taken.gone.wait(10)
    assert taken.ended == []
    assert taken.stopped == ["worker"]
    until(lambda: len(taken.guard.events) > 1)
    assert [(e.kind, e.reason, e.rows) for e in taken.guard.events[1:]] == [("failed", "worker-died", 0)]
    assert taken.ledger.counts == (0, 0)


def test_a_worker_ends_only_what_it_was_given_and_that_once(taken: Taken) -> None:
    taken.admit()
    other = QueryEvent(
        kind=QueryEventKind.ADMITTED,
        query_id=QueryId("ef" * 8),
        identity=SessionIdentity(session_id=SessionId("1" * 20), person="junho", project="shops"),
        time=datetime.now(UTC),
        statement="SELECT 2",
    )
    taken.ledger.admit(other, 1)
    taken.say(op="finished", handle="ef" * 24, **SAID)
    for _ in range(2):
        taken.say(op="finished", handle=HANDLE, **SAID)
    taken.heard()
    assert [each.handle for each in taken.ended] == [HANDLE]
    assert taken.ledger.is_open("ef" * 8)


def test_what_a_worker_says_over_and_over_is_kept_once(taken: Taken) -> None:
    """Of a turn, of how far a query is that it was never given, and of an answer."""
    taken.admit()
    for number in range(100):
        taken.say(op="ask", handle=HANDLE)
        taken.say(op="progress", handle=f"{number:048x}", rows=1, percent=1.0)
    taken.say(op="progress", handle=HANDLE, rows=7, percent=1.0)
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(taken.process.schema(ORDER, 5.0)))
    asking.start()
    while (question := receive(taken.theirs)).get("op") != "schema":  # it may go, again and again
        assert question == {"op": "go", "handle": HANDLE}
    [waiting] = taken.process._asked.values()
    for name in ("0a", "0b", "0c"):
        taken.say(op="inspected", number=question["number"], schema=name)
    asking.join(10)
    taken.heard()
    assert answers == [b"\n"]
    assert waiting.empty()
    assert taken.process.progress(HANDLE) == (7, 1.0)
    assert list(taken.process._progress) == [HANDLE]
    assert taken.turns.counts == (1, 0)


def test_one_that_waits_for_its_turn_waits_once(taken: Taken) -> None:
    for number in range(4):
        assert taken.turns.ask(SESSION, f"{number}", lambda: None)
    taken.admit()
    for _ in range(50):
        taken.say(op="ask", handle=HANDLE)
    taken.heard()
    assert taken.turns.counts == (4, 1)


def test_a_worker_is_not_silent_while_nobody_hears_it(taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is away, and the end of a query waits for it."""
    assert not taken.process.answers(0.1)
    recording, go = threading.Event(), threading.Event()

    def slowly(ended: Ended) -> None:
        recording.set()
        go.wait(10)

    monkeypatch.setattr(taken.process, "_on_ended", slowly)
    assert receive(taken.theirs)["op"] == "ping"
    taken.admit()
    taken.say(op="finished", handle=HANDLE, **SAID)
    assert recording.wait(10)
    assert taken.process.answers(0.1)
    go.set()
    taken.ledger.end(QueryId(HANDLE[:16]), QueryEventKind.FINISHED)


def test_a_worker_that_does_not_read_its_orders_is_ended_and_holds_up_nobody(taken: Taken) -> None:
    """Who stops a query of such a worker stops those of others next: it must not wait for this one."""
    taken.admit()
    refused: list[GatewayError] = []

    def more(number: int) -> None:
        try:
            taken.process.admit(f"{number:048x}", {**WORK, "sql": "SELECT 1 " + " " * 900_000})
        except GatewayError as error:
            refused.append(error)

    threads = [threading.Thread(target=more, args=(number,), daemon=True) for number in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: taken.process._lock.locked())
    threads.append(threading.Thread(target=taken.process.cancel, args=(HANDLE[:16],), daemon=True))
    threads[-1].start()
    assert taken.gone.wait(10)
    for thread in threads:
        thread.join(10)
    assert not [thread for thread in threads if thread.is_alive()]
    assert [error.reason for error in refused] == ["worker-unavailable"] * 3
    assert taken.stopped == ["worker"]
    until(lambda: taken.guard.kinds() == ["admitted", "failed"])
    until(lambda: taken.turns.counts == (0, 0))
