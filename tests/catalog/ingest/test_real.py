"""Every real publisher file loads whole: counts and sums equal those computed with the csv module alone."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest
import shapely

from catalog.ingest import IngestError
from tests.catalog.ingest.support import REAL, needs_real, new_warehouse, query, records, take

pytestmark = needs_real

SUBWAY = sorted((REAL / "transit").glob("CARD_SUBWAY_MONTH_*.csv"))
WEEKS = sorted((REAL / "living_population").glob("*.json"))


@pytest.mark.parametrize("path", SUBWAY, ids=lambda p: p.stem[-12:])
def test_each_subway_month(path: Path, tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, "subway_ridership", path)
    rows = records(path)
    assert made.rows == made.total_rows == len(rows)
    sums = [int(sum(Decimal(r[i]) for r in rows)) for i in (3, 4)]
    assert query(warehouse, "subway_ridership", "count(*), sum(boardings), sum(alightings)") == (
        len(rows),
        *sums,
    )
    names = {(r[1], r[2]) for r in rows}
    assert query(warehouse, "subway_ridership", "count(DISTINCT (line, station))") == (len(names),)
    (source,) = made.files
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert warehouse.snapshot("subway_ridership").publication.files == made.files


def test_a_station_that_the_publisher_splits_keeps_both_rows(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    (path,) = (p for p in SUBWAY if "202101" in p.name)
    take(warehouse, "subway_ridership", path)
    split = [r for r in records(path) if r[:3] == ["20210111", "경의선", "서울역"]]
    assert len(split) == 2
    found = query(
        warehouse,
        "subway_ridership",
        "list(boardings ORDER BY part)"
        " FILTER (date = '2021-01-11' AND line = '경의선' AND station = '서울역')",
    )
    assert found == ([int(r[3]) for r in split],)


def test_all_subway_months_at_once_are_one_version(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, "subway_ridership", *SUBWAY)
    assert made.rows == sum(len(records(p)) for p in SUBWAY)
    assert made.periods == ("2015-03", "2019-03", "2020-03", "2021-01", "2021-09", "2025-05")
    assert [f.layout for f in made.files] == ["A", "A", "A", "B", "C", "C"]
    assert len(warehouse.versions("subway_ridership")) == 1


@pytest.mark.parametrize("path", WEEKS, ids=lambda p: p.stem[-8:])
def test_each_week_of_living_population(path: Path, tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, "living_population", path)
    dongs = json.loads(path.read_text("utf-8"))
    assert made.rows == len(dongs) * 168
    sums = tuple(float(sum(sum(d[k]) for d in dongs)) for k in ("t", "f", "m", "a1", "a5"))
    assert (
        query(
            warehouse, "living_population", "sum(total), sum(female), sum(male), sum(age_10s), sum(age_50s)"
        )
        == sums
    )
    sixties = sum(sum(d["a6"]) for d in dongs) if "a6" in dongs[0] else None
    assert query(warehouse, "living_population", "sum(age_60s), sum(male_0_9)") == (sixties, None)
    sajik = next(d for d in dongs if d["code_8"] == 11110530)
    tuesday_noon = (
        f"max(total) FILTER (dong_code = '11110530' AND hour = 12 AND date = DATE '{_monday(path)}' + 1)"
    )
    assert query(warehouse, "living_population", tuesday_noon) == (float(sajik["t"][36]),)


def _monday(path: Path) -> str:
    return f"{path.stem[-8:-4]}-{path.stem[-4:-2]}-{path.stem[-2:]}"


def test_card_sales(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    (path,) = (REAL / "card_spending").glob("*추정매출-행정동*.csv")
    made = take(warehouse, "card_sales", path)
    rows = records(path)
    assert made.rows == len(rows) == 1680
    columns = ("sales_amount", "sales_count", "sat_amount", "time_21_24_count", "age_60_over_count")
    sums = tuple(sum(int(r[i]) for r in rows) for i in (5, 6, 14, 44, 52))
    assert query(warehouse, "card_sales", ", ".join(f"sum({c})" for c in columns)) == sums


def test_floating_population_keeps_the_publishers_lost_characters(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    (path,) = (REAL / "floating_population").glob("*길단위인구-행정동*.csv")
    made = take(warehouse, "floating_population", path)
    rows = records(path)
    assert made.rows == len(rows) == 10_625
    sums = tuple(sum(int(r[i]) for r in rows) for i in (3, 4, 11, 17, 24))
    columns = "sum(total), sum(male), sum(age_60_over), sum(time_21_24), sum(sun)"
    assert query(warehouse, "floating_population", columns) == sums
    marked = sum("?" in r[2] for r in rows)
    assert marked == 175
    assert query(warehouse, "floating_population", "count(*) FILTER (dong_name LIKE '%?%')") == (marked,)


def test_gu_boundary(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = REAL / "boundaries" / "seoul_municipalities_geo_simple_juso2015.json"
    assert take(warehouse, "gu_boundary", path).rows == 25
    ((codes, shapes),) = [
        query(warehouse, "gu_boundary", "list(gu_code ORDER BY gu_code), list(geometry ORDER BY gu_code)")
    ]
    features = {
        f["properties"]["SIG_CD"]: f["geometry"] for f in json.loads(path.read_text("utf-8"))["features"]
    }
    assert codes == sorted(features)
    for code, blob in zip(codes, shapes, strict=True):
        assert shapely.from_wkb(blob).equals(shapely.geometry.shape(features[code]))


def test_kostat_boundaries_are_refused_because_their_codes_collide(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    with pytest.raises(IngestError) as refused:
        take(
            warehouse, "gu_boundary", REAL / "boundaries" / "seoul_municipalities_geo_simple_kostat2013.json"
        )
    assert refused.value.reason == "refused-layout"
    assert "11110" in refused.value.ko
    assert "KOSTAT" in refused.value.en
    assert warehouse.versions("gu_boundary") == ()


def test_dong_boundary_from_the_shapefile_is_moved_to_degrees(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    (path,) = (REAL / "boundaries").glob("*영역-행정동*.shp")
    made = take(warehouse, "dong_boundary", path)
    assert made.rows == 425
    assert {Path(f.name).suffix for f in made.files} == {".shp", ".shx", ".dbf", ".prj", ".cpg"}
    (blobs, areas) = query(warehouse, "dong_boundary", "list(geometry), sum(area)")
    west, south, east, north = shapely.total_bounds(shapely.from_wkb(blobs))
    assert (round(west, 2), round(south, 2), round(east, 2), round(north, 2)) == (
        126.76,
        37.43,
        127.18,
        37.70,
    )
    facts = json.loads((REAL / "codes" / "서울시 상권분석서비스(영역-행정동).json").read_text("utf-8"))[
        "DATA"
    ]
    assert areas == sum(f["relm_ar"] for f in facts)


def test_dong_boundary_from_geojson(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, "dong_boundary", REAL / "boundaries" / "서울시_행정동_경계.geojson")
    assert made.rows == 426
    assert query(
        warehouse, "dong_boundary", "count(DISTINCT gu_code), min(length(dong_code)), max(length(dong_code))"
    ) == (
        25,
        8,
        8,
    )


def test_dong_codes(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    (path,) = (REAL / "codes").glob("행정동코드_매핑정보*.xlsx")
    assert take(warehouse, "dong_codes", path).rows == 424
    first = warehouse.preview(warehouse.snapshot("dong_codes"), 500)
    sajik = next(r for r in first if r["dong_code"] == "11110530")
    assert (sajik["kostat_code"], sajik["gu_code"], sajik["dong_name"]) == ("1101053", "11110", "사직동")
