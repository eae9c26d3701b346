"""Every managed term of a document is a code of the right list; what codes say of real descriptions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.descriptions import Dataset, Text, Tier
from catalog.metadata import dcat, dcat_catalogue
from catalog.metadata.vocabularies import (
    AUTHORITY,
    CORNERS,
    FREQUENCIES,
    LABELS,
    LICENCE_TYPE,
    RESERVED,
    RIGHTS,
    THEMES,
    UNTOLD,
    frequency,
    licence_types,
    places,
)
from catalog.metadata.words import licence_url
from tests.catalog.metadata.judge import last
from tests.catalog.metadata.test_metadata import DATASETS, SITE
from tests.catalog.metadata.test_validators import versions

# Codes of the authority tables of the Publications Office of the European Union, the whole list where it is
# short, else those we may use; types of licences of ADMS; of GeoNames, Korea and Seoul (as a division)
CODES = {
    f"{AUTHORITY}/access-right": "PUBLIC RESTRICTED NON_PUBLIC",
    f"{AUTHORITY}/data-theme": "AGRI ECON EDUC ENER ENVI GOVE HEAL INTR JUST REGI SOCI TECH TRAN",
    f"{AUTHORITY}/file-type": "PARQUET",
    f"{AUTHORITY}/frequency": "HOURLY BIHOURLY TRIHOURLY DAILY DAILY_2 WEEKLY WEEKLY_2 WEEKLY_3 BIWEEKLY"
    " MONTHLY MONTHLY_2 MONTHLY_3 BIMONTHLY QUARTERLY ANNUAL ANNUAL_2 ANNUAL_3 BIENNIAL TRIENNIAL QUADRENNIAL"
    " QUINQUENNIAL DECENNIAL BIDECENNIAL TRIDECENNIAL CONT UPDATE_CONT IRREG AS_NEEDED NOT_PLANNED NEVER"
    " OTHER UNKNOWN",
    f"{AUTHORITY}/language": "KOR ENG",
    f"{AUTHORITY}/planned-availability": "AVAILABLE EXPERIMENTAL STABLE TEMPORARY",
    LICENCE_TYPE: "Attribution PublicDomain ViralEffect-ShareAlike NonCommercialUseOnly NoDerivativeWork"
    " RoyaltiesRequired NominalCost GrantBack JurisdictionWithinTheEU OtherRestrictiveClauses"
    " KnownPatentEncumbrance UnknownIPR",
    "https://sws.geonames.org": "1835841 1835847",
}
SCHEME_OF = {
    "dcat:theme": f"{AUTHORITY}/data-theme",
    "dcatap:availability": f"{AUTHORITY}/planned-availability",
    "dct:accessRights": f"{AUTHORITY}/access-right",
    "dct:accrualPeriodicity": f"{AUTHORITY}/frequency",
    "dct:format": f"{AUTHORITY}/file-type",
    "dct:language": f"{AUTHORITY}/language",
    "dct:rights": f"{AUTHORITY}/access-right",
    "dct:spatial": "https://sws.geonames.org",
    "dct:type": LICENCE_TYPE,  # of licences; nothing else of ours has a type
}
BOUNDARIES = (
    Path(__file__).resolve().parents[4]
    / "shared/data/real/boundaries/seoul_municipalities_geo_simple_juso2015.json"
)


def managed(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(property, term) of every property that takes managed terms."""
    if isinstance(value, list):
        for item in value:
            yield from managed(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in SCHEME_OF:
                yield from ((key, term) for term in (inner if isinstance(inner, list) else [inner]))
            yield from managed(inner)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_term_is_a_code_of_its_list(name: str) -> None:
    dataset = DATASETS[name]
    for made in (
        dcat(dataset, versions(dataset), SITE, 2026),
        dcat_catalogue([(dataset, versions(dataset))], SITE, 2026),
    ):
        terms = list(managed(made))
        assert len(terms) >= 8
        for key, term in terms:
            scheme, code = term["@id"].rstrip("/").rsplit("/", 1)
            assert scheme == SCHEME_OF[key] and code in CODES[scheme].split(), (key, term)
            if scheme != "https://sws.geonames.org":  # GeoNames has no scheme to be in
                assert term["skos:inScheme"]["@id"] in {scheme, f"{scheme}/1.0"}, (key, term)


def test_no_table_of_ours_holds_a_code_of_no_list() -> None:
    for scheme, codes in (
        ("data-theme", THEMES.values()),
        ("access-right", RIGHTS.values()),
        ("frequency", (*FREQUENCIES.values(), UNTOLD)),
    ):
        assert set(codes) <= set(CODES[f"{AUTHORITY}/{scheme}"].split())
    assert {code for codes in RESERVED.values() for code in codes} <= set(CODES[LICENCE_TYPE].split())
    known = {code for codes in CODES.values() for code in codes.split()}
    assert set(LABELS) <= known and set(THEMES.values()) <= set(LABELS)


@pytest.mark.parametrize(
    ("cycle", "code"),
    [
        ("daily, yearly files", "DAILY"),
        ("not updated (old system)", "NEVER"),
        ("irregular; an edition replaces the last", "IRREG"),
        ("one to four editions a year", "IRREG"),
        ("when dongs change", "AS_NEEDED"),
        ("Quarterly", "QUARTERLY"),
        ("biannual", "OTHER"),
        ("whenever", "OTHER"),
    ],
)
def test_an_update_cycle_is_told_by_whole_words(cycle: str, code: str) -> None:
    dataset = dataclasses.replace(DATASETS["card_sales"], update_cycle=Text(ko=cycle, en=cycle))
    assert last(frequency(dataset)["@id"]) == code


def test_every_shipped_update_cycle_has_a_code() -> None:
    assert {name for name, d in DATASETS.items() if last(frequency(d)["@id"]) == UNTOLD} == set()


def test_places_are_those_that_the_description_names() -> None:
    def of(name: str) -> list[str]:
        return [place["skos:prefLabel"][1]["@value"] for place in places(DATASETS[name])]

    assert of("living_population") == ["Seoul"] and of("industry_codes") == ["Republic of Korea"]
    assert of("card_spending_inflow") == ["Seoul", "Republic of Korea"] and of("sdot_fields") == []
    made = dcat(DATASETS["living_population"], {}, SITE, 2026)
    assert "424 dongs of Seoul" in json.dumps(made["rdfs:comment"])
    assert "dct:spatial" not in dcat(DATASETS["sdot_fields"], {}, SITE, 2026)


def test_the_rectangle_of_seoul_holds_its_boundaries() -> None:
    if not BOUNDARIES.exists():
        pytest.skip("the boundaries of the 25 gu are not here")
    points: list[tuple[float, float]] = []

    def walk(part: Any) -> None:
        if isinstance(part[0], float):
            points.append((part[0], part[1]))
        else:
            for inner in part:
                walk(inner)

    for feature in json.loads(BOUNDARIES.read_text())["features"]:
        walk(feature["geometry"]["coordinates"])
    for axis in (0, 1):
        said, real = {corner[axis] for corner in CORNERS}, {point[axis] for point in points}
        assert 0 <= min(real) - min(said) < 0.001 and 0 <= max(said) - max(real) < 0.001


def test_a_licence_says_what_it_reserves_and_no_more() -> None:
    def of(dataset: Dataset) -> list[str]:
        return [last(term["@id"]) for term in licence_types(dataset)]

    assert of(DATASETS["card_sales"]) == ["Attribution"] == of(DATASETS["bike_demand"])
    assert licence_url(DATASETS["bike_demand"]) == "https://creativecommons.org/licenses/by/4.0/"
    assert of(DATASETS["card_spending"]) == ["OtherRestrictiveClauses"]
    assert of(DATASETS["industry_codes"]) == []  # "unrestricted": which type that is, nobody says
    opened = dataclasses.replace(DATASETS["card_spending"], tier=Tier.OPEN)
    assert of(opened) == []
