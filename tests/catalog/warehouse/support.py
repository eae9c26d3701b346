"""Small card-spending rows, warehouses and readings shared by the tests of the table layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.descriptions import Dataset, PeriodUnit, load_all
from catalog.warehouse import DataFile, Publication, Replace, Snapshot, Warehouse, duckdb_relation_sql
from catalog.warehouse.schema import arrow_schema

REPO = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SPENDING = load_all(REPO / "datasets")["card_spending"]
UNPARTED = dataclasses.replace(SPENDING, partitions=())
JONGNO, GANGNAM = "11110515", "11680510"


def spending(*days: date, dongs: Iterable[str] = (JONGNO, GANGNAM), each: int = 1) -> pa.Table:
    """`each` rows a dong and day, later hours first."""
    made = [
        {"date": day, "hour": hour, "dong_code": dong, "industry": "한식", "holder": "개인",
         "sex": "F", "age": "30", "amount": 1000 * day.day, "count": hour}
        for day in reversed(days) for dong in dongs for hour in reversed(range(each))
    ]  # fmt: skip
    return pa.Table.from_pylist(made, arrow_schema(SPENDING))


def publication(*, by: str = "c") -> Publication:
    return Publication(now=NOW, by=by, synthetic=False, source="delivery", recipe="1")


def days(*wanted: date) -> Replace:
    return Replace(column="date", unit=PeriodUnit.DAY, periods=frozenset(f"{d:%Y-%m-%d}" for d in wanted))


def publish(
    warehouse: Warehouse, rows: pa.Table, replace: Replace | None = None, dataset: Dataset = SPENDING
) -> Snapshot:
    return warehouse.publish(dataset, "main", rows, publication(), replace)


def read(warehouse: Warehouse, snapshot: Snapshot, what: str = "*") -> list[tuple[Any, ...]]:
    """Rows of a version through the field-id relation, in order of their values."""
    paths = [str(warehouse.path(f.path)) for f in snapshot.files]
    with duckdb.connect() as connection:
        relation = connection.sql(duckdb_relation_sql(snapshot, paths))
        return sorted(relation.project(what).fetchall(), key=repr)


def content(warehouse: Warehouse, file: DataFile) -> pa.Table:
    with pq.ParquetFile(warehouse.path(file.path)) as parquet:
        return parquet.read()


def parts(snapshot: Snapshot) -> list[dict[str, str]]:
    return [dict(f.partition) for f in snapshot.files]
