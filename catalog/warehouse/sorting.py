"""Orders any number of rows in bounded memory, on disk where they do not fit. Knows no Iceberg.

The bound is `MEMORY` for the engine, and a few batches on their way in and out of it; what exceeds it is
spilled below the given folder, about as large as the rows uncompressed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from catalog.descriptions import Dataset
from catalog.descriptions.model import How, Partition
from catalog.warehouse.model import WarehouseError
from catalog.warehouse.schema import arrow_schema

MEMORY: Final = "1GB"
THREADS: Final = 2
BATCH: Final = 122_880  # [rows]
BATCH_OF_SHAPES: Final = 2_048  # [rows]; one shape may be a megabyte


def ordered(dataset: Dataset, batches: Iterable[pa.RecordBatch], folder: Path) -> Iterator[pa.RecordBatch]:
    """The same rows by partition, then the dataset's sort, then its key; partition values as last columns.

    Parameters
    ----------
    batches
        Rows as described.
    folder
        Where to spill; made by the caller, and removed by it.

    Returns
    -------
    iterator of RecordBatch
        The dataset's columns, then one for each partition: text, or for a month its first day.

    Raises
    ------
    WarehouseError
        `no-room`: the engine ran out of memory or disk. Whatever `batches` raises is passed on as it is.
    """
    failed: list[BaseException] = []
    reader = pa.RecordBatchReader.from_batches(arrow_schema(dataset), _keeping(batches, failed))
    settings: dict[str, Any] = {
        "memory_limit": MEMORY,
        "threads": THREADS,
        "temp_directory": str(folder),
        "preserve_insertion_order": False,
    }
    try:
        with duckdb.connect(config=settings) as connection:
            connection.register("incoming", reader)
            relation: Any = connection.sql(_statement(dataset))
            yield from relation.to_arrow_reader(BATCH_OF_SHAPES if dataset.geometry else BATCH)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if failed:
            raise failed[0] from None
        said = str(error).partition("\n")[0]
        raise WarehouseError(
            "no-room",
            ko=f"'{dataset.name}'의 행을 정렬하지 못했습니다. 메모리와 디스크를 확인하세요: {said}",
            en=f"cannot order the rows of '{dataset.name}'; check memory and the disk's free space: {said}",
        ) from error


def _keeping(batches: Iterable[pa.RecordBatch], failed: list[BaseException]) -> Iterator[pa.RecordBatch]:
    """Keep what a source raises: on its way through the engine only its text would be left."""
    try:
        yield from batches
    except BaseException as error:
        failed.append(error)
        raise


def _statement(dataset: Dataset) -> str:
    columns = [_name(c.name) for c in dataset.columns]
    parts = [_value(p) for p in dataset.partitions]
    places = [str(len(columns) + i) for i in range(1, len(parts) + 1)]
    keys = list(dict.fromkeys((*dataset.sort, *dataset.key)))
    order = ", ".join([*places, *(f"{_name(c)} ASC NULLS LAST" for c in keys)])
    text = f"SELECT {', '.join([*columns, *parts])} FROM incoming"  # noqa: S608 names of a checked description
    return f"{text} ORDER BY {order}" if order else text


def _value(partition: Partition) -> str:
    source = _name(partition.source)
    match partition.how:
        case How.MONTH:
            return f"date_trunc('month', {source})::DATE"
        case How.PREFIX:
            return f"left({source}, {partition.number:d})"
        case _:
            return source


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
