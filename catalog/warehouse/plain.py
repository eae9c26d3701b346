"""Open versions as folders of plain Parquet, to be mounted where anybody may read them. Knows no rights.

`.open/<dataset>/<variant>/<snapshot>/part-00000.parquet` are further names (hard links) of the version's own
immutable files, so a folder costs no space and holds this version alone. Only datasets of the open tier ever
get one: whoever mounts folders from here cannot reach any other data.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Collection
from pathlib import Path

from catalog.warehouse.model import Snapshot

OPEN = ".open"
ABOUT = "_version.json"  # readers of Parquet folders skip names that begin with _


def folder(root: Path, snapshot: Snapshot) -> Path:
    """Where an open version lies, if it does."""
    return root / OPEN / snapshot.dataset / snapshot.variant / str(snapshot.snapshot_id)


def lay_open(root: Path, snapshot: Snapshot) -> bool:
    """Make the version's folder, at once or not at all.

    Returns
    -------
    bool
        False where the files do not all have the version's columns by name, as after a renamed column:
        only a reader that goes by field id reads those right.

    Raises
    ------
    OSError
        The disk has no hard links, or no room.
    """
    from catalog.warehouse.files import make_folder  # with it comes the Iceberg library

    target = folder(root, snapshot)
    if target.exists():
        return True
    if not _plainly_readable(root, snapshot):
        return False
    make_folder(target.parent)
    making = target.with_name(f".{uuid.uuid4().hex}")
    making.mkdir()
    try:
        making.chmod(0o755)
        for number, file in enumerate(snapshot.files):
            source = root / file.path
            source.chmod(0o644)
            os.link(source, making / f"part-{number:05}.parquet")
        about = making / ABOUT
        about.write_text(json.dumps(_about(snapshot), ensure_ascii=False), "utf-8")
        about.chmod(0o644)
        making.rename(target)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        if target.exists():  # somebody else was faster
            return True
        raise
    return True


def keep_only(root: Path, newest: Collection[Snapshot]) -> None:
    """Remove every folder but these; to be called where no session runs."""
    kept = {folder(root, snapshot) for snapshot in newest}
    for found in (root / OPEN).glob("*/*/*"):
        if found not in kept:
            shutil.rmtree(found, ignore_errors=True)


def _plainly_readable(root: Path, snapshot: Snapshot) -> bool:
    import pyarrow.parquet as pq

    wanted = [f.name for f in snapshot.fields]
    return bool(snapshot.files) and all(
        pq.read_schema(root / file.path).names == wanted for file in snapshot.files
    )


def _about(snapshot: Snapshot) -> dict[str, object]:
    return {
        "dataset": snapshot.dataset,
        "variant": snapshot.variant,
        "snapshot": str(snapshot.snapshot_id),
        "published": snapshot.published_at.isoformat(),
        "synthetic": snapshot.synthetic,
        "source": snapshot.source,
        "rows": snapshot.rows,
    }
