"""Any number of rows is published in bounded memory, all or nothing; a killed one leaves nothing for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.descriptions import load_all
from catalog.samples.load import sample
from catalog.warehouse import Warehouse, WarehouseError, sorting
from catalog.warehouse.leftovers import WORK
from tests.catalog.warehouse.support import (
    GANGNAM,
    JONGNO,
    REPO,
    SPENDING,
    content,
    publication,
    publish,
    read,
    spending,
)

DAY = date(2026, 1, 5)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")


def stream(count: int, each: int = 2_000) -> Iterator[pa.RecordBatch]:
    for number in reversed(range(count)):
        yield from spending(DAY + timedelta(days=number), each=each).to_batches()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 80), st.sampled_from([JONGNO, GANGNAM, "11680999"]), st.integers(-1, 23)),
        unique=True,
        max_size=60,
    ),
    st.integers(1, 7),
)
def test_whatever_order_rows_come_in_they_are_stored_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[int, str, int]], size: int
) -> None:
    folder = tmp_path_factory.mktemp("order")
    warehouse = Warehouse(folder / "warehouse", folder / "catalog.sqlite")
    base = spending(DAY).to_pylist()[0]
    rows = [base | {"date": DAY + timedelta(days=d), "dong_code": g, "hour": h} for d, g, h in cells]
    table = pa.Table.from_pylist(rows, spending(DAY).schema)
    made = warehouse.publish(SPENDING, "main", table.to_batches(max_chunksize=size), publication())
    stored = [content(warehouse, f).to_pylist() for f in made.files]
    order = [[(r["date"], r["hour"], r["dong_code"]) for r in rows] for rows in stored]
    assert all(rows == sorted(rows) for rows in order)
    assert sorted(x for rows in order for x in rows) == sorted(
        (r["date"], r["hour"], r["dong_code"]) for r in rows
    )
    assert len({f.partition for f in made.files}) == len(made.files)


def test_rows_beyond_the_memory_go_through_the_disk(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "MEMORY", "50MB")
    monkeypatch.setattr(sorting, "THREADS", 1)
    spilled = 0
    work = warehouse.root / "card_spending" / "main" / WORK

    def watched() -> Iterator[pa.RecordBatch]:
        nonlocal spilled
        for batch in stream(45, each=12_000):
            spilled = max(spilled, sum(f.stat().st_size for f in work.rglob("*") if f.is_file()))
            yield batch

    made = warehouse.publish(SPENDING, "main", watched(), publication())
    assert made.rows == 45 * 2 * 12_000
    assert spilled > 10_000_000, "bytes of rows that did not fit"
    assert not work.exists()
    first = content(warehouse, made.files[0])
    assert first.num_rows == 27 * 12_000
    dates: list[Any] = first["date"].to_pylist()
    assert dates == sorted(dates)


def test_an_error_in_the_middle_of_a_stream_changes_nothing_and_is_passed_on(warehouse: Warehouse) -> None:
    before = publish(warehouse, spending(DAY))
    files = {p for p in warehouse.root.rglob("*") if p.is_file()}

    def broken() -> Iterator[pa.RecordBatch]:
        yield from stream(3)
        raise LookupError("the source ended early")

    with pytest.raises(LookupError, match="ended early"):
        warehouse.publish(SPENDING, "main", broken(), publication())
    assert {p for p in warehouse.root.rglob("*") if p.is_file()} == files
    assert warehouse.versions("card_spending") == (before,)


def test_a_batch_that_does_not_fit_is_refused_however_late_it_comes(warehouse: Warehouse) -> None:
    before = publish(warehouse, spending(DAY))

    def late() -> Iterator[pa.RecordBatch]:
        yield from stream(3)
        yield from spending(DAY).drop(["holder"]).to_batches()

    with pytest.raises(WarehouseError, match="holder") as refused:
        warehouse.publish(SPENDING, "main", late(), publication())
    assert refused.value.reason == "bad-rows"
    assert warehouse.versions("card_spending") == (before,)


def test_a_first_publication_that_fails_leaves_no_dataset(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError):
        warehouse.publish(SPENDING, "main", spending(DAY).drop(["holder"]), publication())
    assert warehouse.datasets() == ()
    assert warehouse.variants("card_spending") == ()
    assert len(read(warehouse, publish(warehouse, spending(DAY)))) == 2


def test_nothing_to_publish_is_an_empty_version(warehouse: Warehouse) -> None:
    made = warehouse.publish(SPENDING, "main", iter(()), publication())
    assert (made.rows, made.files) == (0, ())


PROGRAM = """
import os, signal, sys
from pathlib import Path
from catalog.warehouse import Warehouse, datafiles, writer
from tests.catalog.warehouse.test_streaming import SPENDING, publication, stream

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def dying():
    for number, batch in enumerate(stream(40)):
        if number == 20:
            die()
        yield batch

