"""The SELECT with which DuckDB reads a version by field id. Pure text; opens nothing."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.warehouse.model import Snapshot


def duckdb_relation_sql(
    snapshot: Snapshot, paths: Sequence[str], *, mark: str = "", chosen_by: str = ""
) -> str:
    """A SELECT over the version's files.

    Parameters
    ----------
    snapshot
        The version; its fields give names, types and field ids, so renamed columns read right.
    paths
        Where its files are for the reader, in the order of `snapshot.files`; they need not be
        where the warehouse has them.
    mark
        Stands before every column's name in what the engine's plan says of the scan, with a point.
    chosen_by
        Name of a variable of the engine's connection: a list there takes the place of `paths`.
    """
    if not paths:
        empty = ", ".join(f"CAST(NULL AS {f.duckdb_type}) AS {_name(f.name)}" for f in snapshot.fields)
        return f"SELECT {empty} WHERE false"
    source = parquet_source(snapshot, paths, mark=mark, chosen_by=chosen_by)
    return f"SELECT {columns_of(snapshot, mark)} FROM {source}"  # noqa: S608


def columns_of(snapshot: Snapshot, mark: str = "") -> str:
    """The columns of `parquet_source` under their own names."""
    if not mark:
        return ", ".join(_name(f.name) for f in snapshot.fields)
    return ", ".join(f"{_name(f'{mark}.{f.name}')} AS {_name(f.name)}" for f in snapshot.fields)


def parquet_source(
    snapshot: Snapshot, paths: Sequence[str], more: str = "", *, mark: str = "", chosen_by: str = ""
) -> str:
    """What stands after FROM: the files by field id; `more` are further options of `read_parquet`."""
    files = f"[{', '.join(_text(p) for p in paths)}]"
    if chosen_by:
        files = f"coalesce(getvariable({_text(chosen_by)}), {files})"
    before = f"{mark}." if mark else ""
    schema = ", ".join(
        f"{f.field_id}: {{name: {_text(before + f.name)}, type: {_text(f.duckdb_type)}, default_value: NULL}}"
        for f in snapshot.fields
    )
    return f"read_parquet({files}, schema=MAP {{{schema}}}{more})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
