"""The `geo` metadata of a file with shapes, after GeoParquet 1.1.0 (OGC). Knows WKB; writes no file.

https://geoparquet.org/releases/v1.1.0/ : coordinates are (x, y) whatever the reference system says.
"""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import pyarrow as pa
import shapely
from pyproj import CRS

from catalog.descriptions import Dataset, Geometry
from catalog.warehouse.model import WarehouseError

VERSION = "1.1.0"


class Shapes:
    """What must be said of the shapes of one file, gathered while they pass."""

    def __init__(self, dataset: Dataset, geometry: Geometry) -> None:
        self._dataset, self._geometry = dataset.name, geometry
        self._kinds: set[str] = set()
        self._bounds = (math.inf, math.inf, -math.inf, -math.inf)
        self._flat = True

    def add(self, rows: pa.RecordBatch) -> None:
        """Take note of the shapes in some rows.

        Raises
        ------
        WarehouseError
            `bad-rows`: a value is not well-known binary.
        """
        values = [v for v in rows.column(self._geometry.column).to_pylist() if v is not None]
        if not values:
            return
        try:
            shapes: Any = shapely.from_wkb(values)
        except shapely.errors.ShapelyError as error:
            name = f"{self._dataset}.{self._geometry.column}"
            raise WarehouseError(
                "bad-rows",
                ko=f"'{name}'에 WKB가 아닌 값이 있습니다: {error}",
                en=f"'{name}' has a value that is not WKB: {error}",
            ) from error
        for deep in (False, True):
            some = shapes[shapely.has_z(shapes) == deep]
            self._kinds |= {f"{s.geom_type}{' Z' if deep else ''}" for s in some}
            self._flat = self._flat and not (deep and len(some))
        west, south, east, north = shapely.total_bounds(shapes)
        if not math.isnan(west):  # every shape is empty
            w, s, e, n = self._bounds
            self._bounds = (min(w, west), min(s, south), max(e, east), max(n, north))

    def metadata(self) -> dict[str, str]:
        """The key and value to put into the file's footer."""
        column: dict[str, Any] = {
            "encoding": "WKB",
            "geometry_types": sorted(self._kinds),
            "crs": _projjson(self._geometry.crs),
        }
        if self._flat and self._bounds[0] <= self._bounds[2]:
            column["bbox"] = [float(b) for b in self._bounds]
        name = self._geometry.column
        return {"geo": json.dumps({"version": VERSION, "primary_column": name, "columns": {name: column}})}


@cache
def _projjson(crs: str) -> Any:
    return CRS.from_user_input(crs).to_json_dict()
