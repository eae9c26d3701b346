"""The reader's end of a result: the same rows in whatever pieces they come, and nothing that is none."""

from __future__ import annotations

import io
import socket
import struct
import threading
from collections import deque
from typing import Any

import pyarrow as pa
import pytest
from campus import progress
from campus.errors import QueryFailed
from campus.local import AHEAD, LocalStream

from catalog.gateway.control import send
from catalog.workers.control import framed


def rows(stream: LocalStream) -> pa.Table:
    return pa.Table.from_batches(list(stream.batches()), stream.schema)


def written(table: pa.Table) -> bytes:
    """A worker's Arrow stream."""
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    whole: bytes = stream.getvalue().to_pybytes()
    return whole


@pytest.mark.parametrize("piece", [1, AHEAD - 1, AHEAD, AHEAD + 1, 1 << 20])
@pytest.mark.parametrize("count", [0, 1, 50_000])
def test_rows_are_the_same_in_whatever_pieces_they_come(piece: int, count: int) -> None:
    """And what was read ahead needs no further byte to come: the worker has not hung up yet."""
    table = pa.table({"i": list(range(count if piece > 1 else min(count, 300)))})
    whole = framed({}) + written(table) + framed({})
    ours, theirs = socket.socketpair()
    with ours:
        pieces = [whole[at : at + piece] for at in range(0, len(whole), piece)]
        sending = threading.Thread(target=lambda: deque(map(ours.sendall, pieces)))
        sending.start()
        theirs.settimeout(20)
        assert rows(LocalStream(theirs, {}, lambda _: {})) == table
        sending.join(20)


class Counting(socket.socket):
    """Remembers how often it was read from."""

    reads = 0

    def recv(self, *given: Any) -> bytes:
        self.reads += 1
        return super().recv(*given)

    def recv_into(self, *given: Any) -> int:
        self.reads += 1
        return super().recv_into(*given)


@pytest.mark.parametrize("count", [0, 1, 500])
def test_a_small_result_is_one_read(count: int) -> None:
    table = pa.table({"i": list(range(count))})
    whole = framed({}) + written(table) + framed({})
    assert len(whole) < AHEAD
    ours, theirs = socket.socketpair()
    with ours, Counting(fileno=theirs.detach()) as source:
        source.settimeout(20)
        ours.sendall(whole)
        stream = LocalStream(source, {}, lambda _: {})
        assert rows(stream) == table
        assert source.reads == 1
        assert source.fileno() < 0, "and at its end it is let go"


WORDS = {"reason": "time-limit", "ko": "늦음", "en": "late"}


@pytest.mark.parametrize("begun", [False, True], ids=["before the first row", "after the last"])
def test_a_failure_is_told_in_the_workers_words(begun: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(framed({}) + written(pa.table({"i": [1]})) if begun else b"")
        ours.sendall(framed({"error": WORDS}))
        theirs.settimeout(20)
        with pytest.raises(QueryFailed) as failed:
            rows(LocalStream(theirs, {}, lambda _: {}))
    assert failed.value.reason == "time-limit"
    assert theirs.fileno() < 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_here_already_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """All came with the first read, and no further byte does: there is nothing to show progress of."""
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    ours, theirs = socket.socketpair()
    hanging_up = threading.Timer(20, ours.close)  # should it wait after all
    hanging_up.start()
    ours.sendall(framed({}) + written(pa.table({"i": [1]})) + framed({}))
    found = rows(LocalStream(theirs, {}, lambda _: {"rows": 0, "percent": 1.0}))
    hanging_up.cancel()
    assert found.num_rows == 1
    assert terminal.getvalue() == ""
    ours.close()


def test_rows_that_are_no_rows_are_said_to_be_none() -> None:
    """What a worker in strange hands may write: offsets beyond their data, and lengths beyond reason."""
    good = written(pa.table({"t": ["a" * 9] * 9}))
    offsets = struct.pack("<10i", *range(0, 90, 9))
    for bad in (
        good.replace(offsets, struct.pack("<10i", *range(0, 80, 9), 1 << 30)),
        good.replace(offsets, struct.pack("<10i", -9, *range(9, 90, 9))),
        good.replace(struct.pack("<q", 81), struct.pack("<q", 1 << 60)),
        good[:8] + b"\xff" * 16 + good[24:],
        good[: len(good) // 2],
    ):
        assert bad != good
        ours, theirs = socket.socketpair()
        with ours:
            send(ours, {})
            ours.sendall(bad)
            send(ours, {})  # all is well, it says
            ours.shutdown(socket.SHUT_WR)
            with pytest.raises(QueryFailed) as failed:
                rows(LocalStream(theirs, {}, lambda _: {}))
        assert failed.value.reason == "worker-died"
