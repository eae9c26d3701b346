"""Machine-readable descriptions of datasets, open to everyone. Made by `catalog.metadata`."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from access_control.errors import Missing
from access_control.portal.guarding import PAGE_HEADERS
from access_control.portal.serving import get
from access_control.portal.visit import Visit
from catalog.descriptions import Dataset
from catalog.descriptions.variants import MAIN
from catalog.metadata import croissant, datapackage, dcat, dcat_catalogue

LINKED = "application/ld+json"


def dataset_dcat(visit: Visit) -> Response:
    """DCAT-AP of one dataset, its published variants as distributions."""
    found = _found(visit)
    site = visit.services.installation.url
    return _answer(dcat(found, visit.services.facts.variants(found.name), site, visit.now.year), LINKED)


def dataset_croissant(visit: Visit) -> Response:
    """Croissant of one dataset, or of the variant asked for."""
    found, variant = _found(visit), _variant(visit)
    snapshot = visit.services.facts.snapshot(found.name, variant)
    return _answer(croissant(found, snapshot, visit.services.installation.url, variant), LINKED)


def dataset_package(visit: Visit) -> Response:
    """Frictionless Data Package of one dataset, or of the variant asked for."""
    found, variant = _found(visit), _variant(visit)
    snapshot = visit.services.facts.snapshot(found.name, variant)
    return _answer(datapackage(found, snapshot, visit.services.installation.url, variant), "application/json")


def catalogue(visit: Visit) -> Response:
    """DCAT-AP of the whole catalogue."""
    services = visit.services
    entries = [(d, services.facts.variants(d.name)) for d in services.datasets.values()]
    return _answer(dcat_catalogue(entries, services.installation.url, visit.now.year), LINKED)


def _found(visit: Visit) -> Dataset:
    name = visit.part("name")
    found = visit.services.datasets.get(name)
    if found is None:
        raise Missing("dataset-unknown", dataset=name[:64])
    return found


def _variant(visit: Visit) -> str:
    """The published variant that was asked for, the main one where none was."""
    name, asked = visit.part("name"), visit.query("variant") or MAIN
    if asked not in visit.services.facts.variants(name):
        raise Missing("dataset-unknown", dataset=f"{name[:64]} {asked[:64]}")
    return asked


def _answer(content: dict[str, Any], media_type: str) -> Response:
    text = json.dumps(content, ensure_ascii=False, indent=1)
    return Response(text, media_type=media_type, headers=dict(PAGE_HEADERS))


ROUTES = [
    get("/catalog.jsonld", catalogue),
    get("/datasets/{name}/dcat.jsonld", dataset_dcat),
    get("/datasets/{name}/croissant.json", dataset_croissant),
    get("/datasets/{name}/datapackage.json", dataset_package),
]
