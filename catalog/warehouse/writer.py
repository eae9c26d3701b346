"""Publishes one version as one Iceberg snapshot. Knows Arrow and Iceberg; nothing of layouts or rights.

Rows stream: checked batch by batch, ordered on disk, written file by file. The bound in memory is that of
`sorting`, whatever the number of rows.
"""

from __future__ import annotations

import dataclasses
import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from catalog.descriptions import Dataset
from catalog.descriptions.variants import TWIN
from catalog.warehouse import metadata
from catalog.warehouse.compaction import FEW, to_merge
from catalog.warehouse.datafiles import Written, write_files
from catalog.warehouse.files import make_folder, sync_files
from catalog.warehouse.iceberg import ROW_GROUP, current_files, open_catalog, table_as_described
from catalog.warehouse.leftovers import working
from catalog.warehouse.listing import complete, write_list
from catalog.warehouse.model import DataFile, Publication, Replace, WarehouseError
from catalog.warehouse.schema import arrow_schema, period_of
from catalog.warehouse.sorting import ordered

LOG = logging.getLogger(__name__)
Batches = Iterable[pa.RecordBatch]


def publish(
    root: Path,
    catalog_file: Path,
    dataset: Dataset,
    variant: str,
    batches: pa.Table | Batches,
    publication: Publication,
    replace: Replace | None,
) -> int:
    """Commit one snapshot and return its id; see `Warehouse.publish`."""
    dataset = _parted(dataset, variant)
    with _table(root, catalog_file, dataset, variant) as (table, work):
        current = table.current_snapshot()
        kept: tuple[DataFile, ...] = ()
        rest: Iterable[pa.Table] = ()
        if current is not None and replace is not None:
            before = Publication.of(current.summary.additional_properties if current.summary else {})
            if before.synthetic == publication.synthetic:
                files = metadata.read_files(root, dataset.name, variant, current.snapshot_id)
                kept, mixed = _kept(root, files, replace, table.schema())
                rest = _remaining(root, mixed, replace, table.schema())
                if (kept or mixed) and before.key != publication.key:  # nobody looked through all rows
                    publication = dataclasses.replace(publication, key=())
        new = batches.to_batches(max_chunksize=ROW_GROUP) if isinstance(batches, pa.Table) else batches
        given: Iterable[pa.RecordBatch | pa.Table] = chain(new, rest)
        rows = (b for batch in given for b in as_described(dataset, batch))
        return _write_version(root, table, dataset, variant, rows, kept, publication, work)


def compact(
    root: Path,
    catalog_file: Path,
    dataset: Dataset,
    variant: str,
    now: datetime,
    by: str,
    few: int = FEW,
) -> int | None:
    """Commit the newest version's rows in fewer files; its id, or None where that is not worthwhile."""
    dataset = _parted(dataset, variant)
    found = metadata.tables(catalog_file).get((dataset.name, variant))
    if found is None:
        return None
    newest = next(iter(metadata.snapshots(metadata.read_metadata(root, found))), None)
    if newest is None or not to_merge(metadata.read_files(root, dataset.name, variant, newest), dataset, few):
        return None  # seen without the Iceberg library, and without making a change
    with _table(root, catalog_file, dataset, variant) as (table, work):
        current = table.current_snapshot()
        if current is None:
            return None
        files = metadata.read_files(root, dataset.name, variant, current.snapshot_id)
        merged = to_merge(files, dataset, few)
        before = Publication.of(current.summary.additional_properties if current.summary else {})
        publication = dataclasses.replace(
            before, now=now, by=by, compaction_of=before.compaction_of or current.snapshot_id
        )
        kept = tuple(f for f in files if f.path not in merged)
        old = _whole(root, (f for f in files if f.path in merged), table.schema())
        rows = (b for batch in old for b in as_described(dataset, batch))
        return _write_version(root, table, dataset, variant, rows, kept, publication, work)


def as_described(dataset: Dataset, batch: pa.RecordBatch | pa.Table) -> list[pa.RecordBatch]:
    """Rows in the description's column order and types.

    Raises
    ------
    WarehouseError
        `bad-rows`: a column is missing or extra, has another type, or lacks values it may not lack.
    """
    table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
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
        return table.cast(wanted).to_batches(max_chunksize=ROW_GROUP)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _bad_rows(dataset, ko=f"형식이 다름 ({error})", en=f"has another type ({error})") from error


def _bad_rows(dataset: Dataset, *, ko: str, en: str) -> WarehouseError:
    return WarehouseError("bad-rows", ko=f"{dataset.name}: {ko}", en=f"{dataset.name}: {en}")


