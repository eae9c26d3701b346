"""What every dataset means, from its `dataset.yml`. Knows nothing of files, versions or people."""

from __future__ import annotations

from catalog.descriptions.load import DescriptionError, load, load_all
from catalog.descriptions.model import (
    Column,
    ColumnType,
    Dataset,
    Entity,
    ExportClass,
    ExportPolicy,
    Geometry,
    Period,
    PeriodUnit,
    Role,
    Rows,
    Text,
    Tier,
)

__all__ = [
    "Column",
    "ColumnType",
    "Dataset",
    "DescriptionError",
    "Entity",
    "ExportClass",
    "ExportPolicy",
    "Geometry",
    "Period",
    "PeriodUnit",
    "Role",
    "Rows",
    "Text",
    "Tier",
    "load",
    "load_all",
]
