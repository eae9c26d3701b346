"""Small complete shapefiles laid out as the publisher's commercial areas, for the boundary tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely

SIDE = 100.0  # [m]
MANY = 510
TYPES = ("골목상권", "발달상권", "전통시장", "관광특구")
FIELDS = (
    "TRDAR_SE_C",
    "TRDAR_SE_1",
    "TRDAR_CD",
    "TRDAR_CD_N",
    "XCNTS_VALU",
    "YDNTS_VALU",
    "SIGNGU_CD",
    "SIGNGU_CD_",
    "ADSTRD_CD",
    "ADSTRD_CD_",
    "RELM_AR",
)


def squares(many: int = MANY) -> list[Any]:
    """Squares of a hectare, each touching its neighbours, in metres; the last has a courtyard of 400 m2."""
    corners = [(190_000 + SIDE * (i % 30), 445_000 + SIDE * (i // 30)) for i in range(many)]
    boxes = [shapely.box(x, y, x + SIDE, y + SIDE) for x, y in corners]
    court = shapely.box(*(corners[-1][k] + 40.0 for k in (0, 1)), *(corners[-1][k] + 60.0 for k in (0, 1)))
    return [*boxes[:-1], boxes[-1].difference(court)]


def attributes(shapes: list[Any], **changes: Any) -> dict[str, Any]:
    """Columns by field name; `changes` replace whole columns, or add some."""
    rows = range(len(shapes))
    middles = [shapely.centroid(s) for s in shapes]
    columns: dict[str, Any] = {
        "TRDAR_SE_C": ["ADRU"[i % 4] for i in rows],
        "TRDAR_SE_1": [TYPES[i % 4] for i in rows],
        "TRDAR_CD": [f"31{i:05}" for i in rows],
        "TRDAR_CD_N": [f"종로·청계 {i}" for i in rows],
        "XCNTS_VALU": np.array([round(p.x) for p in middles], float),
        "YDNTS_VALU": np.array([round(p.y) for p in middles], float),
        "SIGNGU_CD": ["11110" for _ in rows],
        "SIGNGU_CD_": ["종로구" for _ in rows],
        "ADSTRD_CD": ["11110515" for _ in rows],
        "ADSTRD_CD_": ["청운효자동" for _ in rows],
        "RELM_AR": np.array([round(shapely.area(s)) for s in shapes], float),
    }
    assert tuple(columns) == FIELDS
    return columns | changes


def write_shapefile(
    folder: Path,
    shapes: list[Any],
    columns: Mapping[str, Any],
    *,
    crs: str = "EPSG:5181",
    encoding: str = "UTF-8",
    kind: str = "Polygon",
) -> Path:
    """The five parts; returns the `.shp`."""
    path = folder / "서울시 상권분석서비스(영역-상권).shp"
    data = [np.array(v, dtype=object) if isinstance(v, list) else v for v in columns.values()]
    pyogrio.raw.write(
        path,
        np.array([shapely.to_wkb(s) for s in shapes], dtype=object),
        data,
        list(columns),
        geometry_type=kind,
        crs=crs,
        encoding=encoding,
        driver="ESRI Shapefile",
    )
    return path
