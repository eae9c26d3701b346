"""The engine's parser alone, in a sandbox without data: text to tree and tree to text. Knows no tables.

Reads length-prefixed JSON on file descriptor 3 and answers in order:
`{"op": "serialise", "text"}` → `{"tree"}`; `{"op": "deserialise", "tree"}` → `{"text", "tree"}`.
"""

from __future__ import annotations

import json
import resource
import socket
import struct
import sys
from typing import Any

import duckdb

CONTROL_FD = 3
MEMORY = 1 << 30  # address space used beyond the start [bytes]
MAX_MESSAGE = 64 << 20  # bytes
SERIALISE = "SELECT json_serialize_sql(?::VARCHAR, skip_default := false)"
DESERIALISE = "SELECT json_deserialize_sql(?::JSON)"


def receive(control: socket.socket) -> dict[str, Any] | None:
    """Next message, or None where the other end has gone."""
    head = _exactly(control, 4)
    if head is None:
        return None
    (length,) = struct.unpack(">I", head)
    if length > MAX_MESSAGE:
        return None
    body = _exactly(control, length)
    return None if body is None else json.loads(body)


def send(control: socket.socket, message: dict[str, Any]) -> None:
    """Write one message."""
    body = json.dumps(message).encode()
    control.sendall(struct.pack(">I", len(body)) + body)


def _exactly(control: socket.socket, length: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < length:
        part = control.recv(min(length - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


def connect() -> duckdb.DuckDBPyConnection:
    """An engine that can open nothing."""
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "enable_external_access": False,
            "python_enable_replacements": False,
            "threads": 1,
            "memory_limit": "256MB",
        }
    )
    connection.execute("SET lock_configuration = true")
    connection.execute(SERIALISE, ["SELECT 1"]).fetchall()
    return connection


def answer(connection: duckdb.DuckDBPyConnection, message: dict[str, Any]) -> dict[str, Any]:
    """One question, one answer; whatever goes wrong is an error with the engine's words."""
    try:
        if message["op"] == "serialise":
            return {"tree": _one(connection, SERIALISE, message["text"])}
        text = _one(connection, DESERIALISE, message["tree"])
        return {"text": text, "tree": _one(connection, SERIALISE, text)}
    except (duckdb.Error, MemoryError, UnicodeError) as error:
        return {"error": str(error)[:500]}


def _one(connection: duckdb.DuckDBPyConnection, question: str, value: str) -> Any:
    row = connection.execute(question, [value]).fetchone()
    return None if row is None else row[0]


def bound(kind: int, wanted: int) -> None:
    """Limit this process, never above what it was started with: only root may raise that."""
    _, hardest = resource.getrlimit(kind)
    value = wanted if hardest == resource.RLIM_INFINITY else min(wanted, hardest)
    resource.setrlimit(kind, (value, value))


def main() -> int:
    """Serve until the broker closes its end."""
    bound(resource.RLIMIT_DATA, MEMORY)
    bound(resource.RLIMIT_CORE, 0)
    connection = connect()
    control = socket.socket(fileno=CONTROL_FD)
    send(control, {"op": "ready"})
    while (message := receive(control)) is not None:
        send(control, answer(connection, message))
    return 0


if __name__ == "__main__":
    sys.exit(main())