def _parted(dataset: Dataset, variant: str) -> Dataset:
    """The twin is open to all: no grant needs a part of it, and fewer files read faster."""
    return dataclasses.replace(dataset, partitions=()) if variant == TWIN else dataset


def list_bounds(root: Path, dataset: str, variant: str, snapshot_id: int) -> bool:
    """Complete a version's list; see `listing.complete`. Whether anything was missing."""
    with _alone(root, dataset, variant):
        return complete(root, dataset, variant, snapshot_id)


@contextmanager
def _table(root: Path, catalog_file: Path, dataset: Dataset, variant: str) -> Iterator[tuple[Table, Path]]:
    """The table as described, and a folder to work in, for the only one who publishes it now."""
    make_folder(root)
    make_folder(catalog_file.parent)
    with _alone(root, dataset.name, variant), closing(open_catalog(root, catalog_file)) as catalog:
        catalog_file.chmod(0o644)
        table = table_as_described(catalog, dataset, variant)
        with working(root, table, dataset.name, variant) as work:
            yield table, work


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


def _kept(
    root: Path, files: tuple[DataFile, ...], replace: Replace, schema: Schema
) -> tuple[tuple[DataFile, ...], tuple[DataFile, ...]]:
    """Files without any replaced period, and files that have one beside others."""
    whole: list[DataFile] = []
    mixed: list[DataFile] = []
    field_id = schema.find_field(replace.column).field_id
    for file in files:
        with pq.ParquetFile(root / file.path) as parquet:
            batches = parquet.iter_batches(columns=[_names(parquet)[field_id]], batch_size=ROW_GROUP)
            hits = sum(pc.sum(_hit(batch.column(0), replace)).as_py() or 0 for batch in batches)
        if not hits:
            whole.append(file)
        elif hits < file.rows:
            mixed.append(file)
    return tuple(whole), tuple(mixed)


def _remaining(root: Path, files: Iterable[DataFile], replace: Replace, schema: Schema) -> Iterator[pa.Table]:
    """The rows of files outside the replaced periods, in today's column names."""
    for rows in _whole(root, files, schema):
        yield rows.filter(pc.invert(_hit(rows[replace.column], replace)))


def _whole(root: Path, files: Iterable[DataFile], schema: Schema) -> Iterator[pa.Table]:
    """The rows of files in today's column names; columns that a file lacks are missing in its rows."""
    for file in files:
        with pq.ParquetFile(root / file.path) as parquet:
            names = _names(parquet)
            current = [(f.name, names.get(f.field_id)) for f in schema.fields]
            for rows in parquet.iter_batches(batch_size=ROW_GROUP):
                yield pa.table({new: rows[was] if was else pa.nulls(rows.num_rows) for new, was in current})


def _hit(values: Any, replace: Replace) -> Any:
    replaced = pa.array(sorted(replace.periods), pa.string())
    return pc.is_in(period_of(values, replace.unit), value_set=replaced)


def _names(parquet: pq.ParquetFile) -> dict[int, str]:
    """Field id → the name a column has in that file."""
    footer: Any = parquet.schema_arrow
    return {int(f.metadata[b"PARQUET:field_id"]): f.name for f in footer}


def _write(
    root: Path, table: Table, dataset: Dataset, variant: str, rows: Batches, work: Path
) -> list[Written]:
    written = list(write_files(root, table, dataset, variant, ordered(dataset, rows, work)))
    sync_files(root / w.listed.path for w in written)
    return written


def _write_version(
    root: Path,
    table: Table,
    dataset: Dataset,
    variant: str,
    rows: Batches,
    kept: tuple[DataFile, ...],
    publication: Publication,
    work: Path,
) -> int:
    """Write rows beside kept files and commit both; files of a failure are `leftovers`' to remove."""
    written = _write(root, table, dataset, variant, rows, work)
    kept_paths = {f.path for f in kept}
    snapshot_id = 0
    try:
        with table.transaction() as transaction:
            update = transaction.update_snapshot(snapshot_properties=publication.properties())
            with update.overwrite() as producer:
                for old in current_files(table):
                    if metadata.relative(old.file_path) not in kept_paths:
                        producer.delete_data_file(old)
                for file in written:
                    producer.append_data_file(file.iceberg)
                snapshot_id = producer.snapshot_id
                listed = (*kept, *(w.listed for w in written))
                write_list(root, dataset.name, variant, snapshot_id, listed)
    except Exception as error:
        if not _visible(table, snapshot_id):
            raise
        LOG.warning("tidying after a commit failed", exc_info=error)  # the commit stands
    return snapshot_id


def _visible(table: Table, snapshot_id: int) -> bool:
    """Whether readers already see that snapshot."""
    current = table.catalog.load_table(table.name()).current_snapshot()
    return current is not None and current.snapshot_id == snapshot_id
