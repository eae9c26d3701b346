"""A Croissant 1.0 description (JSON-LD, MLCommons) of one dataset. Knows no other format."""

from __future__ import annotations

from typing import Any, Final

from catalog.descriptions import Column, ColumnType, Dataset
from catalog.descriptions.variants import MAIN
from catalog.metadata.words import as_table, both, description, licence_url, page, title
from catalog.warehouse import Snapshot

CONTEXT: Final[
    dict[str, Any]
] = {  # the context of the specification, section 2; kept here so none is fetched
    "@language": "ko",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TYPES: Final = {
    ColumnType.STRING: "sc:Text",
    ColumnType.INT: "sc:Integer",
    ColumnType.LONG: "sc:Integer",
    ColumnType.DOUBLE: "sc:Float",
    ColumnType.DATE: "sc:Date",
    ColumnType.TIMESTAMP: "sc:DateTime",
    ColumnType.BINARY: "sc:Text",
}
FILES: Final = "parquet"


def croissant(dataset: Dataset, snapshot: Snapshot | None, site: str, variant: str = MAIN) -> dict[str, Any]:
    """The description of one variant's table.

    Parameters
    ----------
    site
        Public address of the portal, without a slash at its end.
    """
    address, dataset = page(site, dataset.name), as_table(dataset, variant)
    made: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset.name,
        "alternateName": [title(dataset, snapshot).ko, title(dataset, snapshot).en],
        "description": both(description(dataset, snapshot)),
        "url": address,
        "license": licence_url(dataset) or both(dataset.licence),
        "creator": {"@type": "sc:Organization", "name": both(dataset.custodian)},
        "publisher": {"@type": "sc:Organization", "name": both(dataset.custodian)},
        "keywords": list(dataset.keywords),
        "citeAs": f"{dataset.custodian.en}: {dataset.title.en}. {dataset.source_url}",
        "isLiveDataset": True,
        "inLanguage": "ko",
        "distribution": [
            {
                "@type": "cr:FileSet",
                "@id": FILES,
                "name": FILES,
                "description": f"campus.table('{dataset.name}')",
                "encodingFormat": "application/vnd.apache.parquet",
                "includes": f"{dataset.name}/*.parquet",
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": dataset.name,
                "name": dataset.name,
                "description": both(dataset.unit_of_observation),
                "key": [{"@id": f"{dataset.name}/{name}"} for name in dataset.key],
                "field": [_field(dataset, column) for column in dataset.columns],
            }
        ],
    }
    if snapshot is not None:
        # Croissant wants a semantic version: the snapshot's number goes where builds go
        made |= {
            "version": f"1.0.0+{snapshot.snapshot_id}",
            "datePublished": snapshot.published_at.date().isoformat(),
        }
    return made


def _field(dataset: Dataset, column: Column) -> dict[str, Any]:
    said = [both(column.title), column.unit, column.code_system]
    return {
        "@type": "cr:Field",
        "@id": f"{dataset.name}/{column.name}",
        "name": column.name,
        "description": " · ".join(part for part in said if part),
        "dataType": TYPES[column.type],
        "source": {"fileSet": {"@id": FILES}, "extract": {"column": column.name}},
    }
