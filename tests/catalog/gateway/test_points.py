"""A point query over a table without partitions gives the worker the one file that may hold the point."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.descriptions import PeriodUnit
from catalog.warehouse import Publication, Replace, Warehouse, listed_bounds
from catalog.warehouse.schema import arrow_schema
from tests.catalog.gateway.conftest import DESCRIPTIONS, LIMITS
from tests.catalog.gateway.simulator import installation, run, utc_now
from tests.catalog.gateway.test_broker import ERRORS
from tests.catalog.gateway.test_footprint import admitted


def test_a_point_in_a_table_without_partitions_opens_one_of_its_files(
    tmp_path: Path, run_folder: Path
) -> None:
    """The others could not even be read."""
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")
    described = replace(DESCRIPTIONS["subway_ridership"], partitions=())
    for month in range(1, 8):  # each delivery is a file
        rows = [
            {"date": date(2026, month, day), "line": line, "station": f"역{day}", "part": 1,
             "boardings": 100 * month + day, "alightings": 1, "registered_date": date(2026, month, day)}
            for day in (1, 11, 21) for line in ("1호선", "2호선")
        ]  # fmt: skip
        publication = Publication(now=utc_now(), by="custodian", synthetic=False, source="x", recipe="1")
        replaced = Replace(column="date", unit=PeriodUnit.MONTH, periods=frozenset({f"2026-{month:02}"}))
        table = pa.Table.from_pylist(rows, arrow_schema(described))
        warehouse.publish(described, "main", table, publication, replaced)
    text = (
        "SELECT sum(boardings) AS n FROM subway_ridership WHERE date = DATE '2026-{}-11' AND line = '2호선'"
    )
    with installation(warehouse, DESCRIPTIONS, run_folder, LIMITS) as gateway:
        gateway.guard.grant("subway_ridership")
        client = flight.connect(gateway.open())
        assert run(client, text.format("01")).to_pylist() == [{"n": 111}]
        snapshot = warehouse.snapshot("subway_ridership")
        first = snapshot.fields[0]
        for file in snapshot.files:
            bounds = listed_bounds(file.bounds, first.field_id, first.duckdb_type)
            if bounds is None or bounds.high.month != 5:
                warehouse.path(file.path).unlink()
        assert run(client, text.format("05")).to_pylist() == [{"n": 511}]
        [scan] = admitted(gateway).scans
        assert (scan.files, scan.granted, scan.partitions) == (1, 7, ())
        with pytest.raises(ERRORS):
            run(client, "SELECT sum(boardings) FROM subway_ridership WHERE date + 0 = DATE '2026-05-11'")
