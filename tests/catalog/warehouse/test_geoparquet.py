"""Tables with shapes are GeoParquet: others read the very files, with their reference system."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from shapely import LineString, MultiPolygon, Point, Polygon, box

from catalog.descriptions import Geometry, load_all
from catalog.samples.load import sample
from catalog.warehouse import Snapshot, Warehouse, WarehouseError, duckdb_relation_sql
from tests.catalog.warehouse.support import REPO, publication

DATASETS = load_all(REPO / "datasets")
BOUNDARY = DATASETS["gu_boundary"]
WITH_SHAPES = sorted(name for name, dataset in DATASETS.items() if dataset.geometry is not None)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")


def shaped(*shapes: Any) -> pa.Table:
    rows = sample(BOUNDARY).slice(0, len(shapes))
    assert BOUNDARY.geometry is not None
    place = rows.schema.get_field_index(BOUNDARY.geometry.column)
    return rows.set_column(place, rows.schema.field(place), pa.array([s.wkb for s in shapes], pa.binary()))


def geo(warehouse: Warehouse, made: Snapshot) -> Any:
    (file,) = made.files
    with pq.ParquetFile(warehouse.path(file.path)) as parquet:
        footer: Any = parquet.metadata
        return json.loads(footer.metadata[b"geo"])


@pytest.mark.parametrize("name", WITH_SHAPES)
def test_geopandas_reads_the_raw_file_of_every_dataset_with_shapes(warehouse: Warehouse, name: str) -> None:
    dataset = DATASETS[name]
    assert dataset.geometry is not None
    rows = sample(dataset)
    made = warehouse.publish(dataset, "main", rows, publication())
    frames = [geopandas.read_parquet(warehouse.path(f.path)) for f in made.files]
    assert sum(map(len, frames)) == rows.num_rows
    for frame in frames:
        assert frame.geometry.name == dataset.geometry.column
        assert frame.crs.equals(dataset.geometry.crs)
        assert 126 < frame.total_bounds[0] < frame.total_bounds[2] < 128, "longitude first, whatever the CRS"


def test_the_metadata_says_version_encoding_kinds_and_bounds(warehouse: Warehouse) -> None:
    square = box(126.9, 37.5, 127.1, 37.6)
    made = warehouse.publish(
        BOUNDARY, "main", shaped(square, MultiPolygon([square]), Point(128, 38)), publication()
    )
    said = geo(warehouse, made)
    assert (said["version"], said["primary_column"]) == ("1.1.0", "geometry")
    column = said["columns"]["geometry"]
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["MultiPolygon", "Point", "Polygon"]
    assert column["bbox"] == [126.9, 37.5, 128, 38]
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 4326}


def test_a_projected_reference_system_is_said_as_such(warehouse: Warehouse) -> None:
    projected = dataclasses.replace(BOUNDARY, geometry=Geometry(column="geometry", crs="EPSG:5179"))
    made = warehouse.publish(
        projected, "main", shaped(box(950_000, 1_950_000, 951_000, 1_951_000)), publication()
    )
    assert geo(warehouse, made)["columns"]["geometry"]["crs"]["id"]["code"] == 5179
    assert geopandas.read_parquet(warehouse.path(made.files[0].path)).crs.to_epsg() == 5179


def test_height_and_emptiness_make_no_false_bounds(warehouse: Warehouse) -> None:
    made = warehouse.publish(
        BOUNDARY, "main", shaped(Point(127, 37, 5), LineString([(1, 1), (2, 2)])), publication()
    )
    column = geo(warehouse, made)["columns"]["geometry"]
    assert column["geometry_types"] == ["LineString", "Point Z"]
    assert "bbox" not in column
    empty = warehouse.publish(BOUNDARY, "main", shaped(Polygon()), publication())
    assert "bbox" not in geo(warehouse, empty)["columns"]["geometry"]
    assert len(geopandas.read_parquet(warehouse.path(empty.files[0].path))) == 1


def test_what_is_no_shape_is_not_published(warehouse: Warehouse) -> None:
    rows = shaped(Point(127, 37))
    place = rows.schema.get_field_index("geometry")
    spoilt = rows.set_column(place, rows.schema.field(place), pa.array([b"\x01nonsense"], pa.binary()))
    with pytest.raises(WarehouseError, match="WKB") as refused:
        warehouse.publish(BOUNDARY, "main", spoilt, publication())
    assert refused.value.reason == "bad-rows"
    assert warehouse.datasets() == ()


def test_our_own_readers_still_get_plain_bytes(warehouse: Warehouse) -> None:
    made = warehouse.publish(BOUNDARY, "main", shaped(box(0, 0, 1, 1)), publication())
    paths = [str(warehouse.path(f.path)) for f in made.files]
    with duckdb.connect() as connection:
        found = connection.sql(duckdb_relation_sql(made, paths)).project("geometry").fetchall()
    assert shapely.from_wkb(found[0][0]).equals(box(0, 0, 1, 1))
