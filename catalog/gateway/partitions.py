"""Parts of a version for parallel readers: runs of row groups of one file. Pure; reads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from catalog.gateway import refusals
from catalog.gateway.sql.condition import PART, Condition
from catalog.gateway.workspace import Places, Table, quoted
from catalog.warehouse import Snapshot, columns_of, parquet_source

ROWS: Final = 1_000_000  # about so many rows a part


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Rows `first` … `first + rows - 1` of one file."""

    file: int
    first: int
    rows: int


def partitions(snapshot: Snapshot) -> tuple[Partition, ...]:
    """Cut a version into parts of whole row groups, none much longer than `ROWS` rows."""
    found = []
    for number, file in enumerate(snapshot.files):
        first = rows = 0
        for group in file.row_groups:
            if rows and rows + group > ROWS:
                found.append(Partition(file=number, first=first, rows=rows))
                first, rows = first + rows, 0
            rows += group
        if rows:
            found.append(Partition(file=number, first=first, rows=rows))
    return tuple(found)


def partition_statement(
    table: Table,
    snapshot_id: int,
    index: int,
    columns: Sequence[str],
    places: Places,
    condition: Condition | None = None,
) -> tuple[str, str]:
    """The statement of one part: as it is recorded, and as it runs over the worker's file.

    Parameters
    ----------
    condition
        Judged for the same table and columns; only its rows are read.

    Raises
    ------
    QueryRefused
        `snapshot-changed`, `no-partition` or `no-column`.
    """
    snapshot = table.snapshot
    if snapshot.snapshot_id != snapshot_id:
        raise refusals.snapshot_changed(table.name)
    parts = partitions(snapshot)
    if not 0 <= index < len(parts):
        raise refusals.no_partition(table.name, index, len(parts))
    demand_columns(table, columns)
    part = parts[index]
    everything = ", ".join(quoted(f.name) for f in snapshot.fields)
    marked = columns_of(snapshot, table.name)
    names = ", ".join(quoted(c) for c in columns) or everything
    note = f" /* part {index + 1} of {len(parts)} */"
    file = places.data(snapshot.files[part.file].path)
    rows = (
        f"(SELECT {marked} FROM "  # noqa: S608
        f"{parquet_source(snapshot, [file], ', file_row_number = true', mark=table.name)} "
        f"WHERE file_row_number BETWEEN {part.first} AND {part.first + part.rows - 1})"
    )
    if condition is None:
        return f"SELECT {names} FROM campus.{quoted(table.name)}{note}", f"SELECT {names} FROM {rows}"  # noqa: S608
    runs = f"WITH {quoted(PART)} AS {rows} {condition.over_part}"
    return condition.shown + note, runs


def demand_columns(table: Table, columns: Sequence[str]) -> None:
    """Refuse a column the table does not have.

    Raises
    ------
    QueryRefused
        `no-column`.
    """
    known = {field.name for field in table.snapshot.fields}
    for column in columns:
        if column not in known:
            raise refusals.no_column(table.name, column, known)
