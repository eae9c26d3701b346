"""Damaged and lying files of the wider layouts: each refused for its own reason, and nothing is published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.ingest import IngestError
from tests.catalog.ingest.small import SMALL, Rows, csv_bytes, old_stores
from tests.catalog.ingest.support import new_warehouse, take


@pytest.mark.parametrize("name", SMALL)
def test_the_small_files_are_good(tmp_path: Path, name: str) -> None:
    path = tmp_path / "good.csv"
    path.write_bytes(csv_bytes(SMALL[name](), "latin-1" if name == "bike_demand" else "utf-8"))
    assert take(new_warehouse(tmp_path), name, path).rows > 0


def put(line: int, column: int, text: str) -> Callable[[Rows], Rows]:
    """Write one cell, line counted from 1 and column from 0."""

    def change(rows: Rows) -> Rows:
        rows[line - 1][column] = text
        return rows

    return change


def drop(line: int) -> Callable[[Rows], Rows]:
    return lambda rows: [r for n, r in enumerate(rows, start=1) if n != line]


def twice(line: int) -> Callable[[Rows], Rows]:
    return lambda rows: [*rows, rows[line - 1]]


def without(column: int) -> Callable[[Rows], Rows]:
    return lambda rows: [r[:column] + r[column + 1 :] for r in rows]


def swapped(a: int, b: int) -> Callable[[Rows], Rows]:
    """The values of two columns exchanged, headers left alone."""

    def change(rows: Rows) -> Rows:
        for row in rows[1:]:
            row[a], row[b] = row[b], row[a]
        return rows

    return change


def both(*changes: Callable[[Rows], Rows]) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        for each in changes:
            rows = each(rows)
        return rows

    return change


CASES: dict[str, tuple[str, Callable[[Rows], Rows], str, int | None]] = {
    # hours in column names
    "an hour without its alightings": ("subway_hourly", without(4), "unknown-layout", 1),
    "hours out of order": (
        "subway_hourly",
        both(put(1, 3, "07시-08시 승차인원"), put(1, 5, "06시-07시 승차인원")),
        "unknown-layout",
        1,
    ),
    "an hour that no day has": ("subway_hourly", put(1, 3, "25시-26시 승차인원"), "unknown-layout", 1),
    "one hour twice": ("subway_hourly", put(1, 5, "06시-07시 승차인원"), "unknown-layout", 1),
    "no hours at all": (
        "subway_hourly",
        lambda rows: [[*r[:3], r[-1]] for r in rows],
        "unknown-layout",
        1,
    ),
    "a thirteenth month": ("subway_hourly", put(2, 0, "202613"), "bad-value", 2),
    "a negative count": ("subway_hourly", put(3, 5, "-5"), "check-failed", 3),
    "a spreadsheet's power of ten among the hours": (
        "subway_hourly",
        put(3, 5, "1.2E+05"),
        "spreadsheet-damage",
        3,
    ),
    "a station twice": ("subway_hourly", twice(2), "duplicate-key", 4),
    # crowding
    "crowding of a thousand": ("subway_congestion", put(2, 10, "1000"), "check-failed", 2),
    "a kind of day that is none": ("subway_congestion", put(3, 1, "공휴일"), "check-failed", 3),
    "a direction that is none": ("subway_congestion", put(3, 5, "동선"), "check-failed", 3),
    "line nine of another operator": ("subway_congestion", put(2, 2, "9"), "bad-value", 2),
    "a half hour missing": ("subway_congestion", without(20), "unknown-layout", 1),
    "a kind of day missing": ("subway_congestion", put(4, 1, "토요일"), "duplicate-key", 4),
    "a dash for no train": ("subway_congestion", put(2, 9, "-"), "bad-value", 2),
    # points
    "latitude and longitude exchanged": ("bike_stations", swapped(3, 4), "check-failed", 2),
    "half a coordinate": ("bike_stations", put(5, 3, "0"), "bad-value", 5),
    "a station abroad": ("bike_stations", put(5, 4, "2.35"), "check-failed", 5),
    "a comma for a decimal point": ("bike_stations", put(5, 4, '"126,99"'), "bad-value", 5),
    "degrees and minutes": ("bike_stations", put(5, 3, "37°33"), "bad-value", 5),
    "an id of another kind": ("bike_stations", put(9, 0, "00101"), "bad-value", 9),
    "few stations": ("bike_stations", lambda rows: rows[:50], "incomplete", None),
    "metres where another zone is meant": (
        "commercial_areas",
        put(7, 4, "957093"),
        "check-failed",
        7,
    ),
    "degrees where metres are due": ("commercial_areas", put(7, 4, "126.97"), "bad-value", 7),
    "a code of the system before": ("commercial_areas", put(7, 2, "1001491"), "bad-value", 7),
    "one gu code with two names": ("commercial_areas", put(7, 7, "중구"), "incomplete", None),
    # dates and days
    "month first": ("bike_demand", put(3, 0, "12/13/2017"), "bad-value", 3),
    "an hour lost": ("bike_demand", drop(9), "incomplete", None),
    "hour twenty-four": ("bike_demand", put(25, 2, "24"), "check-failed", 25),
    "a fifth season": ("bike_demand", put(3, 11, "Monsoon"), "check-failed", 3),
    "perhaps a holiday": ("bike_demand", put(3, 12, "Maybe"), "check-failed", 3),
    "the misread degree sign saved again": (
        "bike_demand",
        both(put(1, 3, "Temperature(캜)"), put(1, 7, "Dew point temperature(캜)")),
        "refused-layout",
        1,
    ),
    "a day of air missing": ("air_quality_daily", drop(12), "incomplete", None),
    "a station's day twice": ("air_quality_daily", twice(3), "duplicate-key", 30),
    "dust beyond belief": ("air_quality_daily", put(3, 6, "9999"), "check-failed", 3),
    "minus one for not measured": ("air_quality_daily", put(3, 6, "-1"), "check-failed", 3),
    "the units changed in the header": (
        "air_quality_daily",
        put(1, 2, "이산화질소농도(ppb)"),
        "unknown-layout",
        1,
    ),
    "the 29th of February": ("weather_daily", put(29, 2, "2026-02-29"), "bad-value", 29),
    "lowest above the mean": ("weather_daily", put(4, 4, "3.0"), "check-failed", 4),
    "a lone point for a number": ("weather_daily", put(4, 3, "."), "bad-value", 4),
    "one station with two names": ("weather_daily", put(4, 1, "부산"), "incomplete", None),
    # shops
    "shops that do not add up": ("stores", put(2, 8, "9"), "check-failed", 2),
    "new codes in the old layout": ("old stores", put(2, 4, "3001491"), "bad-value", 2),
    "old codes in the new layout": ("stores", put(2, 3, "1001491"), "bad-value", 2),
    "a fifth quarter in two columns": ("old stores", put(2, 1, "5"), "bad-value", 2),
    "an industry of another system": ("stores", put(2, 5, "D02A04"), "bad-value", 2),
    "one code, two kinds of area": ("stores", put(3, 2, "골목상권"), "incomplete", None),
    # money and people
    "a leading zero lost": ("income_spending_gu", put(2, 4, "7"), "bad-value", 2),
    "spending that does not add up": ("income_spending_gu", put(3, 5, "101"), "check-failed", 3),
    "one shortened amount": ("income_spending_gu", put(4, 5, "1.02E+12"), "spreadsheet-damage", 4),
    "an income band that is none": ("income_spending_gu", put(4, 4, "11"), "check-failed", 4),
    "men and women who are not everybody": ("workers", put(5, 4, "61"), "check-failed", 5),
    "a crossing changed": ("workers", put(5, 14, "11"), "check-failed", 5),
    "a KOSTAT code of seven digits": ("workers", put(5, 1, "1101053"), "bad-value", 5),
    "a dong of another city": ("workers", put(5, 1, "26110515"), "check-failed", 5),
    "a stage that is none": ("area_change", put(5, 3, "HM"), "bad-value", 5),
    "a stage with another's name": ("area_change", put(5, 4, "정체"), "incomplete", None),
    "two means of one city": ("area_change", put(5, 7, "94"), "incomplete", None),
    # totals inside the file
    "a total that is not the sum": ("living_population_gu", put(2, 3, "60001.00000"), "check-failed", 2),
    "a gu missing below its total": ("living_population_gu", drop(9), "check-failed", 2),
    "the total missing": ("living_population_gu", drop(2), "check-failed", 2),
    "the total twice": ("living_population_gu", twice(2), "check-failed", 28),
    "totals only": ("living_population_gu", lambda rows: rows[:2], "check-failed", None),
    "day and night that do not make a day": (
        "living_population_gu",
        both(put(3, 9, "2500.00000"), put(4, 9, "2300.00000")),
        "check-failed",
        3,
    ),
    "one quarter's total wrong": ("registered_population", put(3, 3, "52501"), "check-failed", 3),
    "the second header row lost": ("registered_population", drop(2), "unknown-layout", 1),
    "a gu that is none": ("registered_population", put(4, 1, "분당구"), "bad-value", 4),
    "a quarter label that is none": ("registered_population", put(1, 2, "2020 2/4"), "unknown-layout", 1),
    "spaces of a label trimmed": ("registered_population", put(1, 3, "2021"), "unknown-layout", 1),
    # the 532 columns
    "a crossing column lost": ("floating_population_area", without(300), "unknown-layout", 1),
    "the leading space of a header lost": (
        "floating_population_area",
        put(1, 3, "상권_구분_코드_명"),
        "unknown-layout",
        1,
    ),
    "sexes that are not the total": ("floating_population_area", put(2, 7, "300"), "check-failed", 2),
    "an empty crossing": ("floating_population_area_detail", put(2, 400, ""), "bad-value", 2),
    # text that holds several values
    "a clock in another zone": (
        "sdot_noise",
        put(2, 4, "2026-08-31T00:07:54+00:00"),
        "bad-value",
        2,
    ),
    "an id without its time": ("sdot_noise", put(2, 0, "V02Q1940129"), "bad-value", 2),
    "silence below the sensors' floor": ("sdot_noise", put(2, 3, "12.0"), "check-failed", 2),
}


@pytest.mark.parametrize("case", CASES)
def test_hostile_files_of_each_layout_are_refused(tmp_path: Path, case: str) -> None:
    name, change, reason, line = CASES[case]
    make = old_stores if name == "old stores" else SMALL[name]
    dataset = "stores" if name == "old stores" else name
    encoding = "latin-1" if name == "bike_demand" and reason != "refused-layout" else "utf-8"
    warehouse = new_warehouse(tmp_path)
    good = tmp_path / "good.csv"
    good.write_bytes(csv_bytes(make(), encoding if name == "bike_demand" else "utf-8"))
    before = take(warehouse, dataset, good)
    path = tmp_path / "hostile.csv"
    path.write_bytes(csv_bytes(change(make()), encoding))
    with pytest.raises(IngestError) as refused:
        take(warehouse, dataset, path)
    assert (refused.value.reason, refused.value.line) == (reason, line)
    assert refused.value.ko != refused.value.en
    (only,) = warehouse.versions(dataset)
    assert only.snapshot_id == before.snapshot_id


def test_a_latin_1_file_with_a_stray_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stray.csv"
    path.write_bytes(csv_bytes(SMALL["bike_demand"](), "latin-1").replace(b"Winter", b"W\xefnter", 1))
    with pytest.raises(IngestError) as refused:
        take(new_warehouse(tmp_path), "bike_demand", path)
    assert (refused.value.reason, refused.value.line) == ("wrong-encoding", 2)
    assert "0xEF" in refused.value.en


def test_spreadsheet_damage_counts_cells_of_wide_columns_too(tmp_path: Path) -> None:
    rows = SMALL["subway_hourly"]()
    rows[1][3] = rows[1][4] = rows[2][8] = "1.2E+05"
    path = tmp_path / "damaged.csv"
    path.write_bytes(csv_bytes(rows))
    with pytest.raises(IngestError) as refused:
        take(new_warehouse(tmp_path), "subway_hourly", path)
    assert "3칸" in refused.value.ko
    assert "2행 '06시-07시 승차인원' 1.2E+05" in refused.value.ko
