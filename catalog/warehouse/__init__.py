"""Published versions of datasets as Iceberg tables on disk. Knows no layouts and no rights."""

from __future__ import annotations

from catalog.warehouse.bounds import Bounds, file_bounds, listed_bounds, row_group_bounds
from catalog.warehouse.difference import Difference, difference
from catalog.warehouse.model import (
    MAIN,
    AcceptedException,
    DataFile,
    Field,
    PartedBy,
    Publication,
    Replace,
    Snapshot,
    SourceFile,
    WarehouseError,
)
from catalog.warehouse.partitions import granted_files, partition_values
from catalog.warehouse.relation import columns_of, duckdb_relation_sql, parquet_source
from catalog.warehouse.warehouse import Warehouse

__all__ = [
    "MAIN",
    "AcceptedException",
    "Bounds",
    "DataFile",
    "Difference",
    "Field",
    "PartedBy",
    "Publication",
    "Replace",
    "Snapshot",
    "SourceFile",
    "Warehouse",
    "WarehouseError",
    "columns_of",
    "difference",
    "duckdb_relation_sql",
    "file_bounds",
    "granted_files",
    "listed_bounds",
    "parquet_source",
    "partition_values",
    "row_group_bounds",
]
