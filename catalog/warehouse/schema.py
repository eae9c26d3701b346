"""A description's columns and periods in Arrow's words. Knows no files."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.descriptions import ColumnType, Dataset, PeriodUnit

ARROW: dict[ColumnType, Any] = {
    ColumnType.STRING: pa.string(),
    ColumnType.INT: pa.int32(),
    ColumnType.LONG: pa.int64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: pa.timestamp("us"),
    ColumnType.BINARY: pa.binary(),
}
PERIOD_FORMAT = {PeriodUnit.DAY: "%Y-%m-%d", PeriodUnit.MONTH: "%Y-%m"}


def arrow_schema(dataset: Dataset) -> pa.Schema:
    """The description's columns as an Arrow schema; only columns with a `missing` meaning are nullable."""
    return pa.schema([pa.field(c.name, ARROW[c.type], nullable=c.nullable) for c in dataset.columns])


def period_of(values: Any, unit: PeriodUnit) -> Any:
    """The period each value of a period column lies in, as text."""
    return values if unit is PeriodUnit.QUARTER else pc.strftime(values, format=PERIOD_FORMAT[unit])
