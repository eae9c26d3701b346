"""First rows of a version as plain values for a page. Reads one row group at most; knows no rights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from catalog.warehouse.model import Snapshot


def preview(root: Path, snapshot: Snapshot, rows: int) -> tuple[dict[str, Any], ...]:
    """Up to `rows` rows in the version's column names; binary values become their size in bytes."""
    out: list[dict[str, Any]] = []
    schema: Any
    for file in snapshot.files:
        if len(out) >= rows:
            break
        with pq.ParquetFile(root / file.path) as parquet:
            schema = parquet.schema_arrow
            names = {int(f.metadata[b"PARQUET:field_id"]): f.name for f in schema}
            batch = next(parquet.iter_batches(batch_size=rows - len(out)), None)
            for row in batch.to_pylist() if batch is not None else ():
                out.append({f.name: _plain(row.get(names.get(f.field_id, ""))) for f in snapshot.fields})
    return tuple(out[:rows])


def _plain(value: Any) -> Any:
    return f"WKB {len(value):,} bytes" if isinstance(value, bytes) else value
