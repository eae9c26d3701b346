"""DCAT-AP documents judged by the official shapes, where somebody has them: they are not ours to keep."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from rdflib import Graph
from rdflib.namespace import SH

from catalog.metadata import dcat, dcat_catalogue
from tests.catalog.metadata.judge import breaks, constraints, judged, read, refused, said
from tests.catalog.metadata.shapes import shapes
from tests.catalog.metadata.test_metadata import DATASETS, SITE
from tests.catalog.metadata.test_validators import NOT_SAID, versions

FOLDER = os.environ.get("CAMPUS_DCAT_AP_SHAPES", "")
NOT_EUROPEAN = {("Catalog", "publisher"), ("Dataset", "publisher")}  # no corporate body of the Union
BASE = dcat_catalogue([(DATASETS["card_sales"], versions(DATASETS["card_sales"]))], SITE, 2026)
pytestmark = [
    pytest.mark.skipif(
        not FOLDER,
        reason="set CAMPUS_DCAT_AP_SHAPES to a folder with the official shapes: the .ttl files below"
        " releases/3.0.1/shacl of the repository SEMICeu/DCAT-AP",
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # inside the validator
]


@pytest.fixture(scope="module")
def official() -> dict[str, Graph]:
    """The files of the folder, each for itself: they use one name for different shapes.

    The published files name property shapes that they do not define, or define without a path. A validator
    may not guess, so these are left out.
    """
    read_in = {}
    for file in sorted(Path(FOLDER).glob("*.ttl")):
        graph = Graph().parse(file)
        for shape, rule in list(graph.subject_objects(SH.property)):
            if (rule, SH.path, None) not in graph:
                graph.remove((shape, SH.property, rule))
        read_in[file.name] = graph
    rules = sum(len(list(graph.subjects(SH.path))) for graph in read_in.values())
    assert rules, f"no shapes in {FOLDER}: it holds no .ttl file with a property shape"
    return read_in


def documents() -> dict[str, Any]:
    made: dict[str, Any] = {
        name: dcat(dataset, versions(dataset), SITE, 2026) for name, dataset in DATASETS.items()
    }
    made["nothing published"] = dcat(DATASETS["card_sales"], {}, SITE, 2026)
    made["catalogue"] = dcat_catalogue([(d, versions(d)) for d in DATASETS.values()], SITE, 2026)
    return made


def test_every_document_by_the_official_shapes(official: dict[str, Graph]) -> None:
    for name, made in documents().items():
        graph = read(made)
        for file, given in official.items():
            found, text = judged(graph, given)
            assert not said(graph, found, "Violation"), f"{name} by {file}: {text}"
            assert said(graph, found, "Warning") <= NOT_SAID | NOT_EUROPEAN, f"{name} by {file}: {text}"


def test_our_table_refuses_what_the_official_shapes_refuse(official: dict[str, Graph]) -> None:
    base, ours, compared, missed = read(BASE), shapes(), 0, []
    written = set(ours.objects(None, SH.targetClass))
    for file, given in official.items():
        for rule in constraints(given):
            if rule.kind not in written:
                continue
            damaged, focus = breaks(base, rule)
            if refused(damaged, focus, rule, given):
                compared += 1
                if not refused(damaged, focus, rule, ours):
                    missed.append(f"{file}: {rule}")
    assert compared and not missed, missed
