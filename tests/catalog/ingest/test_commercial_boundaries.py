"""Boundaries of commercial areas: a file laid out as the publisher's loads whole, any other is refused."""

from __future__ import annotations

import csv
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from catalog.ingest import IngestError
from tests.catalog.ingest.areas import MANY, attributes, squares, write_shapefile
from tests.catalog.ingest.support import new_warehouse, query, take

NAME = "commercial_area_boundary"


def refused(folder: Path, shape: Path) -> IngestError:
    warehouse = new_warehouse(folder)
    with pytest.raises(IngestError) as caught:
        take(warehouse, NAME, shape)
    assert warehouse.versions(NAME) == ()
    assert caught.value.ko != caught.value.en
    return caught.value


@pytest.mark.parametrize("encoding", ["UTF-8", "CP949"])
def test_every_area_loads_with_its_outline_and_both_areas(tmp_path: Path, encoding: str) -> None:
    shapes = squares()
    columns = attributes(shapes)
    warehouse = new_warehouse(tmp_path)
    made = take(warehouse, NAME, write_shapefile(tmp_path, shapes, columns, encoding=encoding))
    assert made.rows == made.total_rows == MANY
    assert {Path(f.name).suffix for f in made.files} == {".shp", ".shx", ".dbf", ".prj", ".cpg"}
    totals = query(
        warehouse, NAME, "sum(area), round(sum(outline_area), 1), count(DISTINCT area_code), sum(easting)"
    )
    assert totals == (MANY * 1e4 - 400, MANY * 1e4 - 400, MANY, float(sum(columns["XCNTS_VALU"])))
    names, blobs = query(
        warehouse, NAME, "list(area_name ORDER BY area_code), list(geometry ORDER BY area_code)"
    )
    assert names == columns["TRDAR_CD_N"]
    stored = shapely.from_wkb(blobs)
    assert shapely.get_num_interior_rings(stored).tolist() == [0] * (MANY - 1) + [1]
    west, south, east, north = shapely.total_bounds(stored)
    assert 126.88 < west < east < 126.93 and 37.50 < south < north < 37.53


def test_areas_may_overlap_and_come_in_parts(tmp_path: Path) -> None:
    shapes = squares()
    shapes[1] = shapely.MultiPolygon([shapes[0], shapely.box(195_000, 450_000, 195_100, 450_100)])
    columns = attributes(shapes)
    warehouse = new_warehouse(tmp_path)
    assert take(warehouse, NAME, write_shapefile(tmp_path, shapes, columns)).rows == MANY
    assert query(warehouse, NAME, "max(outline_area), max(area)") == (20_000.0, 20_000.0)


def bow_tie(shapes: list[Any]) -> None:
    x, y, *_ = shapes[6].bounds
    shapes[6] = shapely.Polygon([(x, y), (x + 100, y + 100), (x + 100, y), (x, y + 100)])


def hole_outside(shapes: list[Any]) -> None:
    x, y, *_ = shapes[6].bounds
    far = [(x + 900, y), (x + 950, y), (x + 950, y + 50)]
    shapes[6] = shapely.Polygon(shapes[6].exterior, [far])


def dented(shapes: list[Any]) -> None:
    x, y, *_ = shapes[6].bounds
    shapes[6] = shapely.Polygon([(x, y), (x + 100, y), (x + 70, y + 70), (x, y + 100)])


RINGS: dict[str, tuple[Callable[[list[Any]], None], str]] = {
    "a bow tie": (bow_tie, "bad-geometry"),
    "a hole outside, which makes it another part": (hole_outside, "check-failed"),
    "nothing": (lambda shapes: shapes.__setitem__(6, shapely.Polygon()), "bad-geometry"),
    "a corner moved, so that the area is another": (dented, "check-failed"),
}  # fmt: skip


@pytest.mark.parametrize("case", RINGS)
def test_a_damaged_ring_is_refused_with_its_record(tmp_path: Path, case: str) -> None:
    damage, reason = RINGS[case]
    shapes = squares()
    columns = attributes(shapes)
    damage(shapes)
    error = refused(tmp_path, write_shapefile(tmp_path, shapes, columns))
    assert (error.reason, error.line) == (reason, 7)


@pytest.mark.parametrize("ring", ["open", "closed"])
@pytest.mark.parametrize("corner", [float("nan"), float("inf"), 1e300, -9e5])
def test_a_corner_that_is_no_place_is_refused(tmp_path: Path, corner: float, ring: str) -> None:
    shapes = squares()
    path = write_shapefile(tmp_path, shapes, attributes(shapes))
    content = bytearray(path.read_bytes())
    first = 100 + 8 + 44 + 4  # file header, record header, shape header and one part
    for at in (0, 64) if ring == "closed" else (0,):  # the first and the last of five corners
        content[first + at : first + at + 8] = struct.pack("<d", corner)
    path.write_bytes(content)
    error = refused(tmp_path, path)
    assert (error.reason, error.line) == ("bad-geometry", 1)


def test_the_published_area_is_that_of_the_outline(tmp_path: Path) -> None:
    shapes = squares()
    areas = attributes(shapes)["RELM_AR"].copy()
    areas[3] += 102.0  # one per cent and a square metre
    assert take(
        new_warehouse(tmp_path), NAME, write_shapefile(tmp_path, shapes, attributes(shapes, RELM_AR=areas))
    ).rows
    areas[3] += 2.0
    other = tmp_path / "other"
    other.mkdir()
    error = refused(other, write_shapefile(other, shapes, attributes(shapes, RELM_AR=areas)))
    assert (error.reason, error.line) == ("check-failed", 4)
    assert "outline_area" in error.en and "10,104" in error.ko


