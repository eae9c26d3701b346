"""Writes the list of a version's files beside Iceberg's metadata, and what is known of each. Reads no row."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from catalog.warehouse import metadata
from catalog.warehouse.bounds import file_bounds
from catalog.warehouse.files import DurableFile, make_folder, sync_folder
from catalog.warehouse.model import DataFile


def write_list(root: Path, dataset: str, variant: str, snapshot_id: int, files: Sequence[DataFile]) -> None:
    """The list of a version that is about to be; bounds are looked up where an earlier list had none."""
    path = metadata.files_path(root, dataset, variant, snapshot_id)
    make_folder(path.parent)
    with DurableFile(path, overwrite=False) as stream:
        stream.write(_worded([_known(root, file) for file in files]))


def complete(root: Path, dataset: str, variant: str, snapshot_id: int) -> bool:
    """Say of an existing version's files what was not said when it was made; whether anything was missing.

    The list is replaced in one step: who reads meanwhile has the one or the other, with the same files.
    """
    files = metadata.read_files(root, dataset, variant, snapshot_id)
    if all(file.bounds for file in files):
        return False
    path = metadata.files_path(root, dataset, variant, snapshot_id)
    beside = path.with_suffix(".new")  # swept up like any file that no version uses
    with DurableFile(beside, overwrite=True) as stream:
        stream.write(_worded([_known(root, file) for file in files]))
    beside.replace(path)
    sync_folder(path.parent)
    return True


def _known(root: Path, file: DataFile) -> DataFile:
    if file.bounds:
        return file
    with pq.ParquetFile(root / file.path) as parquet:
        return dataclasses.replace(file, bounds=file_bounds(parquet.metadata))


def _worded(files: Sequence[DataFile]) -> bytes:
    content = [
        {"path": f.path, "rows": f.rows, "size": f.size, "row_groups": f.row_groups, "bounds": f.bounds}
        | ({"partition": f.partition} if f.partition else {})
        for f in files
    ]
    return json.dumps(content).encode()
