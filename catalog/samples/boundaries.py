"""Made-up boundaries: Voronoi cells of dong centres within a smooth outline, lobes around commercial areas.

Facts are the centres of the dongs only.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.samples.tables import numbers, read_table

GIVEN, STORED = "EPSG:5181", "EPSG:4326"
REACH = 1.25
"""Radius of the disc around a centre against that of a circle of the dong's area."""
SMOOTHING = 700.0
"""Bays and capes narrower than this are rounded off [m]."""


def _cells(centres: Path) -> tuple[dict[str, list[str]], Any]:
    """The centres' table and one cell a dong, in metres, in the table's order."""
    import shapely

    table = read_table(centres)
    points = shapely.points(numbers(table, "x", "y"))
    radius = np.sqrt(numbers(table, "area") / np.pi) * REACH
    discs = shapely.union_all(shapely.buffer(points, radius, quad_segs=16))
    smooth = discs.buffer(SMOOTHING).buffer(-2 * SMOOTHING).buffer(SMOOTHING)
    outline = shapely.union_all([smooth, *shapely.buffer(points, 250.0)])
    outline = shapely.Polygon(max(shapely.get_parts(outline), key=lambda p: p.area).exterior).simplify(20.0)
    diagram = shapely.voronoi_polygons(shapely.multipoints(points), extend_to=outline, ordered=True)
    return table, shapely.intersection(shapely.get_parts(diagram), outline)


def _stored(shapes: Any) -> Any:
    """WKB in longitude and latitude, to about a decimetre."""
    import shapely
    from pyproj import Transformer

    move = Transformer.from_crs(GIVEN, STORED, always_xy=True)

    def degrees(x: Any, y: Any) -> tuple[Any, Any]:
        longitude, latitude = move.transform(x, y)
        return np.round(longitude, 6), np.round(latitude, 6)

    moved = shapely.make_valid(shapely.transform(shapes, degrees, interleaved=False))
    return pa.array([bytes(b) for b in shapely.to_wkb(moved)], pa.binary())


def dong_boundary(centres: Path) -> pa.Table:
    """One row a dong."""
    import shapely

    table, cells = _cells(centres)
    return pa.table(
        {
            "dong_code": table["dong_code"],
            "dong_name": table["dong_name"],
            "gu_code": [c[:5] for c in table["dong_code"]],
            "area": np.round(shapely.area(cells)),
            "geometry": _stored(cells),
        }
    )


def gu_boundary(centres: Path, names: Path) -> pa.Table:
    """One row a gu: the union of its dongs."""
    import shapely

    table, cells = _cells(centres)
    owner = np.array([c[:5] for c in table["dong_code"]])
    gu = read_table(names)
    unions = np.array([shapely.union_all(cells[owner == code]) for code in gu["gu_code"]])
    return pa.table({**gu, "geometry": _stored(unions)})


def commercial_area_boundary(areas: pa.Table, outlines: Path) -> pa.Table:
    """One row for each made-up commercial area: an outline around its centre, of the area it is given."""
    import shapely

    table: Any = areas
    shape = read_table(outlines)
    corners, two, three = (float(shape[n][0]) for n in ("corners", "two_lobes", "three_lobes"))
    centres = np.column_stack([table[c].to_numpy() for c in ("easting", "northing")]).astype(float)
    area = table["area"].to_numpy().astype(float)
    generator = np.random.default_rng(zlib.crc32(b"commercial_area_boundary"))
    turns = generator.uniform(0.0, 2 * np.pi, (2, len(area), 1))
    angles = np.linspace(0.0, 2 * np.pi, int(corners), endpoint=False)
    reach = 1 + two * np.cos(2 * angles + turns[0]) + three * np.cos(3 * angles + turns[1])
    ring = np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=-1)
    drawn = shapely.area(shapely.polygons(ring))
    scaled = ring * np.sqrt(area / drawn)[:, None, None] + centres[:, None, :]
    shapes = shapely.polygons(scaled)
    kept = ("area_type_code", "area_type", "area_code", "area_name", "gu_code", "gu_name", "dong_code")
    columns: Any = {name: table[name] for name in (*kept, "dong_name", "easting", "northing", "area")}
    measured = np.round(shapely.area(shapes), 1)
    return pa.table(columns | {"outline_area": measured, "geometry": _stored(shapes)})


def dong_codes(centres: Path, names: Path) -> pa.Table:
    """One row a dong, without the census office's codes."""
    table, gu = read_table(centres), read_table(names)
    gu_name = dict(zip(gu["gu_code"], gu["gu_name"], strict=True))
    codes = table["dong_code"]
    return pa.table(
        {
            "dong_code": codes,
            "sido_name": ["서울"] * len(codes),
            "gu_name": [gu_name[c[:5]] for c in codes],
            "gu_code": [c[:5] for c in codes],
            "dong_name": table["dong_name"],
        }
    )
