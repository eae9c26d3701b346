"""Real files of population, sensors and codes load whole; totals inside them are checked and left out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import openpyxl
import pytest

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


def test_the_row_of_the_whole_city_is_compared_and_left_out(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("living_population", "일별 집계표")
    rows = records(path)
    gu = [r for r in rows if r[1] != "11000"]
    made = take(warehouse, "living_population_gu", path)
    assert (len(rows), made.rows, made.periods) == (52, 50, ("2026-04-24", "2026-04-25"))
    foreign = ("long_foreign", "short_foreign")
    names = ("total", "korean", *foreign, "day_max", "day_min", "daytime", "nighttime", "movers")
    found = query(warehouse, "living_population_gu", ", ".join(f"sum({n})" for n in names))
    assert found == tuple(pytest.approx(column_sum(gu, i)) for i in range(3, 12))
    assert query(warehouse, "living_population_gu", "count(*) FILTER (gu_code = '11000')") == (0,)
    city = column_sum([r for r in rows if r[1] == "11000"], 3)
    assert found[0] == pytest.approx(city, abs=0.1)


def test_footfall_by_gu(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("floating_population", "길단위인구-자치구")
    rows = records(path)
    assert take(warehouse, "floating_population_gu", path).rows == len(rows) == 550
    names = ("total", "male", "female", "age_60_over", "time_00_06", "time_21_24", "mon", "sun")
    found = query(warehouse, "floating_population_gu", ", ".join(f"sum({n})" for n in names))
    assert found == tuple(column_sum(rows, i) for i in (3, 4, 5, 11, 12, 17, 18, 24))


def test_532_columns_become_totals_and_crossings(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("floating_population", "구레이아웃")
    rows = records(path)
    assert {len(r) for r in rows} == {532}
    assert take(warehouse, "floating_population_area", path).rows == len(rows) == 132
    names = ("total", "male", "age_60_over", "time_21_24", "sun")
    found = query(warehouse, "floating_population_area", ", ".join(f"sum({n})" for n in names))
    assert found == tuple(column_sum(rows, i) for i in (6, 7, 14, 20, 27))
    assert query(warehouse, "floating_population_area", "min(quarter), max(quarter)") == ("20171", "20222")
    made = take(warehouse, "floating_population_area_detail", path)
    assert made.rows == 132 * 504
    everything = sum(column_sum(rows, i) for i in range(28, 532))
    assert query(warehouse, "floating_population_area_detail", "sum(persons)") == (everything,)
    assert everything == pytest.approx(column_sum(rows, 6), rel=2e-4)
    first, last = rows[0], rows[0][-1]
    where = f"quarter = '{first[0]}{first[1]}' AND area_code = '{first[4]}'"
    corners = query(
        warehouse,
        "floating_population_area_detail",
        f"sum(persons) FILTER ({where} AND sex = 'male' AND age = '10' AND weekday = 'mon'"
        f" AND time_band = '00_06'), sum(persons) FILTER ({where} AND sex = 'female' AND"
        " age = '60_over' AND weekday = 'sun' AND time_band = '21_24')",
    )
    assert corners == (int(first[28]), int(last))


def test_two_header_rows_and_quarters_in_column_names(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("stat_tables", "registered")
    body = records(path)[1:]
    assert body[0][1] == "소계"
    made = take(warehouse, "registered_population", path)
    assert made.rows == 25 * 22
    assert (made.periods[0], made.periods[3], made.periods[-1]) == ("20201", "20204", "20252")
    gu = sum(column_sum(body[1:], i) for i in range(2, 24))
    assert gu == sum(int(v) for v in body[0][2:])
    found = query(
        warehouse,
        "registered_population",
        "sum(persons), sum(persons) FILTER (quarter = '20204'),"
        " sum(persons) FILTER (gu_code = '11110' AND quarter = '20201')",
    )
    assert found == (gu, 9_911_088, 161_984)


def test_sensor_places_and_both_dictionaries(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("sensors", "sensor_longitude")
    rows = records(path)
    assert take(warehouse, "sdot_sensors", path).rows == len(rows) == 851
    found = query(warehouse, "sdot_sensors", "sum(latitude), sum(longitude), count(geometry)")
    assert found == (pytest.approx(column_sum(rows, 1)), pytest.approx(column_sum(rows, 2)), 851)
    csv_file, workbook = real("sensors", "sensor_data_info"), real("sensors", "data_detail")
    assert take(warehouse, "sdot_fields", csv_file).rows == len(records(csv_file)) == 23
    assert take(warehouse, "sdot_fields", workbook).rows == 23
    with closing(openpyxl.load_workbook(workbook, read_only=True)) as book:
        cells = list(book.worksheets[0].iter_rows(min_row=2, values_only=True))
    length = sum(int(str(r[3])) for r in cells)
    units = sum(str(r[4]).strip() != "" for r in cells)
    assert query(warehouse, "sdot_fields", "sum(bytes), count(unit), count(DISTINCT access)") == (
        length,
        units,
        1,
    )


def test_noise_keeps_sensor_clocks_as_they_are(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("sensors", "sdot_noise")
    rows = records(path)
    assert take(warehouse, "sdot_noise", path).rows == len(rows) == 60
    found = query(
        warehouse,
        "sdot_noise",
        "sum(noise), count(DISTINCT serial), count(*) FILTER (time LIKE '%:07:54'), min(noise), max(noise)",
    )
    serials = {r[0].split("_")[0] for r in rows}
    late = sum("07:54+" in r[4] for r in rows)
    assert late > 0
    assert found == (column_sum(rows, 3), len(serials), late, 35.0, 65.0)


def test_industry_codes_leave_the_owners_pivot_alone(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = real("codes", "소상표준분류")
    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        assert book.sheetnames[1] == "Sheet2"
        rows = list(book.worksheets[0].iter_rows(min_row=2, values_only=True))
    assert take(warehouse, "industry_codes", path).rows == len(rows) == 3347
    found = query(warehouse, "industry_codes", "count(DISTINCT large_code), count(DISTINCT small_code)")
    assert found == (len({r[0] for r in rows}), 3347)


def test_legal_dongs_and_origins(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = REAL / "codes" / "행정동코드.csv"
    rows = records(path)
    assert take(warehouse, "legal_dong_codes", path).rows == len(rows) == 730
    pairs = {(r[1], r[3]) for r in rows}
    assert query(warehouse, "legal_dong_codes", "count(DISTINCT (dong_code, legal_dong_code))") == (
        len(pairs),
    )
    path = real("codes", "매핑정보")
    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        origins = list(book["유입지코드"].iter_rows(min_row=2, values_only=True))
    assert take(warehouse, "inflow_codes", path).rows == len(origins)
    found = query(
        warehouse,
        "inflow_codes",
        "count(DISTINCT origin_code), count(sigungu_name), count(*) FILTER (sido_name = '경기')",
    )
    named = sum(r[2] is not None for r in origins)
    gyeonggi = sum(str(r[1]).strip() in {"경기", "경기도"} for r in origins)
    assert found == (len({str(r[0]) for r in origins}), named, gyeonggi)
