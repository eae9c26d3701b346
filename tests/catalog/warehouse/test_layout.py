"""Each partition has files of its own, which grants, our readers and other engines find by it."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.table import StaticTable

from catalog.descriptions.model import How
from catalog.descriptions.published import described
from catalog.warehouse import (
    PartedBy,
    Publication,
    Warehouse,
    WarehouseError,
    datafiles,
    granted_files,
    metadata,
    partition_values,
)
from catalog.warehouse.materialise import refresh_variants
from tests.catalog.warehouse.support import (
    GANGNAM,
    JONGNO,
    NOW,
    SPENDING,
    UNPARTED,
    content,
    days,
    parts,
    publication,
    publish,
    read,
    spending,
)

JAN, JAN2, FEB, MAR = date(2026, 1, 5), date(2026, 1, 6), date(2026, 2, 5), date(2026, 3, 5)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")


def planned(warehouse: Warehouse, where: str) -> set[str]:
    """Files another reader of the Iceberg metadata would open for a condition."""
    table = metadata.tables(warehouse.catalog)["card_spending", "main"]
    properties = {"py-io-impl": "catalog.warehouse.files.MappedFileIO", "campus.root": str(warehouse.root)}
    static = StaticTable.from_metadata(f"{metadata.BASE}{table.metadata}", properties)
    tasks = static.scan(row_filter=where).plan_files()
    return {t.file.file_path.removeprefix(metadata.BASE) for t in tasks}


def test_every_file_holds_one_partition_and_says_which(warehouse: Warehouse) -> None:
    made = publish(warehouse, spending(JAN, FEB, each=3))
    assert parts(made) == [
        {"gu": "11110", "month": "2026-01"},
        {"gu": "11110", "month": "2026-02"},
        {"gu": "11680", "month": "2026-01"},
        {"gu": "11680", "month": "2026-02"},
    ]
    for file in made.files:
        rows = content(warehouse, file).to_pylist()
        assert {r["dong_code"][:5] for r in rows} == {dict(file.partition)["gu"]}
        assert {f"{r['date']:%Y-%m}" for r in rows} == {dict(file.partition)["month"]}
        assert [r["hour"] for r in rows] == [0, 1, 2], "ordered within"
    assert partition_values(made) == {"gu": ("11110", "11680"), "month": ("2026-01", "2026-02")}
    granted = granted_files(made, {"gu": frozenset({"11680"}), "month": frozenset({"2026-02"})})
    assert [f.rows for f in granted] == [3]


def test_another_reader_of_the_metadata_opens_only_the_partitions_it_needs(warehouse: Warehouse) -> None:
    made = publish(warehouse, spending(JAN, FEB))
    gangnam = {f.path for f in made.files if dict(f.partition)["gu"] == "11680"}
    february = {f.path for f in made.files if dict(f.partition)["month"] == "2026-02"}
    assert planned(warehouse, f"dong_code = '{GANGNAM}'") == gangnam
    assert planned(warehouse, "date >= '2026-02-01'") == february
    assert planned(warehouse, "date < '2026-02-01'") == {f.path for f in made.files} - february
    assert planned(warehouse, f"dong_code = '{GANGNAM}' and date >= '2026-02-01'") == gangnam & february


def test_a_replaced_period_leaves_other_partitions_files_as_they_are(warehouse: Warehouse) -> None:
    first = publish(warehouse, spending(JAN, JAN2, FEB))
    second = publish(warehouse, spending(JAN2, dongs=[JONGNO], each=2), days(JAN2))
    february = {f for f in first.files if dict(f.partition)["month"] == "2026-02"}
    assert february <= set(second.files)
    assert not (set(first.files) - february) & set(second.files)
    counted: dict[tuple[Any, ...], int] = {}
    for row in read(warehouse, second, "date, dong_code"):
        counted[row] = counted.get(row, 0) + 1
    assert counted == {
        (JAN, JONGNO): 1, (JAN, GANGNAM): 1, (JAN2, JONGNO): 2, (FEB, JONGNO): 1, (FEB, GANGNAM): 1
    }  # fmt: skip


def test_a_table_from_before_its_partitions_is_parted_by_its_next_publication(warehouse: Warehouse) -> None:
    first = publish(warehouse, spending(JAN, FEB), dataset=UNPARTED)
    assert parts(first) == [{}]
    assert granted_files(first, {"gu": frozenset({"11680"})}) == ()
    second = publish(warehouse, spending(MAR), days(MAR))
    newest = warehouse.snapshot("card_spending")
    assert newest.publication.compaction_of == second.snapshot_id
    assert len(granted_files(newest, {"gu": frozenset({"11680"})})) == 3
    assert read(warehouse, newest) == read(warehouse, second)
    assert read(warehouse, first) == read(
        warehouse, warehouse.snapshot("card_spending", "main", first.snapshot_id)
    )
    assert {p["month"] for p in parts(newest)} == {"2026-01", "2026-02", "2026-03"}
    assert planned(warehouse, "date >= '2026-03-01'") == {
        f.path for f in newest.files if dict(f.partition)["month"] == "2026-03"
    }


def test_partitions_can_change_and_go(warehouse: Warehouse) -> None:
    first = publish(warehouse, spending(JAN, FEB))
    only_month = dataclasses.replace(SPENDING, partitions=SPENDING.partitions[1:])
    publish(warehouse, spending(MAR), days(MAR), only_month)
    newest = warehouse.snapshot("card_spending")
    assert {tuple(p) for p in parts(newest)} == {("month",)}
    by_industry = dataclasses.replace(
        SPENDING.partitions[0], name="industry", source="industry", how=How.SAME, number=0
    )
    other = dataclasses.replace(SPENDING, partitions=(SPENDING.partitions[1], by_industry))
    third = publish(warehouse, spending(MAR), dataset=other)
    assert parts(third) == [{"month": "2026-03", "industry": "한식"}]
    assert planned(warehouse, "industry = '한식'") == {third.files[0].path}
    back = publish(warehouse, spending(MAR), dataset=UNPARTED)
    assert parts(back) == [{}]
    assert len(read(warehouse, warehouse.snapshot("card_spending", "main", first.snapshot_id))) == 4


def test_a_version_says_what_its_partitions_mean_unless_they_once_meant_something_else(
    warehouse: Warehouse,
) -> None:
    first = publish(warehouse, spending(JAN, FEB))
    ids = {f.name: f.field_id for f in first.fields}
    gu = PartedBy(name="gu", field_id=ids["dong_code"], transform="truncate[5]")
    month = PartedBy(name="month", field_id=ids["date"], transform="month")
    assert first.parted == (gu, month)
    other = dataclasses.replace(SPENDING.partitions[0], source="industry", how=How.SAME, number=0)
    dataset = dataclasses.replace(SPENDING, partitions=(other, SPENDING.partitions[1]))
    second = publish(warehouse, spending(MAR), days(MAR), dataset)
    assert second.parted == (month,)
    assert publish(warehouse, spending(MAR), days(MAR)).parted == (month,), "an old file may still say it so"


def test_a_column_that_parted_the_rows_cannot_be_given_up(warehouse: Warehouse) -> None:
    first = publish(warehouse, spending(JAN))
    narrow = dataclasses.replace(
        SPENDING,
        columns=tuple(c for c in SPENDING.columns if c.name != "dong_code"),
        key=tuple(k for k in SPENDING.key if k != "dong_code"),
        sort=("date", "hour"),
        partitions=SPENDING.partitions[1:],
    )
    with pytest.raises(WarehouseError, match="dong_code") as refused:
        publish(warehouse, spending(FEB, dongs=[JONGNO]).drop(["dong_code"]), days(FEB), narrow)
    assert refused.value.reason == "parts-files"
    assert warehouse.versions("card_spending") == (first,)
    assert len(publish(warehouse, spending(FEB), days(FEB)).files) == 4, "it goes on as before"


def test_a_renamed_column_keeps_its_values(warehouse: Warehouse) -> None:
    first = publish(warehouse, spending(JAN))
    columns = tuple(
        dataclasses.replace(c, name="won", was="amount") if c.name == "amount" else c
        for c in SPENDING.columns
    )
    renamed = dataclasses.replace(SPENDING, columns=columns)
    new = spending(FEB).rename_columns([c.name for c in columns])
    second = publish(warehouse, new, days(FEB), renamed)
    assert read(warehouse, second, "won") == [(5000,)] * 4
    assert read(warehouse, first, "amount") == [(5000,)] * 2
    ids = {f.name: f.field_id for f in second.fields}
    assert ids["won"] == {f.name: f.field_id for f in first.fields}["amount"]


def test_a_wider_type_is_taken_over(warehouse: Warehouse) -> None:
    from catalog.descriptions import ColumnType

    publish(warehouse, spending(JAN))
    columns = tuple(
        dataclasses.replace(c, type=ColumnType.LONG) if c.name == "hour" else c for c in SPENDING.columns
    )
    wider = dataclasses.replace(SPENDING, columns=columns)
    new = spending(FEB)
    new = new.set_column(1, "hour", pa.array([1 << 40] * new.num_rows, pa.int64()))
    second = publish(warehouse, new, days(FEB), wider)
    assert {f.name: f.duckdb_type for f in second.fields}["hour"] == "BIGINT"
    assert read(warehouse, second, "hour") == [(0,), (0,), (1 << 40,), (1 << 40,)]


def test_a_value_cannot_name_a_folder_outside(warehouse: Warehouse) -> None:
    by_industry = dataclasses.replace(
        SPENDING.partitions[0], name="industry", source="industry", how=How.SAME, number=0
    )
    dataset = dataclasses.replace(SPENDING, partitions=(by_industry,))
    rows = spending(JAN)
    rows = rows.set_column(3, "industry", pa.array(["../../../evil", "/a=b/%2e"], pa.string()))
    made = publish(warehouse, rows, dataset=dataset)
    data = (warehouse.root / "card_spending" / "main" / "data").resolve()
    for file in made.files:
        assert warehouse.path(file.path).resolve().parent.parent == data
        assert "=" not in file.path
    assert {p["industry"] for p in parts(made)} == {"../../../evil", "/a=b/%2e"}
    assert len(read(warehouse, made)) == 2


def test_too_fine_partitions_are_refused_whole(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    first = publish(warehouse, spending(JAN))
    monkeypatch.setattr(datafiles, "MOST_FILES", 3)
    with pytest.raises(WarehouseError, match="partitions") as refused:
        publish(warehouse, spending(JAN, FEB))
    assert refused.value.reason == "too-many-files"
    assert warehouse.versions("card_spending") == (first,)
    assert {p.name for p in warehouse.root.rglob("*.parquet")} == {Path(f.path).name for f in first.files}


def test_the_twin_has_no_partitions_and_a_variant_those_of_columns_it_keeps(warehouse: Warehouse) -> None:
    twin = warehouse.publish(SPENDING, "twin", spending(JAN, FEB), publication())
    assert parts(twin) == [{}]
    aggregated = SPENDING.variants[0]
    kept = tuple(
        dataclasses.replace(
            aggregated.columns[2], name=c.name, source=c.name, how=How.MASK if c.name == "age" else How.SAME,
            value="X", title=c.title,
        )
        for c in SPENDING.columns
    )  # fmt: skip
    masked = dataclasses.replace(aggregated, name="masked", columns=kept, counted="", least=0)
    dataset = dataclasses.replace(SPENDING, variants=(masked, aggregated), lookups=("industry", "amount"))
    assert described(dataset, "masked").lookups == ("industry", "amount")
    assert described(dataset, "gu_monthly").lookups == ()
    publish(warehouse, spending(JAN, FEB, each=200), dataset=dataset)
    by_name = {made.variant: made for made in refresh_variants(warehouse, dataset, NOW, "c")}
    assert len(granted_files(by_name["masked"], {"gu": frozenset({"11680"})})) == 2
    assert parts(by_name["gu_monthly"]) == [{}]


def test_lists_written_before_there_were_partitions_are_read(warehouse: Warehouse) -> None:
    made = publish(warehouse, spending(JAN), dataset=UNPARTED)
    listing = metadata.files_path(warehouse.root, "card_spending", "main", made.snapshot_id)
    assert "partition" not in listing.read_text()
    assert made.files[0].partition == ()


def test_a_publication_remembers_what_it_is_a_compaction_of() -> None:
    one = publication()
    assert Publication.of(one.properties()) == one
    other = dataclasses.replace(one, compaction_of=1 << 62)
    assert Publication.of(other.properties()) == other


def test_a_value_looked_up_is_found_without_reading_what_lacks_it(warehouse: Warehouse) -> None:
    """DuckDB's own reading of the filters: which row groups they exclude for one value."""
    looked = dataclasses.replace(UNPARTED, lookups=("industry",))
    rows = pa.concat_tables([spending(JAN, each=70_000), spending(FEB, each=70_000)])
    codes = [f"업종{i % 4_999:05}" for i in range(rows.num_rows - 1)]
    rows = rows.set_column(3, "industry", pa.array([*codes, "업종 하나뿐"], pa.string()))
    made = publish(warehouse, rows, dataset=looked)
    plain = publish(warehouse, rows, dataset=UNPARTED)
    excluded = {}
    for version in (made, plain):
        (file,) = version.files
        assert len(file.row_groups) > 2
        with duckdb.connect() as connection:
            found = connection.execute(
                "SELECT count(*) FILTER (bloom_filter_excludes) FROM parquet_bloom_probe(?, 'industry', ?)",
                [str(warehouse.path(file.path)), "업종 하나뿐"],
            ).fetchall()
        excluded[version.snapshot_id] = found[0][0]
        assert len(read(warehouse, version, "industry")) == rows.num_rows
    assert excluded[made.snapshot_id] == len(made.files[0].row_groups) - 1
    assert excluded[plain.snapshot_id] == 0


def test_a_small_file_has_a_small_filter(warehouse: Warehouse) -> None:
    looked = dataclasses.replace(UNPARTED, lookups=("dong_code",))
    made = publish(warehouse, spending(JAN, each=10), dataset=looked)
    plain = publish(warehouse, spending(JAN, each=10), dataset=UNPARTED)
    assert plain.size < made.size < plain.size + 1_000
