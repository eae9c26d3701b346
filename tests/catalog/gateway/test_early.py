"""A worker that begins before its query is on record."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest
from campus.errors import QueryFailed
from campus.local import Local

from catalog.gateway.control import receive, send
from catalog.gateway.guard import QueryEvent, QueryEventKind, RecordFailed
from tests.catalog.gateway.simulator import Installation, until
from tests.catalog.gateway.test_broker import SLOW
from tests.catalog.gateway.test_local import asking, dialled, near, nearby, query


@pytest.fixture
def local(gateway: Installation) -> Iterator[Local]:
    made = near(nearby(gateway))
    yield made
    made.close()


def test_a_worker_begins_while_its_admission_is_recorded_and_no_row_leaves_before(
    gateway: Installation, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where it is done before the log is; and its end follows its admission."""
    query(local, "SELECT 1")
    until(lambda: gateway.guard.kinds() == ["admitted", "finished"])
    durable, record, running = threading.Event(), gateway.guard.record, threading.Event()
    ran: list[str] = []

    def slow(event: QueryEvent) -> int:
        if event.kind == QueryEventKind.ADMITTED:
            running.set()
            assert durable.wait(20)
        return record(event)

    monkeypatch.setattr(gateway.guard, "record", slow)
    over: list[str] = []
    turns = gateway.broker._turns
    end = turns.end

    def noted(session: str, key: str) -> None:
        over.append(key)
        end(session, key)

    monkeypatch.setattr(turns, "end", noted)
    with dialled(local._path) as connection:
        send(connection, asking("SELECT 41 + 1 AS a"))
        assert running.wait(20)
        until(lambda: over)  # the worker has said that it is done
        ran += gateway.guard.kinds()
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert gateway.broker.stats()["queries"] == 1
        durable.set()
        connection.settimeout(20)
        _, fds, _, _ = socket.recv_fds(connection, 1 << 16, 1)
    with socket.socket(fileno=fds[0]) as source:
        assert receive(source) == {}
        assert pa.ipc.open_stream(source.makefile("rb")).read_all().to_pylist() == [{"a": 42}]
    assert ran == ["admitted", "finished"]
    until(lambda: gateway.guard.kinds() == [*ran, "admitted", "finished"])


def test_what_began_is_stopped_where_its_admission_is_not_recorded(
    gateway: Installation, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    query(local, "SELECT 1")
    until(lambda: gateway.guard.kinds() == ["admitted", "finished"])
    seen: list[int] = []

    def refuse(event: QueryEvent) -> int:
        until(lambda: gateway.broker.stats()["running"] == 1)
        seen.append(1)
        raise RecordFailed("record-failed", ko="기록 불가", en="cannot record")

    monkeypatch.setattr(gateway.guard, "record", refuse)
    with pytest.raises(QueryFailed) as failed:
        query(local, SLOW)
    assert (failed.value.reason, seen) == ("record-unavailable", [1])
    until(lambda: gateway.broker.stats()["running"] == 0)
    assert gateway.guard.kinds() == ["admitted", "finished"]
    assert gateway.broker.stats()["queries"] == 0
    assert not list((gateway.run / "gateway" / "open").iterdir())
