"""DCAT-AP 3.0 (JSON-LD) of one dataset and of the whole catalogue. Knows no other format.

Terms of the controlled vocabularies that DCAT-AP names (theme, frequency, access right, file type, language)
are those of the Publications Office of the European Union. The context is inline: nothing has to be fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from catalog.descriptions import Dataset, Text, Tier
from catalog.descriptions.variants import MAIN
from catalog.metadata.words import as_table, description, licence_url, page, title
from catalog.search.facets import Domain, domain, goes_on, years
from catalog.warehouse import Snapshot

AUTHORITY: Final = "http://publications.europa.eu/resource/authority"
CONTEXT: Final = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
THEMES: Final = {
    Domain.TRANSPORT: "TRAN",
    Domain.PEOPLE: "SOCI",
    Domain.COMMERCE: "ECON",
    Domain.ENVIRONMENT: "ENVI",
    Domain.SPACE: "REGI",
    Domain.OTHER: "GOVE",
}
RIGHTS: Final = {Tier.OPEN: "PUBLIC", Tier.CONTROLLED: "RESTRICTED", Tier.RESTRICTED: "NON_PUBLIC"}
FREQUENCIES: Final = {
    "hourly": "HOURLY",
    "daily": "DAILY",
    "weekly": "WEEKLY",
    "monthly": "MONTHLY",
    "quarterly": "QUARTERLY",
    "yearly": "ANNUAL",
    "annual": "ANNUAL",
}
Variants = Mapping[str, Snapshot | None]  # every published one by name; the main one first
SEOUL: Final = "https://sws.geonames.org/1835848/"
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
        "dct:title": _texts(PRODUCT),
        "dct:description": _texts(about),
        "dct:publisher": _agent(PRODUCT),
        "dct:language": [_term("language", code, "dct:LinguisticSystem") for code in ("KOR", "ENG")],
        "foaf:homepage": {"@id": f"{site}/", "@type": "foaf:Document"},
        "dct:spatial": {"@id": SEOUL, "@type": "dct:Location"},
        **({"dct:modified": _moment(max(moments))} if moments else {}),
        "dcat:themeTaxonomy": {"@id": f"{AUTHORITY}/data-theme", "@type": "skos:ConceptScheme",
                               "dct:title": {"@value": "Data theme", "@language": "en"}},
        "dcat:dataset": [_dataset(d, variants, site, this_year) for d, variants in entries],
    }  # fmt: skip


def _dataset(d: Dataset, variants: Variants, site: str, this_year: int) -> dict[str, Any]:
    address, snapshot = page(site, d.name), variants.get(MAIN)
    theme = THEMES[domain(d)]
    made: dict[str, Any] = {
        "@id": f"{address}#dataset",  # the page about it is another thing
        "@type": "dcat:Dataset",
        "dct:identifier": d.name,
        "dct:title": _texts(title(d, snapshot)),
        "dct:description": _texts(description(d, snapshot)),
        "dct:publisher": _agent(d.custodian),
        "dcat:keyword": [{"@value": word, "@language": _language(word)} for word in d.keywords],
        "dcat:theme": {
            **_term("data-theme", theme, "skos:Concept"),
            "skos:prefLabel": {"@value": theme, "@language": "en"},
        },
        "dct:accessRights": _term("access-right", RIGHTS[d.tier], "dct:RightsStatement"),
        "dct:spatial": {"@id": SEOUL, "@type": "dct:Location", "skos:prefLabel": _texts(d.spatial)},
        "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": _texts(d.source)},
        "foaf:page": {"@id": d.source_url, "@type": "foaf:Document"},  # dct:source takes datasets only
        "dcat:contactPoint": {
            "@type": "vcard:Kind",
            "vcard:fn": _texts(d.custodian),
            "vcard:hasURL": {"@id": address},
        },
        "dcat:landingPage": {"@id": address, "@type": "foaf:Document"},
        "dct:language": _term("language", "KOR", "dct:LinguisticSystem"),
        "dcat:distribution": [
            _distribution(as_table(d, name), name, version, address)
            for name, version in (variants or {MAIN: None}).items()
        ],
    }
    frequency = next(
        (term for word, term in FREQUENCIES.items() if word in d.update_cycle.en.lower()), "IRREG"
    )
    made["dct:accrualPeriodicity"] = _term("frequency", frequency, "dct:Frequency")
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
        "dct:title": _texts(title(d, snapshot)),
        "dct:description": _texts(
            Text(
                ko=f"분석 세션에서 campus.table('{d.name}') 로 읽습니다.",
                en=f"Read in a session: campus.table('{d.name}').",
            )
        ),
        "dcat:accessURL": {"@id": address},
        "dct:format": _term("file-type", "PARQUET", "dct:MediaTypeOrExtent"),
        "dct:license": {
            **({"@id": licence} if licence else {}),
            "@type": "dct:LicenseDocument",
            "rdfs:label": _texts(d.licence),
        },
        "dct:rights": _term("access-right", RIGHTS[d.tier], "dct:RightsStatement"),
        "dcatap:availability": {
            **_term("planned-availability", planned, "skos:Concept"),
            "skos:prefLabel": {"@value": planned, "@language": "en"},
        },
    }
    if snapshot is not None:
        made["dct:issued"] = _moment(snapshot.published_at)
        made["dcat:byteSize"] = {"@value": str(snapshot.size), "@type": "xsd:nonNegativeInteger"}
    return made


def _texts(text: Text) -> list[dict[str, str]]:
    return [{"@value": text.ko, "@language": "ko"}, {"@value": text.en, "@language": "en"}]


def _agent(name: Text) -> dict[str, Any]:
    return {"@type": "foaf:Agent", "foaf:name": _texts(name)}


def _term(vocabulary: str, code: str, kind: str) -> dict[str, Any]:
    return {"@id": f"{AUTHORITY}/{vocabulary}/{code}", "@type": kind}


def _language(word: str) -> str:
    return "en" if word.isascii() else "ko"


def _moment(moment: datetime) -> dict[str, str]:
    return {"@value": moment.isoformat(), "@type": "xsd:dateTime"}
