"""Descriptions are valid by the formats' own validators, for every dataset, variant and twin."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from catalog.descriptions import Dataset
from catalog.metadata import croissant, datapackage, dcat, dcat_catalogue
from catalog.synth.publish import twins
from catalog.warehouse import Snapshot
from tests.catalog.metadata.judge import breaks, constraints, judged, read, refused, said
from tests.catalog.metadata.shapes import shapes
from tests.catalog.metadata.test_metadata import DATASETS, SITE, version

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the validators' own parts, while they are imported
    import frictionless
    import mlcroissant

NOT_SAID = {  # recommended, and not known: whoever runs a campus decides on it, or the publisher does not say
    ("Catalog", "license"),
    ("Catalog", "issued"),
    ("Agent", "type"),
    ("LicenseDocument", "type"),
    ("Dataset", "temporal"),
    ("PeriodOfTime", "endDate"),
    ("Dataset", "spatial"),  # a list of codes has no place
    ("Location", "bbox"),  # of Korea; Seoul's is said
    ("Location", "centroid"),
}


def tables() -> Iterator[tuple[Dataset, str]]:
    private = set(twins(DATASETS))
    for name, dataset in DATASETS.items():
        yield dataset, "main"
        yield from ((dataset, variant.name) for variant in dataset.variants)
        if name in private:
            yield dataset, "twin"


TABLES = list(tables())
EACH = pytest.mark.parametrize(("dataset", "variant"), TABLES, ids=[f"{d.name}-{v}" for d, v in TABLES])
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside the validators


@EACH
def test_croissant_by_mlcroissant(dataset: Dataset, variant: str) -> None:
    for snapshot in (version(dataset.name, variant), version(dataset.name, variant, synthetic=False)):
        made = croissant(dataset, snapshot, SITE, variant)
        issues = mlcroissant.Dataset(jsonld=made).metadata.ctx.issues
        assert not issues.errors and not issues.warnings, issues.report()


@EACH
def test_package_by_frictionless(dataset: Dataset, variant: str) -> None:
    made = datapackage(dataset, version(dataset.name, variant), SITE, variant)
    assert not list(frictionless.Package.metadata_validate(made))
    frictionless.Package.from_descriptor(made)  # raises where it cannot be read


def test_the_validators_refuse_what_is_broken() -> None:
    package = datapackage(DATASETS["card_sales"], version("card_sales"), SITE)
    package["resources"][0]["schema"]["fields"][0]["type"] = "colour"
    with pytest.raises(frictionless.FrictionlessException, match="colour"):
        list(frictionless.Package.metadata_validate(package))
    record = croissant(DATASETS["card_sales"], version("card_sales"), SITE)
    record["recordSet"][0]["field"][0]["source"]["fileSet"]["@id"] = "nowhere"
    with pytest.raises(mlcroissant.ValidationError, match="nowhere"):
        mlcroissant.Dataset(jsonld=record)


def versions(dataset: Dataset) -> dict[str, Snapshot | None]:
    return {variant: version(d.name, variant) for d, variant in TABLES if d is dataset}


def found(made: Any) -> tuple[set[tuple[str, str]], set[tuple[str, str]], str]:
    """(class, property) of violations and of warnings, and the report as text."""
    graph = read(made)
    results, text = judged(graph, shapes())
    return said(graph, results, "Violation"), said(graph, results, "Warning"), text


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_dcat_by_shacl(name: str) -> None:
    made = dcat(DATASETS[name], versions(DATASETS[name]), SITE, 2026)
    violations, missing, text = found(made)
    assert not violations, text
    assert missing <= NOT_SAID, text


def test_the_catalogue_by_shacl() -> None:
    made = dcat_catalogue([(d, versions(d)) for d in DATASETS.values()], SITE, 2026)
    violations, missing, text = found(made)
    assert not violations, text
    assert missing <= NOT_SAID, text


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda made: made.pop("dct:title"), ("Dataset", "title")),
        (lambda made: made["dcat:distribution"][0].pop("dcat:accessURL"), ("Distribution", "accessURL")),
        (lambda made: made["dct:publisher"].pop("foaf:name"), ("Agent", "name")),
        (lambda made: made.update({"dct:source": {"@id": "https://x.example"}}), ("Dataset", "source")),
        (lambda made: made["dcat:theme"].pop("@type"), ("Dataset", "theme")),
    ],
)
def test_shapes_find_what_is_wrong(change: Any, where: tuple[str, str]) -> None:
    made = dcat(DATASETS["card_sales"], versions(DATASETS["card_sales"]), SITE, 2026)
    change(made)
    assert where in found(made)[0]


def test_every_demand_of_the_table_refuses_its_breach() -> None:
    base, ours = (
        dcat_catalogue([(DATASETS["card_sales"], versions(DATASETS["card_sales"]))], SITE, 2026),
        shapes(),
    )
    graph, rules = read(base), list(constraints(ours))
    assert len(rules) > 150
    for rule in rules:
        damaged, focus = breaks(graph, rule)
        assert refused(damaged, focus, rule, ours), rule
