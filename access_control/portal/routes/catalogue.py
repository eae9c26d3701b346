"""The public catalogue: the list with its search and facets, and a page a dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from access_control.errors import Missing
from access_control.people.model import Role
from access_control.people.policy import must_hold
from access_control.portal import figures
from access_control.portal.examples import examples, readme_of
from access_control.portal.facts import EMPTY, REPO, Figure
from access_control.portal.serving import get
from access_control.portal.visit import Visit
from catalog.codes import load as load_codes
from catalog.descriptions import Dataset
from catalog.descriptions.published import differs
from catalog.descriptions.variants import MAIN, TWIN, sql_name, tier_of, variant_title
from catalog.search import FACETS, Option
from catalog.warehouse import Difference, Snapshot, difference

DATASETS: Final = REPO / "datasets"
MOST_CHOSEN: Final = 40  # values of one facet


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One box to tick; `count` datasets would be left."""

    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """One group of boxes."""

    name: str
    choices: tuple[Choice, ...]
    open: bool


def datasets(visit: Visit) -> Response:
    """Every dataset that fits the words and the facets, the best first."""
    words = visit.query("q").strip()[:100]
    chosen = {facet.name: visit.queries(facet.name)[:MOST_CHOSEN] for facet in FACETS}
    facts = visit.services.facts
    results = facts.index.search(words, chosen, visit.now.year, like=visit.lang)
    return visit.render(
        "datasets.html",
        found=[(hit, facts.snapshot(hit.dataset.name)) for hit in results.hits],
        total=len(visit.services.datasets),
        words=words,
        partial=results.partial,
        facets=[_facet(visit, facet.name, results.options[facet.name]) for facet in FACETS],
        narrowed=any(chosen.values()),
        without=_without(visit),
    )


def dataset(visit: Visit) -> Response:
    """Everything public about one dataset."""
    name = visit.part("name")
    found = visit.services.datasets.get(name)
    if found is None:
        raise Missing("dataset-unknown", dataset=name[:64])
    facts = visit.services.facts
    snapshot = facts.snapshot(name)
    shown = facts.shown(name)
    sample = facts.sample(shown) if shown else EMPTY
    figure = sample.figure
    asked = dataclasses.replace(found, name=sql_name(name, shown.variant if shown else MAIN))
    return visit.render(
        "dataset.html",
        d=found,
        snapshot=snapshot,
        versions=_versions(facts.versions(name), sample.versions),
        rows=sample.rows,
        drawings=_drawings(visit, found, (figure, sample.map, sample.histogram)),
        margins=sample.margins,
        steward=_steward(visit),
        titles=lambda columns: [figures.in_caption(_title(visit, found, c)) for c in columns],
        visible=shown,
        twin=bool(shown and shown.variant == TWIN),
        examples=examples(asked, readme_of(DATASETS, name), figure, visit.services.datasets),
        periods=sample.periods,
        period_chart=figures.columns(sample.periods),
        areas=sample.areas,
        area_chart=figures.bars_of(sample.areas),
        apply_at=f"/requests/new?dataset={name}",
        variants=[(v, differs(found, v), tier_of(found, v.name)) for v in found.variants],
        systems=load_codes().systems,
        published=[(v, label) for v in facts.variants(name) if (label := variant_title(found, v))],
    )


def _steward(visit: Visit) -> bool:
    return visit.person is not None and bool(must_hold(visit.person, Role.STAFF, Role.ADMINISTRATOR))


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version and how it differs from the one before it; None for the first."""

    snapshot: Snapshot
    difference: Difference | None


def _versions(
    newest_first: tuple[Snapshot, ...], periods: Mapping[int, Mapping[str, int]]
) -> tuple[Version, ...]:
    before: tuple[Snapshot | None, ...] = (*newest_first[1:], None)
    return tuple(
        Version(
            snapshot=now,
            difference=difference(then, now, periods.get(then.snapshot_id), periods.get(now.snapshot_id))
            if then
            else None,
        )
        for now, then in zip(newest_first, before, strict=False)
    )


def _facet(visit: Visit, name: str, options: tuple[Option, ...]) -> Facet:
    choices = tuple(
        Choice(value=o.value, label=_label(visit, name, o.value), count=o.count, chosen=o.chosen)
        for o in options
        if o.count or o.chosen
    )
    return Facet(name=name, choices=choices, open=any(o.chosen for o in options))


def _label(visit: Visit, facet: str, value: str) -> str:
    if facet == "custodian":
        both = (d.custodian for d in visit.services.datasets.values() if d.custodian.ko == value)
        return next((visit.t.pick(text) for text in both), value)
    key = f"{facet}-{value}"
    return visit.t(key) if visit.t.known(key) else value


def _without(visit: Visit) -> Callable[..., str]:
    """The address of this search without one choice of a facet."""

    def without(facet: str, value: str) -> str:
        kept = [pair for pair in visit.request.query_params.multi_items() if pair != (facet, value)]
        return "/datasets" + (f"?{urlencode(kept)}" if kept else "")

    return without


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A figure, its marks (maps have their own paths), and what is measured and grouped in words."""

    figure: Figure
    marks: figures.Line | figures.Bars | figures.Columns | None
    measured: str
    grouped: str


def _drawings(visit: Visit, d: Dataset, found: tuple[Figure | None, ...]) -> list[Drawing]:
    return [
        Drawing(
            figure=one,
            marks=figures.marks(one),
            measured=figures.in_caption(_title(visit, d, one.measure)),
            grouped=figures.in_caption(_title(visit, d, one.column)),
        )
        for one in found
        if one is not None and (one.paths or figures.marks(one))
    ]


def _title(visit: Visit, d: Dataset, column: str) -> str:
    return next((visit.t.pick(c.title) for c in d.columns if c.name == column), column)


ROUTES = [get("/datasets", datasets), get("/datasets/{name}", dataset)]
