"""The engine's parser alone, in a sandbox without data: text to tree and tree to text. Knows no tables.

Reads length-prefixed JSON on file descriptor 3 and answers in order:
`{"op": "serialise", "text"}` → `{"tree"}`; `{"op": "deserialise", "tree"}` → `{"text", "tree"}`;
`{"op": "both", "text"}` → `{"tree"}`, and `{"text", "again"}` of that tree where it names no table.
What goes wrong is `{"error", "memory"}`: the engine's words, and whether memory ran out.
"""

from __future__ import annotations

import gc
import resource
import sys
from typing import Any

import duckdb

from .control import Control, bound

MEMORY = 1 << 30  # address space used beyond the start [bytes]
QUESTIONS = {
    "serialise": "SELECT json_serialize_sql({}, skip_default := false)",
    "deserialise": (
        "SELECT json_serialize_sql(text, skip_default := false), text "
        "FROM (SELECT json_deserialize_sql({}::JSON) AS text)"
    ),
    "both": (  # a tree's table names are to be written in full, so that tree's text would be of no use
        "SELECT tree, text, json_serialize_sql(text, skip_default := false) FROM (SELECT tree, CASE WHEN "
        "contains(tree, '\"BASE_TABLE\"') THEN NULL ELSE json_deserialize_sql(tree::JSON) END AS text "
        "FROM (SELECT json_serialize_sql({}, skip_default := false) AS tree))"
    ),
}
SHORT = 1 << 16  # what is asked of a prepared question [bytes]; planning one anew takes longer than answering


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
    connection.execute("PRAGMA disable_optimizer")  # there is nothing to gain on these two
    connection.execute("SET lock_configuration = true")
    for name, question in QUESTIONS.items():
        connection.execute(f"PREPARE q_{name} AS {question.format('decode(unhex($1::VARCHAR))')}")
    return connection


def answer(connection: duckdb.DuckDBPyConnection, message: dict[str, Any]) -> dict[str, Any]:
    """One question, one answer; whatever goes wrong is an error with the engine's words."""
    try:
        if message["op"] == "serialise":
            (tree,) = _asked(connection, "serialise", message["text"])
            return {"tree": tree}
        if message["op"] == "both":
            return _both(connection, message["text"])
        tree, text = _asked(connection, "deserialise", message["tree"])
        return {"text": text, "tree": tree}
    except (duckdb.Error, MemoryError, UnicodeError) as error:
        short = isinstance(error, (MemoryError, duckdb.OutOfMemoryException)) or "bad_alloc" in str(error)
        return {"error": str(error)[:500], "memory": short}


def _both(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, Any]:
    try:
        tree, canonical, again = _asked(connection, "both", text)
    except duckdb.Error:  # what cannot be written back is an error, or no statement
        (tree,), canonical, again = _asked(connection, "serialise", text), None, None
    return {"tree": tree} if canonical is None else {"tree": tree, "text": canonical, "again": again}


def _asked(connection: duckdb.DuckDBPyConnection, name: str, value: str) -> tuple[Any, ...]:
    """The answer's row. EXECUTE takes no bound value: it is given digits, which cannot end a literal."""
    if len(value) > SHORT:
        found = connection.execute(QUESTIONS[name].format("?::VARCHAR"), [value])
    else:
        found = connection.execute(f"EXECUTE q_{name}('{value.encode().hex()}')")
    return found.fetchone() or ()


def main() -> int:
    """Serve until the broker closes its end."""
    bound(resource.RLIMIT_DATA, MEMORY)
    bound(resource.RLIMIT_CORE, 0)
    connection = connect()
    control = Control()
    control.send(op="ready")
    gc.freeze()
    while (message := control.receive()) is not None:
        control.send(**answer(connection, message))
    return 0


if __name__ == "__main__":
    sys.exit(main())
