"""Draws areas and places of a version as SVG paths in a small box of its own. Knows no page and no chart.

Boundaries are simplified before they are sent: a map of a few hundred pixels needs no full outline. Areas
that share a border keep sharing it (coverage simplification), so no gaps open between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
import shapely

from access_control.portal.facts import Figure
from access_control.portal.sketches import how, measure_of, newest, value_sql
from catalog.codes import load
from catalog.descriptions import Dataset

WIDTH: Final = 640  # of a map, in its own units
MOST_DOTS: Final = 2_000  # of a map of places
FINEST: Final = 300  # bends narrower than this part of the map's width are drawn straight
CLASSES: Final = 5
LARGEST: Final = 12  # areas listed beside a map
BOUNDARIES: Final = {"MOIS-dong-8": "dong_boundary", "MOIS-gu-5": "gu_boundary"}


@dataclass(frozen=True, slots=True)
class _Frame:
    """From degrees to the map's own units, longitudes squeezed for their latitude."""

    west: float
    north: float
    squeeze: float
    scale: float
    height: int

    def places(self, points: Any) -> list[str]:
        return [
            f"{(x - self.west) * self.squeeze * self.scale:.1f} {(self.north - y) * self.scale:.1f}"
            for x, y in points[:, :2]
        ]


def _frame(shapes: Any) -> _Frame:
    west, south, east, north = shapely.total_bounds(shapes)
    squeeze = float(np.cos(np.radians((south + north) / 2)))
    scale = WIDTH / (max(east - west, 1e-6) * squeeze)
    return _Frame(west, north, squeeze, scale, max(1, round((north - south) * scale)))


def outline(c: duckdb.DuckDBPyConnection, source: str, column: str) -> Figure | None:
    """The shapes themselves: areas as paths, places as dots."""
    found = c.execute(f'SELECT "{column}" FROM ({source}) WHERE "{column}" IS NOT NULL').fetchall()  # noqa: S608
    if not found:
        return None
    shapes = shapely.from_wkb([bytes(row[0]) for row in found])
    dots = shapes[0].geom_type == "Point"
    if dots:
        shapes = shapes[:: len(shapes) // MOST_DOTS + 1]
        frame = _frame(shapes)
        paths = [f"M{at}h0" for at in frame.places(shapely.get_coordinates(shapes))]
    else:
        frame = _frame(shapes)
        paths = [path for path in _paths(shapes, frame) if path]
    return Figure(
        kind="map", column=column, measure="", how="count", paths=tuple(paths), dots=dots,
        width=WIDTH, height=frame.height,
    )  # fmt: skip


def area_column(dataset: Dataset) -> tuple[str, str] | None:
    """The first column of dong or gu codes, and the dataset that has their boundaries."""
    for system, boundaries in BOUNDARIES.items():
        for column in dataset.columns:
            if column.code_system == system:
                return column.name, boundaries
    return None


def shaded(
    c: duckdb.DuckDBPyConnection, source: str, dataset: Dataset, column: str, boundaries: str
) -> Figure | None:
    """Every area by the value of its rows, in five classes of about as many areas; -1 where it has none."""
    measure = measure_of(dataset)
    if measure is None:
        return None
    source, period = newest(c, source, dataset)
    way = how(dataset, measure)
    values = dict(
        c.execute(f'SELECT "{column}", {value_sql(measure, way)} FROM ({source}) GROUP BY 1').fetchall()  # noqa: S608
    )
    code, name = ("dong_code", "dong_name") if "dong" in column else ("gu_code", "gu_name")
    found = c.execute(f"SELECT {code}, {name}, geometry FROM ({boundaries}) ORDER BY 1").fetchall()  # noqa: S608
    known = {of: float(values[of]) for of, _, _ in found if values.get(of) is not None}
    if len(known) < 2:
        return None
    shapes = shapely.from_wkb([bytes(row[2]) for row in found])
    frame = _frame(shapes)
    breaks = _breaks(list(known.values()))
    paths, shades = [], []
    for (of, _, _), path in zip(found, _paths(shapes, frame), strict=True):
        if path:
            paths.append(path)
            shades.append(int(np.searchsorted(breaks[1:-1], known[of], "right")) if of in known else -1)
    return Figure(
        kind="map", column=column, measure=measure.name, how=way, points=_largest(found, known),
        paths=tuple(paths), shades=tuple(shades), breaks=breaks, period=period,
        width=WIDTH, height=frame.height,
    )  # fmt: skip


def _breaks(values: Sequence[float]) -> tuple[float, ...]:
    """Edges of the classes, smallest and largest value included; fewer where values repeat."""
    edges = np.quantile(values, np.linspace(0, 1, CLASSES + 1))
    kept = [float(edges[0])]
    kept += [float(edge) for edge in edges[1:] if edge > kept[-1]]
    distinct = sorted(set(kept))
    return tuple(distinct) if len(distinct) > 1 else (distinct[0], distinct[0])


def _largest(found: Sequence[Any], known: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    gu = load().names(("MOIS-gu-5", "2015"))
    names = {of: name if len(of) == 5 else f"{gu.get(of[:5], '')} {name}".strip() for of, name, _ in found}
    largest = sorted(known, key=lambda of: (-known[of], of))[:LARGEST]
    return tuple((names[of], known[of]) for of in largest)


def _paths(shapes: Any, frame: _Frame) -> list[str]:
    """One path a shape, without its holes; empty for what has no area."""
    width = WIDTH / frame.scale / frame.squeeze
    return [_path(shape, frame) for shape in _simpler(shapes, width / FINEST)]


def _simpler(shapes: Any, tolerance: float) -> Any:
    """Shapes without bends narrower than the tolerance; neighbours keep the very same line between them."""
    try:
        return shapely.coverage_simplify(shapes, tolerance)
    except (shapely.errors.GEOSException, TypeError):  # they overlap, or there are lines among them
        return shapely.simplify(shapes, tolerance / 2)


def _path(shape: Any, frame: _Frame) -> str:
    parts = [part for part in getattr(shape, "geoms", [shape]) if part.geom_type == "Polygon" and part]
    rings = (frame.places(np.asarray(part.exterior.coords)) for part in parts)
    return "".join("M" + "L".join(ring[:-1]) + "Z" for ring in rings)
