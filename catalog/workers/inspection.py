"""What the broker asks for itself: its own statements, plans, a small result's digest. Decides nothing."""

from __future__ import annotations

import hashlib
import sys
import threading
from typing import Any

import duckdb
import pyarrow as pa

from . import plan
from .query import Query, asked_of, choose


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


def planned(cursor: duckdb.DuckDBPyConnection, query: Query, seconds: float) -> list[str] | None:
    """Columns that a statement would read; None where it has no plan, or none within `seconds`."""
    alarm = threading.Timer(seconds, cursor.interrupt)
    alarm.daemon = True
    alarm.start()
    try:
        choose(cursor, query.files)
        found: set[str] = set()
        for name, values in query.lists:  # a list of one will do: which columns are read does not hang on it
            found.update(_columns(cursor, values, asked_of(cursor, values, query.parameters) or None))
            cursor.execute(f"CREATE TEMP TYPE {name} AS ENUM ('')")
        found.update(_columns(cursor, query.sql, query.parameters or None))
    except (duckdb.Error, MemoryError, ValueError):
        return None  # when it runs it says why
    else:
        return sorted(found)
    finally:
        alarm.cancel()
        cursor.close()


def schema_of(cursor: duckdb.DuckDBPyConnection, query: Query) -> str:
    """How a statement's rows look, as an Arrow IPC message in hex; empty where it cannot run."""
    try:
        choose(cursor, query.files)
        bare: Any = cursor.sql(f"SELECT * FROM ({query.sql}) LIMIT 0", params=query.parameters or None)  # noqa: S608
        schema: pa.Schema = bare.to_arrow_table().schema
        return schema.serialize().to_pybytes().hex()
    except (duckdb.Error, MemoryError, ValueError, pa.ArrowException):
        return ""  # when it runs it says why
    finally:
        cursor.close()


def _columns(cursor: duckdb.DuckDBPyConnection, sql: str, values: Any) -> list[str]:
    row = cursor.execute(f"EXPLAIN (FORMAT json) {sql}", values).fetchone()
    return plan.columns(row[1]) if row else []


def digest(kept: list[pa.RecordBatch] | None) -> str:
    """sha256 of a result as an Arrow IPC stream of one batch; empty where none was kept."""
    if not kept:
        return ""
    table = pa.Table.from_batches(kept).combine_chunks()
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(stream.getvalue()).hexdigest()
