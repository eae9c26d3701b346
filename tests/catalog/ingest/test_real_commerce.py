"""Real files of the commercial-area service load whole; sums are those of the csv module."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import shapely
from pyproj import Transformer

from catalog.ingest import IngestError
from tests.catalog.ingest.support import (
    REAL,
    column_sum,
    needs_real,
    new_warehouse,
    query,
    real,
    records,
    take,
)

pytestmark = needs_real


def test_both_layouts_of_stores_say_their_code_system(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    new, old = real("card_spending", "점포-상권"), real("card_spending", "점포_관광특구")
    made = take(warehouse, "stores", old, new)
    rows, before = records(new), records(old)
    assert made.rows == len(rows) + len(before) == 5795 + 5111
    assert [f.layout for f in made.files] == ["old", "current"]
    assert made.periods[0] == "20201"
    assert made.periods[-1] == "20251"
    for system, file, at in (("TRDAR-3", rows, 7), ("TRDAR-1", before, 8)):
        where = f"FILTER (area_code_system = '{system}')"
        found = query(
            warehouse,
            "stores",
            f"count(*) {where}, sum(stores) {where}, sum(closing_rate) {where}, sum(franchises) {where},"
            f" min(area_code) {where}, max(area_code) {where}",
        )
        codes = sorted(r[at - 4] for r in file)
        sums = [column_sum(file, at + i) for i in (0, 4, 6)]
        assert found == (len(file), *sums, codes[0], codes[-1])
    old_quarters = {r[0] + r[1] for r in before}
    assert old_quarters <= set(made.periods)


def test_income_and_spending_by_dong(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("card_spending", "소득소비-행정동")
    rows = records(path)
    assert take(warehouse, "income_spending_dong", path).rows == len(rows) == 8925
    found = query(
        warehouse,
        "income_spending_dong",
        "sum(monthly_income), sum(spending), sum(leisure_spending), sum(dining_spending),"
        " count(*) FILTER (income_band_code = '07'), max(length(income_band_code))",
    )
    sums = [column_sum(rows, i) for i in (3, 5, 13, 15)]
    assert found == (*sums, 2943, 2)


def test_a_file_damaged_by_a_spreadsheet_is_refused_with_every_cell_counted(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("card_spending", "소득소비-자치구")
    assert sum("E+" in v for r in records(path) for v in r) == 594
    with pytest.raises(IngestError) as refused:
        take(warehouse, "income_spending_gu", path)
    assert refused.value.reason == "spreadsheet-damage"
    first = next(n for n, r in enumerate(records(path), start=2) if any("E+" in v for v in r))
    assert refused.value.line == first
    assert "594칸" in refused.value.ko
    assert "594 numbers" in refused.value.en
    assert f"{first}행 '지출_총금액' 1.02E+12" in refused.value.ko
    assert warehouse.versions("income_spending_gu") == ()


def test_the_same_quarters_undamaged_load_by_gu(tmp_path: Path) -> None:
    path = real("card_spending", "소득소비-자치구")
    lines = path.read_bytes().decode("cp949").splitlines()
    whole = [line for line in lines if "E+" not in line]
    assert len(whole) < len(lines)
    quarter = [r.split(",") for r in whole[1:] if r.startswith("20202")]
    assert quarter
    rows = [whole[0], *(",".join([*r[:4], r[4].zfill(2), *r[5:]]) for r in quarter)]
    copy = tmp_path / "gu.csv"
    copy.write_bytes(("\n".join(rows) + "\n").encode("cp949"))
    warehouse = new_warehouse(tmp_path)
    assert take(warehouse, "income_spending_gu", copy).rows == len(quarter)
    assert query(warehouse, "income_spending_gu", "sum(spending)") == (column_sum(quarter, 5),)


@pytest.mark.parametrize(
    ("name", "part", "first", "columns"),
    [
        ("workers", "직장인구-행정동", 9936, ("total", "male", "female", "age_10")),
        ("residents_gu", "상주인구-자치구", 550, ("total", "male", "female", "age_10")),
        ("area_change", "상권변화지표", 10_200, ()),
        ("facilities", "집객시설", 7225, ("facilities", "public_offices", "banks", "general_hospitals")),
    ],
)
def test_quarterly_tables(tmp_path: Path, name: str, part: str, first: int, columns: tuple[str, ...]) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("commercial_area", part)
    rows = records(path)
    assert take(warehouse, name, path).rows == len(rows) == first
    quarters, codes = len({r[0] for r in rows}), len({r[1] for r in rows})
    code = "gu_code" if name == "residents_gu" else "dong_code"
    assert query(warehouse, name, f"count(DISTINCT quarter), count(DISTINCT {code})") == (quarters, codes)
    for at, column in enumerate(columns, start=3):
        assert query(warehouse, name, f"sum({column})") == (column_sum(rows, at),)


def test_every_crossing_of_workers_and_residents(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    for name, part in (("workers", "직장인구-행정동"), ("residents_gu", "상주인구-자치구")):
        path = real("commercial_area", part)
        take(warehouse, name, path)
        rows = records(path)
        bands = ("10", "20", "30", "40", "50", "60_over")
        crossings = [f"{sex}_{band}" for sex in ("male", "female") for band in bands]
        found = query(warehouse, name, ", ".join(f"sum({c})" for c in crossings))
        assert found == tuple(column_sum(rows, i) for i in range(12, 24))
    households = "sum(households), sum(apartment_households), sum(other_households)"
    assert query(warehouse, "residents_gu", households) == tuple(column_sum(rows, i) for i in (24, 25, 26))


def test_an_empty_facility_is_none_and_railway_stations_are_unknown(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("commercial_area", "집객시설")
    take(warehouse, "facilities", path)
    rows = records(path)
    empty = sum(not r[17] for r in rows)
    assert empty > 5000
    found = query(
        warehouse,
        "facilities",
        "count(*) FILTER (lodgings = 0), sum(lodgings), count(railway_stations), sum(bus_stops),"
        " count(*) - count(airports)",
    )
    assert found == (
        sum(not r[17] for r in rows),
        column_sum(rows, 17),
        0,
        column_sum(rows, 22),
        0,
    )


def test_stages_of_change(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("commercial_area", "상권변화지표")
    take(warehouse, "area_change", path)
    rows = records(path)
    found = query(
        warehouse,
        "area_change",
        "count(*) FILTER (change_code = 'LL'), count(*) FILTER (change = '상권축소'), sum(open_months),"
        " sum(closed_months), sum(seoul_open_months), sum(seoul_closed_months)",
    )
    assert found == (3889, 1906, *(column_sum(rows, i) for i in (5, 6, 7, 8)))


def test_commercial_areas_move_from_metres_to_degrees(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("commercial_area", "영역-상권")
    rows = records(path)
    assert take(warehouse, "commercial_areas", path).rows == len(rows) == 1650
    found = query(
        warehouse,
        "commercial_areas",
        "sum(easting), sum(northing), sum(area), count(DISTINCT area_type),"
        " any_value(geometry) FILTER (area_code = '3110008'), any_value(longitude) FILTER"
        " (area_code = '3110008')",
    )
    assert found[:4] == (*(column_sum(rows, i) for i in (4, 5, 10)), 4)
    move = Transformer.from_crs("EPSG:5181", "EPSG:4326", always_xy=True)
    longitude, latitude = move.transform(197093, 453418)
    point = shapely.from_wkb(found[4])
    assert (point.x, point.y) == (pytest.approx(longitude), pytest.approx(latitude))
    assert found[5] == point.x
    assert 126.96 < longitude < 126.98
    assert 37.57 < latitude < 37.59


def test_the_portals_json_of_dong_areas(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = REAL / "codes" / "서울시 상권분석서비스(영역-행정동).json"
    facts = json.loads(path.read_text("utf-8"))["DATA"]
    assert take(warehouse, "dong_areas", path).rows == len(facts) == 425
    found = query(warehouse, "dong_areas", "sum(area), sum(easting), sum(northing), count(geometry)")
    keys = ("relm_ar", "xcnts_value", "ydnts_value")
    assert found == (*(sum(f[k] for f in facts) for k in keys), 425)
