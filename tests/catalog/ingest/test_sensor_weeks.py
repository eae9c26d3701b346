"""Weekly files of the city's sensors: two editions load whole; the rest is refused with the difference."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.ingest.model import IngestError
from catalog.ingest.recipe import load_recipe
from catalog.samples.tables import read_table
from catalog.warehouse import Warehouse
from tests.catalog.ingest.small import CODES, SMALL, csv_bytes
from tests.catalog.ingest.support import DATASETS, REPO, column_sum, new_warehouse, query, take
from tests.catalog.ingest.weekly import MEASURES, MONDAY, Rows, headers, week

NAME = "sdot_environment"
RECIPE = load_recipe(REPO / "datasets" / NAME / "recipe.yml", DATASETS[NAME])


def written(folder: Path, rows: Rows, name: str = "week.csv", encoding: str = "cp949") -> Path:
    path = folder / name
    path.write_bytes(csv_bytes(rows, encoding))
    return path


def refused(folder: Path, rows: Rows) -> IngestError:
    warehouse = new_warehouse(folder)
    with pytest.raises(IngestError) as caught:
        take(warehouse, NAME, written(folder, rows))
    assert warehouse.versions(NAME) == ()
    return caught.value


def stored(warehouse: Warehouse) -> list[dict[str, Any]]:
    files = warehouse.snapshot(NAME).files
    return [row for f in files for row in pq.read_table(warehouse.path(f.path)).to_pylist()]


@pytest.mark.parametrize("encoding", ["cp949", "utf-8-sig"])
@pytest.mark.parametrize("edition", [2023, 2026])
def test_a_week_loads_whole(tmp_path: Path, edition: int, encoding: str) -> None:
    rows = week(edition)
    path = written(tmp_path, rows, encoding=encoding)
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, NAME, path)
    assert made.rows == made.total_rows == len(rows) - 1 == 2 * 24 * 7
    assert [f.layout for f in made.files] == [f"weekly-{edition}"]
    with path.open(encoding=encoding, newline="") as file:
        records = list(csv.reader(file))[1:]
    for at, (measure, (*_, given)) in enumerate(MEASURES.items()):
        for column, word in zip((f"{measure}_max", measure, f"{measure}_min"), range(3), strict=True):
            if measure == "wind_direction" and column != measure:
                continue
            found = query(warehouse, NAME, f"sum({column}), count({column})")
            filled = bool(given[word]) * len(records)
            total = column_sum(records, 6 + 3 * at + word) if filled else None
            assert found == (pytest.approx(total) if filled else None, filled), column


@pytest.mark.parametrize("edition", [2023, 2026])
def test_time_place_and_origin_are_read_as_written(tmp_path: Path, edition: int) -> None:
    warehouse = new_warehouse(tmp_path)
    take(warehouse, NAME, written(tmp_path, week(edition)))
    rows = stored(warehouse)
    late = {r["date"] for r in rows if r["serial"].startswith("OC3")}
    assert min(late) == date(2026, 7, 26), "a clock that is late tells the day before"
    assert {r["received_date"] for r in rows} == {MONDAY.date() + timedelta(days=d) for d in range(7)}
    for row in rows:
        received = datetime.fromisoformat(row["received_at"])
        told = datetime(row["date"].year, row["date"].month, row["date"].day, row["hour"], row["minute"])
        grand_park = row["serial"].startswith("OC3")
        assert received - told == timedelta(hours=20 * grand_park, seconds=15)
        assert received.date() == row["received_date"]
        assert row["gu_code"] == (None if grand_park else "11590")
        assert row["dong_romanised"] == ("Seoul_Grand_Park" if grand_park else "Sang-do1(il)-dong")
        assert row["place_kind"] == ("parks" if grand_park else "traditional_markets")
        assert row["origin"] == ("unsaid" if edition == 2023 else "live")
        assert row["pm25"] is row["wind_speed"] is row["gust_speed"] is None


def test_every_gu_of_the_list_is_the_gu_of_that_name(tmp_path: Path) -> None:
    gu = read_table(REPO / "datasets" / "gu_boundary" / "sample" / "gu.csv")
    named = dict(zip(gu["gu_name_en"], gu["gu_code"], strict=True))
    assert sorted(named.values()) == CODES
    for layout in RECIPE.layouts:
        for field in layout.fields:
            if field.column == "gu_code":
                assert dict(field.values) == named, layout.name
    rows = week(2026)
    for at, name in enumerate(named):
        rows[1 + 2 * at][4] = name
    warehouse = new_warehouse(tmp_path)
    take(warehouse, NAME, written(tmp_path, rows))
    (found,) = query(warehouse, NAME, "list(DISTINCT gu_code ORDER BY gu_code) FILTER (gu_code IS NOT NULL)")
    assert found == CODES


def test_stars_and_nothing_are_no_value(tmp_path: Path) -> None:
    rows = week(2026)
    at = headers(2026).index("평균 기온")
    for line, text in ((1, "*****"), (2, "******"), (3, "")):
        rows[line][at] = text
    warehouse = new_warehouse(tmp_path)
    take(warehouse, NAME, written(tmp_path, rows))
    assert query(warehouse, NAME, "count(temperature), count(temperature_max)") == (2 * 168 - 3, 2 * 168)


def test_a_correction_stands_beside_the_live_row_and_says_so(tmp_path: Path) -> None:
    rows = week(2026)
    at = headers(2026).index("평균 기온")
    corrected = [*rows[5][:-1], "2"]
    corrected[at] = "30.1"
    warehouse = new_warehouse(tmp_path)
    take(warehouse, NAME, written(tmp_path, [*rows, corrected]))
    assert query(warehouse, NAME, "count(*), count(*) FILTER (origin = 'corrected')") == (2 * 168 + 1, 1)
    both = [r for r in stored(warehouse) if r["received_at"] == rows[5][-2] and r["serial"] == rows[5][1]]
    final = max(both, key=lambda r: r["origin"] == "corrected")
    assert (len(both), final["temperature"]) == (2, 30.1)


def test_a_week_after_another_loses_no_row_of_the_day_between(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    earlier = week(2026)
    for row in earlier[1:]:  # the week before
        for column in (2, -2):
            day = datetime.strptime(row[column][:10], "%Y-%m-%d") - timedelta(days=7)
            row[column] = day.strftime("%Y-%m-%d") + row[column][10:]
    assert take(warehouse, NAME, written(tmp_path, earlier, "a.csv")).total_rows == 2 * 168
    made = take(warehouse, NAME, written(tmp_path, week(2026), "b.csv"))
    assert (made.rows, made.total_rows) == (2 * 168, 4 * 168)
    between = (
        "count(*) FILTER (date = '2026-07-26'), count(DISTINCT received_date) FILTER (date = '2026-07-26')"
    )
    assert query(warehouse, NAME, between) == (24 + 24, 2)
    again = take(warehouse, NAME, written(tmp_path, week(2026), "c.csv"))
    assert again.total_rows == 4 * 168, "the same week again replaces its days"


def test_repeated_labels_are_told_apart_by_their_place(tmp_path: Path) -> None:
    rows = week(2026)
    wind, globe = headers(2026).index("최대 풍속"), headers(2026).index("최대 흑구온도")
    rows[0][wind + 3 : wind + 6] = ["최대 풍속", "평균 풍속", "최소 풍속"]
    rows[0][globe + 2] = "평균 흑구온도"
    for row in rows[1:]:
        row[wind : wind + 6] = ["3", "2", "1", "0", "180", "359"]
        row[globe : globe + 3] = ["30.5", "30.2", "30.1"]
    warehouse = new_warehouse(tmp_path)
    take(warehouse, NAME, written(tmp_path, rows))
    columns = "max(wind_speed_max), max(wind_speed), max(wind_speed_min), max(wind_direction)"
    assert query(warehouse, NAME, columns) == (3.0, 2.0, 1.0, 180.0)
    assert query(warehouse, NAME, "max(globe_temperature), max(globe_temperature_min)") == (30.2, 30.1)


def put(column: str, text: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[7][headers(2026).index(column)] = text

    return change


def exchanged(one: str, other: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        first, second = (headers(2026).index(n) for n in (one, other))
        rows[7][first], rows[7][second] = rows[7][second], rows[7][first]

    return change


WRONG: dict[str, tuple[Callable[[Rows], Any], str, int | None]] = {
    "a gu of no list": (put("자치구역", "Bundang-gu"), "bad-value", 8),
    "a gu in other letters": (put("자치구역", "jongno-gu"), "bad-value", 8),
    "a third origin": (put("데이터구분번호", "3"), "bad-value", 8),
    "no origin": (put("데이터구분번호", ""), "bad-value", 8),
    "a time with a blank": (put("센서 시간", "2026-07-27 03:07:00"), "bad-value", 8),
    "a day that is none": (put("센서 시간", "2026-02-30_03:07:00"), "bad-value", 8),
    "hour twenty-five": (put("센서 시간", "2026-07-27_25:07:00"), "check-failed", 8),
    "no time of receipt": (put("데이터수집시간", ""), "bad-value", 8),
    "four stars": (put("평균 기온", "****"), "bad-value", 8),
    "a word for a number": (put("평균 소음", "quiet"), "bad-value", 8),
    "a serial number with a blank": (put("시리얼", "V02Q 940947"), "bad-value", 8),
    "largest and least exchanged": (exchanged("최대 소음", "최소 소음"), "check-failed", 8),
    "mean and largest exchanged": (exchanged("최대 기온", "평균 기온"), "check-failed", 8),
    "humid beyond measure": (put("평균 상대습도", "101"), "check-failed", 8),
    "the same row twice": (lambda rows: rows.append(rows[5]), "duplicate-key", 338),
    "a correction twice": (
        lambda rows: rows.extend([[*rows[5][:-1], "2"], [*rows[5][:-1], "2"]]),
        "duplicate-key",
        339,
    ),
    "a day cut short": (lambda rows: rows.__delitem__(slice(-40, None)), "incomplete", None),
    "a value too many": (lambda rows: rows[7].append(""), "ragged-row", 8),
    "a value too few": (lambda rows: rows[7].pop(), "ragged-row", 8),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    change, reason, line = WRONG[case]
    rows = week(2026)
    change(rows)
    error = refused(tmp_path, rows)
    assert (error.reason, error.line) == (reason, line)


NEAR: dict[str, tuple[int, Callable[[Rows], Any], str, str]] = {
    "a column renamed": (
        2023,
        lambda r: r[0].__setitem__(24, "소음(dB)"),
        "빠진 열 '소음 최대(dB)'",
        "소음(dB)",
    ),
    "a column lost": (2023, lambda r: [x.pop(24) for x in r], "빠진 열 '소음 최대(dB)'", "소음 최대(dB)"),
    "one without a name at the end": (
        2023,
        lambda r: [x.__setitem__(slice(len(x), None), [""]) for x in r],
        "모르는 열 ''",
        "unknown ''",
    ),
    "the mark of the origin lost": (2026, lambda r: [x.pop() for x in r], "데이터구분번호", "데이터구분번호"),
    "two columns exchanged": (
        2026,
        lambda r: [x.__setitem__(slice(6, 8), [x[7], x[6]]) for x in r],
        "열 순서나 개수가 다름 (7번째부터)",
        "from column 7",
    ),
    "one value a measure, as until 2022": (
        2023,
        lambda r: [x.__setitem__(slice(6, 57), x[7:57:3]) for x in r],
        "빠진 열 '온도 최대(℃)'",
        "missing '온도 최대(℃)'",
    ),
}


@pytest.mark.parametrize("case", NEAR)
def test_a_near_miss_is_refused_with_the_difference(tmp_path: Path, case: str) -> None:
    edition, change, ko, en = NEAR[case]
    rows = week(edition)
    change(rows)
    error = refused(tmp_path, rows)
    assert error.reason == "unknown-layout"
    assert f"weekly-{edition}" in error.ko and ko in error.ko and en in error.en


def test_the_edition_of_2020_stays_as_it_is_and_a_week_stands_beside_it(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, NAME, written(tmp_path, SMALL[NAME](), "2020.csv"))
    assert (made.rows, [f.layout for f in made.files]) == (6, ["hourly-means"])
    for row in stored(warehouse):
        assert row["received_date"] == row["date"] == date(2020, 5, 1)
        assert (row["minute"], row["origin"], row["received_at"], row["gu_code"]) == (0, "unsaid", None, None)
    assert take(warehouse, NAME, written(tmp_path, week(2026), "2026.csv")).total_rows == 6 + 2 * 168
    renamed = SMALL[NAME]()
    renamed[0][3] = "초미세먼지(㎍/㎥)"
    other = tmp_path / "other"
    other.mkdir()
    error = refused(other, renamed)
    assert error.reason == "unknown-layout" and "hourly-means" in error.en
    assert "빠진 열 '초미세먼지 (㎍/㎥)'" in error.ko
