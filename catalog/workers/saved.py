"""Tables that a session keeps in its worker: made, measured, forgotten. Knows no limits of its own."""

from __future__ import annotations

import sys
from typing import Any

import duckdb
import pyarrow as pa

from .query import Query, quoted

KEPT = (  # bytes of all saved tables, in memory and spilled
    "SELECT sum(memory_usage_bytes + temporary_storage_bytes)::BIGINT FROM duckdb_memory() "
    "WHERE tag IN ('IN_MEMORY_TABLE', 'OVERFLOW_STRINGS')"
)


def save(
    cursor: duckdb.DuckDBPyConnection, query: Query, most_rows: int, most_bytes: int
) -> pa.RecordBatchReader:
    """Keep a statement's rows in memory (and in the spill folder); answers rows and bytes of all saved ones.

    Parameters
    ----------
    most_bytes
        Of all saved tables together.

    Raises
    ------
    OverflowError
        It is larger, and was not kept.
    """
    table = f"memory.campus.{quoted(query.save_as)}"
    rows_of = f"SELECT * FROM ({query.sql}) LIMIT {most_rows + 1}"  # noqa: S608
    cursor.execute(f"CREATE TABLE {table} AS {rows_of}", query.parameters or None)
    (rows,) = cursor.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)  # noqa: S608
    (size,) = cursor.execute(KEPT).fetchone() or (0,)
    if rows > most_rows or size > most_bytes or query.reason:
        cursor.execute(f"DROP TABLE {table}")
        raise OverflowError
    if query.kept is not None:
        kept: Any = cursor.execute(f"SELECT * FROM {table}").to_arrow_table()  # noqa: S608
        query.kept += kept.to_batches()
    return pa.table({"rows": [rows], "bytes": [size]}).to_reader()


def drop(engine: duckdb.DuckDBPyConnection, name: str) -> None:
    """Forget a saved table, if there is one."""
    try:
        engine.execute(f"DROP TABLE IF EXISTS memory.campus.{quoted(name)}")
    except duckdb.Error as error:
        sys.stderr.write(f"a saved table was not dropped: {type(error).__name__}\n")
