"""Open versions as folders of plain Parquet: exact, at once, of the open tier alone, free of charge."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from catalog.descriptions import Dataset, Tier, load_all
from catalog.warehouse import Publication, Snapshot, Warehouse, plain
from hub_config.launcher import places
from tests.catalog.gateway.conftest import made_up
from tests.catalog.gateway.simulator import REPO

DESCRIPTIONS = load_all(REPO / "datasets")
OPEN, PRIVATE = DESCRIPTIONS["dong_codes"], DESCRIPTIONS["card_spending"]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")


def publish(warehouse: Warehouse, dataset: Dataset, rows: int) -> Snapshot:
    made = Publication(now=datetime.now(UTC), by="x", synthetic=True, source="s", recipe="1")
    return warehouse.publish(dataset, "main", made_up(dataset, rows), made)


def test_each_version_has_its_own_rows_under_a_second_name(warehouse: Warehouse) -> None:
    first, second = publish(warehouse, OPEN, 10), publish(warehouse, OPEN, 20)
    for snapshot, rows in ((first, 10), (second, 20)):
        folder = warehouse.plain_folder(snapshot)
        assert folder is not None
        assert ds.dataset(folder).count_rows() == rows, "any reader of Parquet folders reads it"
        about = json.loads((folder / plain.ABOUT).read_text("utf-8"))
        assert (about["snapshot"], about["rows"], about["synthetic"]) == (
            str(snapshot.snapshot_id),
            rows,
            True,
        )
        files = sorted(folder.glob("*.parquet"))
        for file, listed in zip(files, snapshot.files, strict=True):
            assert file.samefile(warehouse.path(listed.path)) and file.stat().st_mode & 0o777 == 0o644
    assert publish(warehouse, OPEN, 20) and plain.lay_open(warehouse.root, second)


def test_only_the_open_tier_is_laid_open(warehouse: Warehouse) -> None:
    assert PRIVATE.tier is not Tier.OPEN
    assert warehouse.plain_folder(publish(warehouse, PRIVATE, 10)) is None
    assert not (warehouse.root / plain.OPEN).exists()


def test_a_version_with_renamed_columns_is_not_offered(warehouse: Warehouse) -> None:
    snapshot = publish(warehouse, OPEN, 10)
    fields = list(snapshot.fields)
    renamed = type(fields[0])(field_id=fields[0].field_id, name="other", duckdb_type=fields[0].duckdb_type)
    later = Snapshot(
        dataset=snapshot.dataset, variant="main", snapshot_id=7, files=snapshot.files,
        fields=(renamed, *fields[1:]), publication=snapshot.publication,
    )  # fmt: skip
    assert not plain.lay_open(warehouse.root, later)
    assert warehouse.plain_folder(later) is None


def test_half_a_folder_is_never_seen(warehouse: Warehouse) -> None:
    snapshot = publish(warehouse, OPEN, 10)
    lost = type(snapshot.files[0])(path="nowhere.parquet", rows=1, size=1, row_groups=(1,))
    broken = Snapshot(
        dataset=snapshot.dataset, variant="main", snapshot_id=7, files=(*snapshot.files, lost),
        fields=snapshot.fields, publication=snapshot.publication,
    )  # fmt: skip
    with pytest.raises(OSError):
        plain.lay_open(warehouse.root, broken)
    assert [f.name for f in (warehouse.root / plain.OPEN / "dong_codes" / "main").iterdir()] == [
        str(snapshot.snapshot_id)
    ]


def test_at_a_start_only_the_newest_are_kept(warehouse: Warehouse) -> None:
    old, new = publish(warehouse, OPEN, 10), publish(warehouse, OPEN, 20)
    plain.keep_only(warehouse.root, [new])
    assert warehouse.plain_folder(old) is None
    assert warehouse.plain_folder(new) is not None
    assert warehouse.path(old.files[0].path).exists(), "the version itself stays"


def test_the_launcher_looks_where_the_warehouse_lays() -> None:
    assert places.OPEN_TREE == plain.OPEN