point, root = sys.argv[1], Path(sys.argv[2])
rows = dying() if point == "while-reading" else stream(40)
if point == "after-a-file":
    close, seen = datafiles._File.close, []
    datafiles._File.close = lambda self: (seen.append(close(self)), die() if len(seen) == 2 else None)[0]
elif point == "before-commit":
    from pyiceberg.catalog.sql import SqlCatalog
    SqlCatalog.commit_table = die
elif point == "after-commit":
    writer._visible = die
    from pyiceberg.catalog.sql import SqlCatalog
    commit = SqlCatalog.commit_table
    SqlCatalog.commit_table = lambda *a: (commit(*a), die())
Warehouse(root / "warehouse", root / "catalog.sqlite").publish(SPENDING, "main", rows, publication())
"""


@pytest.mark.parametrize("point", ["while-reading", "after-a-file", "before-commit", "after-commit"])
def test_a_killed_publication_is_whole_or_gone_and_the_next_one_removes_what_it_left(
    tmp_path: Path, point: str
) -> None:
    warehouse = Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")
    before = publish(warehouse, spending(DAY))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, point, str(tmp_path)],
        cwd=REPO,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (warehouse.root / "card_spending" / "main" / WORK).exists()
    fresh = Warehouse(warehouse.root, warehouse.catalog)
    versions = fresh.versions("card_spending")
    assert versions[-1] == before
    assert [v.rows for v in versions] == ([40 * 2 * 2_000, 2] if point == "after-commit" else [2])
    publish(fresh, spending(DAY, each=2))
    used = {str(fresh.path(f.path)) for v in fresh.versions("card_spending") for f in v.files}
    base = fresh.root / "card_spending" / "main"
    assert {str(p) for p in base.rglob("*.parquet")} == used
    assert {int(p.stem) for p in (base / "files").iterdir()} == {
        v.snapshot_id for v in fresh.versions("card_spending")
    }
    assert not (base / WORK).exists()


def test_where_a_version_cannot_be_read_nothing_is_swept_and_publishing_goes_on(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    first = publish(warehouse, spending(DAY))
    base = warehouse.root / "card_spending" / "main"
    (base / "files" / f"{first.snapshot_id}.json").unlink()
    (base / WORK).mkdir()
    stray = base / "data" / "stray.parquet"
    stray.touch()
    second = publish(warehouse, spending(DAY, each=2))
    assert "cannot sweep card_spending/main" in caplog.text
    assert stray.exists()
    assert all(warehouse.path(f.path).exists() for f in first.files)
    assert len(read(warehouse, second)) == 4


def test_files_say_how_they_are_sorted_and_carry_statistics_for_every_page(warehouse: Warehouse) -> None:
    made = publish(warehouse, spending(DAY, each=10))
    with pq.ParquetFile(warehouse.path(made.files[0].path)) as parquet:
        group = parquet.metadata.row_group(0)
        names = parquet.schema_arrow.names
        assert [names[c.column_index] for c in group.sorting_columns] == list(SPENDING.sort)
        for number in range(group.num_columns):
            assert group.column(number).has_offset_index
            assert group.column(number).has_column_index
            statistics: Any = group.column(number).statistics
            assert statistics.has_min_max


def test_only_columns_whose_values_repeat_have_a_dictionary(warehouse: Warehouse) -> None:
    trips = load_all(REPO / "datasets")["transit_trips"]
    made = warehouse.publish(trips, "main", sample(trips), publication())
    with pq.ParquetFile(warehouse.path(made.files[0].path)) as parquet:
        group = parquet.metadata.row_group(0)
        coded = {
            group.column(i).path_in_schema
            for i in range(group.num_columns)
            if any("DICTIONARY" in e for e in group.column(i).encodings)
        }
    assert {"date", "boarding_stop"} <= coded
    assert not {"trip_id", "card_hash"} & coded
    spent = publish(warehouse, spending(DAY))
    with pq.ParquetFile(warehouse.path(spent.files[0].path)) as parquet:
        group = parquet.metadata.row_group(0)
        plain = [
            group.column(i).path_in_schema
            for i in range(group.num_columns)
            if not any("DICTIONARY" in e for e in group.column(i).encodings)
        ]
    assert plain == ["amount"]
