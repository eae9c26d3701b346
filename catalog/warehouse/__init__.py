"""Published versions of datasets as Iceberg tables on disk. Knows no layouts and no rights."""

from __future__ import annotations

from catalog.warehouse.difference import Difference, difference
from catalog.warehouse.model import (
    MAIN,
    AcceptedException,
    DataFile,
    Field,
    Publication,
    Replace,
    Snapshot,
    SourceFile,
    WarehouseError,
)
from catalog.warehouse.partitions import granted_files, partition_values
from catalog.warehouse.relation import duckdb_relation_sql
from catalog.warehouse.warehouse import Warehouse

__all__ = [
    "MAIN",
    "AcceptedException",
    "DataFile",
    "Difference",
    "Field",
    "Publication",
    "Replace",
    "Snapshot",
    "SourceFile",
    "Warehouse",
    "WarehouseError",
    "difference",
    "duckdb_relation_sql",
    "granted_files",
    "partition_values",
]
