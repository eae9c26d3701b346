"""By what datasets are narrowed: tier, domain, custodian, area, time. Knows descriptions, no page.

Domain follows from a dataset's keywords, name and title; the area from the code systems of its columns; the
time from its period and its columns, and the years from the words of its temporal coverage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from catalog.descriptions import Dataset, PeriodUnit
from catalog.search.words import plain


class Domain(StrEnum):
    """What a dataset is about."""

    TRANSPORT = "transport"
    PEOPLE = "people"
    COMMERCE = "commerce"
    ENVIRONMENT = "environment"
    SPACE = "space"
    OTHER = "other"


class Space(StrEnum):
    """The smallest places that rows tell apart, and coarser ones that they name."""

    GU = "gu"
    DONG = "dong"
    AREA = "area"
    POINT = "point"
    NONE = "none"


class Resolution(StrEnum):
    """How finely time is told apart."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    NONE = "none"


_WORDS: Final = (  # the first domain with a word wins: boundaries of commercial areas are about space
    (Domain.SPACE, "경계 코드 영역 boundary boundaries codes"),
    (Domain.TRANSPORT, "지하철 버스 교통 자전거 따릉이 생활이동 승하차 subway bus transit bike mobility"),
    (Domain.ENVIRONMENT, "대기 소음 기상 날씨 센서 미세먼지 환경 air noise weather sensor environment"),
    (Domain.PEOPLE, "인구 population people residents workers"),
    (Domain.COMMERCE, "매출 상권 카드 소비 점포 업종 소득 sales card stores spending income"),
)
DOMAIN_WORDS: Final = tuple((domain, tuple(words.split())) for domain, words in _WORDS)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_SINCE = re.compile(r"부터|이후|since|from|~\s*$|–\s*$", re.I)


def domain(dataset: Dataset) -> Domain:
    """What it is about."""
    text = plain(" ".join((dataset.name, dataset.title.ko, dataset.title.en, *dataset.keywords)))
    latin = set(re.findall(r"[a-z]+", text))
    for name, words in DOMAIN_WORDS:
        if any(word in latin if word.isascii() else word in text for word in words):
            return name
    return Domain.OTHER


def spaces(dataset: Dataset) -> frozenset[Space]:
    """The kinds of places its rows name."""
    systems = {column.code_system for column in dataset.columns}
    names = {column.name for column in dataset.columns}
    found = {
        kind
        for kind, holds in (
            (Space.DONG, any("-dong-" in s for s in systems)),
            (Space.GU, any("-gu-" in s for s in systems) or "gu_name" in names),
            (Space.AREA, any("TRDAR" in s for s in systems) or "area_code" in names),
            (
                Space.POINT,
                bool(names & {"station", "station_id", "stop_id", "sensor_id", "serial", "cell_id"}),
            ),
        )
        if holds
    }
    return frozenset(found or {Space.NONE})


def resolution(dataset: Dataset) -> Resolution:
    """The finest time its rows tell apart."""
    if any(column.name in {"hour", "time", "datetime", "measured_at"} for column in dataset.columns):
        return Resolution.HOUR
    if dataset.period is None:
        return Resolution.NONE
    units = {
        PeriodUnit.DAY: Resolution.DAY,
        PeriodUnit.MONTH: Resolution.MONTH,
        PeriodUnit.QUARTER: Resolution.QUARTER,
    }
    unit = units[dataset.period.unit]
    daily = unit is Resolution.MONTH and dataset.period.column == "date"  # published by month, told by day
    return Resolution.DAY if daily else unit


def goes_on(dataset: Dataset) -> bool:
    """Whether its coverage has no end."""
    return any(_SINCE.search(text) for text in (dataset.temporal.ko, dataset.temporal.en))


def years(dataset: Dataset, this_year: int) -> tuple[int, ...]:
    """Years that the temporal coverage names; up to this one where it says 'from'."""
    named = sorted(
        {int(y) for text in (dataset.temporal.ko, dataset.temporal.en) for y in _YEAR.findall(text)}
    )
    if not named:
        return ()
    last = max(this_year, named[-1]) if goes_on(dataset) else named[-1]
    return tuple(range(named[0], last + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """One way to narrow; `of` gives a dataset's values in the order they are shown."""

    name: str
    of: Callable[[Dataset, int], tuple[str, ...]]


FACETS: Final = (
    Facet(name="tier", of=lambda d, year: (d.tier,)),
    Facet(name="domain", of=lambda d, year: (domain(d),)),
    Facet(name="custodian", of=lambda d, year: (d.custodian.ko,)),
    Facet(name="space", of=lambda d, year: tuple(sorted(spaces(d), key=list(Space).index))),
    Facet(name="resolution", of=lambda d, year: (resolution(d),)),
    Facet(name="year", of=lambda d, year: tuple(str(y) for y in years(d, year))),
)
ORDER: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "tier": ("open", "controlled", "restricted"),
        "domain": tuple(Domain),
        "space": tuple(Space),
        "resolution": tuple(Resolution),
    }
)
