"""What rows are drawn as: the right aggregate, the right rows, areas by class, boundaries simplified."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
import shapely

from access_control.people.model import Role
from access_control.portal import maps, sketches
from access_control.portal.facts import REPO, FactsShelf, Figure
from catalog.descriptions import load_all
from catalog.samples import load_samples
from catalog.samples.load import sample
from catalog.synth.report import published_report
from catalog.warehouse import Publication, Warehouse
from tests.access_control.campus import NOW
from tests.access_control.portal.conftest import Portal

DATASETS = load_all(REPO / "datasets")
JAGGED = 2_000  # corners of a border


def shown(facts: FactsShelf, name: str, what: str) -> Figure:
    snapshot = facts.shown(name)
    assert snapshot is not None
    figure = getattr(facts.sample(snapshot), what)
    assert isinstance(figure, Figure), (name, what)
    return figure


def rows(sql: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE here AS {sql}")
    return connection


@pytest.mark.parametrize(
    ("name", "over", "way"),
    [
        ("living_population", "hour", "mean"),
        ("living_population_gu", "date", "sum"),
        ("living_population_gu", "", "mean"),
        ("card_spending", "hour", "sum"),
        ("weather_daily", "date", "mean"),
        ("air_quality_daily", "date", "mean"),
        ("income_spending_dong", "", "mean"),
        ("subway_ridership", "date", "sum"),
        ("registered_population", "", "sum"),
        ("dong_codes", "", "count"),
    ],
)
def test_amounts_are_added_up_and_levels_averaged(name: str, over: str, way: str) -> None:
    dataset = DATASETS[name]
    assert sketches.how(dataset, sketches.measure_of(dataset), over) == way


def test_quarters_are_not_added_up(facts: FactsShelf) -> None:
    every = shown(facts, "registered_population", "figure")
    assert every.period == "20251" and every.how == "sum"
    assert max(value for _, value in every.points) < 800_000, "the largest gu has about 650,000 people"


def test_dongs_of_one_name_are_told_apart() -> None:
    connection = rows(
        "SELECT '20251' AS quarter, * FROM (VALUES ('11680510', '신사동', 5), ('11380631', '신사동', 3), "
        "('11680640', '역삼1동', 1)) AS t(dong_code, dong_name, total)"
    )
    figure = sketches.figure(connection, "SELECT * FROM here", DATASETS["workers"])
    assert figure is not None
    assert figure.points == (("강남구 신사동", 5.0), ("은평구 신사동", 3.0), ("강남구 역삼1동", 1.0))


def test_a_histogram_counts_every_row_between_its_ends() -> None:
    connection = rows("SELECT (range % 100)::BIGINT AS persons FROM range(10_000)")
    made = sketches.histogram(connection, "SELECT * FROM here", DATASETS["registered_population"], 10_000)
    assert made is not None and made.how == "count"
    assert sum(value for _, value in made.points) == 10_000
    assert made.points[0] == ("0", 500.0) and made.points[1][0] == "5"


def test_of_very_many_rows_some_are_looked_at() -> None:
    connection = rows("SELECT (range % 100)::BIGINT AS persons FROM range(1_200_000)")
    dataset = DATASETS["registered_population"]
    made = sketches.histogram(connection, "SELECT * FROM here", dataset, 1_200_000)
    again = sketches.histogram(connection, "SELECT * FROM here", dataset, 1_200_000)
    assert made is not None and made == again
    assert sum(value for _, value in made.points) == sketches.ENOUGH


def test_skewed_values_get_logarithmic_bins() -> None:
    connection = rows("SELECT (10 ** (range % 7))::BIGINT AS persons FROM range(7_000)")
    made = sketches.histogram(connection, "SELECT * FROM here", DATASETS["registered_population"], 7_000)
    assert made is not None and made.how == "log"
    assert sum(value for _, value in made.points) == 7_000
    assert sum(1 for _, value in made.points if value) == 7, "one bin a power of ten"
    flat = rows("SELECT 3::BIGINT AS persons FROM range(50)")
    assert sketches.histogram(flat, "SELECT * FROM here", DATASETS["registered_population"], 50) is None


def test_a_boundary_is_sent_simplified_and_neighbours_still_touch() -> None:
    north = np.linspace(37.0, 37.1, JAGGED)
    border = np.column_stack([127.0 + 0.0002 * np.sin(np.arange(JAGGED)), north])
    west = shapely.Polygon([(126.9, 37.0), *border, (126.9, 37.1)])
    east = shapely.Polygon([(127.1, 37.1), *border[::-1], (127.1, 37.0)])
    connection = duckdb.connect()
    connection.execute("CREATE TABLE here (geometry BLOB)")
    connection.executemany("INSERT INTO here VALUES (?)", [[shapely.to_wkb(s)] for s in (west, east)])
    drawn = maps.outline(connection, "SELECT * FROM here", "geometry")
    assert drawn is not None and len(drawn.paths) == 2
    corners = [re.findall(r"[\d.]+ [\d.]+", path) for path in drawn.paths]
    assert all(len(of) < JAGGED / 20 for of in corners), "thousands of corners for a map of 640 units"
    common = set(corners[0]) & set(corners[1])
    assert len(common) >= 2, "the border is the same on both sides"
    assert sum(len(path) for path in drawn.paths) < 5_000


def test_areas_are_shaded_by_class_and_areas_without_rows_are_blank() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE here (dong_code VARCHAR, dong_name VARCHAR, geometry BLOB)")
    boxes = [(f"116805{i:02}", f"{i}동", shapely.box(127 + i, 37, 128 + i, 38)) for i in range(11)]
    connection.executemany(
        "INSERT INTO here VALUES (?, ?, ?)", [[c, n, shapely.to_wkb(b)] for c, n, b in boxes]
    )
    values = ", ".join(f"('116805{i:02}', {10**i})" for i in range(10))
    connection.execute(f"CREATE TABLE of AS SELECT * FROM (VALUES {values}) AS t(dong_code, total)")
    dataset = replace(DATASETS["living_population"], period=None)
    made = maps.shaded(connection, "SELECT * FROM of", dataset, "dong_code", "SELECT * FROM here")
    assert made is not None
    assert made.shades == (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, -1)
    assert made.breaks[0] == 1 and made.breaks[-1] == 10**9
    assert made.points[0] == ("강남구 9동", 1e9)
    assert made.shaded(-1) == (made.paths[10],)


def test_a_private_dataset_shows_map_histogram_and_report_of_its_twin(
    facts: FactsShelf, warehouse: Warehouse
) -> None:
    for name in ("card_spending", "telecom_population", "living_mobility"):
        assert len(shown(facts, name, "map").paths) > 400
        assert len(shown(facts, name, "histogram").points) > 8
    snapshot = facts.shown("card_spending")
    assert snapshot is not None and snapshot.variant == "twin"
    report = published_report(warehouse, DATASETS["card_spending"])
    assert report is not None
    said = facts.sample(snapshot).margins
    assert [(m.columns, m.distance, m.within) for m in said] == [
        (m.columns, m.distance, m.within) for m in report.margins
    ]
    public = facts.shown("card_sales")
    assert public is not None and not facts.sample(public).margins


def test_real_values_on_made_up_outlines_are_told_and_drawn_anew_with_real_ones(tmp_path: Path) -> None:
    few = {name: DATASETS[name] for name in ("workers", "dong_boundary")}
    warehouse = Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")
    load_samples(warehouse, few, NOW)
    facts = FactsShelf(warehouse, few)
    assert shown(facts, "workers", "map").made_up
    publication = Publication(now=NOW, by="steward", synthetic=False, source="s", recipe="1")
    warehouse.publish(few["dong_boundary"], "main", sample(few["dong_boundary"]), publication)
    assert not shown(facts, "workers", "map").made_up


async def test_the_pages_show_them(portal: Portal) -> None:
    page = (await portal.browser().get("/datasets/card_spending")).text
    assert page.count('<figure class="campus-figure') == 5
    assert "합성 쌍둥이는 선언을 얼마나 따르나" in page and "한도 안" in page and "총변동거리" in page
    assert "지역별 카드 이용 금액 합계" in page and "카드 이용 금액의 분포" in page
    assert "카드 이용자와 가맹점" in page
    assert "다섯 단계로 칠한 지도" in page and "실제 경계가 아닙니다" in page and "campus-legend" in page
    trips = (await portal.browser().get("/datasets/transit_trips")).text
    assert "교통카드 (대개 한 사람)" in trips and "(card_hash)" in trips
    assert "bin/campus synth" not in page
    portal.campus.person("sora", Role.STAFF)
    steward = await portal.signed_in("sora")
    assert "bin/campus synth card_spending --rows" in (await steward.get("/datasets/card_spending")).text
    assert "총변동거리" not in (await portal.browser().get("/datasets/card_sales")).text