VALUES: dict[str, tuple[str, Any, str]] = {
    "a code of 2022": ("TRDAR_CD", "2110008", "bad-value"),
    "a code twice": ("TRDAR_CD", "3100000", "duplicate-key"),
    "a kind that is none": ("TRDAR_SE_C", "X", "bad-value"),
    "no name": ("TRDAR_CD_N", " ", "bad-value"),
    "a gu code cut": ("SIGNGU_CD", "1111", "bad-value"),
    "a dong code as a number": ("ADSTRD_CD", "11110515.0", "bad-value"),
    "a KOSTAT gu": ("SIGNGU_CD", "21010", "check-failed"),
    "no area": ("RELM_AR", np.nan, "bad-value"),
    "degrees for metres": ("XCNTS_VALU", 126.97, "check-failed"),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_wrong_attribute_is_refused(tmp_path: Path, case: str) -> None:
    field, value, reason = VALUES[case]
    shapes = squares()
    columns = attributes(shapes)
    columns[field][9] = value
    error = refused(tmp_path, write_shapefile(tmp_path, shapes, columns))
    assert (error.reason, error.line) == (reason, 10)


@pytest.mark.parametrize("crs", ["EPSG:5179", "EPSG:5186", "EPSG:5174", "EPSG:4326"])
def test_another_system_is_refused(tmp_path: Path, crs: str) -> None:
    shapes = squares()
    error = refused(tmp_path, write_shapefile(tmp_path, shapes, attributes(shapes), crs=crs))
    assert error.reason == "wrong-crs" and "EPSG:5181" in error.ko


@pytest.mark.parametrize("suffix", [".shx", ".dbf", ".prj", ".cpg"])
def test_a_missing_part_is_named(tmp_path: Path, suffix: str) -> None:
    shapes = squares()
    path = write_shapefile(tmp_path, shapes, attributes(shapes))
    path.with_suffix(suffix).unlink()
    error = refused(tmp_path, path)
    assert error.reason == "missing-part" and suffix in error.ko


@pytest.mark.parametrize(
    ("suffix", "spoil"),
    [
        (".shp", lambda b: b[:-600]),
        (".shp", lambda b: b[:24] + struct.pack(">i", len(b)) + b[28:]),
        (".shx", lambda b: b[:-8]),
        (".dbf", lambda b: b[:-4000]),
        (".dbf", lambda b: b[:4] + struct.pack("<I", MANY + 1) + b[8:]),
        (".shp", lambda b: b"PK\x03\x04" + b[4:]),
    ],
)
def test_a_cut_part_is_refused(tmp_path: Path, suffix: str, spoil: Callable[[bytes], bytes]) -> None:
    shapes = squares()
    path = write_shapefile(tmp_path, shapes, attributes(shapes))
    part = path.with_suffix(suffix)
    part.write_bytes(spoil(part.read_bytes()))
    assert refused(tmp_path, path).reason == "truncated"


def test_attributes_that_are_not_in_the_encoding_that_is_told_are_refused(tmp_path: Path) -> None:
    for written, told in (("CP949", "UTF-8"), ("UTF-8", "CP949")):
        folder = tmp_path / written
        folder.mkdir()
        shapes = squares()
        path = write_shapefile(folder, shapes, attributes(shapes), encoding=written)
        path.with_suffix(".cpg").write_text(told)
        error = refused(folder, path)
        assert error.reason == "wrong-encoding" and told in error.ko


def test_another_set_of_fields_is_told_apart(tmp_path: Path) -> None:
    shapes = squares()
    columns = attributes(shapes, MGTNO=[str(i) for i in range(MANY)])
    del columns["RELM_AR"]
    error = refused(tmp_path, write_shapefile(tmp_path, shapes, columns))
    assert error.reason == "unknown-layout"
    assert "빠진 열 'RELM_AR'" in error.ko and "unknown 'MGTNO'" in error.en


def test_fields_in_another_order_and_lines_for_areas_are_refused(tmp_path: Path) -> None:
    shapes = squares()
    turned = dict(reversed(attributes(shapes).items()))
    assert refused(tmp_path, write_shapefile(tmp_path, shapes, turned)).reason == "unknown-layout"
    lines = [s.exterior for s in shapes]
    other = tmp_path / "lines"
    other.mkdir()
    path = write_shapefile(other, lines, attributes(shapes), kind="LineString")
    assert refused(other, path).reason == "bad-geometry"


def test_too_few_areas_and_the_table_without_outlines_are_refused(tmp_path: Path) -> None:
    shapes = squares(40)
    error = refused(tmp_path, write_shapefile(tmp_path, shapes, attributes(shapes)))
    assert (error.reason, error.line) == ("incomplete", None)
    table = tmp_path / "영역-상권.csv"
    with table.open("w", encoding="cp949", newline="") as file:
        csv.writer(file).writerows([["상권_구분_코드", "상권_코드"], ["A", "3110008"]])
    error = refused(tmp_path, table)
    assert error.reason == "unknown-layout" and "shapefile" in error.en
