"""Writes ordered rows into Parquet files, one partition a file, and says what each holds. Commits nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import DataFileContent, FileFormat
from pyiceberg.table import Table

from catalog.descriptions import Dataset, Role
from catalog.warehouse import metadata
from catalog.warehouse.bounds import file_bounds
from catalog.warehouse.files import DurableFile, make_folder
from catalog.warehouse.geoparquet import Shapes
from catalog.warehouse.iceberg import ROW_GROUP, partition_record
from catalog.warehouse.model import DataFile, WarehouseError
from catalog.warehouse.schema import arrow_schema

ROWS_PER_FILE: Final = 16 * ROW_GROUP
FALSE_HITS: Final = 0.01
"""Share of row groups read in vain for a value that is not in them."""
MOST_FILES: Final = 4_000
"""Files one version may have; a reader opens each."""
Value = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A file just written, as Iceberg and as we list it."""

    iceberg: IcebergFile
    listed: DataFile


def write_files(
    root: Path, table: Table, dataset: Dataset, variant: str, rows: Iterable[pa.RecordBatch]
) -> Iterator[Written]:
    """Write rows that come by partition, each file as soon as it is full; `sync_files` is the caller's.

    Parameters
    ----------
    rows
        The dataset's columns, then one for each of its partitions; equal ones together.

    Raises
    ------
    WarehouseError
        `too-many-files`: the rows lie in more partitions than a version may have files.
    """
    folder = root / dataset.name / variant / "data"
    open_file: _File | None = None
    count = 0
    try:
        for value, part in _runs(dataset, rows):
            for piece in _pieces(part):
                if open_file is not None and (open_file.value != value or open_file.rows >= ROWS_PER_FILE):
                    yield open_file.close()
                    open_file = None
                if open_file is None:
                    count += 1
                    if count > MOST_FILES:
                        raise _too_many(dataset)
                    open_file = _File(root, folder, table, dataset, value)
                open_file.add(piece)
        if open_file is not None:
            last, open_file = open_file, None
            yield last.close()
    finally:
        if open_file is not None:
            open_file.abandon()


def file_schema(table: Table, dataset: Dataset) -> pa.Schema:
    """The description's Arrow schema with the table's field ids, by which every reader finds columns."""
    ids = {f.name: f.field_id for f in table.schema().fields}
    schema: Any = arrow_schema(dataset)
    return pa.schema([f.with_metadata({"PARQUET:field_id": str(ids[f.name])}) for f in schema])


def repeating(dataset: Dataset) -> Any:
    """Columns whose values repeat, so that a dictionary of them saves room.

    Measures, weights, shapes, what is looked up among very many and a key of one column hardly repeat:
    there a dictionary is written, found too large and given up, for every row group.

    Returns
    -------
    list of str
    """
    once = {*dataset.lookups, *(dataset.key if len(dataset.key) == 1 else ())}
    roles = {Role.MEASURE, Role.WEIGHT, Role.GEOMETRY}
    return [c.name for c in dataset.columns if c.role not in roles and c.name not in once]


