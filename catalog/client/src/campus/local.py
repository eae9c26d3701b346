"""Statements to the session's gateway on this machine, rows over a socket of their own. Knows no frames.

A message is its length (4 bytes, big-endian) and a JSON object. The gateway answers with a descriptor: the
end of a socket into which the query worker writes a message, an Arrow IPC stream and a last message.
Closing it cancels the query.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from campus.errors import CampusError, QueryFailed, QueryRefused, cancelled, worker_died
from campus.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

SOCKET: Final = "local.sock"  # beside the one of Flight SQL
AHEAD: Final = 1 << 13  # read at once where less is asked for: a small result comes whole [bytes]


class Away(Exception):
    """Nobody answers, or the gateway is just leaving; asking again is right."""


class Local:
    """This process's connections to one address; safe to use from several threads, and after a fork.

    Parameters
    ----------
    far
        Says of a query's id how far it is: rows and percent.
    """

    def __init__(self, path: Path, far: Callable[[str], Mapping[str, Any]]) -> None:
        self._path, self._far = path, far
        self._idle: list[socket.socket] = []
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def ask(self, **request: Any) -> LocalStream:
        """Ask for rows and begin to read them.

        Raises
        ------
        Away
            The gateway is not there.
        QueryRefused, QueryFailed
            Its own words.
        """
        connection = self._take()
        try:
            connection.sendall(_framed(request))
            answer, fd = _receive(connection)
        except BaseException as error:
            connection.close()  # its answer may still come
            if isinstance(error, OSError):
                raise Away from error
            raise
        self._give(connection)
        if fd is None:
            raise _error(answer["error"])
        return LocalStream(socket.socket(fileno=fd), answer["facts"], self._far)

    def close(self) -> None:
        """Hang up; the next question dials anew."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    __del__ = close

    def _take(self) -> socket.socket:
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._idle = os.getpid(), []
            while self._idle:
                known = self._idle.pop()
                if _quiet(known):
                    return known
                known.close()
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(self._path))
        except OSError as error:
            made.close()
            raise Away from error
        return made

    def _give(self, connection: socket.socket) -> None:
        with self._lock:
            self._idle.append(connection)


class LocalStream:
    """Batches of one query, straight from its worker."""

    def __init__(
        self, source: socket.socket, facts: Mapping[str, Any], far: Callable[[str], Mapping[str, Any]]
    ) -> None:
        import pyarrow as pa

        self.facts = facts
        self._source = source
        self._over = False  # it ended, well or not
        self._stopped = False  # by this side
        self._received = 0
        self._progress = Progress(lambda: far(str(facts.get("query_id", ""))))
        self._readable = select.poll()
        self._readable.register(source, select.POLLIN | select.POLLHUP)
        with _closing_on_error(self):
            self._bytes = _Bytes(source)
            self._wait()
            first = self._bytes.message()
            if "error" in first:
                self._over = True
                raise _error({"kind": "failed", **first["error"]})
            file: Any = self._bytes
            self._reader = pa.ipc.open_stream(pa.PythonFile(file, "r"))
            self.schema: pa.Schema = self._reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The batches, once."""
        with _closing_on_error(self):
            while not self._over:
                self._wait()
                try:
                    batch = self._reader.read_next_batch()
                except StopIteration:
                    break
                batch.validate()  # its lengths and the ends of its offsets
                self._received += batch.num_rows
                yield batch
            if self._stopped:
                raise cancelled()
            last = self._bytes.message()
            self._over = True
            self.settle()
            self._source.close()
            if "error" in last:
                raise _error({"kind": "failed", **last["error"]})

    def cancel(self) -> None:
        """Stop the query; what has not been read is gone."""
        self._stopped = self._stopped or not self._over
        self._over = True
        self.settle()
        self._source.close()

    def settle(self) -> None:
        """Take the progress away: enough is read for now."""
        self._progress.close()

    def _wait(self) -> None:
        """Until something can be read; while it takes long, what is known of the query is shown."""
        if threading.current_thread() is not threading.main_thread() or self._bytes.left:
            return
        while (patience := self._progress.patience) is not None:
            if self._readable.poll(patience * 1000):
                return
            self._progress.look(self._received)

    abandon = cancel  # where nobody will read it
    __del__ = cancel


class _closing_on_error:
    """Hang up on every error; one of the socket or of Arrow means that the worker is gone."""

    def __init__(self, stream: LocalStream) -> None:
        self._stream = stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import pyarrow as pa

        if error is None:
            return
        stopped = self._stream._stopped
        self._stream.cancel()
        if isinstance(error, (OSError, pa.ArrowException)):
            raise (cancelled() if stopped else worker_died()) from None


class _Bytes:
    """What comes from a worker: messages, and the file that `pyarrow.PythonFile` reads from."""

    closed = False

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self.left = memoryview(b"")  # read ahead

    def read(self, size: int) -> Any:
        import pyarrow as pa

        found = pa.allocate_buffer(size)
        self._fill(memoryview(found).cast("B"))
        return found

    def message(self) -> dict[str, Any]:
        """A message of the worker's."""
        head = bytearray(4)
        self._fill(memoryview(head))
        body = bytearray(struct.unpack(">I", head)[0])
        self._fill(memoryview(body))
        message: dict[str, Any] = json.loads(body)
        return message

    def _fill(self, into: memoryview) -> None:
        while into.nbytes:
            if not self.left and into.nbytes >= AHEAD:
                _fill(self._source, into)
                return
            self.left = self.left or memoryview(self._source.recv(AHEAD))
            if not self.left:
                raise ConnectionResetError("closed")
            size = min(into.nbytes, self.left.nbytes)
            into[:size] = self.left[:size]
            into, self.left = into[size:], self.left[size:]


def _framed(message: Mapping[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body


def _receive(source: socket.socket) -> tuple[dict[str, Any], int | None]:
    """One message and the descriptor that came with it.

    Raises
    ------
    OSError
        The other end has gone.
    """
    head, fds, _, _ = socket.recv_fds(source, 4, 1)
    fd = fds[0] if fds else None
    if not head:
        raise ConnectionResetError("closed")
    rest = bytearray(4 - len(head))
    _fill(source, memoryview(rest))
    body = bytearray(struct.unpack(">I", head + rest)[0])
    _fill(source, memoryview(body))
    return json.loads(body), fd


def _fill(source: socket.socket, into: memoryview) -> None:
    while into.nbytes:
        got = source.recv_into(into, 0, socket.MSG_WAITALL)
        if not got:
            raise ConnectionResetError("closed")
        into = into[got:]


def _quiet(known: socket.socket) -> bool:
    """Whether an idle connection still stands: it has nothing to say, not even its end."""
    try:
        known.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _error(said: Mapping[str, str]) -> Exception:
    if said["kind"] == "away":
        return Away()
    shown: CampusError
    shown = (QueryRefused if said["kind"] == "refused" else QueryFailed)(
        said["reason"], ko=said["ko"], en=said["en"]
    )
    return shown
