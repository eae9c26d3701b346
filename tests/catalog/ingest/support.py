"""Paths, clocks and small publisher files for the ingestion tests."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from catalog.descriptions import load_all
from catalog.ingest import Published, ingest
from catalog.ingest.blocks import BLOCK
from catalog.ingest.delimited import open_delimited
from catalog.ingest.meter import Meter
from catalog.ingest.model import Piece, Recipe
from catalog.ingest.recipe import load_recipe
from catalog.ingest.rows import Bounds
from catalog.ingest.source import Reading, Taken
from catalog.ingest.source import take as take_file
from catalog.warehouse import Warehouse, duckdb_relation_sql

REPO = Path(__file__).resolve().parents[3]
REAL = REPO.parent / "shared" / "data" / "real"
DATASETS = load_all(REPO / "datasets")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="publisher files are not beside this checkout")


def take(warehouse: Warehouse, name: str, *files: Path) -> Published:
    """Ingest as a person would."""
    return ingest(DATASETS[name], files, warehouse, NOW, "minji")


def new_warehouse(folder: Path) -> Warehouse:
    return Warehouse(folder / "warehouse", folder / "catalog.sqlite")


def parsed_csv(folder: Path, content: bytes, recipe: Recipe, *, size: int = BLOCK) -> Piece:
    """The typed rows of a whole file, read in blocks of that size."""
    path = folder / "a.csv"
    path.write_bytes(content)
    source = open_delimited(path, recipe, size=size)
    pieces = [p for p in map(source.piece, source.survey.blocks) if p is not None]
    columns = {c: pa.chunked_array([p.columns[c] for p in pieces]) for c in pieces[0].columns}
    return Piece(columns=columns, lines=np.concatenate([p.lines for p in pieces]))


def spooled(folder: Path, name: str, content: bytes, *, block: int = BLOCK) -> Taken:
    """A file read to its end, in blocks of that size."""
    path = folder / "a.csv"
    path.write_bytes(content)
    dataset = DATASETS[name]
    recipe = load_recipe(REPO / "datasets" / name / "recipe.yml", dataset)
    bounds = Bounds(block=block)
    work = folder / "work"
    return take_file(path, Reading(dataset=dataset, recipe=recipe, work=work, meter=Meter(), bounds=bounds))


def subway_rows(layout: str, days: Sequence[str], stations: Sequence[str] = ("강변", "잠실")) -> list[str]:
    """Lines of a small monthly file, header first."""
    header = {
        "A": '"사용일자","노선명","역명",승차총승객수,하차총승객수,"등록일자"',
        "B": "사용일자,노선명,역명,승차총승객수,하차총승객수,등록일자",
        "C": '"사용일자","노선명","역명","승차총승객수","하차총승객수","등록일자"',
    }[layout]
    out = [header]
    for number, day in enumerate(days):
        for at, station in enumerate(stations):
            on, off = 1000 + number, 2000 + at
            out.append(
                {
                    "A": f'"{day}","2호선","{station}","{on}.0","{off}.0","20260401"',
                    "B": f"{day},2호선,{station},{on},{off},20260401",
                    "C": f'"{day}","2호선","{station}","{on}","{off}","20260401",""',
                }[layout]
            )
    return out


def month(name: str) -> list[str]:
    """All days of a month given as YYYYMM, as YYYYMMDD."""
    day = datetime.strptime(name + "01", "%Y%m%d").replace(tzinfo=UTC)
    days = []
    while day.strftime("%Y%m") == name:
        days.append(day.strftime("%Y%m%d"))
        day += timedelta(days=1)
    return days


def subway_file(folder: Path, layout: str, name: str, encoding: str = "utf-8-sig", end: str = "\n") -> Path:
    """A complete small monthly file."""
    path = folder / f"CARD_SUBWAY_MONTH_{name}.csv"
    path.write_bytes((end.join(subway_rows(layout, month(name))) + end).encode(encoding))
    return path


def copy_shapefile(folder: Path) -> Path:
    """The real dong shapefile with all parts, in a folder of its own."""
    for part in (REAL / "boundaries").glob("*영역-행정동*"):
        shutil.copy(part, folder / part.name)
    (shape,) = folder.glob("*.shp")
    return shape


def query(warehouse: Warehouse, name: str, columns: str) -> tuple[Any, ...]:
    """Aggregates over the current version, in DuckDB's words."""
    snapshot = warehouse.snapshot(name)
    with duckdb.connect() as connection:
        relation = connection.sql(
            duckdb_relation_sql(snapshot, [str(warehouse.path(f.path)) for f in snapshot.files])
        )
        (row,) = relation.aggregate(columns).fetchall()
    return tuple(row)


def records(path: Path) -> list[list[str]]:
    """The file by the csv module, with the encoding its bytes show."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp949")
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


def real(folder: str, part: str) -> Path:
    """The one publisher file of that folder whose name holds `part`."""
    (path,) = (p for p in (REAL / folder).iterdir() if part in p.name)
    return path


def column_sum(rows: list[list[str]], at: int) -> float:
    """The sum of one column by decimal arithmetic; empty values count nothing."""
    return float(sum(Decimal(r[at]) for r in rows if r[at]))
