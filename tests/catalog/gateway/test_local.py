"""The local face of a session: rows over a socket handed over, with the same decision, record and walls."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from campus.errors import QueryFailed, QueryRefused
from campus.local import Away, Local, LocalStream

from catalog.gateway.control import ControlClosed, receive, send
from catalog.gateway.local import MOST_CLIENTS
from catalog.gateway.session import QueryLimits
from catalog.warehouse import Warehouse
from tests.catalog.gateway.conftest import DESCRIPTIONS, ROWS
from tests.catalog.gateway.simulator import SOON, Installation, installation, until
from tests.catalog.gateway.statements import LEGITIMATE, hostile
from tests.catalog.gateway.test_broker import SLOW


def nearby(made: Installation) -> Path:
    """A new session's local socket."""
    return Path(made.open().removeprefix("grpc+unix://")).with_name("local.sock")


@pytest.fixture
def address(gateway: Installation) -> Path:
    return nearby(gateway)


@pytest.fixture
def local(address: Path) -> Iterator[Local]:
    made = near(address)
    yield made
    made.close()


@contextlib.contextmanager
def dialled(address: Path) -> Iterator[socket.socket]:
    """A connection without our client."""
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(20)
        made.connect(str(address))
        yield made


def near(address: Path) -> Local:
    return Local(address, lambda query_id: {})


def rows(stream: LocalStream) -> pa.Table:
    return pa.Table.from_batches(list(stream.batches()), stream.schema)


def asking(text: str) -> dict[str, Any]:
    return {"op": "query", "text": text, "parameters": None, "save_as": None}


def query(local: Local, text: str) -> pa.Table:
    return rows(local.ask(**asking(text)))


def test_rows_come_and_both_ends_are_on_record(gateway: Installation, local: Local) -> None:
    stream = local.ask(**asking("SELECT count(*) AS n FROM subway_ridership"))
    assert rows(stream).to_pylist() == [{"n": ROWS}]
    until(lambda: gateway.guard.kinds(stream.facts["query_id"]) == ["admitted", "finished"])
    finished = gateway.guard.events[-1]
    assert (finished.rows, finished.seconds > 0) == (1, True)
    assert 8 <= finished.bytes <= 16
    assert stream.facts["tables"] == ["subway_ridership"]


def test_large_results_come_whole(local: Local) -> None:
    found = query(local, "SELECT i, repeat('가', i % 50) AS t FROM range(700000) r(i)")
    assert found.num_rows == 700_000
    assert pa.compute.sum(found["i"]).as_py() == 700_000 * 699_999 // 2
    assert pa.compute.sum(pa.compute.utf8_length(found["t"])).as_py() == 14_000 * sum(range(50))


@pytest.mark.parametrize("text", ["SELECT 1 WHERE false", "SELECT * FROM dong_codes LIMIT 0", LEGITIMATE[0]])
def test_no_rows_have_their_columns_all_the_same(local: Local, text: str) -> None:
    assert query(local, text).num_columns > 0


def test_what_is_refused_is_refused_here_too(gateway: Installation, local: Local) -> None:
    some = hostile()[::9]
    for expected, text in some:
        with pytest.raises(QueryRefused) as refused:
            query(local, text)
        assert refused.value.reason == expected
    assert gateway.guard.kinds() == ["refused"] * len(some)


def test_no_record_no_rows(gateway: Installation, local: Local) -> None:
    query(local, "SELECT 1")
    gateway.guard.recording = False
    with pytest.raises(QueryFailed) as failed:
        query(local, "SELECT 2")
    assert failed.value.reason == "record-unavailable"
    gateway.guard.recording = True
    assert query(local, "SELECT 3").num_rows == 1


def test_an_error_of_the_engine_says_what_and_is_on_record(gateway: Installation, local: Local) -> None:
    for text in ("SELECT nothing FROM dong_codes", "SELECT CASE WHEN i < 400000 THEN '1' ELSE 'x' END::INT "
                 "FROM range(500000) r(i)"):  # fmt: skip
        with pytest.raises(QueryFailed) as failed:
            query(local, text)
        assert failed.value.reason == "query-error"
        assert "실행할 수 없습니다" in failed.value.ko
    until(lambda: gateway.guard.kinds().count("failed") == 2)


