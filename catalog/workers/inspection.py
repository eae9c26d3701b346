"""What the broker asks for itself: rows of its own statements, a small result's digest. Decides nothing."""

from __future__ import annotations

import hashlib
import sys
import threading
from typing import Any

import duckdb
import pyarrow as pa


def inspected(
    cursor: duckdb.DuckDBPyConnection, sql: str, seconds: float
) -> tuple[list[list[Any]] | None, bool]:
    """Rows of numbers and texts, None where it failed; and whether it took longer than `seconds`."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        cursor.interrupt()

    alarm = threading.Timer(seconds, stop)
    alarm.daemon = True
    alarm.start()
    try:
        return [list(row) for row in cursor.execute(sql).fetchall()], False
    except (duckdb.Error, MemoryError) as error:
        sys.stderr.write(f"a question of the gateway failed: {type(error).__name__}\n")
        return None, late.is_set()
    finally:
        alarm.cancel()
        cursor.close()


def digest(kept: list[pa.RecordBatch] | None) -> str:
    """sha256 of a result as an Arrow IPC stream of one batch; empty where none was kept."""
    if not kept:
        return ""
    table = pa.Table.from_batches(kept).combine_chunks()
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(stream.getvalue()).hexdigest()
