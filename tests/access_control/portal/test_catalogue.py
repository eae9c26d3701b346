"""The catalogue's pages: labels, search and facets, coverage, lineage, versions, examples, metadata."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from access_control.portal import coverage
from access_control.portal.examples import examples, readme_of
from access_control.portal.facts import REPO, FactsShelf
from catalog.descriptions import PeriodUnit, Tier, load_all
from catalog.descriptions.model import How, Partition
from catalog.descriptions.variants import sql_name
from catalog.gateway.sql import functions
from catalog.gateway.sql.statement import prepare
from catalog.samples.load import sample
from catalog.warehouse import Publication, SourceFile, Warehouse, duckdb_relation_sql
from tests.access_control.campus import NOW
from tests.access_control.portal.conftest import Portal
from tests.catalog.gateway.test_tree import PARSER

LABEL = '<span class="krds-badge bg-light-point">합성 데이터</span>'


async def test_made_up_data_is_labelled_wherever_it_shows(portal: Portal) -> None:
    visitor = portal.browser()
    count = len(portal.services.facts.synthetic())
    assert count >= 7
    front = (await visitor.get("/")).text
    assert front.count(LABEL) == count + 1  # and the dashboard that reads them
    assert (await visitor.get("/datasets")).text.count(LABEL) == count
    assert LABEL in (await visitor.get("/dashboards")).text
    page = (await visitor.get("/datasets/living_population")).text
    for heading in ("glance", "coverage", "rows"):
        assert LABEL in page.split(f'<h2 id="{heading}">')[1].split("</h2>")[0]


async def test_words_facets_and_removing_a_facet(portal: Portal) -> None:
    visitor = portal.browser()
    found = (await visitor.get(f"/datasets?q={quote('행정동 코드를')}")).text
    assert found.index("/datasets/dong_codes") < found.index("/datasets/living_population")
    assert "<code>kostat_code</code>" in found
    narrowed = (await visitor.get("/datasets?domain=transport&domain=commerce&resolution=day")).text
    rows = re.findall(r'<h2><a href="/datasets/([a-z_]+)"', narrowed)
    assert "subway_ridership" in rows and "card_sales" not in rows
    assert 'href="/datasets?domain=commerce&amp;resolution=day"' in narrowed
    assert narrowed.count(" checked") == 3
    nothing = (await visitor.get("/datasets?domain=%3Cscript%3E")).text
    assert "조건에 맞는 데이터셋이 없습니다" in nothing and "<script>x" not in nothing
    partly = (await visitor.get(f"/datasets?q={quote('지하철 qqqq')}")).text
    assert "모두 들어 있는 데이터셋이 없어" in partly


async def test_a_page_shows_coverage_codes_examples_and_lineage(portal: Portal) -> None:
    page = (await portal.browser().get("/datasets/living_population")).text
    assert "기간별 행 수" in page and "지역별 행 수" in page and "<td>종로구</td>" not in page
    assert '<th scope="row">종로구</th>' in page
    assert "행정안전부 행정동 코드 (8자리)" in page and "<code>MOIS-dong-8</code>" in page
    assert page.count('campus.sql("""') >= 3 and "JOIN dong_codes" in page
    assert "원본 파일 없이 공개된 통계로 만들어 낸 합성 데이터입니다" in page and "첫 판" in page
    assert 'rel="alternate" type="application/ld+json" href="/datasets/living_population/dcat.jsonld"' in page


async def test_a_variant_says_how_it_differs_and_who_may_read_it(portal: Portal) -> None:
    page = (await portal.browser().get("/datasets/card_spending")).text
    assert "card_spending_gu_monthly" in page
    assert 'href="/requests/new?dataset=card_spending&amp;variant=gu_monthly"' in page
    changed = dict(portal.services.datasets)
    [variant] = changed["card_spending"].variants
    opened = replace(changed["card_spending"], variants=(replace(variant, tier=Tier.OPEN),))
    object.__setattr__(portal.services, "datasets", changed | {"card_spending": opened})
    page = (await portal.browser().get("/datasets/card_spending")).text
    assert "모든 세션에서 읽을 수 있음" in page and "amp;variant=gu_monthly" not in page
    portal.campus.person("minji")
    asked = await (await portal.signed_in("minji")).get(
        "/requests/new?dataset=card_spending&variant=gu_monthly"
    )
    assert asked.status == 400 and "공개 데이터입니다" in asked.text


async def test_access_can_be_applied_for_where_it_is_needed(portal: Portal) -> None:
    assert "이용 권한 신청" not in (await portal.browser().get("/datasets/card_sales")).text
    changed = dict(portal.services.datasets)
    changed["card_sales"] = replace(changed["card_sales"], tier=Tier.CONTROLLED)
    object.__setattr__(portal.services, "datasets", changed)
    portal.campus.person("minji")
    for browser in (portal.browser(), await portal.signed_in("minji")):
        page = (await browser.get("/datasets/card_sales")).text
        assert 'primary" href="/requests/new?dataset=card_sales">이용 권한 신청' in page
    there = await portal.browser().get("/requests/new?dataset=card_sales")
    assert there.location == "/sign-in?next=%2Frequests%2Fnew%3Fdataset%3Dcard_sales"


