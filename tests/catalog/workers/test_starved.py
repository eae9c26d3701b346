"""A worker that has not a page left: its queries end all the same, and both sides are told how."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import resource
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.gateway.control import ControlClosed, receive, send
from tests.catalog.gateway.simulator import REPO
from tests.catalog.workers.test_programs import ORDER, configuration

WARM = 20  # calls after which the interpreter takes its shorter way, which has other words for no room
STARVED = """
# the worker itself; as a statement says, its engine takes all there is behind the first batch or before it
import os, resource, sys
from workers import query_worker

class Starved(query_worker.Worker):
    def do_get(self, context, ticket):
        stream = super().do_get(context, ticket)
        if any(query.sql.endswith("unasked") for query in self.running.values()):
            del stream  # as where the reader hangs up before it is asked for rows
            raise query_worker.flight.FlightServerError("gone")
        return stream

    def counted(self, query, reader):
        for batch in reader:
            if not query.sql.endswith("early"):
                yield batch
            if query.sql.endswith(("early", "fails", "works")):  # nothing but C, as the engine would
                status = os.open("/proc/self/status", os.O_RDONLY)
                taken = int(os.read(status, 4096).split(b"VmData:")[1].split()[0]) - 64 << 10  # [bytes]
                os.close(status)
                resource.setrlimit(resource.RLIMIT_DATA, (taken, resource.getrlimit(resource.RLIMIT_DATA)[1]))
            if query.sql.endswith("early"):
                yield batch
            if query.sql.endswith("fails"):
                raise MemoryError
            if query.sql.endswith("breaks"):
                raise SystemError

query_worker.Worker = Starved
sys.exit(query_worker.main())
"""


class Bench:
    """Such a worker and its broker's end."""

    def __init__(self, folder: Path) -> None:
        self.control, theirs = socket.socketpair()
        python = REPO / ".venv-session" / "bin" / "python"
        self.process = subprocess.Popen(
            [
                *("/bin/bash", "-c", 'exec 3<&"$1"; exec "$2" -P -c "$3"'),
                "sh",
                str(theirs.fileno()),
                python,
                STARVED,
            ],
            env=os.environ | {"PYTHONPATH": str(REPO / "catalog")},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        send(self.control, configuration(folder))
        assert receive(self.control)["op"] == "ready"
        self.client: Any = flight.connect(f"grpc+unix://{folder}/w.sock")
        self.asked = 0
        self.told: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self.answer, daemon=True).start()

    def admit(self, sql: str, *tickets: str) -> str:
        """A handle for it."""
        self.asked += 1
        handle = f"{self.asked:048x}"
        order = {**ORDER, "sql": sql, "op": "admit", "handle": handle, "seconds": 60, "ttl": 60}
        send(self.control, order | ({"tickets": tickets} if tickets else {}))
        assert self.told.get(timeout=20)["op"] == "admitted"
        return handle

    def rows(self, ticket: str) -> Any:
        """Its rows, or what the reader is told."""
        try:
            return self.client.do_get(flight.Ticket(bytes.fromhex(ticket))).read_all().to_pylist()
        except flight.FlightError as error:
            return json.loads(error.extra_info) if error.extra_info else error

    def lift(self) -> None:
        """There is room again."""
        _, hardest = resource.prlimit(self.process.pid, resource.RLIMIT_DATA)
        resource.prlimit(self.process.pid, resource.RLIMIT_DATA, (hardest, hardest))

    def answer(self) -> None:
        """Give every query its turn, and keep the ends."""
        with contextlib.suppress(ControlClosed):
            while True:
                told = receive(self.control)
                if told["op"] == "ask":
                    send(self.control, {"op": "go", "handle": told["handle"]})
                elif told["op"] in ("finished", "admitted"):
                    self.told.put(told)


@pytest.fixture
def bench(run_folder: Path) -> Iterator[Bench]:
    made = Bench(run_folder)
    yield made
    made.client.close()
    made.control.shutdown(socket.SHUT_RDWR)
    assert made.process.wait(10) is not None
    made.control.close()


@pytest.mark.parametrize("warm", [0, WARM])
@pytest.mark.parametrize("how", ["fails", "works"])
def test_an_end_is_told_where_not_a_page_is_left(bench: Bench, warm: int, how: str) -> None:
    for _ in range(warm):
        handle = bench.admit("SELECT 7 AS n")
        assert bench.rows(handle) == [{"n": 7}]
        assert bench.told.get(timeout=20)["status"] == "finished"
    handle = bench.admit(f"SELECT 8 AS {how}")
    said, end = bench.rows(handle), bench.told.get(timeout=20)
    assert end["handle"] == handle
    if how == "works":
        assert (said, end["status"]) == ([{"works": 8}], "finished")
    else:
        assert (said["reason"], end["status"], end["reason"]) == ("memory-limit", "failed", "memory-limit")
        assert said["ko"] and said["en"]
    bench.lift()
    handle = bench.admit("SELECT 9 AS n")
    assert bench.rows(handle) == [{"n": 9}]
    assert bench.told.get(timeout=20)["status"] == "finished"


@pytest.mark.parametrize("several", [(), ("ab" * 24, "cd" * 24)], ids=["one", "several"])
def test_a_result_that_nobody_asks_for_a_row_ends(bench: Bench, several: tuple[str, ...]) -> None:
    handle = bench.admit("SELECT 8 AS unasked", *several)
    assert isinstance(bench.rows(several[0] if several else handle), flight.FlightError)
    end = bench.told.get(timeout=20)
    assert (end["handle"], end["status"], end["rows"]) == (handle, "cancelled", 0)


@pytest.mark.parametrize("how", ["fails", "works", "early"])
def test_each_of_several_readers_is_told(bench: Bench, how: str) -> None:
    tickets = ["ab" * 24, "cd" * 24]
    handle = bench.admit(f"SELECT 8 AS {how}", *tickets)
    first, end = bench.rows(tickets[0]), bench.told.get(timeout=20)
    bench.lift()
    second = bench.rows(tickets[1])
    assert end["handle"] == handle
    if how == "works":
        assert (first, second, end["status"]) == ([{"works": 8}], [], "finished")
    else:  # of its own fault or of another
        assert [said["reason"] for said in (first, second)] == ["memory-limit"] * 2
        assert (end["status"], end["reason"]) == ("failed", "memory-limit")


def test_a_worker_goes_where_its_interpreter_is_not_to_be_trusted(bench: Bench) -> None:
    handle = bench.admit("SELECT 8 AS breaks")
    assert isinstance(bench.rows(handle), flight.FlightError)
    assert bench.process.wait(10) == 1
    assert bench.told.empty()  # the broker tells this end itself
