"""The public catalogue: the list with its filters, and a page a dataset."""

from __future__ import annotations

from starlette.responses import Response

from access_control.errors import Missing
from access_control.portal import figures
from access_control.portal.facts import Figure
from access_control.portal.serving import get
from access_control.portal.visit import Visit
from catalog.descriptions import Dataset, Tier


def datasets(visit: Visit) -> Response:
    """Every dataset that fits the search."""
    words, tier, custodian = visit.query("q").strip()[:100], visit.query("tier"), visit.query("custodian")
    known = visit.services.datasets.values()
    found = [
        d
        for d in known
        if _matches(d, words) and tier in {"", d.tier} and custodian in {"", d.custodian.ko, d.custodian.en}
    ]
    return visit.render(
        "datasets.html",
        found=[(d, visit.services.facts.snapshot(d.name)) for d in found],
        total=len(visit.services.datasets),
        words=words,
        tier=tier,
        custodian=custodian,
        tiers=list(Tier),
        custodians=sorted({visit.t.pick(d.custodian) for d in known}),
    )


def dataset(visit: Visit) -> Response:
    """Everything public about one dataset."""
    name = visit.part("name")
    found = visit.services.datasets.get(name)
    if found is None:
        raise Missing("dataset-unknown", dataset=name[:64])
    facts = visit.services.facts
    snapshot = facts.snapshot(name)
    sample = facts.sample(snapshot) if snapshot else None
    figure = sample.figure if sample else None
    return visit.render(
        "dataset.html",
        d=found,
        snapshot=snapshot,
        versions=facts.versions(name),
        rows=sample.rows if sample else (),
        figure=figure,
        drawing=_drawing(figure),
        query=_example(found, figure),
        measured=_title(visit, found, figure.measure) if figure else "",
        grouped=_title(visit, found, figure.column) if figure else "",
    )


def _matches(d: Dataset, words: str) -> bool:
    text = " ".join(
        [d.name, d.title.ko, d.title.en, d.description.ko, d.description.en, *d.keywords]
        + [part for c in d.columns for part in (c.name, c.title.ko, c.title.en)]
    ).casefold()
    return all(word in text for word in words.casefold().split())


def _drawing(figure: Figure | None) -> figures.Line | figures.Bars | None:
    if figure is None or figure.kind == "map":
        return None
    return figures.line(figure) if figure.kind == "line" else figures.bars(figure)


def _title(visit: Visit, d: Dataset, column: str) -> str:
    return next((visit.t.pick(c.title) for c in d.columns if c.name == column), column)


def _example(d: Dataset, figure: Figure | None) -> str:
    """A query that runs as it stands, and asks what the figure shows."""
    if figure is None or figure.kind == "map":
        columns = ",\n       ".join(c.name for c in d.columns[:4])
        return f"SELECT {columns}\nFROM {d.name}\nLIMIT 100"
    value = {"mean": f"avg({figure.measure})", "sum": f"sum({figure.measure})"}.get(figure.how, "count(*)")
    order = f"{figure.column}" if figure.kind == "line" else "value DESC"
    return (
        f"SELECT {figure.column}, {value} AS value\nFROM {d.name}\nGROUP BY {figure.column}\nORDER BY {order}"
    )


ROUTES = [get("/datasets", datasets), get("/datasets/{name}", dataset)]
