"""Real files of transit, bikes, air and weather load whole; sums are those of the csv module and openpyxl."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
import shapely

from tests.catalog.ingest.support import column_sum, needs_real, new_warehouse, query, real, records, take

pytestmark = needs_real


def test_hours_in_column_names_become_rows(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("transit", "시간대별")
    made = take(warehouse, "subway_hourly", path)
    rows = records(path)
    assert (len(rows), made.rows, made.periods) == (615, 615 * 18, ("2022-10",))
    boardings, alightings = (sum(int(r[i]) for r in rows for i in range(s, 39, 2)) for s in (3, 4))
    assert query(warehouse, "subway_hourly", "sum(boardings), sum(alightings), min(hour), max(hour)") == (
        boardings,
        alightings,
        6,
        23,
    )
    hongdae = next(r for r in rows if r[1:3] == ["2호선", "홍대입구"])
    wanted = "sum(boardings) FILTER (line = '2호선' AND station = '홍대입구' AND hour = 18)"
    assert query(warehouse, "subway_hourly", wanted) == (int(hongdae[27]),)
    assert query(warehouse, "subway_hourly", "count(*) FILTER (station LIKE '%?%')") == (18,)


def test_crowding_is_missing_where_no_train_runs(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("transit", "SUBCONGEST")
    rows = records(path)
    assert take(warehouse, "subway_congestion", path).rows == len(rows) * 39 == 64_818
    values = [v for r in rows for v in r[6:]]
    missing = sum(v in {"", "0"} for v in values)
    assert missing == 1108 + 2128
    total = float(sum(Decimal(v) for v in values if v))
    found = query(
        warehouse,
        "subway_congestion",
        "sum(congestion), count(*) - count(congestion), max(congestion), max(half_hour), min(half_hour)",
    )
    assert found == (pytest.approx(total), missing, 151.9, "24:30", "05:30")


def test_bus_stops_keep_leading_zeros_and_become_points(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("transit", "버스정류소")
    made = take(warehouse, "bus_stops", path)
    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        rows = list(book["Data"].iter_rows(min_row=2, values_only=True))
    assert made.rows == len(rows) == 11_291
    found = query(
        warehouse,
        "bus_stops",
        "sum(longitude), sum(latitude), count(*) FILTER (ars_id LIKE '0%'),"
        " any_value(geometry) FILTER (node_id = '100000001')",
    )
    longitude, latitude = (sum(float(str(r[i])) for r in rows) for i in (3, 4))
    zeros = sum(str(r[1]).startswith("0") for r in rows)
    assert found[:3] == (pytest.approx(longitude), pytest.approx(latitude), zeros)
    assert zeros > 0
    assert shapely.from_wkb(found[3]).equals(shapely.Point(126.9877522923, 37.5698055407))


def test_bike_stations_at_zero_have_no_place(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("bike", "bcycle")
    rows = records(path)
    assert take(warehouse, "bike_stations", path).rows == len(rows) == 3385
    nowhere = sum(r[3] == r[4] == "0" for r in rows)
    assert nowhere == 13
    found = query(
        warehouse,
        "bike_stations",
        "sum(latitude), sum(longitude), count(*) - count(geometry), count(*) - count(longitude),"
        " count(*) - count(place)",
    )
    empty = sum(not r[2] for r in rows)
    sums = [pytest.approx(column_sum(rows, i)) for i in (3, 4)]
    assert found == (*sums, nowhere, nowhere, empty)


def test_bike_demand_is_read_as_latin_1_by_its_header(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("bike", "SeoulBike")
    assert "캜" in path.read_bytes().decode("cp949")  # the trap: it decodes strictly, and wrongly
    made = take(warehouse, "bike_demand", path)
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("latin-1"))))[1:]
    assert made.rows == len(rows) == 8760
    assert made.files[0].layout == "numbered"
    found = query(
        warehouse,
        "bike_demand",
        "sum(rentals), sum(temperature), sum(rainfall), count(*) FILTER (operating = 'no'),"
        " sum(rentals) FILTER (operating = 'no'), min(date)::VARCHAR, max(date)::VARCHAR",
    )
    sums = [column_sum(rows, i) for i in (2, 4, 10)]
    assert found == (
        sums[0],
        pytest.approx(sums[1]),
        pytest.approx(sums[2]),
        295,
        0,
        "2017-12-01",
        "2018-11-30",
    )


def test_two_years_of_air_quality(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    paths = [real("sensors", f"대기오염도_{year}") for year in (2020, 2024)]
    made = take(warehouse, "air_quality_daily", *paths)
    rows = [r for p in paths for r in records(p)]
    assert made.rows == len(rows) == 2 * 366 * 50
    assert len(made.periods) == 24
    names = ("no2", "o3", "co", "so2", "pm10", "pm25")
    found = query(
        warehouse,
        "air_quality_daily",
        ", ".join(f"sum({n}), count(*) - count({n})" for n in names) + ", count(DISTINCT station)",
    )
    expected = [v for i in range(2, 8) for v in (column_sum(rows, i), sum(not r[i] for r in rows))]
    assert found[:-1] == tuple(pytest.approx(v) for v in expected)
    assert found[-1] == len({r[1] for r in rows})


def test_weather_keeps_numbers_without_their_zero(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("sensors", "ASOS")
    rows = records(path)
    assert take(warehouse, "weather_daily", path).rows == len(rows) == 3287
    found = query(
        warehouse,
        "weather_daily",
        "sum(mean_temperature), sum(low_temperature), sum(wind_speed), sum(humidity),"
        " count(*) - count(wind_speed), count(*) - count(low_temperature),"
        " count(*) FILTER (mean_temperature > -1 AND mean_temperature < 0)",
    )
    bare = sum(r[3].startswith("-.") for r in rows)
    assert bare > 0
    assert found == (*(pytest.approx(column_sum(rows, i)) for i in (3, 4, 5, 6)), 8, 1, bare)
