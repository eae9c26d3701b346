"""What the warehouse promises: immutable versions, all or nothing, movable, readable while publishing."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from catalog.descriptions import Dataset, PeriodUnit, load_all
from catalog.warehouse import Publication, Replace, Snapshot, Warehouse, WarehouseError, duckdb_relation_sql
from catalog.warehouse import writer as writing
from catalog.warehouse.listing import write_list

REPO = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SUBWAY = load_all(REPO / "datasets")["subway_ridership"]


def rows(*days: date, stations: int = 3, dataset: Dataset = SUBWAY) -> pa.Table:
    n = len(days) * stations
    columns: dict[str, Any] = {
        "date": pa.array([d for d in days for _ in range(stations)], pa.date32()),
        "line": ["2호선"] * n,
        "station": [f"역{i:05}" for _ in days for i in reversed(range(stations))],
        "part": pa.array([1] * n, pa.int32()),
        "boardings": pa.array(range(n), pa.int64()),
        "alightings": pa.array([1] * n, pa.int64()),
        "registered_date": pa.array([date(2026, 1, 1)] * n, pa.date32()),
    }
    return pa.table({c.name: columns.get(c.name, pa.nulls(n)) for c in dataset.columns})


def publication(*, synthetic: bool = False) -> Publication:
    return Publication(now=NOW, by="minji", synthetic=synthetic, source="test", recipe="1")


def months(*names: str) -> Replace:
    return Replace(column="date", unit=PeriodUnit.MONTH, periods=frozenset(names))


def read(warehouse: Warehouse, snapshot: Snapshot) -> list[tuple[Any, ...]]:
    paths = [str(warehouse.path(f.path)) for f in snapshot.files]
    with duckdb.connect() as connection:
        relation = connection.sql(duckdb_relation_sql(snapshot, paths))
        return relation.aggregate("date, count(*), sum(boardings)").order("date").fetchall()


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "state" / "warehouse", tmp_path / "state" / "catalog.sqlite")


def test_nothing_is_published_at_first(warehouse: Warehouse) -> None:
    assert warehouse.datasets() == ()
    assert warehouse.versions("subway_ridership") == ()
    with pytest.raises(WarehouseError) as refused:
        warehouse.snapshot("subway_ridership")
    assert refused.value.reason == "no-version"


def test_a_version_says_what_it_holds(warehouse: Warehouse) -> None:
    made = warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1), date(2026, 1, 2)), publication())
    assert made == Warehouse(warehouse.root, warehouse.catalog).snapshot("subway_ridership")
    assert (made.rows, made.synthetic, made.published_at, made.source) == (6, False, NOW, "test")
    assert [f.name for f in made.fields] == [c.name for c in SUBWAY.columns]
    assert [f.duckdb_type for f in made.fields] == [
        "DATE",
        "VARCHAR",
        "VARCHAR",
        "INTEGER",
        "BIGINT",
        "BIGINT",
        "DATE",
    ]
    assert [f.row_groups for f in made.files] == [(6,)]
    assert all(f.bytes == warehouse.path(f.path).stat().st_size for f in made.files)
    assert warehouse.preview(made, 2)[0]["station"] == "역00000"  # sorted, though given in reverse
    assert warehouse.datasets() == ("subway_ridership",)


def test_a_period_replaces_only_itself_and_older_versions_stay_readable(warehouse: Warehouse) -> None:
    first = warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1), date(2026, 2, 1)), publication())
    second = warehouse.publish(SUBWAY, "main", rows(date(2026, 2, 2)), publication(), months("2026-02"))
    third = warehouse.publish(SUBWAY, "main", rows(date(2026, 3, 3)), publication(), months("2026-03"))
    assert [r[0] for r in read(warehouse, first)] == [date(2026, 1, 1), date(2026, 2, 1)]
    assert [r[0] for r in read(warehouse, second)] == [date(2026, 1, 1), date(2026, 2, 2)]
    assert [r[0] for r in read(warehouse, third)] == [date(2026, 1, 1), date(2026, 2, 2), date(2026, 3, 3)]
    assert set(second.files) < set(third.files)  # an untouched file is shared, not copied
    assert warehouse.versions("subway_ridership") == (third, second, first)
    assert warehouse.snapshot("subway_ridership", version=first.snapshot_id) == first


def test_the_file_list_is_what_iceberg_itself_lists(warehouse: Warehouse) -> None:
    warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1), date(2026, 2, 1)), publication())
    warehouse.publish(SUBWAY, "main", rows(date(2026, 3, 1)), publication(), months("2026-03"))
    warehouse.publish(SUBWAY, "main", rows(date(2026, 2, 9)), publication(), months("2026-02"))
    properties = {"uri": f"sqlite:///{warehouse.catalog}", "campus.root": str(warehouse.root)}
    implementation = {"py-io-impl": "catalog.warehouse.files.MappedFileIO"}
    with closing(SqlCatalog("campus", **properties, **implementation)) as catalog:
        table = catalog.load_table(("subway_ridership", "main"))
        for version in warehouse.versions("subway_ridership"):
            planned = table.scan(snapshot_id=version.snapshot_id).plan_files()
            prefix = "file:///campus/warehouse/"
            assert {t.file.file_path.removeprefix(prefix) for t in planned} == {f.path for f in version.files}
        assert table.scan().to_arrow().num_rows == 9


def test_synthetic_and_real_rows_never_mix(warehouse: Warehouse) -> None:
    warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1)), publication(synthetic=True))
    real = warehouse.publish(SUBWAY, "main", rows(date(2026, 3, 1)), publication(), months("2026-03"))
    assert (real.rows, real.synthetic) == (3, False)
    made_up = warehouse.publish(
        SUBWAY, "main", rows(date(2026, 4, 1)), publication(synthetic=True), months("2026-04")
    )
    assert (made_up.rows, made_up.synthetic) == (3, True)


def test_a_moved_state_folder_keeps_working(warehouse: Warehouse, tmp_path: Path) -> None:
    before = warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1)), publication())
    (tmp_path / "state").rename(tmp_path / "elsewhere #1")
    moved = Warehouse(tmp_path / "elsewhere #1" / "warehouse", tmp_path / "elsewhere #1" / "catalog.sqlite")
    assert moved.snapshot("subway_ridership") == before
    assert len(read(moved, before)) == 1
    after = moved.publish(SUBWAY, "main", rows(date(2026, 2, 1)), publication(), months("2026-02"))
    assert [r[0] for r in read(moved, after)] == [date(2026, 1, 1), date(2026, 2, 1)]
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.drop(["station"]),
        lambda t: t.append_column("extra", pa.nulls(t.num_rows)),
        lambda t: t.set_column(1, "line", pa.nulls(t.num_rows, pa.string())),
        lambda t: t.set_column(4, "boardings", pa.array(["x"] * t.num_rows)),
    ],
)
def test_rows_that_do_not_fit_change_nothing(
    warehouse: Warehouse, spoil: Callable[[pa.Table], pa.Table]
) -> None:
    before = warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1)), publication())
    with pytest.raises(WarehouseError) as refused:
        warehouse.publish(SUBWAY, "main", spoil(rows(date(2026, 2, 1))), publication())
    assert refused.value.reason == "bad-rows"
    assert warehouse.versions("subway_ridership") == (before,)


def test_a_failing_commit_leaves_no_file_behind(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1)), publication())
    data = warehouse.root / "subway_ridership" / "main"

    def listing() -> set[str]:
        return {p.name for folder in ("data", "files") for p in (data / folder).iterdir()}

    kept = listing()
    original = write_list

    def fail(*arguments: Any) -> None:
        original(*arguments)
        raise OSError("disk full")

    monkeypatch.setattr(writing, "write_list", fail)
    with pytest.raises(OSError, match="disk full"):
        warehouse.publish(SUBWAY, "main", rows(date(2026, 2, 1)), publication())
    monkeypatch.undo()
    assert listing() == kept
    assert warehouse.snapshot("subway_ridership") == before


def test_a_failure_after_the_commit_never_removes_committed_files(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SqlCatalog.commit_table

    def commit_then_fail(self: SqlCatalog, *arguments: Any) -> Any:
        original(self, *arguments)
        raise OSError("cannot tidy")

    warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1)), publication())
    monkeypatch.setattr(SqlCatalog, "commit_table", commit_then_fail)
    made = warehouse.publish(SUBWAY, "main", rows(date(2026, 2, 1)), publication())
    assert read(warehouse, made) == read(warehouse, warehouse.snapshot("subway_ridership"))
    assert [r[0] for r in read(warehouse, made)] == [date(2026, 2, 1)]


def test_one_publication_at_a_time(warehouse: Warehouse) -> None:
    warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1)), publication())
    with writing._alone(warehouse.root, "subway_ridership", "main"), pytest.raises(WarehouseError) as refused:
        warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1)), publication())
    assert refused.value.reason == "busy"


def test_readers_see_whole_versions_while_a_publication_runs(warehouse: Warehouse) -> None:
    warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1), stations=10), publication())
    stop = threading.Event()
    seen: set[int] = set()
    failures: list[BaseException] = []

    def watch() -> None:
        reader = Warehouse(warehouse.root, warehouse.catalog)
        while not stop.is_set():
            try:
                snapshot = reader.snapshot("subway_ridership")
                (row,) = read(reader, snapshot)
                seen.add(row[1])
            except BaseException as error:
                failures.append(error)
                return

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    for stations in (20, 30, 40):
        warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1), stations=stations), publication())
    stop.set()
    for watcher in watchers:
        watcher.join()
    assert not failures
    assert seen <= {10, 20, 30, 40}


def test_files_can_be_read_by_other_services_whatever_the_umask(warehouse: Warehouse) -> None:
    script = f"""
