"""How a worker gives a result to the reader that holds a socket: in how few pieces, and what it says when."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catalog.workers.control import Control
from catalog.workers.query import Query
from catalog.workers.query_worker import Worker
from catalog.workers.sink import Sink
from tests.catalog.workers.test_programs import configuration

EMPTY = struct.pack(">I", 2) + b"{}"
ROWS = 2048  # of a batch


class Counting(Sink):
    """Remembers what left at once [bytes]."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, lambda: False)
        self.sends: list[int] = []

    def _send(self, rest: memoryview) -> None:
        if rest.nbytes:
            self.sends.append(rest.nbytes)
        super()._send(rest)


@contextlib.contextmanager
def working(folder: Path, **more: Any) -> Iterator[Worker]:
    ours, theirs = socket.socketpair()
    with ours:
        worker = Worker(configuration(folder, batch_rows=ROWS, **more), Control(theirs.detach()))
        yield worker
        worker.shutdown()
        worker.control.socket.close()


def ordered(text: str, **more: Any) -> Query:
    """A query whose turn it is."""
    order = {"sql": text, "parameters": [], "save_as": "", "seconds": 20, "ttl": 20, "handle": "ab" * 24}
    query = Query(order | more)
    query.turn.set()
    return query


def given(
    worker: Worker, text: str, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> tuple[list[int], int, bytes]:
    """What left at once [bytes], how much had left when the end was reported [bytes], and all of it."""
    query = ordered(text, **more)
    worker.running[query.handle] = query
    ours, theirs = socket.socketpair()
    came = bytearray()

    def read() -> None:
        while data := theirs.recv(1 << 16):
            came.extend(data)

    reading = threading.Thread(target=read)
    reading.start()
    end, sink, early = worker.end, Counting(ours.detach()), [0]

    def reported(ended: Query, error: BaseException | None) -> dict[str, str]:
        early[0] = sum(sink.sends)
        return end(ended, error)

    with theirs, monkeypatch.context() as patched:
        patched.setattr(worker, "end", reported)
        worker.run_into(query, sink)
        reading.join(20)
    return sink.sends, early[0], bytes(came)


def table(whole: bytes) -> pa.Table:
    """The rows between the first message and the last."""
    assert whole.startswith(EMPTY) and whole.endswith(EMPTY)
    return pa.ipc.open_stream(whole[len(EMPTY) : -len(EMPTY)]).read_all()


@pytest.mark.parametrize("rows", [0, 1, ROWS - 1])
def test_a_small_result_leaves_at_once_with_all_that_is_said_of_it(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    with working(run_folder) as worker:
        sends, early, whole = given(worker, f"SELECT range AS a FROM range({rows})", monkeypatch)
    assert table(whole).num_rows == rows
    assert sends == [len(whole)]
    assert early == len(whole), "its reader does not wait for the books"


def test_a_whole_batch_leaves_when_it_is_there_and_the_last_with_the_end(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(run_folder) as worker:
        sends, _, whole = given(worker, f"SELECT range AS a FROM range({2 * ROWS + 1})", monkeypatch)
    assert table(whole)["a"].to_pylist() == list(range(2 * ROWS + 1))
    assert len(sends) == 3 and sum(sends) == len(whole)
    assert sends[2] < sends[1]


@pytest.mark.parametrize("more", [{"save_as": "kept"}, {"digest": True}], ids=["saved", "digested"])
def test_what_others_build_on_is_told_when_it_is_reported(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    """A saved table is there for the next statement, and a digest may still fail."""
    with working(run_folder) as worker:
        _, early, whole = given(worker, "SELECT 1 AS a", monkeypatch, **more)
    assert table(whole).num_rows == 1
    assert early < len(whole)


def test_what_nobody_reads_is_no_result(run_folder: Path) -> None:
    """Its reader went in the middle: it ends as cancelled, however little was left to say."""
    with working(run_folder) as worker:
        query = ordered("SELECT 1 AS a")
        worker.running[query.handle] = query
        ours, theirs = socket.socketpair()
        theirs.close()
        worker.run_into(query, Counting(ours.detach()))
    assert query.reason == "cancelled"
