"""The engine's parser alone, in a sandbox without data: text to tree and tree to text. Knows no tables.

Reads length-prefixed JSON on file descriptor 3 and answers in order:
`{"op": "serialise", "text"}` → `{"tree"}`; `{"op": "deserialise", "tree"}` → `{"text", "tree"}`.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

import duckdb

from .control import Control, bound

MEMORY = 1 << 30  # address space used beyond the start [bytes]
SERIALISE = "SELECT json_serialize_sql(?::VARCHAR, skip_default := false)"
DESERIALISE = "SELECT json_deserialize_sql(?::JSON)"


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


def main() -> int:
    """Serve until the broker closes its end."""
    bound(resource.RLIMIT_DATA, MEMORY)
    bound(resource.RLIMIT_CORE, 0)
    connection = connect()
    control = Control()
    control.send({"op": "ready"})
    while (message := control.receive()) is not None:
        control.send(answer(connection, message))
    return 0


if __name__ == "__main__":
    sys.exit(main())
