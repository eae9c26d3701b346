"""Workbooks and JSON sheets that trick, break or lie: refused, and nothing is published."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.ingest import IngestError
from tests.catalog.ingest.small import BOOKS, book_bytes, bus
from tests.catalog.ingest.support import new_warehouse, query, take


@pytest.mark.parametrize("name", BOOKS)
def test_the_small_workbooks_are_good(tmp_path: Path, name: str) -> None:
    path = tmp_path / "good.xlsx"
    path.write_bytes(book_bytes(BOOKS[name]()))
    assert take(new_warehouse(tmp_path), name, path).rows > 0


def repacked(content: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    change(parts)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in parts.items():
            archive.writestr(name, body)
    return out.getvalue()


def workbook_part(name: str, body: bytes) -> bytes:
    return repacked(book_bytes(bus()), lambda parts: parts.update({name: body}))


def entity(parts: dict[str, bytes]) -> None:
    sheet = "xl/worksheets/sheet1.xml"
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    start = parts[sheet].index(b"<worksheet")
    parts[sheet] = parts[sheet][:start] + bomb + parts[sheet][start:]


def far_cell(parts: dict[str, bytes]) -> None:
    """One cell in the last corner of every row: a small file that unfolds to thousands of millions."""
    sheet = "xl/worksheets/sheet1.xml"
    end = parts[sheet].index(b"</sheetData>")
    rows = b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (n, n) for n in range(600, 4600))
    parts[sheet] = parts[sheet][:end] + rows + parts[sheet][end:]


def encrypted(content: bytes) -> bytes:
    """Every entry marked as encrypted in its local and central header."""
    out = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = out.find(signature)
        while at >= 0:
            out[at + offset] |= 1
            at = out.find(signature, at + 4)
    return bytes(out)


def duplicated() -> bytes:
    out = io.BytesIO(book_bytes(bus()))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(out, "a") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"<worksheet/>")
    return out.getvalue()


def lying_length() -> bytes:
    """A bomb whose headers say that it is small."""
    body = b" " * (8 << 20)
    content = bytearray(workbook_part("xl/media/a.xml", body))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.find(signature)
        while at >= 0:
            if int.from_bytes(content[at + offset : at + offset + 4], "little") == len(body):
                content[at + offset : at + offset + 4] = (100).to_bytes(4, "little")
            at = content.find(signature, at + 4)
    return bytes(content)


def cell(row: int, column: int, value: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        rows = bus()
        rows[row - 1][column] = value
        return book_bytes(rows)

    return make


WORKBOOKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a path that climbs out": (lambda: workbook_part("../../etc/cron.d/x", b"x"), "hostile-workbook"),
    "a path from the root": (lambda: workbook_part("/etc/passwd", b"x"), "hostile-workbook"),
    "a path of another system": (lambda: workbook_part("xl\\..\\..\\x.xml", b"x"), "hostile-workbook"),
    "a drive letter": (lambda: workbook_part("C:/x.xml", b"x"), "hostile-workbook"),
    "macros": (lambda: workbook_part("xl/vbaProject.bin", b"x"), "hostile-workbook"),
    "XML entities": (lambda: repacked(book_bytes(bus()), entity), "hostile-workbook"),
    "a sheet twice": (duplicated, "hostile-workbook"),
    "encrypted": (lambda: encrypted(book_bytes(bus())), "hostile-workbook"),
    "a bomb in a part nobody reads": (
        lambda: workbook_part("xl/media/a.xml", b" " * (300 << 20)),
        "too-large",
    ),
    "a bomb whose length lies": (lying_length, "broken-workbook"),
    "thousands of parts": (
        lambda: repacked(book_bytes(bus()), lambda p: p.update({f"x{i}": b"" for i in range(3000)})),
        "too-large",
    ),
    "cells in the far corner": (lambda: repacked(book_bytes(bus()), far_cell), "too-large"),
    "no sheet of stops": (lambda: book_bytes([["a", "b"], ["1", "2"]]), "unknown-layout"),
    "an empty workbook": (lambda: book_bytes([]), "unknown-layout"),
    "stop numbers as numbers": (cell(3, 1, 1001), "bad-value"),
    "longitude and latitude exchanged": (
        lambda: book_bytes([bus()[0], *([a, b, c, y, x, t] for a, b, c, x, y, t in bus()[1:])]),
        "check-failed",
    ),
    "a formula's error for a place": (cell(3, 3, "#REF!"), "bad-value"),
    "an empty place": (cell(3, 3, None), "bad-value"),
    "a kind that is none": (cell(3, 5, "헬기장"), "check-failed"),
    "a stop twice": (cell(3, 0, 100000001), "duplicate-key"),
    "a value beyond the last column": (lambda: book_bytes([*bus(), [*bus()[5], "x"]]), "ragged-row"),
}


@pytest.mark.parametrize("case", WORKBOOKS)
def test_hostile_workbooks_of_stops_are_refused(tmp_path: Path, case: str) -> None:
    make, reason = WORKBOOKS[case]
    path = tmp_path / "stops.xlsx"
    path.write_bytes(make())
    warehouse = new_warehouse(tmp_path)
    with pytest.raises(IngestError) as refused:
        take(warehouse, "bus_stops", path)
    assert refused.value.reason == reason
    assert warehouse.versions("bus_stops") == ()
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["stops.xlsx"]


def test_codes_whose_parent_changes_are_refused_and_other_sheets_ignored(tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    path = tmp_path / "codes.xlsx"
    rows = BOOKS["industry_codes"]()
    path.write_bytes(book_bytes([["메모"]], rows, [["행 레이블", "개수"]]))
    assert take(warehouse, "industry_codes", path).rows == 10
    rows[4][0] = "Q"
    path.write_bytes(book_bytes(rows))
    with pytest.raises(IngestError) as refused:
        take(warehouse, "industry_codes", path)
    assert refused.value.reason == "incomplete"
    assert query(warehouse, "industry_codes", "count(*)") == (10,)


def portal(**changes: Any) -> dict[str, Any]:
    columns = ("ADSTRD_CD", "ADSTRD_NM", "XCNTS_VALUE", "YDNTS_VALUE", "RELM_AR")
    values = (197342, 453874, 2568432)
    records = [
        dict(zip(map(str.lower, columns), (f"11{i:06}", "동", *values), strict=True)) for i in range(401)
    ]
    records[7] |= changes
    return {"DESCRIPTION": dict.fromkeys(columns, "뜻"), "DATA": records}


SHEETS: dict[str, tuple[Any, str]] = {
    "no dictionary": ({"DATA": portal()["DATA"]}, "unknown-layout"),
    "a bare list": (portal()["DATA"], "unknown-layout"),
    "no records": (portal() | {"DATA": []}, "empty"),
    "records that are lists": (portal() | {"DATA": [[1, 2]]}, "empty"),
    "a key more than described": (portal(extra=1), "ragged-row"),
    "a column the dictionary lacks": (portal() | {"DESCRIPTION": {"ADSTRD_CD": "뜻"}}, "ragged-row"),
    "a code as a number": (portal(adstrd_cd=1111051), "bad-value"),
    "a fraction of a metre": (portal(xcnts_value=197342.5), "bad-value"),
    "a list for a value": (portal(relm_ar=[1]), "bad-value"),
    "true for an area": (portal(relm_ar=True), "bad-value"),
    "null for an area": (portal(relm_ar=None), "bad-value"),
    "a centre in the sea": (portal(xcnts_value=0), "check-failed"),
    "a dong twice": (portal(adstrd_cd="11000008"), "duplicate-key"),
}


@pytest.mark.parametrize("case", SHEETS)
def test_hostile_portal_json_is_refused(tmp_path: Path, case: str) -> None:
    content, reason = SHEETS[case]
    warehouse = new_warehouse(tmp_path)
    path = tmp_path / "areas.json"
    path.write_text(json.dumps(portal()), "utf-8")
    assert take(warehouse, "dong_areas", path).rows == 401
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(IngestError) as refused:
        take(warehouse, "dong_areas", path)
    assert refused.value.reason == reason
    assert len(warehouse.versions("dong_areas")) == 1
