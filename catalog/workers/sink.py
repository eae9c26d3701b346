"""Writes a result into the socket that its one reader holds. Knows no statement and no engine.

What the reader sees: a message (`{}`, or `{"error"}` and nothing more), an Arrow IPC stream, and a last
message (`{}` or `{"error"}`). A stream without a last message is not whole: the worker died, or hung up.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from .control import framed

LOOK = 200  # how often a reader that does not read is looked at [ms]
PATIENCE = 5.0  # how long one may still keep a query that has to stop [s]
AHEAD = 4 << 20  # about a batch: what leaves while its reader waits for a processor [bytes]
SMALL = 64 << 10  # what waits for more, so that a small result wakes its reader once or twice [bytes]


class Sink:
    """The writing end. Has what `pyarrow.PythonFile` asks of a file, and what Flight says of a reader.

    Parameters
    ----------
    stopped
        Whether the query has to stop; a reader that does not read cannot keep it.
    """

    closed = False
    broken = False  # a write failed: nobody reads

    def __init__(self, fd: int, stopped: Callable[[], bool]) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)
        # no more than net.core.wmem_max (socket(7)): with less both sides only take more turns
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AHEAD)
        self._stopped = stopped
        self._gone = _poll(fd, select.POLLRDHUP)
        self._room = _poll(fd, select.POLLOUT)
        self._kept = bytearray()  # not sent yet

    def say(self, message: dict[str, Any], *, more: bool = False) -> None:
        """Write one message; nobody may be there to read it any more.

        Parameters
        ----------
        more
            Whether it may wait for what follows.
        """
        with contextlib.suppress(OSError):
            self.write(framed(message))
            if not more:
                self.flush()

    def write(self, data: Any) -> int:
        """Write all of a buffer; a small one may wait for `flush`.

        Raises
        ------
        OSError
            The reader has gone, or did not read for too long after the query had to stop.
        """
        rest = memoryview(data).cast("B")
        if len(self._kept) + rest.nbytes <= SMALL:
            self._kept += rest
        else:
            self.flush()
            self._send(rest)
        return rest.nbytes

    def flush(self) -> None:
        """Send what waits.

        Raises
        ------
        OSError
            As for `write`.
        """
        kept, self._kept = self._kept, bytearray()
        self._send(memoryview(kept))

    def is_cancelled(self) -> bool:
        """Whether the reader has gone."""
        return bool(self._gone.poll(0))

    def close(self) -> None:
        """The reader sees the end."""
        self._socket.close()

    def _send(self, rest: memoryview) -> None:
        if self.broken:  # something was cut off: nothing after it could be read
            raise BrokenPipeError("a write failed before")
        deadline = 0.0
        try:
            while rest.nbytes:
                try:
                    rest = rest[self._socket.send(rest) :]
                except BlockingIOError:
                    if not self._room.poll(LOOK) and self._stopped():
                        deadline = deadline or time.monotonic() + PATIENCE
                        if time.monotonic() > deadline:
                            raise TimeoutError("the reader does not read") from None
        except OSError:
            self.broken = True
            raise


def _poll(fd: int, events: int) -> select.poll:
    found = select.poll()
    found.register(fd, events)
    return found