async def test_machines_get_three_formats_and_the_whole_catalogue(portal: Portal) -> None:
    visitor = portal.browser()
    for name in ("dcat.jsonld", "croissant.json", "datapackage.json"):
        answer = await visitor.get(f"/datasets/card_sales/{name}")
        assert answer.status == 200 and "json" in answer.headers["content-type"]
        assert "합성 데이터" in json.dumps(json.loads(answer.text), ensure_ascii=False)
        assert (await visitor.get(f"/datasets/nothing/{name}")).status == 404
    for name in ("croissant.json", "datapackage.json"):
        made = json.loads((await visitor.get(f"/datasets/card_spending/{name}?variant=twin")).text)
        assert made["name"].replace("-", "_") == "card_spending_twin"
        assert (await visitor.get(f"/datasets/card_spending/{name}?variant=nothing")).status == 404
        assert (await visitor.get(f"/datasets/card_sales/{name}?variant=twin")).status == 404
    distributions = json.loads((await visitor.get("/datasets/card_spending/dcat.jsonld")).text)
    assert len(distributions["dcat:distribution"]) == 3
    catalogue = json.loads((await visitor.get("/catalog.jsonld")).text)
    assert len(catalogue["dcat:dataset"]) == len(portal.services.datasets)


def test_every_example_passes_the_gateway_and_runs(facts: FactsShelf, warehouse: Warehouse) -> None:
    datasets = load_all(REPO / "datasets")
    published = [name for name in datasets if facts.snapshot(name)]
    tables = {
        sql_name(name, variant): (name, variant) for name in published for variant in warehouse.variants(name)
    }
    systems = {
        table: {c.name: c.code_system for c in datasets[name].columns} for table, (name, _) in tables.items()
    }
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA memory.campus")
        for table, (name, variant) in tables.items():
            snapshot = warehouse.snapshot(name, variant)
            source = duckdb_relation_sql(snapshot, [str(warehouse.path(f.path)) for f in snapshot.files])
            connection.execute(f"CREATE VIEW memory.campus.{table} AS {source}")
        for name in published:
            snapshot = warehouse.snapshot(name)
            figure = facts.sample(snapshot).figure
            made = examples(datasets[name], readme_of(REPO / "datasets", name), figure, datasets)
            assert made
            for example in made:
                statement = prepare(example.sql, tuple(tables), functions.load(), PARSER, systems)
                assert {tables[table][0] for table in statement.tables} >= {name}
                assert connection.execute(statement.text).fetchall(), (name, example.sql)


@pytest.mark.parametrize(
    ("unit", "counted", "charted"),
    [
        (PeriodUnit.DAY, {"2026-02-27": 5, "2026-03-02": 7}, [5, 0, 0, 7]),
        (PeriodUnit.MONTH, {"2025-11": 1, "2026-02": 2}, [1, 0, 0, 2]),
        (PeriodUnit.QUARTER, {"20243": 1, "20252": 2}, [1, 0, 0, 2]),
        (PeriodUnit.QUARTER, {"odd": 1, "strange": 2}, [1, 2]),
        (None, {"2026": 1}, []),
        (PeriodUnit.DAY, {}, []),
    ],
)
def test_holes_are_counted_as_nothing(
    unit: PeriodUnit | None, counted: dict[str, int], charted: list[int]
) -> None:
    assert [rows for _, rows in coverage.charted(counted, unit)] == charted


def test_many_days_are_added_up() -> None:
    first = NOW.date()
    counted = {(first + timedelta(days=i)).isoformat(): 2 for i in range(900)}
    made = coverage.charted(counted, PeriodUnit.DAY)
    assert len(made) <= coverage.MOST_BARS and sum(rows for _, rows in made) == 1800
    assert all(len(period) == 7 for period, _ in made)


def test_versions_say_from_which_files_and_how_they_differ(tmp_path: Path) -> None:
    datasets = load_all(REPO / "datasets")
    dataset = datasets["card_sales"]
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")
    rows = sample(dataset)
    file = SourceFile(name="매출_2024.csv", sha256="ab" * 32, size=12, rows=rows.num_rows, layout="sales")
    made = Publication(now=NOW, by="campus", synthetic=True, source="made up", recipe="sample-1")
    real = replace(made, by="steward", synthetic=False, source="OA-22175", recipe="3", files=(file,))
    warehouse.publish(dataset, "main", rows, made)
    last = rows["quarter"].to_pylist()[-1]
    fewer = rows.filter([quarter != last for quarter in rows["quarter"].to_pylist()])
    warehouse.publish(dataset, "main", fewer, real)
    facts = FactsShelf(warehouse, datasets)
    newest, first = facts.versions("card_sales")
    assert newest.publication.files == (file,) and newest.publication.by == "steward"
    counted = facts.sample(newest).versions
    assert set(counted) == {newest.snapshot_id, first.snapshot_id}
    assert set(counted[first.snapshot_id]) - set(counted[newest.snapshot_id]) == {last}


async def test_a_version_of_merged_files_says_that_its_rows_are_the_same(
    portal: Portal, warehouse: Warehouse
) -> None:
    whole = replace(load_all(REPO / "datasets")["area_change"], partitions=())
    before = warehouse.snapshot("area_change")
    warehouse.publish(whole, "main", sample(whole), before.publication)
    parted = replace(whole, partitions=(Partition(
        name="quarter", source="quarter", how=How.SAME, number=0, title=whole.title, code_system=""
    ),))  # fmt: skip
    merged = warehouse.compact(parted, "main", NOW, "sora")
    assert merged is not None
    page = (await portal.browser().get("/datasets/area_change")).text
    row = page.split(f'<th scope="row">{merged.snapshot_id}')[1].split("</tr>")[0]
    assert "같은 행을 더 적은 파일로 합침" in row
    assert page.count("같은 행을 더 적은 파일로 합침") == 1
