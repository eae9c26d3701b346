"""DCAT-AP 3.0 (JSON-LD) of one dataset and of the whole catalogue. Knows no other format.

The terms of controlled vocabularies are in `vocabularies`. The context is inline: nothing has to be fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from catalog.descriptions import Dataset, Text
from catalog.descriptions.variants import MAIN
from catalog.metadata.vocabularies import (
    AUTHORITY,
    NOWHERE,
    SEOUL,
    concept,
    frequency,
    licence_types,
    places,
    rights,
    term,
    texts,
    theme,
)
from catalog.metadata.words import as_table, description, licence_url, page, title
from catalog.search.facets import goes_on, years
from catalog.warehouse import Snapshot

CONTEXT: Final = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "geo": "http://www.opengis.net/ont/geosparql#",
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
Variants = Mapping[str, Snapshot | None]  # every published one by name; the main one first
PRODUCT: Final = Text(ko="데이터 캠퍼스", en="Campus")


def dcat(dataset: Dataset, variants: Variants, site: str, this_year: int) -> dict[str, Any]:
    """One dataset, each published variant a distribution of it.

    Parameters
    ----------
    site
        Public address of the portal, without a slash at its end.
    """
    return {"@context": CONTEXT, **_dataset(dataset, variants, site, this_year)}


def dcat_catalogue(entries: Iterable[tuple[Dataset, Variants]], site: str, this_year: int) -> dict[str, Any]:
    """The catalogue with every dataset."""
    entries = list(entries)
    moments = [s.published_at for _, variants in entries for s in variants.values() if s is not None]
    about = Text(
        ko="도시가 제공하는 공개·비공개 데이터의 목록입니다. 비공개 데이터는 이용신청과 심사를 거쳐 씁니다.",
        en="Open and private data that a city offers; private data are used after application and review.",
    )
    return {
        "@context": CONTEXT,
        "@id": f"{site}/datasets",
        "@type": "dcat:Catalog",
        "dct:title": texts(PRODUCT),
        "dct:description": texts(about),
        "dct:publisher": _agent(PRODUCT),
        "dct:language": [term("language", code, "dct:LinguisticSystem") for code in ("KOR", "ENG")],
        "foaf:homepage": {"@id": f"{site}/", "@type": "foaf:Document"},
        "dct:spatial": SEOUL,
        **({"dct:modified": _moment(max(moments))} if moments else {}),
        "dcat:themeTaxonomy": {"@id": f"{AUTHORITY}/data-theme", "@type": "skos:ConceptScheme",
                               "dct:title": {"@value": "Data theme", "@language": "en"}},
        "dcat:dataset": [_dataset(d, variants, site, this_year) for d, variants in entries],
    }  # fmt: skip


def _dataset(d: Dataset, variants: Variants, site: str, this_year: int) -> dict[str, Any]:
    address, snapshot = page(site, d.name), variants.get(MAIN)
    made: dict[str, Any] = {
        "@id": f"{address}#dataset",  # the page about it is another thing
        "@type": "dcat:Dataset",
        "dct:identifier": d.name,
        "dct:title": texts(title(d, snapshot)),
        "dct:description": texts(description(d, snapshot)),
        "dct:publisher": _agent(d.custodian),
        "dcat:keyword": [{"@value": word, "@language": _language(word)} for word in d.keywords],
        "dcat:theme": theme(d),
        "dct:accessRights": rights(d),
        "dct:accrualPeriodicity": frequency(d),
        "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": texts(d.source)},
        "foaf:page": {"@id": d.source_url, "@type": "foaf:Document"},  # dct:source takes datasets only
        "dcat:contactPoint": {
            "@type": "vcard:Kind",
            "vcard:fn": texts(d.custodian),
            "vcard:hasURL": {"@id": address},
        },
        "dcat:landingPage": {"@id": address, "@type": "foaf:Document"},
        "dct:language": term("language", "KOR", "dct:LinguisticSystem"),
        "dcat:distribution": [
            _distribution(as_table(d, name), name, version, address)
            for name, version in (variants or {MAIN: None}).items()
        ],
    }
    if d.spatial.en != NOWHERE:
        area = Text(ko=f"공간 범위: {d.spatial.ko}", en=f"Area covered: {d.spatial.en}")
        made |= {"dct:spatial": places(d), "rdfs:comment": texts(area)}
    covered = years(d, this_year)
    if covered:
        made["dct:temporal"] = {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": {"@value": str(covered[0]), "@type": "xsd:gYear"},
            **({} if goes_on(d) else {"dcat:endDate": {"@value": str(covered[-1]), "@type": "xsd:gYear"}}),
        }
    if snapshot is not None:
        made["dcat:version"] = str(snapshot.snapshot_id)
        made["dct:modified"] = _moment(snapshot.published_at)
    return made


def _distribution(d: Dataset, variant: str, snapshot: Snapshot | None, address: str) -> dict[str, Any]:
    licence = licence_url(d)
    planned = "TEMPORARY" if snapshot is None or snapshot.synthetic else "STABLE"  # a delivery replaces it
    made: dict[str, Any] = {
        "@id": f"{address}#use" if variant == MAIN else f"{address}#use-{variant}",
        "@type": "dcat:Distribution",
        "dct:title": texts(title(d, snapshot)),
        "dct:description": texts(
            Text(
                ko=f"분석 세션에서 campus.table('{d.name}') 로 읽습니다.",
                en=f"Read in a session: campus.table('{d.name}').",
            )
        ),
        "dcat:accessURL": {"@id": address},
        "dct:format": term("file-type", "PARQUET", "dct:MediaTypeOrExtent"),
        "dct:license": {
            **({"@id": licence} if licence else {}),
            "@type": "dct:LicenseDocument",
            "rdfs:label": texts(d.licence),
            "dct:type": licence_types(d),
        },
        "dct:rights": rights(d),
        "dcatap:availability": concept("planned-availability", planned),
    }
    if snapshot is not None:
        made["dct:issued"] = _moment(snapshot.published_at)
        made["dcat:byteSize"] = {"@value": str(snapshot.size), "@type": "xsd:nonNegativeInteger"}
    return made


def _agent(name: Text) -> dict[str, Any]:
    return {"@type": "foaf:Agent", "foaf:name": texts(name)}


def _language(word: str) -> str:
    return "en" if word.isascii() else "ko"


def _moment(moment: datetime) -> dict[str, str]:
    return {"@value": moment.isoformat(), "@type": "xsd:dateTime"}
