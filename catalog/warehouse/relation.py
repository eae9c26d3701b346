"""The SELECT with which DuckDB reads a version by field id. Pure text; opens nothing."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.warehouse.model import Snapshot


def duckdb_relation_sql(snapshot: Snapshot, paths: Sequence[str]) -> str:
    """A SELECT over the version's files.

    Parameters
    ----------
    snapshot
        The version; its fields give names, types and field ids, so renamed columns read right.
    paths
        Where its files are for the reader, in the order of `snapshot.files`; they need not be
        where the warehouse has them.
    """
    columns = ", ".join(_name(f.name) for f in snapshot.fields)
    if not paths:
        empty = ", ".join(f"CAST(NULL AS {f.duckdb_type}) AS {_name(f.name)}" for f in snapshot.fields)
        return f"SELECT {empty} WHERE false"
    return f"SELECT {columns} FROM {parquet_source(snapshot, paths)}"  # noqa: S608


def parquet_source(snapshot: Snapshot, paths: Sequence[str], more: str = "") -> str:
    """What stands after FROM: the files by field id; `more` are further options of `read_parquet`."""
    files = ", ".join(_text(p) for p in paths)
    schema = ", ".join(
        f"{f.field_id}: {{name: {_text(f.name)}, type: {_text(f.duckdb_type)}, default_value: NULL}}"
        for f in snapshot.fields
    )
    return f"read_parquet([{files}], schema=MAP {{{schema}}}{more})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
