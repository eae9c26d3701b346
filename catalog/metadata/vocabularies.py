"""Terms of the vocabularies that DCAT-AP names: which code says what a description says. Knows no document.

Themes, frequencies, access rights, file types, languages and availability are authority tables of the
Publications Office of the European Union, types of licences ADMS's, places GeoNames'. A term carries its
scheme, so that a validator without the tables sees where it is from.
"""

from __future__ import annotations

import re
from typing import Any, Final

from catalog.descriptions import Dataset, Text, Tier
from catalog.search.facets import Domain, domain

AUTHORITY: Final = "http://publications.europa.eu/resource/authority"
LICENCE_TYPE: Final = "http://purl.org/adms/licencetype"
THEMES: Final = {
    Domain.TRANSPORT: "TRAN",
    Domain.PEOPLE: "SOCI",
    Domain.COMMERCE: "ECON",
    Domain.ENVIRONMENT: "ENVI",
    Domain.SPACE: "REGI",
    Domain.OTHER: "GOVE",
}
LABELS: Final = {
    "TRAN": Text(ko="교통", en="Transport"),
    "SOCI": Text(ko="인구와 사회", en="Population and society"),
    "ECON": Text(ko="경제와 금융", en="Economy and finance"),
    "ENVI": Text(ko="환경", en="Environment"),
    "REGI": Text(ko="지역과 도시", en="Regions and cities"),
    "GOVE": Text(ko="정부와 공공 부문", en="Government and public sector"),
    "STABLE": Text(ko="안정적으로 제공", en="stable"),
    "TEMPORARY": Text(ko="한시적으로 제공", en="temporary"),
    "Attribution": Text(ko="출처표시", en="Attribution"),
    "NonCommercialUseOnly": Text(ko="비상업적 이용만", en="Non-commercial use only"),
    "NoDerivativeWork": Text(ko="변경 금지", en="No derivative work"),
    "OtherRestrictiveClauses": Text(ko="그 밖의 제한", en="Other restrictive clauses"),
}
RIGHTS: Final = {Tier.OPEN: "PUBLIC", Tier.CONTROLLED: "RESTRICTED", Tier.RESTRICTED: "NON_PUBLIC"}
FREQUENCIES: Final = {  # words of an update cycle, the first found counts
    "not updated": "NEVER",
    "hourly": "HOURLY",
    "daily": "DAILY",
    "weekly": "WEEKLY",
    "monthly": "MONTHLY",
    "quarterly": "QUARTERLY",
    "yearly": "ANNUAL",
    "annual": "ANNUAL",
    "irregular": "IRREG",
    "editions a year": "IRREG",
    "as needed": "AS_NEEDED",
    "when": "AS_NEEDED",  # dongs change, codes are revised
}
UNTOLD: Final = "OTHER"  # a cycle that these words do not tell
RESERVED: Final = {  # what a licence reserves, by the words that name it
    "KOGL type 1": ("Attribution",),
    "KOGL type 2": ("Attribution", "NonCommercialUseOnly"),
    "KOGL type 3": ("Attribution", "NoDerivativeWork"),
    "KOGL type 4": ("Attribution", "NonCommercialUseOnly", "NoDerivativeWork"),
    "CC BY 4.0": ("Attribution",),
}
# Around the boundaries of the 25 gu (the dataset gu_boundary), outwards to 0.001 degrees, longitude first
WEST, SOUTH, EAST, NORTH = 126.764, 37.428, 127.184, 37.702
CORNERS: Final = ((WEST, SOUTH), (EAST, SOUTH), (EAST, NORTH), (WEST, NORTH), (WEST, SOUTH))
CENTRE: Final = (126.992, 37.552)
SEOUL: Final[dict[str, Any]] = {
    "@id": "https://sws.geonames.org/1835847/",  # the city as a division, not the point of that name
    "@type": "dct:Location",
    "skos:prefLabel": [
        {"@value": "서울특별시", "@language": "ko"},
        {"@value": "Seoul", "@language": "en"},
    ],
    "dcat:bbox": {
        "@value": f"POLYGON(({', '.join(f'{x} {y}' for x, y in CORNERS)}))",
        "@type": "geo:wktLiteral",
    },
    "dcat:centroid": {"@value": f"POINT({CENTRE[0]} {CENTRE[1]})", "@type": "geo:wktLiteral"},
}
KOREA: Final[dict[str, Any]] = {
    "@id": "https://sws.geonames.org/1835841/",
    "@type": "dct:Location",
    "skos:prefLabel": [
        {"@value": "대한민국", "@language": "ko"},
        {"@value": "Republic of Korea", "@language": "en"},
    ],
}
NOWHERE: Final = "does not apply"


def texts(text: Text) -> list[dict[str, str]]:
    """A text in both languages."""
    return [{"@value": text.ko, "@language": "ko"}, {"@value": text.en, "@language": "en"}]


def term(vocabulary: str, code: str, kind: str) -> dict[str, Any]:
    """A term of an authority table, typed as the profile wants it."""
    scheme = f"{AUTHORITY}/{vocabulary}"
    return {"@id": f"{scheme}/{code}", "@type": kind, "skos:inScheme": {"@id": scheme}}


def concept(vocabulary: str, code: str) -> dict[str, Any]:
    """A term that the profile wants labelled."""
    return {**term(vocabulary, code, "skos:Concept"), "skos:prefLabel": texts(LABELS[code])}


def theme(dataset: Dataset) -> dict[str, Any]:
    """What it is about."""
    return concept("data-theme", THEMES[domain(dataset)])


def rights(dataset: Dataset) -> dict[str, Any]:
    """Who may use it."""
    return term("access-right", RIGHTS[dataset.tier], "dct:RightsStatement")


def frequency(dataset: Dataset) -> dict[str, Any]:
    """How often it is brought up to date."""
    cycle = dataset.update_cycle.en.lower()
    found = (code for words, code in FREQUENCIES.items() if re.search(rf"\b{words}\b", cycle))
    return term("frequency", next(found, UNTOLD), "dct:Frequency")


def places(dataset: Dataset) -> list[dict[str, Any]]:
    """The managed places it covers; its own words about them are another property."""
    said = dataset.spatial.en
    if said == NOWHERE:
        return []
    city = "Seoul" in said
    return ([SEOUL] if city else []) + ([KOREA] if "Korea" in said or not city else [])


def licence_types(dataset: Dataset) -> list[dict[str, Any]]:
    """What its licence reserves; nothing where neither its name nor the tier tells."""
    named = next((codes for name, codes in RESERVED.items() if name in dataset.licence.en), ())
    closed = () if dataset.tier is Tier.OPEN else ("OtherRestrictiveClauses",)
    return [
        {
            "@id": f"{LICENCE_TYPE}/{code}",
            "@type": "skos:Concept",
            "skos:prefLabel": texts(LABELS[code]),
            "skos:inScheme": {"@id": f"{LICENCE_TYPE}/1.0"},
        }
        for code in named or closed
    ]
