"""A Frictionless Data Package (Data Package 1.0, Table Schema 1.0) of one dataset. Knows no other format."""

from __future__ import annotations

import re
from typing import Any, Final

from catalog.descriptions import Column, ColumnType, Dataset
from catalog.descriptions.variants import MAIN
from catalog.metadata.words import as_table, both, description, licence_url, page, title
from catalog.warehouse import Snapshot

TYPES: Final = {
    ColumnType.STRING: {"type": "string"},
    ColumnType.INT: {"type": "integer"},
    ColumnType.LONG: {"type": "integer"},
    ColumnType.DOUBLE: {"type": "number"},
    ColumnType.DATE: {"type": "date"},
    ColumnType.TIMESTAMP: {"type": "datetime"},
    ColumnType.BINARY: {"type": "string", "format": "binary"},
}
READING: Final = (
    "행은 분석 세션에서 campus.table('{name}') 로 읽습니다. / "
    "Rows are read in a session: campus.table('{name}')."
)


def datapackage(
    dataset: Dataset, snapshot: Snapshot | None, site: str, variant: str = MAIN
) -> dict[str, Any]:
    """The descriptor of one variant's table.

    Parameters
    ----------
    site
        Public address of the portal, without a slash at its end.
    """
    address, dataset = page(site, dataset.name), as_table(dataset, variant)
    resource: dict[str, Any] = {
        "name": dataset.name.replace("_", "-"),
        "path": f"{dataset.name}.parquet",
        "title": both(title(dataset, snapshot)),
        "description": READING.format(name=dataset.name),
        "profile": "tabular-data-resource",
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "encoding": "utf-8",
        "schema": {
            "fields": [_field(column) for column in dataset.columns],
            "primaryKey": list(dataset.key),
            "missingValues": [""],
        },
    }
    package: dict[str, Any] = {
        "profile": "data-package",
        "name": dataset.name.replace("_", "-"),
        "id": address if variant == MAIN else f"{address}?variant={variant}",
        "title": both(title(dataset, snapshot)),
        "description": both(description(dataset, snapshot)),
        "homepage": address,
        "keywords": list(dataset.keywords),
        "licenses": [_licence(dataset)],
        "sources": [{"title": both(dataset.source), "path": dataset.source_url}],
        "contributors": [{"title": both(dataset.custodian), "role": "publisher"}],
        "resources": [resource],
        "campus:entity": {"rows": str(dataset.entity.rows), "columns": list(dataset.entity.columns)},
    }
    if snapshot is not None:
        package |= {"version": str(snapshot.snapshot_id), "created": snapshot.published_at.isoformat()}
        package["campus:synthetic"] = snapshot.synthetic
        resource |= {"bytes": snapshot.size, "campus:rows": snapshot.rows}
    return package


def _field(column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {"name": column.name, **TYPES[column.type], "title": both(column.title)}
    said = [column.unit, column.code_system, both(column.missing) if column.missing else ""]
    if any(said):
        field["description"] = " · ".join(part for part in said if part)
    if not column.nullable:
        field["constraints"] = {"required": True}
    return field


def _licence(dataset: Dataset) -> dict[str, str]:
    name = re.sub(r"[^-a-zA-Z0-9._]+", "-", dataset.licence.en.split(":")[0]).strip("-")
    url = licence_url(dataset)
    return {"name": name, "title": both(dataset.licence)} | ({"path": url} if url else {})
