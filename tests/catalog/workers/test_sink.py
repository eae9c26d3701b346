"""A result's bytes from a worker to its reader: whole, in few sends, and not for a reader that is none."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog.workers import sink as module
from catalog.workers.sink import AHEAD, SMALL, Sink

EMPTY = struct.pack(">I", 2) + b"{}"


@contextmanager
def pair(stopped: Callable[[], bool] = lambda: False) -> Iterator[tuple[Sink, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    sink = Sink(ours.detach(), stopped)
    with theirs:
        yield sink, theirs
        sink.close()


def test_bytes_of_every_size_come_whole_and_in_order() -> None:
    chance = random.Random(20)
    sizes = [1, 0, SMALL - 1, SMALL, 7, SMALL + 1, 5 << 20]
    sizes += [chance.choice((8, 100, SMALL, 1 << 20)) + chance.randrange(5000) for _ in range(60)]
    sent = [chance.randbytes(size) for size in sizes]
    with pair() as (sink, source):

        def write() -> None:
            for number, data in enumerate(sent):
                assert sink.write(data) == len(data)
                if number % 3 == 0:
                    sink.flush()
            sink.say({})
            sink.close()

        writer = threading.Thread(target=write)
        writer.start()
        with source.makefile("rb") as file:
            assert file.read() == b"".join(sent) + EMPTY
        writer.join()


def test_a_small_result_is_one_send() -> None:
    with pair() as (sink, source):
        sink.say({}, more=True)
        for _ in range(20):
            sink.write(b"x" * 50)
        source.setblocking(False)
        with pytest.raises(BlockingIOError):
            source.recv(1)
        sink.say({})
        assert source.recv(10_000) == EMPTY + b"x" * 1000 + EMPTY


def test_no_more_waits_than_is_small() -> None:
    """To the byte; what goes beyond it takes along all that waited, in order."""
    with pair() as (sink, source):
        source.setblocking(False)
        for piece in (b"a" * (SMALL - 2), b"b", b"c"):
            sink.write(piece)
            with pytest.raises(BlockingIOError):
                source.recv(1)
        sink.write(b"d")
        sink.flush()
        source.settimeout(20)
        with source.makefile("rb") as file:
            assert file.read(SMALL + 1) == b"a" * (SMALL - 2) + b"bcd"
            for _ in range(SMALL // 1000 + 1):
                sink.write(b"e" * 1000)
            assert len(file.read(SMALL)) == SMALL, "of small pieces, too, so many together"


def test_a_batch_leaves_before_its_reader_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much of it as this kernel lets a socket hold, so that the engine goes on meanwhile."""
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    monkeypatch.setattr(module, "LOOK", 20)
    size = min(AHEAD, int(Path("/proc/sys/net/core/wmem_max").read_text("ascii")))
    with pair(lambda: True) as (sink, source):
        assert sink.write(b"a" * size) == size
        assert not sink.broken
        sink.close()
        with source.makefile("rb") as file:
            assert len(file.read()) == size


def test_a_reader_that_does_not_read_keeps_no_query_that_has_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was cut off is the last that it gets."""
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    monkeypatch.setattr(module, "LOOK", 20)
    stop = threading.Event()
    with pair(stop.is_set) as (sink, source):
        threading.Timer(0.3, stop.set).start()
        last = threading.Timer(20, source.shutdown, (socket.SHUT_RDWR,))  # should it never give up
        last.start()
        with pytest.raises(TimeoutError):
            sink.write(b"a" * (4 * AHEAD))
        last.cancel()
        assert stop.is_set()
        assert sink.broken
        assert set(source.recv(32 << 20)) == {ord("a")}
        with pytest.raises(BrokenPipeError):
            sink.write(b"b" * (8 << 20))
        sink.say({"error": {}})
        sink.close()
        with source.makefile("rb") as file:
            assert set(file.read()) <= {ord("a")}


def test_a_reader_that_goes_ends_it() -> None:
    with pair() as (sink, source):
        assert not sink.is_cancelled()
        source.shutdown(socket.SHUT_RDWR)
        assert sink.is_cancelled()
        with pytest.raises(OSError):
            sink.write(b"a" * (1 << 20))
        assert sink.broken