import os; os.umask(0o077)
from tests.catalog.warehouse.test_warehouse import *
w = Warehouse(Path({str(warehouse.root)!r}), Path({str(warehouse.catalog)!r}))
w.publish(SUBWAY, "main", rows(date(2026, 1, 1)), publication())
"""
    subprocess.run([sys.executable, "-c", script], cwd=REPO, check=True)
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in warehouse.root.rglob("*") if p.name != ".publishing"}
    assert {m for p, m in modes.items() if p.is_dir()} == {0o755}
    assert {m for p, m in modes.items() if p.is_file()} == {0o644}
    assert stat.S_IMODE(warehouse.catalog.stat().st_mode) == 0o644


def test_looking_loads_no_heavy_library(warehouse: Warehouse) -> None:
    warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1)), publication())
    script = f"""
import sys
from pathlib import Path
from catalog.warehouse import Warehouse
from catalog.descriptions import load_all
load_all(Path("datasets"))
w = Warehouse(Path({str(warehouse.root)!r}), Path({str(warehouse.catalog)!r}))
assert w.snapshot("subway_ridership").rows == 3
heavy = {{"pyiceberg", "pyarrow", "pandas", "geopandas", "duckdb", "sqlalchemy"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], cwd=REPO, check=True)


def test_a_new_column_is_added_and_older_versions_keep_their_own(warehouse: Warehouse) -> None:
    import dataclasses

    from catalog.descriptions import Column, ColumnType, Role, Text

    text = Text(ko="메모", en="note")
    note = Column(
        name="note",
        type=ColumnType.STRING,
        title=text,
        unit="",
        code_system="",
        role=Role.METADATA,
        missing=text,
    )
    first = warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1), date(2026, 2, 1)), publication())
    wider = dataclasses.replace(SUBWAY, columns=(*SUBWAY.columns, note))
    new = rows(date(2026, 2, 2), dataset=wider)
    second = warehouse.publish(wider, "main", new, publication(), months("2026-02"))
    assert [f.name for f in second.fields] == [*(f.name for f in first.fields), "note"]
    assert [r[0] for r in read(warehouse, second)] == [date(2026, 1, 1), date(2026, 2, 2)]
    assert "note" in warehouse.preview(second, 1)[0]
    assert "note" not in warehouse.preview(first, 1)[0]


def test_large_versions_have_bounded_row_groups(warehouse: Warehouse) -> None:
    made = warehouse.publish(SUBWAY, "main", rows(date(2026, 1, 1), stations=300_000), publication())
    assert [f.row_groups for f in made.files] == [(131_072, 131_072, 37_856)]
