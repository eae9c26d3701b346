"""Length-prefixed JSON messages over a socket, with a descriptor where wanted. Knows no meaning of them."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

MAX_MESSAGE = 64 << 20  # bytes


class ControlClosed(Exception):
    """The other end has gone, or sent what is no message."""


def send(control: socket.socket, message: dict[str, Any], descriptor: socket.socket | None = None) -> None:
    """Write one message; the other end gets a copy of the descriptor with its first bytes.

    Raises
    ------
    ControlClosed
        The other end has gone.
    """
    body = json.dumps(message).encode()
    frame = struct.pack(">I", len(body)) + body
    try:
        if descriptor is not None:
            frame = frame[socket.send_fds(control, [frame], [descriptor.fileno()]) :]
        if frame:
            control.sendall(frame)
    except OSError as error:
        raise ControlClosed(str(error)) from error


def receive(control: socket.socket, most: int = MAX_MESSAGE) -> dict[str, Any]:
    """Read one message of at most `most` bytes; honours the socket's timeout.

    Raises
    ------
    ControlClosed
        The other end has gone, was too slow, or sent no JSON object.
    """
    (length,) = struct.unpack(">I", _exactly(control, 4))
    if length > most:
        raise ControlClosed("message too long")
    try:
        message = json.loads(_exactly(control, length))
    except (ValueError, RecursionError) as error:
        raise ControlClosed("no JSON") from error
    if not isinstance(message, dict):
        raise ControlClosed("no JSON object")
    return message


def _exactly(control: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        try:
            part = control.recv(min(length - len(parts), 1 << 20))
        except OSError as error:
            raise ControlClosed(str(error)) from error
        if not part:
            raise ControlClosed("closed")
        parts += part
    return bytes(parts)
