"""Runs statements in engines that nobody judges and nothing locks; says what each gave. Stands alone.

`unwalled_sql.py FILE`: FILE is JSON, `{"views": {name: [files]}, "texts": [statement, …]}`. Each statement
has a fresh engine with the views in schema `campus`. A line of JSON for each: `{"said": rows or error,
"failed"}`; one that ends the process, or takes too long, says so, and the next has another process.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

SECONDS = 4.0  # longest run of one statement
MOST = 200_000  # rows that are looked at


def answer(text: str, views: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What an unlocked engine says to one statement."""
    try:
        with duckdb.connect() as engine:
            engine.execute("SET threads = 1; CREATE SCHEMA campus")
            for name, files in views.items():
                engine.execute(f"CREATE VIEW campus.{name} AS FROM read_parquet({list(files)})")
            engine.execute("USE campus")
            found = engine.execute(text)
            rows = found.fetchmany(MOST) if found.description else []
            return {"said": str(rows), "failed": False}
    except Exception as error:
        return {"said": str(error), "failed": True}


def some(texts: Sequence[str], views: Mapping[str, Sequence[str]], out: int) -> None:
    """Answer one after the other; for a process of its own."""
    for text in texts:
        said = json.dumps(answer(text, views)).encode() + b"\n"
        while said:
            said = said[os.write(out, said) :]


def main() -> None:
    """All of them, whatever happens to the process that runs them."""
    asked = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    texts, done = asked["texts"], 0
    while done < len(texts):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            some(texts[done:], asked["views"], writing)
            os._exit(0)
        os.close(writing)
        rest = b""
        while select.select([reading], [], [], SECONDS)[0] and (part := os.read(reading, 1 << 20)):
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                sys.stdout.write(line.decode() + "\n")
            done += len(lines)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        if done < len(texts):
            sys.stdout.write(json.dumps({"said": "the engine's process ended", "failed": True}) + "\n")
            done += 1


if __name__ == "__main__":
    main()
