"""Makes a dataset's declared variants from its newest main version, each as a table of its own.

Knows the declaration and SQL; no rights. Rows stream from the engine that makes them into the one that orders
them. A variant made from an older main version is made again, so a killed publication is caught up with at
the next start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from catalog.descriptions import Dataset
from catalog.descriptions.model import AGGREGATES, How, Variant, VariantColumn
from catalog.descriptions.published import described, differs
from catalog.warehouse.leftovers import WORK
from catalog.warehouse.model import MAIN, Publication, Snapshot, WarehouseError
from catalog.warehouse.relation import duckdb_relation_sql
from catalog.warehouse.schema import arrow_schema
from catalog.warehouse.sorting import BATCH
from catalog.warehouse.warehouse import Warehouse

MEMORY: Final = "512MB"
"""For the engine that makes the rows, beside the one that orders them; what exceeds it is spilled."""


def refresh_variants(warehouse: Warehouse, dataset: Dataset, now: datetime, by: str) -> tuple[Snapshot, ...]:
    """Publish every declared variant that is not of the newest main version; the ones published.

    Raises
    ------
    WarehouseError
        `busy`: another publication of a variant is running. `variant-failed`: the engine gave up.
    """
    if not dataset.variants or MAIN not in warehouse.variants(dataset.name):
        return ()
    main = warehouse.snapshot(dataset.name)
    made = []
    for variant in dataset.variants:
        recipe = _recipe(variant, main)
        try:
            if warehouse.snapshot(dataset.name, variant.name).publication.recipe == recipe:
                continue
        except WarehouseError:
            pass  # not published yet
        own = described(dataset, variant.name)
        publication = Publication(
            now=now,
            by=by,
            synthetic=main.synthetic,
            source=f"{main.source} · {differs(dataset, variant).ko}",
            recipe=recipe,
            files=main.publication.files,
        )
        rows = _rows(warehouse, main, variant, arrow_schema(own))
        made.append(warehouse.publish(own, variant.name, rows, publication))
    return tuple(made)


def variant_sql(variant: Variant, source: str) -> str:
    """The SELECT that makes a variant from a SELECT of the main one."""
    columns = ", ".join(f"{_expression(c)} AS {_name(c.name)}" for c in variant.columns)
    groups = [str(i) for i, c in enumerate(variant.columns, 1) if c.how not in AGGREGATES]
    text = f"SELECT {columns} FROM ({source}) AS main"  # noqa: S608 names and numbers of a checked declaration
    if len(groups) < len(variant.columns):
        text += f" GROUP BY {', '.join(groups)}"
        if variant.least:
            counted = next(c for c in variant.columns if c.name == variant.counted)
            text += f" HAVING sum(main.{_name(counted.source)}) >= {variant.least:d}"
    return text


def _expression(column: VariantColumn) -> str:
    value = f"main.{_name(column.source)}"
    match column.how:
        case How.SAME:
            return value
        case How.PREFIX:
            return f"left({value}, {column.number:d})"
        case How.MONTH:
            return f"date_trunc('month', {value})::DATE"
        case How.MASK:
            return "'" + column.value.replace("'", "''") + "'"
        case How.SUM:
            return f"sum({value})"
        case How.MEAN:
            return f"avg({value})"


def _rows(
    warehouse: Warehouse, main: Snapshot, variant: Variant, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The variant's rows, made while its publication takes them; spilled in that publication's folder."""
    source = duckdb_relation_sql(main, [str(warehouse.path(f.path)) for f in main.files])
    settings: dict[str, Any] = {
        "memory_limit": MEMORY,
        "threads": 2,
        "temp_directory": str(_spill(warehouse, main.dataset, variant.name)),
        "preserve_insertion_order": False,
    }
    try:
        with duckdb.connect(config=settings) as connection:
            relation: Any = connection.sql(variant_sql(variant, source))
            for batch in relation.to_arrow_reader(BATCH):
                yield batch.cast(schema)
    except (duckdb.Error, pa.ArrowException) as error:
        name = f"{main.dataset}/{variant.name}"
        raise WarehouseError(
            "variant-failed",
            ko=f"'{name}'을(를) 만들지 못했습니다: {error}",
            en=f"cannot make '{name}': {error}",
        ) from error


def _spill(warehouse: Warehouse, dataset: str, variant: str) -> Path:
    return warehouse.root / dataset / variant / WORK / "made"


def _recipe(variant: Variant, main: Snapshot) -> str:
    digest = hashlib.sha256(repr(variant).encode()).hexdigest()[:12]
    return f"variant-{digest} of {main.content_id}"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
