"""A version names its key where ingest looked through every row of it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.ingest import IngestError
from catalog.ingest.unique import key_of_version
from catalog.samples import load_samples
from catalog.warehouse import Publication, Warehouse
from tests.catalog.ingest.small import SMALL, csv_bytes
from tests.catalog.ingest.support import DATASETS, NOW, month, new_warehouse, subway_file, subway_rows, take

NAME = "subway_ridership"
KEY = ("date", "line", "station", "part")


def key(warehouse: Warehouse, name: str = NAME) -> tuple[str, ...]:
    return warehouse.snapshot(name).publication.key


def test_a_version_of_several_files_and_the_next_one_name_the_key(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    files = [subway_file(tmp_path, layout, name) for layout, name in (("A", "202601"), ("B", "202602"))]
    take(warehouse, NAME, *files)
    assert key(warehouse) == KEY == DATASETS[NAME].key
    again = tmp_path / "again.csv"
    again.write_text("\n".join(subway_rows("C", month("202602"), ("강변",))) + "\n", "utf-8-sig")
    assert take(warehouse, NAME, again).total_rows == 62 + 28
    assert key(warehouse) == KEY
    with pytest.raises(IngestError) as refused:
        take(warehouse, NAME, files[1], again)
    assert refused.value.reason == "overlapping-files"


def test_rows_that_nobody_looked_through_take_the_key_away(tmp_path: Path) -> None:
    """As of versions published before keys were named; it comes back when all of them are replaced."""
    warehouse = new_warehouse(tmp_path)
    take(warehouse, NAME, subway_file(tmp_path, "A", "202601"))
    january = warehouse.snapshot(NAME)
    rows = [batch for file in january.files for batch in _batches(warehouse.path(file.path))]
    publication = Publication(now=NOW, by="x", synthetic=False, source="before", recipe="1")
    warehouse.publish(DATASETS[NAME], "main", rows, publication)
    assert key(warehouse) == ()
    take(warehouse, NAME, subway_file(tmp_path, "B", "202602"))
    assert key(warehouse) == ()
    take(warehouse, NAME, subway_file(tmp_path, "A", "202601"), subway_file(tmp_path, "B", "202602"))
    assert key(warehouse) == KEY


@pytest.mark.parametrize("name", sorted(SMALL))
def test_what_a_version_names_is_a_key_of_its_rows(tmp_path: Path, name: str) -> None:
    file = tmp_path / "small.csv"
    file.write_bytes(csv_bytes(SMALL[name](), "cp949"))
    warehouse = new_warehouse(tmp_path)
    take(warehouse, name, file)
    version = warehouse.snapshot(name)
    assert version.publication.key == DATASETS[name].key
    (rows,) = (pq.read_table(warehouse.path(f.path)) for f in version.files)
    assert rows.group_by(list(version.publication.key)).aggregate([]).num_rows == rows.num_rows > 0


def test_a_key_without_its_period_is_not_looked_up_across_files() -> None:
    """A trip of one day may have the number of a trip of another day's file."""
    without = {name for name, dataset in DATASETS.items() if not key_of_version(dataset)}
    assert without == {"transit_trips"}


def test_samples_name_the_keys_they_have(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    load_samples(warehouse, {NAME: DATASETS[NAME]}, NOW)
    assert key(warehouse) == KEY


def _batches(path: Path) -> list[pa.RecordBatch]:
    return pq.read_table(path).to_batches()
