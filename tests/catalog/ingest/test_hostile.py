"""Files that lie, break or end early: each refused with file, line and reason, and nothing is published."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from catalog.ingest import IngestError
from catalog.warehouse import WarehouseError
from tests.catalog.ingest.support import (
    REAL,
    copy_shapefile,
    month,
    needs_real,
    new_warehouse,
    subway_rows,
    take,
)

GOOD = subway_rows("B", month("202602"))


def text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def changed(line: int, new: str | Callable[[str], str]) -> bytes:
    lines = list(GOOD)
    lines[line - 1] = new if isinstance(new, str) else new(lines[line - 1])
    return text(lines)


def other(boardings: str) -> str:
    return GOOD[3].replace("1001", boardings)


SWAPPED = GOOD[0].replace("노선명,역명", "역명,노선명")
MIXED = text(GOOD[:9]) + GOOD[9].encode("cp949") + b"\n" + text(GOOD[10:])
CUT_CHARACTER = text(GOOD).replace("강변".encode(), "강변".encode()[:-1], 1)
NEITHER = text(GOOD).replace(b"20260202", b"2026\xff202", 1)
BROKEN_CP949 = "\n".join(GOOD).encode("cp949").replace(b"20260202", b"2026\xff202", 1)
HOSTILE: dict[str, tuple[bytes, str, int | None]] = {
    "nothing": (b"", "empty", None),
    "blanks only": (b"\n \n", "empty", None),
    "header only": (text(GOOD[:1]), "empty", 1),
    "last line lacks its end": (text(GOOD)[:-1], "truncated", 57),
    "cut inside the last number": (text(GOOD)[:-12], "truncated", 57),
    "cut inside a field before": (text(GOOD)[:-20] + b"\n", "ragged-row", 57),
    "cut inside a quote": (text(subway_rows("A", month("202602")))[:-4], "truncated", 57),
    "cut at a line, so days are missing": (text(GOOD[:-6]), "incomplete", None),
    "cut at a line, so one day is thin": (text(GOOD[:-1]), "incomplete", None),
    "one row shorter": (changed(9, "20260204,2호선,강변,1003,20260401"), "ragged-row", 9),
    "one row longer": (changed(9, lambda x: x + ",7"), "ragged-row", 9),
    "blank line inside": (changed(30, ""), "blank-line", 30),
    "quote that swallows lines": (changed(13, lambda x: x.replace("잠실", '"잠실')), "broken-quote", 13),
    "text after a quote": (changed(13, lambda x: x.replace("잠실", '"잠"실')), "broken-quote", 13),
    "letters for a number": (changed(5, lambda x: x.replace("1001", "1O01")), "bad-value", 5),
    "thousands separators": (changed(5, lambda x: x.replace("1001", '"1,001"')), "bad-value", 5),
    "exponent by a spreadsheet": (
        changed(5, lambda x: x.replace("1001", "1.02E+12")),
        "spreadsheet-damage",
        5,
    ),
    "not a number": (changed(5, lambda x: x.replace("1001", "NaN")), "bad-value", 5),
    "empty number": (changed(5, lambda x: x.replace("1001", "")), "bad-value", 5),
    "number beyond 64 bits": (changed(5, lambda x: x.replace("1001", "9" * 40)), "bad-value", 5),
    "negative persons": (changed(5, lambda x: x.replace("1001", "-1001")), "check-failed", 5),
    "Arabic digits": (changed(5, lambda x: x.replace("1001", "١٠٠١")), "bad-value", 5),
    "no such day": (changed(56, lambda x: x.replace("20260228", "20260230")), "bad-value", 56),
    "date with dashes": (changed(5, lambda x: x.replace("20260202", "2026-02-02")), "bad-value", 5),
    "empty station": (changed(4, lambda x: x.replace("강변", " ")), "bad-value", 4),
    "identical row twice": (text([*GOOD, GOOD[3]]), "duplicate-key", 58),
    "whole file pasted twice": (text([*GOOD, *GOOD[1:]]), "duplicate-key", 58),
    "three rows of one key": (text([*GOOD, other("5"), other("6")]), "duplicate-key", 59),
    "header repeated inside": (changed(20, GOOD[0]), "bad-value", 20),
    "two layouts in one file": (changed(20, lambda x: x.replace("1009", "1009.0")), "bad-value", 20),
    "no header": (text(GOOD[1:]), "unknown-layout", 1),
    "columns in another order": (text([SWAPPED, *GOOD[1:]]), "unknown-layout", 1),
    "a column renamed": (text([GOOD[0].replace("역명", "지하철역"), *GOOD[1:]]), "unknown-layout", 1),
    "semicolons": (text(GOOD).replace(b",", b";"), "unknown-layout", 1),
    "UTF-16": ("\n".join(GOOD).encode("utf-16"), "wrong-encoding", None),
    "CP949 in the middle of UTF-8": (MIXED, "wrong-encoding", 10),
    "UTF-8 with a byte lost": (CUT_CHARACTER, "wrong-encoding", 2),
    "byte that is neither": (NEITHER, "wrong-encoding", 4),
    "CP949 with a byte that is not": (BROKEN_CP949, "wrong-encoding", 4),
    "UTF-8 mark before CP949": (codecs.BOM_UTF8 + "\n".join(GOOD).encode("cp949"), "wrong-encoding", 1),
    "characters already lost": (changed(4, lambda x: x.replace("강변", "강\ufffd")), "damaged-text", 4),
    "NUL inside": (text(GOOD).replace(b"1004", b"10\x004"), "damaged-text", 10),
    "binary junk": (bytes(range(256)) * 40, "wrong-encoding", None),
    "an executable": (b"\x7fELF" + bytes(200), "binary", None),
    "gzip": (gzip.compress(text(GOOD)), "binary", None),
    "Parquet": (b"PAR1" + bytes(100), "binary", None),
    "JSON where CSV is due": (b'{"type": "FeatureCollection", "features": []}', "unknown-layout", None),
    "an HTML error page": (b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "unknown-layout", 1),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_csv_is_refused_and_the_version_stays(tmp_path: Path, case: str) -> None:
    content, reason, line = HOSTILE[case]
    warehouse = new_warehouse(tmp_path)
    good = tmp_path / "good.csv"
    good.write_bytes(text(GOOD))
    before = take(warehouse, "subway_ridership", good)
    path = tmp_path / "hostile.csv"
    path.write_bytes(content)
    with pytest.raises(IngestError) as refused:
        take(warehouse, "subway_ridership", path)
    assert refused.value.reason == reason
    assert refused.value.file == "hostile.csv"
    if line is not None:
        assert refused.value.line == line
    assert str(refused.value).startswith("hostile.csv")
    assert refused.value.ko != refused.value.en
    (only,) = warehouse.versions("subway_ridership")
    assert only.snapshot_id == before.snapshot_id


def test_the_nearest_layout_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "renamed.csv"
    path.write_bytes(HOSTILE["a column renamed"][0])
    with pytest.raises(IngestError) as refused:
        take(new_warehouse(tmp_path), "subway_ridership", path)
    assert "빠진 열 '역명'" in refused.value.ko
    assert "unknown '지하철역'" in refused.value.en


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda p: None], ids=["folder", "pipe", "absent"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "thing.csv"
    make(path)
    with pytest.raises(IngestError) as refused:
        take(new_warehouse(tmp_path), "subway_ridership", path)
    assert refused.value.reason == "no-file"


def test_the_same_month_in_two_files_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_bytes(text(GOOD))
    two.write_bytes(text(subway_rows("A", month("202602"))))
    with pytest.raises(IngestError) as refused:
        take(new_warehouse(tmp_path), "subway_ridership", one, two)
    assert (refused.value.reason, refused.value.file) == ("overlapping-files", "two.csv")
    assert "2026-02" in refused.value.ko


def week(**changes: Any) -> list[dict[str, Any]]:
    series: dict[str, Any] = {k: [10] * 168 for k in ("a1", "a2", "a3", "a4", "a5", "a6")}
    dong = {
        "code_8": 11110530,
        "full_name": "종로구사직동",
        "id": 1,
        "t": [100] * 168,
        "f": [60] * 168,
        "m": [40] * 168,
    }
    return [{**dong, **series, **changes}]


WEEKS: dict[str, tuple[str, str, str]] = {
    "no date in the name": ("week.json", json.dumps(week()), "no-week"),
    "not a Monday": ("w_20190305.json", json.dumps(week()), "no-week"),
    "no such day": ("w_20191304.json", json.dumps(week()), "no-week"),
    "cut off": ("w_20190304.json", json.dumps(week())[:-40], "broken-json"),
    "one hour short": ("w_20190304.json", json.dumps(week(t=[100] * 167)), "ragged-row"),
    "a fraction": ("w_20190304.json", json.dumps(week(t=[100.5] * 168)), "bad-value"),
    "true for a number": ("w_20190304.json", json.dumps(week(t=[True] * 168)), "bad-value"),
    "NaN": ("w_20190304.json", json.dumps(week(t=[float("nan")] * 168)), "broken-json"),
    "sexes do not add up": ("w_20190304.json", json.dumps(week(f=[70] * 168)), "check-failed"),
    "same dong twice": ("w_20190304.json", json.dumps(week() * 2), "duplicate-key"),
    "another city": ("w_20190304.json", json.dumps(week(code_8=26110530)), "check-failed"),
    "short code": ("w_20190304.json", json.dumps(week(code_8=1111053)), "bad-value"),
    "an unknown key": ("w_20190304.json", json.dumps(week(a7=[1] * 168)), "unknown-layout"),
    "other keys later": ("w_20190304.json", json.dumps([*week(), {"code_8": 1}]), "ragged-row"),
    "deeply nested": ("w_20190304.json", "[" * 200_000, "broken-json"),
    "a list of numbers": ("w_20190304.json", "[1, 2]", "unknown-layout"),
}


@pytest.mark.parametrize("case", WEEKS)
def test_hostile_weeks_are_refused(tmp_path: Path, case: str) -> None:
    name, content, reason = WEEKS[case]
    path = tmp_path / name
    path.write_text(content, "utf-8")
    warehouse = new_warehouse(tmp_path)
    with pytest.raises(IngestError) as refused:
        take(warehouse, "living_population", path)
    assert refused.value.reason == reason
    assert warehouse.versions("living_population") == ()


def sales(line: int, column: int, new: str) -> list[str]:
    (path,) = (REAL / "card_spending").glob("*추정매출-행정동*.csv")
    lines = path.read_bytes().decode("cp949").split("\r\n")
    values = lines[line - 1].split(",")
    values[column] = new
    lines[line - 1] = ",".join(values)
    return lines


@needs_real
@pytest.mark.parametrize(
    ("column", "new", "reason"),
    [
        (5, "4562109056", "check-failed"),
        (9, "1", "check-failed"),
        (20, "0", "check-failed"),
        (22, "9999999999999", "check-failed"),
        (52, "999999", "check-failed"),
        (1, "01110515", "check-failed"),
        (1, "1111051", "bad-value"),
        (0, "20245", "bad-value"),
        (3, "XX100010", "check-failed"),
        (4, "", "bad-value"),
    ],
)
def test_changed_card_sales_break_the_publishers_own_sums(
    tmp_path: Path, column: int, new: str, reason: str
) -> None:
    path = tmp_path / "sales.csv"
    path.write_bytes("\r\n".join(sales(2, column, new)).encode("cp949"))
    warehouse = new_warehouse(tmp_path)
    with pytest.raises(IngestError) as refused:
        take(warehouse, "card_sales", path)
    assert (refused.value.reason, refused.value.line) == (reason, 2)
    assert warehouse.versions("card_sales") == ()


@needs_real
def test_a_file_cut_in_its_last_number_is_seen_by_the_sums(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    lines = sales(2, 0, "20241")[:-1]
    path.write_bytes("\r\n".join(lines).encode("cp949")[:-2])
    with pytest.raises(IngestError) as refused:
        take(new_warehouse(tmp_path), "card_sales", path)
    assert (refused.value.reason, refused.value.line) == ("check-failed", 1681)


@needs_real
@pytest.mark.parametrize(
    ("suffix", "spoil", "reason"),
    [
        (".shp", lambda b: b[:-500], "truncated"),
        (".dbf", lambda b: b[:-300], "truncated"),
        (".shx", lambda b: b[:-8], "truncated"),
        (".shp", lambda b: b"junk" + b[4:], "truncated"),
        (".prj", None, "missing-part"),
        (".cpg", None, "missing-part"),
        (".prj", lambda b: b.replace(b"500000.0", b"600000.0"), "wrong-crs"),
        (".prj", lambda b: b"nonsense", "bad-geometry"),
        (".cpg", lambda b: b"KLINGON", "wrong-encoding"),
    ],
)
def test_hostile_shapefiles_are_refused(
    tmp_path: Path, suffix: str, spoil: Callable[[bytes], bytes] | None, reason: str
) -> None:
    shape = copy_shapefile(tmp_path)
    part = shape.with_suffix(suffix)
    part.unlink() if spoil is None else part.write_bytes(spoil(part.read_bytes()))
    warehouse = new_warehouse(tmp_path)
    with pytest.raises(IngestError) as refused:
        take(warehouse, "dong_boundary", shape)
    assert refused.value.reason == reason
    assert warehouse.versions("dong_boundary") == ()


def square(code: str, at: float, ring: list[list[float]] | None = None) -> dict[str, Any]:
    corners = [[at, 37.5], [at + 0.1, 37.5], [at + 0.1, 37.6], [at, 37.6], [at, 37.5]]
    keys = {
        "SIG_CD": code,
        "SIG_KOR_NM": "구",
        "SIG_ENG_NM": "gu",
        "ESRI_PK": 0,
        "SHAPE_AREA": 0,
        "SHAPE_LEN": 0,
    }
    geometry = {"type": "Polygon", "coordinates": [ring or corners]}
    return {"type": "Feature", "properties": keys, "geometry": geometry}


def collection(first: dict[str, Any], **extra: Any) -> str:
    rest = [square(f"11{100 + i}", 126.5 + i / 20) for i in range(24)]
    return json.dumps({"type": "FeatureCollection", "features": [first, *rest], **extra})


POINT = {**square("11900", 1), "geometry": {"type": "Point", "coordinates": [127, 37]}}
LONE = {"type": "FeatureCollection", "features": [square("11900", 1)]}
METRES = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::5181"}}
SHAPES: dict[str, tuple[str, str]] = {
    "bow tie": (collection(square("11900", 1, [[1, 1], [2, 2], [2, 1], [1, 2], [1, 1]])), "bad-geometry"),
    "metres": (collection(square("11900", 1, [[2e5, 4e5], [3e5, 4e5], [3e5, 5e5], [2e5, 4e5]])), "wrong-crs"),
    "declared metres": (collection(square("11900", 1), crs=METRES), "wrong-crs"),
    "a point": (collection(POINT), "bad-geometry"),
    "no geometry": (collection({**square("11900", 1), "geometry": None}), "bad-geometry"),
    "coordinates of text": (collection(square("11900", 1, [["a", "b"]] * 4)), "bad-geometry"),  # type: ignore[list-item]
    "a number for a code": (collection(square("1190", 1)), "bad-value"),
    "one gu twice": (collection(square("11100", 1)), "duplicate-key"),
    "one gu too few": (json.dumps(LONE), "incomplete"),
    "no features": ('{"type": "FeatureCollection", "features": []}', "unknown-layout"),
    "not a collection": ('{"type": "Polygon"}', "unknown-layout"),
}  # fmt: skip


@pytest.mark.parametrize("case", SHAPES)
def test_hostile_geojson_is_refused(tmp_path: Path, case: str) -> None:
    content, reason = SHAPES[case]
    path = tmp_path / "gu.json"
    path.write_text(content, "utf-8")
    warehouse = new_warehouse(tmp_path)
    with pytest.raises(IngestError) as refused:
        take(warehouse, "gu_boundary", path)
    assert refused.value.reason == reason
    assert warehouse.versions("gu_boundary") == ()


def workbook(rows: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


HEADERS = [
    ["통계청행정동코드", "행자부행정동코드", "시도명", "시군구명", "행정동명"],
    ["H_SDNG_CD", "H_DNG_CD", "DO_NM", "CT_NM", "H_DNG_NM"],
]
SAJIK = ["서울", "종로구", "사직동"]
DONGS = [[1101001 + i, f"{11110001 + i}", "서울", "종로구", f"동{i}"] for i in range(424)]


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (300 << 20))
    return out.getvalue()


BOOKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "one header row": (lambda: workbook([HEADERS[0], *DONGS]), "unknown-layout"),
    "codes as decimals": (lambda: workbook([*HEADERS, [1101053.5, "11110530", *SAJIK], *DONGS]), "bad-value"),
    "leading zero lost": (lambda: workbook([*HEADERS, [1101053, 1111053, *SAJIK], *DONGS]), "bad-value"),
    "a dong twice": (lambda: workbook([*HEADERS, *DONGS, DONGS[7]]), "duplicate-key"),
    "headers only": (lambda: workbook(HEADERS), "empty"),
    "few rows": (lambda: workbook([*HEADERS, *DONGS[:9]]), "incomplete"),
    "hole in the middle": (lambda: workbook([*HEADERS, *DONGS[:9], [None] * 5, *DONGS[9:]]), "bad-value"),
    "cut off": (lambda: workbook([*HEADERS, *DONGS])[:-900], "broken-workbook"),
    "a ZIP of something": (lambda: b"PK\x03\x04" + bytes(60), "broken-workbook"),
    "a ZIP bomb": (bomb, "too-large"),
}  # fmt: skip


@pytest.mark.parametrize("case", BOOKS)
def test_hostile_workbooks_are_refused(tmp_path: Path, case: str) -> None:
    make, reason = BOOKS[case]
    path = tmp_path / "codes.xlsx"
    path.write_bytes(make())
    warehouse = new_warehouse(tmp_path)
    with pytest.raises(IngestError) as refused:
        take(warehouse, "dong_codes", path)
    assert refused.value.reason == reason
    assert warehouse.versions("dong_codes") == ()


def test_an_earlier_publication_still_running_refuses_the_next(tmp_path: Path) -> None:
    from catalog.warehouse.writer import _alone

    warehouse = new_warehouse(tmp_path)
    path = tmp_path / "good.csv"
    path.write_bytes(text(GOOD))
    with _alone(warehouse.root, "subway_ridership", "main"), pytest.raises(WarehouseError) as refused:
        take(warehouse, "subway_ridership", path)
    assert refused.value.reason == "busy"
