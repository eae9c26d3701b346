"""The rows all contenders read: a synthetic twin in the product's own catalogue. Knows no contender.

The twin of `telecom_population` is drawn by the product's generator, which gives the same bytes for the same
number of rows, and published as any version is: sorted, in Parquet files of the size the product makes.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from catalog.descriptions import load_all
from catalog.descriptions.variants import TWIN, sql_name
from catalog.synth.declaration import load_twin
from catalog.synth.generate import Generator
from catalog.warehouse import Publication, Warehouse, WarehouseError
from hub_config.settings import REPO, Settings

DATASET: Final = "telecom_population"
TABLE: Final = sql_name(DATASET, TWIN)
COLUMNS: Final = "date, hour, dong_code, sex, age, population"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The published rows.

    Attributes
    ----------
    files
        Absolute paths of its Parquet files.
    day, dong
        The point that the point query asks for.
    made
        How long drawing and publishing took; 0 where they were there [s].
    """

    rows: int
    files: tuple[str, ...]
    size: int
    day: date
    dong: str
    made: float

    @property
    def source(self) -> str:
        """What a DuckDB reads them as, without any part of the product."""
        return "read_parquet([" + ", ".join(f"'{file}'" for file in self.files) + "])"


def published(settings: Settings, rows: int) -> Data:
    """That many rows; those of an earlier run are used again."""
    warehouse = Warehouse(settings.warehouse, settings.catalog_db)
    dataset = load_all(REPO / "datasets")[DATASET]
    twin = load_twin(dataset)
    began = time.monotonic()
    taken = 0.0
    try:
        snapshot = warehouse.snapshot(DATASET, TWIN)
    except WarehouseError:
        snapshot = None
    if snapshot is None or snapshot.rows != rows:
        shutil.rmtree(settings.warehouse, ignore_errors=True)
        shutil.rmtree(settings.catalog_db.parent, ignore_errors=True)
        settings.warehouse.mkdir()
        settings.catalog_db.parent.mkdir()
        warehouse = Warehouse(settings.warehouse, settings.catalog_db)
        publication = Publication(
            now=datetime.now(UTC), by="benchmark", synthetic=True, source="benchmark", recipe=f"rows-{rows}"
        )
        batches = Generator(twin, dataset, plain=True).batches(rows)
        snapshot = warehouse.publish(dataset, TWIN, batches, publication)
        taken = time.monotonic() - began
        os.sync()  # what is written back later would disturb the rounds
    warehouse.list_bounds(DATASET, TWIN)  # as the product does when it starts: these rows may be older
    sys.stderr.write(f"{snapshot.rows:,} rows in {len(snapshot.files)} files, {taken:.0f} s\n")
    periods = -(-rows // twin.calendar.rows)
    return Data(
        rows=snapshot.rows,
        files=tuple(str(warehouse.path(file.path)) for file in snapshot.files),
        size=snapshot.size,
        day=twin.calendar.day((periods - 1) // 2),
        dong="11680510",
        made=taken,
    )
