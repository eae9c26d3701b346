"""Reads first rows, one figure and coverage of a version, prints them as JSON and ends. Knows no page.

`python -m access_control.portal.collect` with the question on standard input; see `facts.collect_aside`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from access_control.portal import coverage
from catalog.descriptions import Column, Dataset, Role, load_all
from catalog.warehouse import Snapshot, Warehouse, duckdb_relation_sql

FIRST_ROWS = 8
MOST_POINTS = 400
MOST_BARS = 12
MOST_DOTS = 2_000  # of a map of places
MOST_VERSIONS = 8  # whose periods are counted
WIDTH = 640  # of a map, in its own units
LONGEST_CELL = 60  # characters


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """First rows and figure of the version that was asked about."""
    warehouse = Warehouse(Path(asked["root"]), Path(asked["catalog"]))
    dataset = load_all(Path(asked["datasets"]))[asked["name"]]
    snapshot = warehouse.snapshot(dataset.name, asked["variant"], asked["version"])
    rows = warehouse.preview(snapshot, FIRST_ROWS)
    return {
        "rows": [{name: _cell(value) for name, value in row.items()} for row in rows],
        "figure": figure(dataset, snapshot, warehouse) if rows else None,
        **_coverage(dataset, snapshot, warehouse),
    }


def _coverage(dataset: Dataset, snapshot: Snapshot, warehouse: Warehouse) -> dict[str, Any]:
    """Rows by period and by gu of this version, and by period of the versions before it."""
    unit = dataset.period.unit if dataset.period else None
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1; SET memory_limit = '512MB'")
        counted = {
            str(version.snapshot_id): coverage.periods(connection, _relation(version, warehouse), dataset)
            for version in warehouse.versions(dataset.name, snapshot.variant)[:MOST_VERSIONS]
            if dataset.period is not None and dataset.period.column in {f.name for f in version.fields}
        }
        here = counted.get(str(snapshot.snapshot_id), {})
        return {
            "periods": coverage.charted(here, unit),
            "areas": list(coverage.areas(connection, _relation(snapshot, warehouse), dataset).items()),
            "versions": counted,
        }


def _relation(snapshot: Snapshot, warehouse: Warehouse) -> str:
    return duckdb_relation_sql(snapshot, [str(warehouse.path(f.path)) for f in snapshot.files])


def figure(dataset: Dataset, snapshot: Snapshot, warehouse: Warehouse) -> dict[str, Any] | None:
    """A map where there is geometry, else a line over hours or days, else the largest groups."""
    source = _relation(snapshot, warehouse)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1; SET memory_limit = '512MB'")
        if dataset.geometry is not None:
            return _map(connection, source, dataset.geometry.column)
        names = {column.name for column in dataset.columns}
        measure = next((c.name for c in dataset.columns if c.role in {Role.MEASURE, Role.COUNT}), "")
        for column, how in (("hour", "mean"), ("date", "sum")):
            if column in names and measure:
                return _line(connection, source, column, measure, how)
        return _bars(connection, source, dataset, measure)


def _line(c: duckdb.DuckDBPyConnection, source: str, column: str, measure: str, how: str) -> dict[str, Any]:
    total = {"mean": "avg", "sum": "sum"}[how]
    points = c.execute(
        f'SELECT "{column}", {total}("{measure}") FROM ({source}) '  # noqa: S608 names of the description
        f'WHERE "{measure}" IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT {MOST_POINTS}'
    ).fetchall()
    return _chart("line", column, measure, how, points)


def _bars(c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset, measure: str) -> dict[str, Any] | None:
    groups = [column for column in dataset.columns if _is_name(column)]
    if not groups:
        return None
    counts = c.execute(
        "SELECT " + ", ".join(f'count(DISTINCT "{g.name}")' for g in groups) + f" FROM ({source})"  # noqa: S608
    ).fetchone()
    assert counts is not None
    many = [(count, g.name) for count, g in zip(counts, groups, strict=True) if count >= 2]
    if not many:
        return None
    column = min(many)[1]
    value = f'sum("{measure}")' if measure else "count(*)"
    points = c.execute(
        f'SELECT "{column}", {value} FROM ({source}) WHERE "{column}" IS NOT NULL '  # noqa: S608
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_BARS}"
    ).fetchall()
    return _chart("bars", column, measure, "sum" if measure else "count", points)


def _is_name(column: Column) -> bool:
    return column.role is Role.DIMENSION and column.name.endswith("_name")


def _chart(kind: str, column: str, measure: str, how: str, points: list[Any]) -> dict[str, Any]:
    return {
        "kind": kind,
        "column": column,
        "measure": measure,
        "how": how,
        "points": [(str(label), float(value)) for label, value in points if value is not None],
        "paths": [],
        "width": 0,
        "height": 0,
    }


def _map(c: duckdb.DuckDBPyConnection, source: str, column: str) -> dict[str, Any] | None:
    import numpy as np
    import shapely

    found = c.execute(f'SELECT "{column}" FROM ({source}) WHERE "{column}" IS NOT NULL').fetchall()  # noqa: S608
    shapes = shapely.from_wkb([bytes(row[0]) for row in found])
    if not len(shapes):
        return None
    dots = shapes[0].geom_type == "Point"
    if dots:
        west, _, east, _ = shapely.total_bounds(shapes)
        few = shapes[:: len(shapes) // MOST_DOTS + 1]
        shapes = shapely.buffer(few, max(east - west, 0.01) / 200, quad_segs=2)
    west, south, east, north = shapely.total_bounds(shapes)
    squeeze = np.cos(np.radians((south + north) / 2))  # a degree of longitude is shorter than one of latitude
    scale = WIDTH / ((east - west) * squeeze)
    height = round((north - south) * scale)
    shapes = shapes if dots else _simpler(shapes, (east - west) / WIDTH)
    paths = []
    for shape in shapes:
        rings = [
            part.exterior for part in getattr(shape, "geoms", [shape]) if part.geom_type == "Polygon" and part
        ]
        text = "".join(_ring(np.asarray(ring.coords), west, north, scale, squeeze) for ring in rings)
        if text:
            paths.append(text)
    return {
        "kind": "map",
        "column": column,
        "measure": "",
        "how": "count",
        "points": [],
        "paths": paths,
        "width": WIDTH,
        "height": height,
    }


def _simpler(shapes: Any, tolerance: float) -> Any:
    """Shapes with fewer corners; neighbours keep the very same line between them, so no gaps open.

    Parameters
    ----------
    tolerance
        Square root of the area a corner must make to stay, in the coordinates' unit.
    """
    import shapely

    areas = all(shape.geom_type in {"Polygon", "MultiPolygon"} for shape in shapes)
    return shapely.coverage_simplify(shapes, tolerance) if areas else shapely.simplify(shapes, tolerance)


def _ring(points: Any, west: float, north: float, scale: float, squeeze: float) -> str:
    corners = [f"{(x - west) * squeeze * scale:.1f} {(north - y) * scale:.1f}" for x, y in points[:, :2]]
    return "M" + "L".join(corners[:-1]) + "Z"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:,.2f}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


if __name__ == "__main__":
    json.dump(answer(json.loads(sys.stdin.buffer.read())), sys.stdout, ensure_ascii=True)
