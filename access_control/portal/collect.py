"""Reads first rows, figures, coverage and a twin's report, prints them as JSON and ends. Knows no page.

`python -m access_control.portal.collect` with the question on standard input; see `facts.collect_aside`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from access_control.portal import coverage, maps, sketches
from access_control.portal.facts import Figure
from catalog.descriptions import Dataset, load_all
from catalog.descriptions.variants import MAIN, TWIN
from catalog.synth.report import Margin, published_report
from catalog.warehouse import Snapshot, Warehouse, WarehouseError, duckdb_relation_sql

FIRST_ROWS = 8
MOST_VERSIONS = 8  # whose periods are counted
LONGEST_CELL = 60  # characters
MOST_SHARES = 12  # of a margin, the ones that differ most from their declaration


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Everything shown of the version that was asked about."""
    warehouse = Warehouse(Path(asked["root"]), Path(asked["catalog"]))
    folder = Path(asked["datasets"])
    dataset = load_all(folder)[asked["name"]]
    snapshot = warehouse.snapshot(dataset.name, asked["variant"], asked["version"])
    rows = warehouse.preview(snapshot, FIRST_ROWS)
    twin = snapshot.variant == TWIN
    return {
        "rows": [{name: _cell(value) for name, value in row.items()} for row in rows],
        **(drawn(dataset, snapshot, warehouse) if rows else {}),
        **_coverage(dataset, snapshot, warehouse),
        "margins": _margins(warehouse, dataset, folder) if twin else [],
    }


def drawn(dataset: Dataset, snapshot: Snapshot, warehouse: Warehouse) -> dict[str, Any]:
    """The figure, the map and the histogram, each None where the columns make none."""
    source = _relation(snapshot, warehouse)
    with _connection() as connection:
        if dataset.geometry is not None:
            figure: Figure | None = maps.outline(connection, source, dataset.geometry.column)
        else:
            figure = sketches.figure(connection, source, dataset)
        found = {
            "figure": figure,
            "map": _map(connection, source, dataset, warehouse),
            "histogram": sketches.histogram(connection, source, dataset, snapshot.rows),
        }
    return {name: dataclasses.asdict(one) if one else None for name, one in found.items()}


def _map(
    connection: duckdb.DuckDBPyConnection, source: str, dataset: Dataset, warehouse: Warehouse
) -> Figure | None:
    """Only open boundaries serve: anybody may see them."""
    column = maps.area_column(dataset) if dataset.geometry is None else None
    if column is None:
        return None
    try:
        boundaries = warehouse.snapshot(column[1], MAIN)
    except WarehouseError:
        return None
    made = maps.shaded(connection, source, dataset, column[0], _relation(boundaries, warehouse))
    return dataclasses.replace(made, made_up=boundaries.synthetic) if made else None


def _margins(warehouse: Warehouse, dataset: Dataset, folder: Path) -> list[dict[str, Any]]:
    """How close the published twin comes to what its `twin.yml` declares."""
    report = published_report(warehouse, dataset, folder)
    return [
        {
            "columns": list(margin.columns),
            "labels": len(margin.labels),
            "distance": margin.distance,
            "tolerance": margin.tolerance,
            "source": margin.source,
            "shares": _shares(margin),
        }
        for margin in (report.margins if report else ())
    ]


def _shares(margin: Margin) -> list[tuple[str, float, float]]:
    """Declared and found shares that differ most, in the order of the declaration."""
    every = list(zip(margin.labels, margin.declared, margin.found, strict=True))
    kept = sorted(range(len(every)), key=lambda i: -abs(every[i][1] - every[i][2]))[:MOST_SHARES]
    return [every[i] for i in sorted(kept)]


def _coverage(dataset: Dataset, snapshot: Snapshot, warehouse: Warehouse) -> dict[str, Any]:
    """Rows by period and by gu of this version, and by period of the versions before it."""
    unit = dataset.period.unit if dataset.period else None
    with _connection() as connection:
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


def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads = 1; SET memory_limit = '512MB'")
    return connection


def _relation(snapshot: Snapshot, warehouse: Warehouse) -> str:
    return duckdb_relation_sql(snapshot, [str(warehouse.path(f.path)) for f in snapshot.files])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:,.2f}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


if __name__ == "__main__":
    json.dump(answer(json.loads(sys.stdin.buffer.read())), sys.stdout, ensure_ascii=True)
