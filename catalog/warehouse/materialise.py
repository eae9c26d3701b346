"""Makes a dataset's declared variants from its newest main version, each as a table of its own.

Knows the declaration and SQL; no rights. A variant made from an older main version is made again, so a
killed publication is caught up with at the next start.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from catalog.descriptions import Dataset
from catalog.descriptions.model import AGGREGATES, How, Variant, VariantColumn
from catalog.descriptions.published import described, differs
from catalog.warehouse.model import MAIN, Publication, Snapshot, WarehouseError
from catalog.warehouse.relation import duckdb_relation_sql
from catalog.warehouse.schema import arrow_schema
from catalog.warehouse.warehouse import Warehouse

MEMORY = "1GB"


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


def _rows(warehouse: Warehouse, main: Snapshot, variant: Variant, schema: pa.Schema) -> pa.Table:
    source = duckdb_relation_sql(main, [str(warehouse.path(f.path)) for f in main.files])
    try:
        with duckdb.connect() as connection:
            connection.execute(f"SET memory_limit = '{MEMORY}'; SET threads = 2")
            relation: Any = connection.sql(variant_sql(variant, source))
            rows: pa.Table = relation.to_arrow_table()
    except duckdb.Error as error:
        name = f"{main.dataset}/{variant.name}"
        raise WarehouseError(
            "variant-failed",
            ko=f"'{name}'을(를) 만들지 못했습니다: {error}",
            en=f"cannot make '{name}': {error}",
        ) from error
    return rows.cast(schema)


def _recipe(variant: Variant, main: Snapshot) -> str:
    digest = hashlib.sha256(repr(variant).encode()).hexdigest()[:12]
    return f"variant-{digest} of {main.content_id}"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
