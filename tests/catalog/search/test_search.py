"""Finding: Korean with and without spaces and particles, English, ranks, facets and their counts."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.descriptions import Text, load_all
from catalog.search import Domain, Index, Resolution, Results, Space
from catalog.search.facets import domain, resolution, spaces, years

NAMES = [
    "card_sales",
    "dong_boundary",
    "dong_codes",
    "floating_population",
    "gu_boundary",
    "living_population",
    "subway_ridership",
]
ALL = load_all(Path(__file__).resolve().parents[3] / "datasets")
DATASETS = {name: ALL[name] for name in NAMES}
INDEX = Index(DATASETS)


def search(query: str, **chosen: tuple[str, ...]) -> Results:
    return INDEX.search(query, chosen, 2026)


def names(found: Results) -> list[str]:
    return [hit.dataset.name for hit in found.hits]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("생활인구", "living_population"),
        ("생활 인구", "living_population"),
        ("생활인구를", "living_population"),
        ("생활인구에서의", "living_population"),
        ("서울 생활인구의 시간대별", "living_population"),
        ("지하철역에서", "subway_ridership"),
        ("지하철 승차인원", "subway_ridership"),
        ("추정매출", "card_sales"),
        ("카드 매출", "card_sales"),
        ("행정동 코드", "dong_codes"),
        ("통계청", "dong_codes"),
        ("자치구 경계", "gu_boundary"),
        ("subway", "subway_ridership"),
        ("Subways boarding", "subway_ridership"),
        ("dong boundaries", "dong_boundary"),
        ("sales by industry", "card_sales"),
        ("living popul", "living_population"),
        ("LIVING_POPULATION", "living_population"),
        ("ｓｕｂｗａｙ", "subway_ridership"),
        (unicodedata.normalize("NFD", "생활인구"), "living_population"),
    ],
)
def test_the_best_comes_first(query: str, first: str) -> None:
    assert names(search(query))[0] == first


def test_columns_are_searched_and_shown() -> None:
    hit = search("통계청").hits[0]
    assert [c.name for c in hit.columns] == ["kostat_code"]
    assert "age_20s" in [c.name for c in search("age_20s").hits[0].columns]


def test_a_title_outranks_a_mention() -> None:
    scores = {hit.dataset.name: hit.score for hit in search("행정동 코드").hits}
    assert scores["dong_codes"] > scores["living_population"]


def test_all_words_are_wanted_and_partial_answers_say_so() -> None:
    assert not search("지하철 승차").partial
    partly = search("지하철 qqqq")
    assert partly.partial and names(partly) == ["subway_ridership"]
    nothing = search("qqqq 뷁뷁뷁")
    assert not nothing.hits and not nothing.partial


def test_no_words_find_everything() -> None:
    assert sorted(names(search("  ·· "))) == sorted(NAMES)


def test_facets_narrow_and_count_beside_the_other_facets() -> None:
    narrowed = search("", domain=("transport", "commerce"))
    assert sorted(names(narrowed)) == ["card_sales", "subway_ridership"]
    counts = {o.value: (o.count, o.chosen) for o in narrowed.options["domain"]}
    assert counts["transport"] == (1, True) and counts["space"] == (3, False)  # what choosing it would add
    assert {o.value: o.count for o in narrowed.options["resolution"]} == {"day": 1, "quarter": 1}
    both = search("", domain=("people",), resolution=("hour",))
    assert names(both) == ["living_population"]
    assert not search("", domain=("nonsense",)).hits


def test_years_are_those_of_the_coverage() -> None:
    assert "dong_codes" in names(search("", year=("2024",)))
    assert "dong_codes" not in names(search("", year=("2023",)))
    assert next(o.value for o in search("").options["year"]) == "2026"


def test_what_a_dataset_is_about_is_read_off_its_description() -> None:
    assert {n: str(domain(d)) for n, d in DATASETS.items()} == {
        "card_sales": "commerce",
        "dong_boundary": "space",
        "dong_codes": "space",
        "floating_population": "people",
        "gu_boundary": "space",
        "living_population": "people",
        "subway_ridership": "transport",
    }
    assert spaces(DATASETS["dong_boundary"]) == {Space.GU, Space.DONG}
    assert spaces(DATASETS["subway_ridership"]) == {Space.POINT}
    assert resolution(DATASETS["living_population"]) is Resolution.HOUR
    assert resolution(DATASETS["card_sales"]) is Resolution.QUARTER


def test_a_dataset_of_no_known_domain_is_other_and_no_time_has_no_years() -> None:
    odd = replace(
        DATASETS["card_sales"],
        name="odd",
        title=Text(ko="이름", en="name"),
        keywords=(),
        temporal=Text(ko="-", en="-"),
    )
    assert domain(odd) is Domain.OTHER and years(odd, 2026) == ()


def test_every_dataset_of_this_product_has_a_domain() -> None:
    assert [name for name, d in ALL.items() if domain(d) is Domain.OTHER] == []
