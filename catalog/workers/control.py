"""What both programs share: messages with the broker on descriptor 3, and limits on themselves. Knows no SQL.

A message is its length (4 bytes, big-endian) and a JSON object; descriptors travel with the length.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

CONTROL_FD = 3
MAX_MESSAGE = 64 << 20  # bytes
_MOST_FDS = 1


class Control:
    """The broker's socket; writing is safe from several threads, reading is one thread's."""

    def __init__(self, fd: int = CONTROL_FD) -> None:
        self.socket = socket.socket(fileno=fd)
        self._lock = threading.Lock()
        self._came: list[int] = []
        self.make_room: Callable[[], None] = _no_room

    def receive(self) -> dict[str, Any] | None:
        """Next message, or None where the broker has gone; asked whether it listens, it answers by itself."""
        while True:
            head = self._exactly(4)
            if head is None:
                return None
            (length,) = struct.unpack(">I", head)
            body = self._exactly(length) if length <= MAX_MESSAGE else None
            message = None if body is None else self._read(body)
            if message is None or message.get("op") != "ping":
                return message
            self.send(op="inspected", number=message["number"])

    def _read(self, body: bytes) -> dict[str, Any]:
        message: dict[str, Any]
        try:
            message = json.loads(body)
        except MemoryError:  # an order that is not understood would end everything else that runs here
            self.make_room()
            message = json.loads(body)
        return message

    def descriptor(self) -> int:
        """The descriptor that came with the last message; the caller closes it.

        Raises
        ------
        LookupError
            None came.
        """
        return self._came.pop()

    def send(self, **message: Any) -> None:
        """Write one message; a broker that has gone is noticed by the reader."""
        try:
            frame = framed(message)
        except MemoryError:
            self.make_room()
            frame = framed(message)
        self.put(frame)

    def put(self, frame: bytes) -> None:
        """Write one message that is framed already: nothing in it needs memory any more."""
        with contextlib.suppress(OSError), self._lock:
            self.socket.sendall(frame)

    def _exactly(self, length: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < length:
            try:
                part, fds, _, _ = socket.recv_fds(self.socket, min(length - len(parts), 1 << 20), _MOST_FDS)
            except OSError:  # a broker that was killed before it had read all that was sent to it
                return None
            if fds:
                for stale in self._came:  # nobody asked for it
                    os.close(stale)
                self._came = list(fds)
            if not part:
                return None
            parts += part
        return bytes(parts)


def _no_room() -> None:
    """Nothing was put aside."""


def framed(message: dict[str, Any]) -> bytes:
    """One message as bytes."""
    body = json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body


def bound(kind: int, wanted: int) -> None:
    """Limit this process, never above what it was started with: only root may raise that."""
    _, hardest = resource.getrlimit(kind)
    value = wanted if hardest == resource.RLIM_INFINITY else min(wanted, hardest)
    resource.setrlimit(kind, (value, value))