def test_hanging_up_cancels(gateway: Installation, local: Local) -> None:
    """Before the first row, and between rows."""
    for text in (SLOW, "SELECT a.* FROM subway_ridership a, dong_codes b"):
        gateway.guard.events.clear()
        with dialled(local._path) as connection:
            send(connection, asking(text))
            _, fds, _, _ = socket.recv_fds(connection, 1 << 16, 1)
            until(lambda: gateway.broker.stats()["running"] == 1)
            if text != SLOW:
                assert select.select([fds[0]], [], [], 20)[0]
            os.close(fds[0])
        until(lambda: gateway.guard.kinds() == ["admitted", "cancelled"], SOON)
    assert query(local, "SELECT 1").num_rows == 1


def test_a_query_goes_on_when_only_its_request_hangs_up(gateway: Installation, local: Local) -> None:
    with dialled(local._path) as connection:
        send(connection, asking("SELECT count(*) AS n FROM subway_ridership"))
        head, fds, _, _ = socket.recv_fds(connection, 1 << 16, 1)
        assert head
    with socket.socket(fileno=fds[0]) as source:
        source.settimeout(20)
        assert receive(source) == {}
        until(lambda: gateway.guard.kinds() == ["admitted", "finished"])


def test_a_worker_that_dies_is_said_and_on_record(gateway: Installation, local: Local) -> None:
    stream = local.ask(**asking("SELECT a.* FROM subway_ridership a, dong_codes b"))
    gateway.starter.kill("query_worker")
    with pytest.raises(QueryFailed) as failed:
        rows(stream)
    assert failed.value.reason == "worker-died"
    until(lambda: gateway.guard.kinds() == ["admitted", "failed"])
    assert query(local, "SELECT 1").num_rows == 1


def test_a_reader_that_does_not_read_keeps_no_query(
    warehouse: Warehouse, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = QueryLimits(memory=1 << 30, seconds=1.0, threads=2)
    with installation(warehouse, DESCRIPTIONS, run_folder, limits) as made:
        made.guard.grant("subway_ridership")
        local = near(nearby(made))
        stream = local.ask(**asking("SELECT * FROM subway_ridership"))
        until(lambda: made.guard.kinds() == ["admitted", "failed"])
        assert made.guard.events[-1].reason == "time-limit"
        with pytest.raises(QueryFailed):
            rows(stream)
        local.close()


def test_what_is_no_request_is_refused_and_hurts_nobody(address: Path, local: Local) -> None:
    part = {"op": "partition", "name": "d", "snapshot": "1", "index": 0, "columns": [], "where": ""}
    odd: tuple[Any, ...] = (
        *({}, {"op": "drop"}, {"op": "query"}, {**asking(""), "text": 1}, {**asking(""), "save_as": 1}),
        *({"op": "partition", "name": "d"}, {**part, "snapshot": "1; DROP"}, {**part, "columns": [1]}),
    )
    with dialled(address) as connection:
        for request in odd:
            send(connection, request)
            assert receive(connection)["error"]["reason"] == "malformed-request"
    for raw in (b"\xff" * 64, struct.pack(">I", 1 << 31), struct.pack(">I", 4) + b"[1]\n", b"\0\0\0\2{",
                struct.pack(">I", 9 << 20) + b" " * 100):  # fmt: skip
        with dialled(address) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            with pytest.raises(ControlClosed):
                receive(connection)
    assert query(local, "SELECT 1").num_rows == 1


def test_what_is_written_into_a_result_changes_nothing(local: Local) -> None:
    """The descriptor is a socket, so its reader could write; the worker never reads it."""
    with dialled(local._path) as connection:
        send(connection, asking("SELECT count(*) AS n FROM subway_ridership"))
        _, fds, _, _ = socket.recv_fds(connection, 1 << 16, 1)
        with socket.socket(fileno=fds[0]) as source:
            source.settimeout(20)
            source.setblocking(True)
            with contextlib.suppress(OSError):
                source.sendall(b'\0\0\0\2{}{"op": "drain"}' * 64)
            assert receive(source) == {}
            found = pa.ipc.open_stream(source.makefile("rb")).read_all()
    assert found.to_pylist() == [{"n": ROWS}]


def test_a_large_result_uses_its_memory_again(gateway: Installation, local: Local) -> None:
    """The engine's batches do not take fresh pages each time [faults of 4 KiB]."""
    text = "SELECT i, i + 1 AS j, i + 2 AS k FROM range(6000000) r(i)"
    assert query(local, text).nbytes >= 144_000_000
    (worker,) = gateway.starter.pids("query_worker")
    before = minor_faults(worker)
    query(local, text)
    assert minor_faults(worker) - before < 144_000_000 // 4096 // 4


def minor_faults(pid: int) -> int:
    """Of a process until now (proc_pid_stat(5))."""
    return int(Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[7])


def test_connections_of_a_session_are_bounded(address: Path) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(dialled(address)) for _ in range(MOST_CLIENTS)]
        for connection in held:
            send(connection, {"op": "hello"})
            assert "error" in receive(connection)
        with dialled(address) as more, pytest.raises((ControlClosed, OSError)):
            send(more, {"op": "hello"})
            receive(more)
    made = near(address)
    until(lambda: _answers(made))
    made.close()


