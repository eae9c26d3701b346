"""Publishes one version as one Iceberg snapshot. Knows Arrow and Iceberg; nothing of layouts or rights."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import write_file
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table, WriteTask
from pyiceberg.types import (
    BinaryType,
    DateType,
    DoubleType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
)

from catalog.descriptions import ColumnType, Dataset
from catalog.warehouse import metadata
from catalog.warehouse.files import IMPLEMENTATION, ROOT, DurableFile, make_folder
from catalog.warehouse.model import DataFile, Publication, Replace, WarehouseError
from catalog.warehouse.schema import arrow_schema, period_of

LOG = logging.getLogger(__name__)
ROW_GROUP = 131_072
ROWS_PER_FILE = 16 * ROW_GROUP
WRITING = {
    "write.parquet.compression-codec": "zstd",
    "write.parquet.row-group-limit": str(ROW_GROUP),
    "write.metadata.previous-versions-max": "20",
    "write.metadata.delete-after-commit.enabled": "true",
}
ICEBERG: dict[ColumnType, IcebergType] = {
    ColumnType.STRING: StringType(),
    ColumnType.INT: IntegerType(),
    ColumnType.LONG: LongType(),
    ColumnType.DOUBLE: DoubleType(),
    ColumnType.DATE: DateType(),
    ColumnType.TIMESTAMP: TimestampType(),
    ColumnType.BINARY: BinaryType(),
}


def publish(
    root: Path,
    catalog_file: Path,
    dataset: Dataset,
    variant: str,
    batches: pa.Table | Iterable[pa.RecordBatch],
    publication: Publication,
    replace: Replace | None,
) -> int:
    """Commit one snapshot and return its id; see `Warehouse.publish`."""
    rows = as_described(dataset, batches)
    make_folder(root)
    make_folder(catalog_file.parent)
    with _alone(root, dataset.name, variant), closing(_catalog(root, catalog_file)) as catalog:
        catalog_file.chmod(0o644)
        table = _table(catalog, dataset, variant)
        current = table.current_snapshot()
        kept_whole: tuple[DataFile, ...] = ()
        if current is not None and replace is not None:
            before = Publication.of(current.summary.additional_properties if current.summary else {})
            if before.synthetic == publication.synthetic:
                files = metadata.read_files(root, dataset.name, variant, current.snapshot_id)
                kept_whole, rest = _kept(root, files, replace, table.schema())
                rows = pa.concat_tables([rows, *(as_described(dataset, r) for r in rest)])
        rows = rows.sort_by([(c, "ascending") for c in dataset.sort])
        return _commit(root, table, dataset, variant, rows, kept_whole, publication)


def as_described(dataset: Dataset, batches: pa.Table | Iterable[pa.RecordBatch]) -> pa.Table:
    """Rows in the description's column order and types.

    Raises
    ------
    WarehouseError
        `bad-rows`: a column is missing or extra, has another type, or lacks values it may not lack.
    """
    table = batches if isinstance(batches, pa.Table) else pa.Table.from_batches(list(batches))
    wanted = arrow_schema(dataset)
    for name in set(wanted.names) ^ set(table.column_names):
        where = (
            ("설명에 없는 열", "is not described")
            if name in table.column_names
            else ("빠진 열", "is missing")
        )
        raise _bad_rows(dataset, ko=f"{where[0]} '{name}'", en=f"column '{name}' {where[1]}")
    table = table.select(wanted.names)
    for field in wanted:
        if not field.nullable and table[field.name].null_count:
            raise _bad_rows(
                dataset, ko=f"'{field.name}' 값이 비어 있음", en=f"'{field.name}' has missing values"
            )
    try:
        return table.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _bad_rows(dataset, ko=f"형식이 다름 ({error})", en=f"has another type ({error})") from error


def _bad_rows(dataset: Dataset, *, ko: str, en: str) -> WarehouseError:
    return WarehouseError("bad-rows", ko=f"{dataset.name}: {ko}", en=f"{dataset.name}: {en}")


@contextmanager
def _alone(root: Path, dataset: str, variant: str) -> Iterator[None]:
    """Hold the one right to publish this variant; released by the kernel even if the process dies."""
    folder = root / dataset / variant
    make_folder(folder)
    handle = os.open(folder / ".publishing", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WarehouseError(
                "busy",
                ko=f"'{dataset}'을(를) 지금 다른 작업이 공개하고 있습니다. 끝난 뒤 다시 시도하세요",
                en=f"'{dataset}' is being published by another process; try again when it is done",
            ) from error
        yield
    finally:
        os.close(handle)


def _catalog(root: Path, catalog_file: Path) -> SqlCatalog:
    return SqlCatalog(
        metadata.CATALOG,
        **{
            "uri": f"sqlite:///{catalog_file}",
            "warehouse": metadata.BASE.rstrip("/"),
            "py-io-impl": IMPLEMENTATION,
            ROOT: str(root.absolute()),
        },
    )


def _table(catalog: SqlCatalog, dataset: Dataset, variant: str) -> Table:
    schema = Schema(
        *(
            NestedField(
                field_id=i, name=c.name, field_type=ICEBERG[c.type], required=not c.nullable, doc=c.title.ko
            )
            for i, c in enumerate(dataset.columns, start=1)
        )
    )
    catalog.create_namespace_if_not_exists(dataset.name)
    name = (dataset.name, variant)
    if not catalog.table_exists(name):
        location = f"{metadata.BASE}{dataset.name}/{variant}"
        return catalog.create_table(name, schema=schema, location=location, properties=WRITING)
    table = catalog.load_table(name)
    described = [c.name for c in dataset.columns]
    if [f.name for f in table.schema().fields] != described:
        with table.update_schema(allow_incompatible_changes=True) as update:
            for field in table.schema().fields:
                if field.name not in described:
                    update.delete_column(field.name)
            update.union_by_name(schema)
        table = catalog.load_table(name)
    return table


def _kept(
    root: Path, files: tuple[DataFile, ...], replace: Replace, schema: Schema
) -> tuple[tuple[DataFile, ...], list[pa.Table]]:
    """Files without any replaced period as they are, and the remaining rows of files that have one."""
    field_id = schema.find_field(replace.column).field_id
    replaced = pa.array(sorted(replace.periods), pa.string())
    whole: list[DataFile] = []
    rest: list[pa.Table] = []
    for file in files:
        with pq.ParquetFile(root / file.path) as parquet:
            footer: Any = parquet.schema_arrow
            names = {int(f.metadata[b"PARQUET:field_id"]): f.name for f in footer}
            column = parquet.read(columns=[names[field_id]]).column(0)
            hit = pc.is_in(period_of(column, replace.unit), value_set=replaced)
            if not pc.any(hit).as_py():
                whole.append(file)
            elif not pc.all(hit).as_py():
                old: Any = parquet.read().filter(pc.invert(hit))
                current = [(f.name, names.get(f.field_id)) for f in schema.fields]
                rest.append(
                    pa.table({new: old[was] if was else pa.nulls(old.num_rows) for new, was in current})
                )
    return tuple(whole), rest


@dataclass(frozen=True, slots=True)
class _Written:
    """A file just written, as Iceberg and as we list it."""

    iceberg: IcebergFile
    listed: DataFile


def _commit(
    root: Path,
    table: Table,
    dataset: Dataset,
    variant: str,
    rows: pa.Table,
    kept: tuple[DataFile, ...],
    publication: Publication,
) -> int:
    written: list[_Written] = []
    listing: Path | None = None
    snapshot_id = 0
    try:
        for start in range(0, rows.num_rows, ROWS_PER_FILE):
            written.append(_write(root, table, rows.slice(start, ROWS_PER_FILE)))
        kept_paths = {f.path for f in kept}
        with table.transaction() as transaction:
            update = transaction.update_snapshot(snapshot_properties=publication.properties())
            with update.overwrite() as producer:
                for old in _current_files(table):
                    if metadata.relative(old.file_path) not in kept_paths:
                        producer.delete_data_file(old)
                for file in written:
                    producer.append_data_file(file.iceberg)
                snapshot_id = producer.snapshot_id
                listing = metadata.files_path(root, dataset.name, variant, snapshot_id)
                _write_list(listing, (*kept, *(w.listed for w in written)))
    except BaseException as error:
        if _visible(table, snapshot_id):
            if isinstance(error, Exception):  # the commit stands; only tidying after it failed
                LOG.warning("tidying after a commit failed", exc_info=error)
                return snapshot_id
            raise
        for file in written:
            (root / file.listed.path).unlink(missing_ok=True)
        if listing is not None:
            listing.unlink(missing_ok=True)
        raise
    return snapshot_id


def _visible(table: Table, snapshot_id: int) -> bool:
    """Whether readers already see that snapshot; its files must then never be removed."""
    current = table.catalog.load_table(table.name()).current_snapshot()
    return current is not None and current.snapshot_id == snapshot_id


def _write(root: Path, table: Table, rows: pa.Table) -> _Written:
    task = WriteTask(
        write_uuid=uuid.uuid4(), task_id=0, schema=table.schema(), record_batches=rows.to_batches()
    )
    (made,) = write_file(io=table.io, table_metadata=table.metadata, tasks=iter([task]))
    path = metadata.relative(made.file_path)
    footer = pq.read_metadata(root / path)
    groups = tuple(footer.row_group(i).num_rows for i in range(footer.num_row_groups))
    listed = DataFile(path=path, rows=footer.num_rows, size=(root / path).stat().st_size, row_groups=groups)
    return _Written(made, listed)


def _current_files(table: Table) -> Iterator[IcebergFile]:
    snapshot = table.current_snapshot()
    if snapshot is None:
        return
    for manifest in snapshot.manifests(table.io):
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            yield entry.data_file


def _write_list(path: Path, files: tuple[DataFile, ...]) -> None:
    content = [{"path": f.path, "rows": f.rows, "size": f.size, "row_groups": f.row_groups} for f in files]
    make_folder(path.parent)
    with DurableFile(path, overwrite=False) as stream:
        stream.write(json.dumps(content).encode())
