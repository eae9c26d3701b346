"""A published warehouse and an installation over it, for every test of the gateway."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.descriptions import ColumnType, Dataset, load_all
from catalog.gateway.session import QueryLimits
from catalog.samples.load import key_of
from catalog.synth.declaration import load_twin
from catalog.synth.generate import Generator
from catalog.warehouse import Publication, Warehouse
from tests.catalog.gateway.simulator import REPO, Installation, installation, utc_now

ROWS = 300_000
TWIN_ROWS = 3_000
DESCRIPTIONS = load_all(REPO / "datasets")
PUBLISHED = {"subway_ridership": ROWS, "dong_codes": 400, "card_sales": 5_000, "living_population": 2_000}
LIMITS = QueryLimits(memory=1 << 30, seconds=30.0, threads=2)
_POINT = bytes.fromhex("0101000000") + b"\0" * 16  # WKB POINT (0 0)


def made_up(dataset: Dataset, rows: int) -> pa.Table:
    """Rows of the right types: whole numbers, few distinct texts, days of one year."""
    columns: dict[str, Any] = {}
    for column in dataset.columns:
        match column.type:
            case ColumnType.INT:
                values: Any = pa.array((i % 24 for i in range(rows)), pa.int32())
            case ColumnType.LONG:
                values = pa.array((i * 7919 % 10_007 for i in range(rows)), pa.int64())
            case ColumnType.DOUBLE:
                values = pa.array((i % 1000 / 8 for i in range(rows)), pa.float64())
            case ColumnType.DATE:
                days = [date(2026, 1, 1) + timedelta(days=i) for i in range(365)]
                values = pa.array((days[i % 365] for i in range(rows)), pa.date32())
            case ColumnType.BINARY:
                values = pa.array([_POINT] * rows, pa.binary())
            case _:
                values = pa.array((f"{column.name}-{i % 97:02}" for i in range(rows)), pa.string())
        columns[column.name] = values
    return pa.table(columns)


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("warehouse")
    made = Warehouse(folder / "files", folder / "catalog.sqlite")
    for name, rows in {**PUBLISHED, "gu_boundary": 25}.items():
        dataset = DESCRIPTIONS[name]
        table = made_up(dataset, rows)
        publication = Publication(
            now=utc_now(), by="custodian", synthetic=True, source="made up", recipe="1",
            key=key_of(dataset, table),
        )  # fmt: skip
        made.publish(dataset, "main", table, publication)
    dataset = DESCRIPTIONS["card_spending"]
    publication = Publication(now=utc_now(), by="custodian", synthetic=True, source="stand-in", recipe="1")
    made.publish(dataset, "main", made_up(dataset, 10), publication)
    twin = Generator(load_twin(dataset), dataset, plain=True).batches(TWIN_ROWS)
    made.publish(dataset, "twin", twin, publication)
    return made


@pytest.fixture
def run_folder() -> Iterator[Path]:
    """A short path: unix sockets have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="cg-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # the socket of a worker that just ended goes by itself


@pytest.fixture
def gateway(warehouse: Warehouse, run_folder: Path) -> Iterator[Installation]:
    """An installation whose sessions may read four of five datasets; living_population is not granted."""
    with installation(warehouse, DESCRIPTIONS, run_folder, LIMITS) as made:
        for name in ("subway_ridership", "dong_codes", "card_sales", "gu_boundary"):
            made.guard.grant(name)
        yield made


@pytest.fixture
def client(gateway: Installation) -> Iterator[Any]:
    connection = flight.connect(gateway.open())
    yield connection
    connection.close()
