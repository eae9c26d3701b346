"""Removes what a killed or failed publication left behind. Knows which files versions use; reads no rows."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyiceberg.table import Table

from catalog.warehouse import metadata
from catalog.warehouse.files import make_folder, sync_folder

LOG = logging.getLogger(__name__)
WORK = "work"
"""Folder beside a table's data while one publication runs; found at the next one's start, that one died."""


@contextmanager
def working(root: Path, table: Table, dataset: str, variant: str) -> Iterator[Path]:
    """A folder to work in, for the one who may publish; on the way in, what a dead one left goes.

    A failure inside removes every file that no version uses.
    """
    base = root / dataset / variant
    folder = base / WORK
    if folder.exists():
        _sweep_if_possible(root, table, dataset, variant)
    make_folder(folder)
    sync_folder(base)
    try:
        yield folder
    except BaseException:
        _sweep_if_possible(root, table, dataset, variant)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _sweep_if_possible(root: Path, table: Table, dataset: str, variant: str) -> None:
    """Nothing is removed unless every version's files are known; leftovers hinder no publication."""
    try:
        sweep(root, table, dataset, variant)
    except Exception as error:
        LOG.warning("cannot sweep %s/%s", dataset, variant, exc_info=error)


def sweep(root: Path, table: Table, dataset: str, variant: str) -> tuple[str, ...]:
    """Remove every file below a table that none of its versions uses; their paths.

    Only for the holder of the right to publish: files of a running publication are not used yet.
    """
    fresh = table.catalog.load_table(table.name())
    base = root / dataset / variant
    used = _used(root, fresh, dataset, variant)
    gone = []
    for kind in ("data", "files", "metadata"):
        for path in sorted((base / kind).rglob("*")):
            if path.is_file() and str(path.relative_to(root)) not in used:
                path.unlink()
                gone.append(str(path.relative_to(root)))
        _drop_empty(base / kind)
    shutil.rmtree(base / WORK, ignore_errors=True)
    return tuple(gone)


def _used(root: Path, table: Table, dataset: str, variant: str) -> set[str]:
    used = {metadata.relative(table.metadata_location)}
    used |= {metadata.relative(entry.metadata_file) for entry in table.metadata.metadata_log}
    for snapshot in table.metadata.snapshots:
        used.add(metadata.relative(snapshot.manifest_list))
        used |= {metadata.relative(m.manifest_path) for m in snapshot.manifests(table.io)}
        listing = metadata.files_path(root, dataset, variant, snapshot.snapshot_id)
        used.add(str(listing.relative_to(root)))
        used |= {f.path for f in metadata.read_files(root, dataset, variant, snapshot.snapshot_id)}
    return used


def _drop_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
