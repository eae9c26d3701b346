"""Published variants differ from the main one exactly as declared, and follow every new version of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from catalog.descriptions import Dataset, DescriptionError, Rows, load, load_all
from catalog.descriptions.model import How
from catalog.descriptions.published import described, differs
from catalog.descriptions.variants import demand_distinct, sql_name
from catalog.errors import CatalogError
from catalog.ingest import ingest
from catalog.samples import load_samples
from catalog.warehouse import Publication, Snapshot, Warehouse, materialise
from catalog.warehouse.leftovers import WORK
from catalog.warehouse.materialise import refresh_variants
from catalog.warehouse.schema import arrow_schema

REPO = Path(__file__).resolve().parents[3]
SPENDING = load_all(REPO / "datasets")["card_spending"]
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")


def publish(warehouse: Warehouse, dataset: Dataset, *, day: date, counts: tuple[int, int]) -> None:
    """Two gu on one day: many small cells each, adding up to these counts."""
    rows = []
    for dong, count in (("11110515", counts[0]), ("11680510", counts[1])):
        rows += [
            {"date": day, "hour": h, "dong_code": dong, "industry": "한식", "holder": "개인",
             "sex": "F", "age": "30", "amount": 1000 * count, "count": count}
            for h in (11, 12)
        ]  # fmt: skip
    publication = Publication(now=NOW, by="c", synthetic=False, source="delivery", recipe="1")
    warehouse.publish(dataset, "main", pa.Table.from_pylist(rows, arrow_schema(dataset)), publication)


def rows_of(warehouse: Warehouse, variant: str) -> list[dict[str, Any]]:
    return list(warehouse.preview(warehouse.snapshot("card_spending", variant), 100))


def test_a_coarsened_variant_is_its_own_table_with_small_groups_left_out(warehouse: Warehouse) -> None:
    publish(warehouse, SPENDING, day=date(2026, 2, 9), counts=(60, 49))
    (made,) = refresh_variants(warehouse, SPENDING, NOW, "c")
    assert rows_of(warehouse, "gu_monthly") == [
        {"month": date(2026, 2, 1), "gu_code": "11110", "industry": "한식", "amount": 120_000, "count": 120}
    ], "11680 has 98 payments, two too few"
    assert "100 미만" in made.source
    assert not made.synthetic
    main = {f.path for f in warehouse.snapshot("card_spending").files}
    assert not main & {f.path for f in made.files}, "a grant on it needs no file of the main one"


def test_a_variant_follows_its_main_version_and_only_then(warehouse: Warehouse) -> None:
    assert refresh_variants(warehouse, SPENDING, NOW, "c") == ()
    publish(warehouse, SPENDING, day=date(2026, 2, 9), counts=(60, 70))
    assert len(refresh_variants(warehouse, SPENDING, NOW, "c")) == 1
    assert refresh_variants(warehouse, SPENDING, NOW, "c") == ()
    publish(warehouse, SPENDING, day=date(2026, 3, 9), counts=(60, 70))
    assert len(refresh_variants(warehouse, SPENDING, NOW, "c")) == 1
    assert {r["month"] for r in rows_of(warehouse, "gu_monthly")} == {date(2026, 3, 1)}


def test_a_changed_declaration_is_made_anew(warehouse: Warehouse) -> None:
    publish(warehouse, SPENDING, day=date(2026, 2, 9), counts=(60, 49))
    refresh_variants(warehouse, SPENDING, NOW, "c")
    lower = dataclasses.replace(SPENDING, variants=(dataclasses.replace(SPENDING.variants[0], least=10),))
    assert len(refresh_variants(warehouse, lower, NOW, "c")) == 1
    assert len(rows_of(warehouse, "gu_monthly")) == 2


def test_samples_bring_their_variants(warehouse: Warehouse) -> None:
    load_samples(warehouse, {"card_spending": SPENDING}, NOW)
    made = warehouse.snapshot("card_spending", "gu_monthly")
    assert made.synthetic
    assert 100 < made.rows < 3 * 4 * 14


def test_an_ingested_delivery_replaces_stand_in_and_variants(warehouse: Warehouse, tmp_path: Path) -> None:
    load_samples(warehouse, {"card_spending": SPENDING}, NOW)
    file = tmp_path / "delivery.csv"
    head = "기준일자,가맹점행정동코드,개인법인구분,성별,연령대,업종대분류,카드이용금액계,카드이용건수계\n"
    lines = [f"2026021{d},1111051500,개인,여,30대,한식,900000,90\n" for d in range(1, 5)]
    file.write_bytes((head + "".join(lines)).encode("cp949"))
    said: list[str] = []
    done = ingest(SPENDING, [file], warehouse, NOW, "c", said.append)
    assert done.replaced_synthetic
    assert done.total_rows == 4
    row = warehouse.preview(warehouse.snapshot("card_spending"), 1)[0]
    assert (row["hour"], row["sex"], row["age"], row["dong_code"]) == (-1, "F", "30", "11110515")
    assert [(r["gu_code"], r["count"]) for r in rows_of(warehouse, "gu_monthly")] == [("11110", 360)]
    assert not warehouse.snapshot("card_spending", "gu_monthly").synthetic
    assert any("gu_monthly" in s for s in said)


def test_masked_variants_keep_every_row(warehouse: Warehouse) -> None:
    columns = tuple(
        dataclasses.replace(
            SPENDING.variants[0].columns[2], name=c.name, source=c.name, title=c.title, how=how, value=value
        )
        for c in SPENDING.columns
        for how, value in [(How.MASK, "X'") if c.name == "age" else (How.SAME, "")]
    )
    masked = dataclasses.replace(SPENDING.variants[0], name="masked", columns=columns, counted="", least=0)
    dataset = dataclasses.replace(SPENDING, variants=(masked,))
    publish(warehouse, dataset, day=date(2026, 2, 9), counts=(1, 2))
    refresh_variants(warehouse, dataset, NOW, "c")
    rows = rows_of(warehouse, "masked")
    assert len(rows) == 4
    assert {r["age"] for r in rows} == {"X'"}
    assert "age은(는) 'X''로 가림" in differs(dataset, masked).ko


def test_the_description_of_a_variant_is_its_own() -> None:
    own = described(SPENDING, "gu_monthly")
    assert own.key == ("month", "gu_code", "industry")
    assert own.column("gu_code").code_system == "MOIS-gu-5"
    assert own.column("amount").unit == "KRW"
    for part in ("first 5 digits", "months", "without hour, holder, sex, age", "below 100"):
        assert part in own.description.en
    assert described(SPENDING, "main") is SPENDING
    assert described(SPENDING, "twin") == dataclasses.replace(SPENDING, partitions=())
    with pytest.raises(KeyError):
        described(SPENDING, "nothing")


@pytest.mark.parametrize(
    ("hows", "rows", "columns"),
    [
        ({"card_hash": How.SAME, "fare": How.SAME}, Rows.INDIVIDUALS, ("card_hash",)),
        ({"user_type": How.SAME, "fare": How.SAME}, Rows.INDIVIDUALS, ()),
        ({"user_type": How.SAME, "fare": How.SUM}, Rows.AGGREGATED, ()),
    ],
)
def test_a_variant_says_whom_its_own_rows_tell_apart(
    hows: dict[str, How], rows: Rows, columns: tuple[str, ...]
) -> None:
    trips = load_all(REPO / "datasets")["transit_trips"]
    like = SPENDING.variants[0].columns[2]
    made = tuple(dataclasses.replace(like, name=n, source=n, how=how) for n, how in hows.items())
    variant = dataclasses.replace(SPENDING.variants[0], name="own", columns=made, counted="", least=0)
    entity = described(dataclasses.replace(trips, variants=(variant,)), "own").entity
    assert (entity.rows, entity.columns) == (rows, columns)


def put(value: Any, *path: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (put("twin", "name"), "variants[0].name"),
        (put("Main", "name"), "variants[0].name"),
        (put("nothing", "columns", 0, "from"), "columns[0].from"),
        (put("weekly", "columns", 0, "how"), "columns[0].how"),
        (put("sum", "columns", 2, "how"), "columns[2].how"),
        (put("month", "columns", 3, "how"), "columns[3].how"),
        (put(0, "columns", 1, "number"), "columns[1].number"),
        (put("count", "columns", 3, "name"), "variants[0].columns"),
        (put("month", "minimum", "column"), "minimum.column"),
        (put(0, "minimum", "least"), "minimum.column"),
        (put(1, "minimum", "most"), "minimum.most"),
        (put("x", "tier"), "variants[0].tier"),
        (put([{"name": "count", "from": "count", "how": "sum"}], "columns"), "variants[0].columns"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_key(
    tmp_path: Path, change: Callable[[Any], None], key: str
) -> None:
    content = yaml.safe_load((REPO / "datasets" / "card_spending" / "dataset.yml").read_text("utf-8"))
    change(content["variants"][0])
    file = tmp_path / "card_spending" / "dataset.yml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    with pytest.raises(DescriptionError) as refused:
        load(file)
    assert refused.value.key.endswith(key)


def test_names_that_sql_could_not_tell_apart_are_refused() -> None:
    assert sql_name("card_spending", "main") == "card_spending"
    assert sql_name("card_spending", "twin") == "card_spending_twin"
    demand_distinct([("a", "main"), ("a", "twin"), ("b", "main")])
    with pytest.raises(CatalogError, match="a_twin"):
        demand_distinct([("a", "twin"), ("a_twin", "main")])


class Watched(Warehouse):
    """Takes note of what the engine behind a variant spills while its rows are taken."""

    spilled = 0

    def publish(self, dataset: Dataset, variant: str, batches: Any, *rest: Any) -> Snapshot:
        def taken() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                made = self.root / dataset.name / variant / WORK / "made"
                self.spilled = max(self.spilled, len(list(made.glob("*.tmp"))))
                yield batch

        assert not isinstance(batches, pa.Table), "all its rows at once"
        return super().publish(dataset, variant, taken(), *rest)


def test_a_variant_larger_than_its_memory_goes_through_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(materialise, "MEMORY", "60MB")
    warehouse = Watched(tmp_path / "warehouse", tmp_path / "catalog.sqlite")
    count = 800_000
    with duckdb.connect() as engine:
        rows: Any = engine.sql(f"""
            SELECT DATE '2026-02-01' + (i % 20)::INTEGER AS date, (i // 20 % 24)::SMALLINT AS hour,
                   '11110515' AS dong_code, '업종 ' || hash(i) AS industry, '개인' AS holder, 'F' AS sex,
                   '30' AS age, 1000 AS amount, 1 AS count
            FROM range({count:d}) t(i)""")
        table = rows.to_arrow_table().cast(arrow_schema(SPENDING))
    publication = Publication(now=NOW, by="c", synthetic=False, source="delivery", recipe="1")
    Warehouse.publish(warehouse, SPENDING, "main", table, publication)
    every = dataclasses.replace(
        SPENDING, variants=(dataclasses.replace(SPENDING.variants[0], least=0, counted=""),)
    )
    (made,) = refresh_variants(warehouse, every, NOW, "c")
    assert made.rows == count
    assert warehouse.spilled, "files of groups that did not fit"
    assert not (warehouse.root / "card_spending" / "gu_monthly" / WORK).exists()
    assert {p.name for p in tmp_path.iterdir()} == {"warehouse", "catalog.sqlite"}, "nothing beside"
