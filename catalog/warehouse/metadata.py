"""Reads versions with the standard library alone: catalogue row, Iceberg metadata JSON, file list.

Services that only look never load the Iceberg library. The Iceberg metadata stays the truth; the file
list beside it (`files/<snapshot>.json`) repeats its manifests, and says what `bounds` knows of each file. It
is written before the commit that makes the snapshot visible; the files it lists never change.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.descriptions import ColumnType
from catalog.warehouse.model import DataFile, Field, PartedBy, Publication, Snapshot, WarehouseError

CATALOG = "campus"
BASE = "file:///campus/warehouse/"
"""Address written into Iceberg metadata; resolved onto the real folder when opened, so it may move."""
NAME_TAKEN = "_part"
"""What follows a partition's name in Iceberg where a column has that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Where the newest metadata of one dataset's variant is."""

    dataset: str
    variant: str
    metadata: str


def relative(address: str) -> str:
    """A stable address as a path relative to the warehouse folder."""
    if not address.startswith(BASE) or ".." in address.split("/"):
        raise WarehouseError(
            "foreign-address",
            ko=f"저장소 밖의 주소입니다: {address}",
            en=f"address outside the warehouse: {address}",
        )
    return address.removeprefix(BASE)


def tables(catalog: Path) -> dict[tuple[str, str], Table]:
    """Every table of the catalogue by (dataset, variant)."""
    if not catalog.exists():
        return {}
    with closing(sqlite3.connect(f"file:{_quoted(catalog)}?mode=ro", uri=True, timeout=30)) as connection:
        try:
            rows = connection.execute(
                "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables"
                " WHERE catalog_name = ? AND metadata_location IS NOT NULL ORDER BY 1, 2",
                (CATALOG,),
            ).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return {}
            raise
    return {(d, v): Table(dataset=d, variant=v, metadata=relative(m)) for d, v, m in rows}


def read_metadata(root: Path, table: Table) -> dict[str, Any]:
    """The Iceberg table metadata."""
    content: dict[str, Any] = json.loads((root / table.metadata).read_text("utf-8"))
    return content


def snapshots(metadata: dict[str, Any]) -> tuple[int, ...]:
    """Snapshot ids, newest first, starting from the current one."""
    by_id = {s["snapshot-id"]: s for s in metadata.get("snapshots", ())}
    out: list[int] = []
    current: Any = metadata.get("current-snapshot-id")
    while current in by_id and current not in out:
        out.append(current)
        current = by_id[current].get("parent-snapshot-id")
    return tuple(out)


def snapshot(root: Path, table: Table, metadata: dict[str, Any], snapshot_id: int) -> Snapshot:
    """One version, whole."""
    entry = next(s for s in metadata["snapshots"] if s["snapshot-id"] == snapshot_id)
    schema = next(s for s in metadata["schemas"] if s["schema-id"] == entry["schema-id"])
    return Snapshot(
        dataset=table.dataset,
        variant=table.variant,
        snapshot_id=snapshot_id,
        files=read_files(root, table.dataset, table.variant, snapshot_id),
        fields=tuple(
            Field(field_id=f["id"], name=f["name"], duckdb_type=ColumnType(f["type"]).duckdb)
            for f in schema["fields"]
        ),
        publication=Publication.of(entry["summary"]),
        parted=parted_by(metadata),
    )


def parted_by(metadata: dict[str, Any]) -> tuple[PartedBy, ...]:
    """What each partition's values mean, over every partition spec the table ever had.

    A file keeps the values of the spec it was written under, and a list of files does not say which that
    was. So a name that once meant something else means nothing here.
    """
    found: dict[str, set[tuple[int, str]]] = {}
    for spec in metadata.get("partition-specs", ()):
        for field in spec["fields"]:
            meaning = int(field["source-id"]), str(field["transform"])
            for name in {field["name"], field["name"].removesuffix(NAME_TAKEN)}:
                found.setdefault(name, set()).add(meaning)
    return tuple(
        PartedBy(name=name, field_id=meant[0][0], transform=meant[0][1])
        for name, meant in sorted((name, tuple(meanings)) for name, meanings in found.items())
        if len(meant) == 1
    )


def files_path(root: Path, dataset: str, variant: str, snapshot_id: int) -> Path:
    """Where the file list of one snapshot lies."""
    return root / dataset / variant / "files" / f"{snapshot_id}.json"


def read_files(root: Path, dataset: str, variant: str, snapshot_id: int) -> tuple[DataFile, ...]:
    """The data files of one snapshot."""
    content = json.loads(files_path(root, dataset, variant, snapshot_id).read_text("utf-8"))
    return tuple(
        DataFile(
            path=f["path"],
            rows=f["rows"],
            size=f["size"],
            row_groups=tuple(f["row_groups"]),
            partition=tuple((name, value) for name, value in f.get("partition", ())),
            bounds=sys.intern(f.get("bounds", "")),  # most files are in many versions
        )
        for f in content
    )


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
