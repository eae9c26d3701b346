"""The warehouse: publish a version, find a version. Only publishing loads the Iceberg library."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from catalog.descriptions import Dataset, Tier
from catalog.descriptions.variants import TWIN
from catalog.warehouse import metadata
from catalog.warehouse.model import MAIN, Publication, Replace, Snapshot, WarehouseError

if TYPE_CHECKING:
    import pyarrow as pa

LOG = logging.getLogger(__name__)


class Warehouse:
    """All published versions below one folder.

    Parameters
    ----------
    root
        Folder of the data files; may be moved together with the catalogue.
    catalog
        SQLite file of the Iceberg catalogue.
    """

    def __init__(self, root: Path, catalog: Path) -> None:
        self.root = root
        self.catalog = catalog
        self._lock = Lock()
        self._known: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
        self._snapshots: dict[tuple[str, str, int], Snapshot] = {}

    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that have a version, in alphabetical order."""
        return tuple(sorted({d for d, _ in self._published()}))

    def variants(self, dataset: str) -> tuple[str, ...]:
        """Published variants of one dataset."""
        return tuple(sorted(v for d, v in self._published() if d == dataset))

    def versions(self, dataset: str, variant: str = MAIN) -> tuple[Snapshot, ...]:
        """Every version, newest first; empty if there is none."""
        table = metadata.tables(self.catalog).get((dataset, variant))
        if table is None:
            return ()
        content = self._metadata(table)
        return tuple(self._snapshot(table, content, i) for i in metadata.snapshots(content))

    def snapshot(self, dataset: str, variant: str = MAIN, version: int | None = None) -> Snapshot:
        """One version, the newest unless `version` (a snapshot id) says otherwise.

        Raises
        ------
        WarehouseError
            `no-version`: nothing is published under that name, or that version is not among them.
        """
        table = metadata.tables(self.catalog).get((dataset, variant))
        if table is None:
            raise _no_version(dataset, variant, version)
        content = self._metadata(table)
        ids = metadata.snapshots(content)
        wanted = version if version is not None else next(iter(ids), None)
        if wanted is None or wanted not in ids:
            raise _no_version(dataset, variant, version)
        return self._snapshot(table, content, wanted)

    def publish(
        self,
        dataset: Dataset,
        variant: str,
        batches: pa.Table | Iterable[pa.RecordBatch],
        publication: Publication,
        replace: Replace | None = None,
    ) -> Snapshot:
        """Make one new version from rows, or change nothing.

        Parameters
        ----------
        dataset
            Its columns, types and order are the version's; its `sort` orders the rows.
        batches
            Arrow rows whose columns carry the description's names. They are taken once, one after the
            other, and ordered on disk: any number of them needs the same memory (`sorting.MEMORY`).
        publication
            Who, when, from what; synthetic and real rows never share a version, so the first real
            publication replaces every synthetic row, and the other way round.
        replace
            Periods to replace; without it every earlier row is.

        Raises
        ------
        WarehouseError
            `busy`: another publication of this dataset is running.
            `bad-rows`: the rows do not fit the description.
            `too-many-files`: its partitions are too fine. `no-room`: memory or disk ran out.

        Returns
        -------
        Snapshot
            The version made. Where deliveries left many small files, a compaction follows it as the
            newest version, with the same rows.
        """
        from catalog.warehouse.writer import publish

        made = publish(self.root, self.catalog, dataset, variant, batches, publication, replace)
        try:
            self.compact(dataset, variant, publication.now, publication.by)
        except (WarehouseError, OSError) as error:  # the version stands; the next publication tries again
            LOG.warning("compaction of %s/%s failed", dataset.name, variant, exc_info=error)
        self.lay_open(dataset, variant)
        return self.snapshot(dataset.name, variant, made)

    def compact(
        self, dataset: Dataset, variant: str, now: datetime, by: str, few: int | None = None
    ) -> Snapshot | None:
        """Make a version with the newest one's rows in fewer files; None where that is not worthwhile.

        Parameters
        ----------
        few
            From so many small files of one partition on they are merged; the usual number if None.

        Raises
        ------
        WarehouseError
            `busy`: a publication of this dataset is running.
        """
        from catalog.warehouse.compaction import FEW
        from catalog.warehouse.writer import compact

        made = compact(self.root, self.catalog, dataset, variant, now, by, FEW if few is None else few)
        return None if made is None else self.snapshot(dataset.name, variant, made)

    def list_bounds(self, dataset: str, variant: str) -> None:
        """Look up lowest and highest values of the newest version's files, where its list has none yet.

        Raises
        ------
        WarehouseError
            `no-version`; `busy`: a publication of this dataset is running.
        """
        newest = self.snapshot(dataset, variant)
        if all(file.bounds for file in newest.files):
            return  # seen without the Iceberg library
        from catalog.warehouse.writer import list_bounds

        list_bounds(self.root, dataset, variant, newest.snapshot_id)
        with self._lock:
            self._snapshots.pop((dataset, variant, newest.snapshot_id), None)

    def lay_open(self, dataset: Dataset, variant: str) -> None:
        """Offer the newest version of what is open as a folder of plain Parquet; see `plain`.

        Parameters
        ----------
        dataset
            As the variant describes it: its tier decides.
        """
        from catalog.warehouse import plain

        if dataset.tier is not Tier.OPEN and variant != TWIN:  # a twin's rows are made up
            return
        name = f"{dataset.name}/{variant}"
        try:
            if not plain.lay_open(self.root, self.snapshot(dataset.name, variant)):
                LOG.warning("%s is not offered as plain Parquet: its columns were renamed", name)
        except OSError as error:  # the version stands; it is read through the gateway
            LOG.warning("%s is not offered as plain Parquet", name, exc_info=error)

    def plain_folder(self, snapshot: Snapshot) -> Path | None:
        """Folder of an open version's files under plain names; None where it is not offered."""
        from catalog.warehouse.plain import folder

        found = folder(self.root, snapshot)
        return found if found.is_dir() else None

    def path(self, file: str) -> Path:
        """The real path of a warehouse-relative one."""
        return self.root / file

    def preview(self, snapshot: Snapshot, rows: int = 10) -> tuple[dict[str, Any], ...]:
        """The first rows of a version as plain values; geometry as its size in bytes."""
        from catalog.warehouse.preview import preview

        return preview(self.root, snapshot, rows)

    def _published(self) -> list[tuple[str, str]]:
        """Tables that have a version; a first publication that was cut off leaves one without."""
        found = metadata.tables(self.catalog)
        return [key for key, table in found.items() if metadata.snapshots(self._metadata(table))]

    def _metadata(self, table: metadata.Table) -> dict[str, Any]:
        key = (table.dataset, table.variant)
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] == table.metadata:
            return known[1]
        content = metadata.read_metadata(self.root, table)
        with self._lock:
            self._known[key] = (table.metadata, content)
        return content

    def _snapshot(self, table: metadata.Table, content: dict[str, Any], snapshot_id: int) -> Snapshot:
        key = (table.dataset, table.variant, snapshot_id)
        with self._lock:
            known = self._snapshots.get(key)
        if known is None:
            known = metadata.snapshot(self.root, table, content, snapshot_id)
            with self._lock:
                self._snapshots[key] = known
        return known


def _no_version(dataset: str, variant: str, version: int | None) -> WarehouseError:
    wanted = f"{dataset}/{variant}" + (f"@{version}" if version is not None else "")
    return WarehouseError(
        "no-version",
        ko=f"'{wanted}'의 공개된 버전이 없습니다. 데이터셋 이름과 버전을 확인하세요",
        en=f"there is no published version of '{wanted}'; check the dataset's name and version",
    )
