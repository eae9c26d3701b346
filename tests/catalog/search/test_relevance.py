"""Questions as people ask them, over all datasets of the repository, and what should come first for each.

Several names mean these, in any order, before everything else.
"""

from __future__ import annotations

import pytest

from catalog.descriptions import Text
from catalog.search import Index
from catalog.search.headline import EQUAL, HEAD, START, headline, prominence
from catalog.search.words import words
from tests.catalog.search.test_search import ALL

INDEX = Index(ALL)
KOREAN = [
    ("생활인구", "living_population"),
    ("생활 인구", "living_population"),
    ("생 활인구", "living_population"),
    ("생활인구를", "living_population"),
    ("서울생활인구", "living_population living_population_gu"),
    ("자치구별 생활인구", "living_population_gu"),
    ("행정동별생활인구", "living_population"),
    ("생활인구 유입지 코드", "inflow_codes"),
    ("유입지 코드는", "inflow_codes"),
    ("지하철", "subway_congestion subway_hourly subway_ridership"),
    ("지하철혼잡도", "subway_congestion"),
    ("지하 철 혼잡도", "subway_congestion"),
    ("지하철 시간대별 승하차", "subway_hourly"),
    ("버스정류소의 위치", "bus_stops"),
    ("버 스정류소", "bus_stops"),
    ("따릉이대여소", "bike_stations"),
    ("자전거와 날씨", "bike_demand"),
    ("날씨", "weather_daily"),
    ("대기오염도가", "air_quality_daily"),
    ("초미세먼지", "air_quality_daily"),
    ("소음", "sdot_noise"),
    ("환경정보", "sdot_environment"),
    ("센서위치", "sdot_sensors"),
    ("카드소비", "card_spending card_spending_inflow"),
    ("카드 소비에서", "card_spending card_spending_inflow"),
    ("유입지별 카드소비", "card_spending_inflow"),
    ("추정 매출", "card_sales"),
    ("상권변화지표", "area_change"),
    ("점포수", "stores"),
    ("직장 인구", "workers"),
    ("상주인구는", "residents_gu"),
    ("등록 인구", "registered_population"),
    ("집객 시설", "facilities"),
    ("소득과 소비", "income_spending_dong income_spending_gu"),
    ("길단위인구", "floating_population floating_population_gu"),
    ("통신 유동인구", "telecom_population"),
    ("생활이동", "living_mobility"),
    ("출퇴근", "living_mobility"),
    ("교통카드", "transit_trips"),
    ("경계", "commercial_area_boundary dong_boundary gu_boundary"),
    ("상권 경계", "commercial_area_boundary"),
    ("자치구경계", "gu_boundary"),
    ("행정동 코드", "dong_codes"),
    ("법정동으로", "legal_dong_codes"),
    ("업종코드", "industry_codes"),
]
ENGLISH = [
    ("living population", "living_population living_population_gu"),
    ("living populations by gu", "living_population_gu"),
    ("subway crowding", "subway_congestion"),
    ("boardings by hour", "subway_hourly"),
    ("bus stop", "bus_stops"),
    ("bike stations", "bike_stations"),
    ("weather", "weather_daily"),
    ("air quality", "air_quality_daily"),
    ("card spending", "card_spending card_spending_inflow"),
    ("sales by industries", "card_sales"),
    ("boundaries", "commercial_area_boundary dong_boundary gu_boundary"),
    ("boundary of the dongs", "dong_boundary"),
    ("industry code", "industry_codes"),
    ("footfall", "floating_population_area floating_population_area_detail floating_population_gu"),
    ("floating population", "floating_population"),
    ("transit card trip", "transit_trips"),
    ("Workers", "workers"),
    ("incomes", "income_spending_dong income_spending_gu"),
    ("PM2.5", "air_quality_daily"),
    ("telecom", "telecom_population"),
]


@pytest.mark.parametrize(("query", "wanted"), KOREAN + ENGLISH, ids=[q for q, _ in KOREAN + ENGLISH])
def test_what_was_meant_comes_first(query: str, wanted: str) -> None:
    names = wanted.split()
    found = [hit.dataset.name for hit in INDEX.search(query, {}, 2026).hits]
    assert sorted(found[: len(names)]) == sorted(names), found[:5]


def test_of_equal_rank_the_open_and_more_general_comes_first() -> None:
    found = [hit.dataset.name for hit in INDEX.search("생활인구", {}, 2026).hits]
    assert (
        found.index("living_population") < found.index("living_population_gu") < found.index("inflow_codes")
    )
    footfall = [hit.dataset.name for hit in INDEX.search("유동인구", {}, 2026).hits]
    assert footfall.index("floating_population_area") < footfall.index("telecom_population")


@pytest.mark.parametrize(
    ("query", "ko", "en", "least", "below"),
    [
        ("행정동 경계", "행정동 경계", "x", EQUAL, 9),
        ("생활인구를", "행정동 단위 서울 생활인구 (내국인)", "x", HEAD, EQUAL),
        ("생활 인구", "생활인구 유입지 코드", "x", START, HEAD),
        ("유입지", "생활인구 유입지 코드", "x", 0.01, START),
        ("날씨", "따릉이 대여와 날씨", "x", 0.01, START),
        ("날씨", "일자료 (날씨)", "x", HEAD, EQUAL),
        ("없는 말", "행정동 경계", "x", 0, 0.01),
        ("living population", "x", "Living population of Seoul", EQUAL, 9),
        ("population", "x", "Living populations of Seoul", HEAD, EQUAL),
        ("weather", "x", "Rentals and weather by hour", 0.01, START),
        ("daily", "x", "Daily weather: a table", START, HEAD),
        ("seoul", "x", "Living population of Seoul", 0.01, START),
        ("table of", "x", "Daily weather", 0, 0.01),
    ],
)
def test_a_title_is_about_its_head(query: str, ko: str, en: str, least: float, below: float) -> None:
    assert least <= prominence(words(query), headline(Text(ko=ko, en=en))) < below