def _answers(local: Local) -> bool:
    try:
        return query(local, "SELECT 1").num_rows == 1
    except (Away, QueryRefused):  # not yet, or the others' statements still run
        return False


def test_a_closed_session_hangs_up_and_a_restarted_gateway_is_dialled_anew(
    gateway: Installation, local: Local
) -> None:
    query(local, "SELECT 1")
    gateway.restart()
    assert query(local, "SELECT 1").num_rows == 1  # the idle connection was dead, and known to be
    for identity in gateway.guard.sessions:
        gateway.broker.close(identity.session_id)
    with pytest.raises(Away):
        query(local, "SELECT 1")


def test_a_forked_process_does_not_share_the_connection(local: Local) -> None:
    query(local, "SELECT 1")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            os.write(writing, str(query(local, "SELECT 41 AS a").to_pylist()).encode())
        finally:
            os._exit(0)
    assert query(local, "SELECT 42 AS a").to_pylist() == [{"a": 42}]
    assert os.read(reading, 100) == b"[{'a': 41}]"
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)


@pytest.mark.campaign(12, 1000)
def test_killed_at_random_every_admission_has_one_end(gateway: Installation, rounds: int) -> None:
    """The worker, or its reader, at random points: no row without a record, no record without an end."""
    local = near(nearby(gateway))
    text = "SELECT a.date, a.boardings FROM subway_ridership a"
    seen: set[str] = set()
    for number in range(rounds):
        stream = None
        try:
            stream = local.ask(**asking(text))
            seen.add(str(stream.facts["query_id"]))
            assert gateway.guard.kinds(stream.facts["query_id"])[0] == "admitted"
            if number % 3 == 0:
                time.sleep(secrets.randbelow(20) / 1000)
                for pid in gateway.starter.pids("query_worker")[-1:]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            if number % 3 == 1:
                next(stream.batches())
                stream.cancel()
            else:
                assert rows(stream).num_rows == ROWS
        except QueryFailed as error:
            assert error.reason in {"worker-died", "worker-unavailable"}
    local.close()
    # also those whose reader never heard of them: an end is on record a moment later
    until(lambda: all(len(gateway.guard.kinds(e.query_id)) == 2 for e in list(gateway.guard.events)), 30)
    admitted = {str(e.query_id) for e in gateway.guard.events if e.kind == "admitted"}
    ends = [str(e.query_id) for e in gateway.guard.events if e.kind in {"finished", "failed", "cancelled"}]
    assert seen <= admitted
    assert sorted(ends) == sorted(admitted)