class _File:
    """One Parquet file being written."""

    def __init__(self, root: Path, folder: Path, table: Table, dataset: Dataset, value: Value) -> None:
        self.value = value
        self.rows = 0
        self._root, self._table, self._dataset = root, table, dataset
        self._texts = tuple(_text(v) for v in value)
        for partition, text in zip(dataset.partitions, self._texts, strict=True):
            # never `name=value`: engines would read that as a column of the rows
            folder = folder / f"{partition.name}-{_folder_name(text)}"
        self._path = folder / f"{uuid.uuid4()}.parquet"
        make_folder(folder)
        self._schema = file_schema(table, dataset)
        self._shapes = Shapes(dataset, dataset.geometry) if dataset.geometry else None
        self._waiting: list[pa.Table] = []
        self._wait_rows = 0
        self._stream = DurableFile(self._path, overwrite=False, later=True)
        filters = {c: {"ndv": ROW_GROUP, "fpp": FALSE_HITS} for c in dataset.lookups}
        self._writer: Any = pq.ParquetWriter(
            self._stream,
            self._schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=repeating(dataset),
            write_page_index=True,
            sorting_columns=self._sorting(),
            bloom_filter_options=filters or None,  # folded by the writer where a row group has fewer values
        )

    def _sorting(self) -> Any:
        names = self._schema.names
        return [pq.SortingColumn(names.index(c)) for c in self._dataset.sort]

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows; written in whole row groups."""
        if self._shapes is not None:
            self._shapes.add(rows)
        self._waiting.append(pa.Table.from_batches([rows]).cast(self._schema))
        self._wait_rows += rows.num_rows
        self.rows += rows.num_rows
        if self._wait_rows >= ROW_GROUP:
            self._flush()

    def close(self) -> Written:
        """Finish the file; the caller has it on disk with `sync_files`."""
        self._flush(everything=True)
        if self._shapes is not None:
            self._writer.add_key_value_metadata(self._shapes.metadata())
        self._writer.close()
        self._stream.close()
        return self._described(self._writer.writer.metadata)

    def abandon(self) -> None:
        """Give the file up."""
        self._writer.close()
        self._stream.close()
        self._path.unlink(missing_ok=True)

    def _flush(self, *, everything: bool = False) -> None:
        if not self._waiting:
            return
        waiting = pa.concat_tables(self._waiting)
        whole = waiting.num_rows if everything else waiting.num_rows // ROW_GROUP * ROW_GROUP
        self._writer.write_table(waiting.slice(0, whole), row_group_size=ROW_GROUP)
        self._waiting = [waiting.slice(whole)]
        self._wait_rows = waiting.num_rows - whole

    def _described(self, footer: Any) -> Written:
        schema, properties = self._table.schema(), self._table.metadata.properties
        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=footer,
            stats_columns=compute_statistics_plan(schema, properties),
            parquet_column_mapping=parquet_path_to_id_mapping(schema),
        )
        path = str(self._path.relative_to(self._root))
        size = self._path.stat().st_size
        made = IcebergFile.from_args(
            content=DataFileContent.DATA,
            file_path=f"{metadata.BASE}{path}",
            file_format=FileFormat.PARQUET,
            partition=partition_record(self._table, self._dataset, self._texts),
            file_size_in_bytes=size,
            sort_order_id=None,
            spec_id=self._table.metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )
        names = (p.name for p in self._dataset.partitions)
        listed = DataFile(
            path=path,
            rows=footer.num_rows,
            size=size,
            row_groups=tuple(footer.row_group(i).num_rows for i in range(footer.num_row_groups)),
            partition=tuple(zip(names, self._texts, strict=True)),
            bounds=file_bounds(footer),
        )
        return Written(made, listed)


def _runs(dataset: Dataset, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Value, pa.RecordBatch]]:
    """Each batch cut where a partition ends; the rows without the partition columns."""
    width = len(dataset.columns)
    for batch in batches:
        if not batch.num_rows:
            continue
        parts = batch.columns[width:]
        rows = pa.RecordBatch.from_arrays(batch.columns[:width], names=batch.schema.names[:width])
        bounds = [0, *_changes(parts), batch.num_rows]
        for start, end in pairwise(bounds):
            yield tuple(p[start].as_py() for p in parts), rows.slice(start, end - start)


def _changes(parts: list[Any]) -> list[int]:
    """Rows whose partition differs from the row before."""
    found: Any = None
    for part in parts:
        differs = pc.not_equal(part.slice(1), part.slice(0, len(part) - 1))
        found = differs if found is None else pc.or_(found, differs)
    return [] if found is None else [int(i) + 1 for i in pc.indices_nonzero(found).to_pylist()]


def _pieces(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, rows.num_rows, ROW_GROUP):
        yield rows.slice(start, ROW_GROUP)


def _text(value: Any) -> str:
    return f"{value:%Y-%m}" if isinstance(value, date) else str(value)


def _folder_name(text: str) -> str:
    """A code as a folder's name: whatever it holds, it stays one step below its parent."""
    return "".join(c if c.isalnum() or c == "-" else "_" for c in text)[:40]


def _too_many(dataset: Dataset) -> WarehouseError:
    return WarehouseError(
        "too-many-files",
        ko=f"'{dataset.name}'을(를) 구획으로 나누면 파일이 {MOST_FILES:,}개를 넘습니다. "
        "dataset.yml의 partitions를 더 굵게 하세요",
        en=f"'{dataset.name}' parted as declared makes more than {MOST_FILES:,} files; "
        "declare coarser partitions in its dataset.yml",
    )
