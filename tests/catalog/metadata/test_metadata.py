"""The fields that DCAT-AP 3, Croissant 1.0 and Data Package 1.0 require; the label; every column.

The formats' own validators are in `test_validators.py`.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.descriptions import Dataset, Tier, load_all
from catalog.metadata import croissant, datapackage, dcat, dcat_catalogue
from catalog.warehouse import DataFile, Publication, Snapshot

DATASETS = load_all(Path(__file__).resolve().parents[3] / "datasets")
SITE = "https://campus.example"
EU = "http://publications.europa.eu/resource/authority/"


def version(name: str, variant: str = "main", *, synthetic: bool = True) -> Snapshot:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    return Snapshot(
        dataset=name,
        variant=variant,
        snapshot_id=42,
        files=(DataFile(path="x", rows=10, size=100, row_groups=(10,)),),
        fields=(),
        publication=Publication(now=now, by="steward", synthetic=synthetic, source="s", recipe="1"),
    )


@pytest.fixture(params=sorted(DATASETS))
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return DATASETS[request.param]


def nodes(value: Any, kind: str) -> list[dict[str, Any]]:
    """Every object of a type, anywhere."""
    found = [value] if isinstance(value, dict) and value.get("@type") == kind else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found + [node for item in inner for node in nodes(item, kind)]


def test_dcat_has_what_the_profile_requires(dataset: Dataset) -> None:
    made = dcat(dataset, {"main": version(dataset.name)}, SITE, 2026)
    assert json.loads(json.dumps(made)) == made and made["@id"] == f"{SITE}/datasets/{dataset.name}#dataset"
    for key in ("dct:title", "dct:description"):
        assert {text["@language"] for text in made[key]} == {"ko", "en"}
        assert all(text["@value"] for text in made[key])
    [distribution] = nodes(made, "dcat:Distribution")
    assert distribution["dcat:accessURL"]["@id"].startswith(SITE)
    assert int(distribution["dcat:byteSize"]["@value"]) == 100
    assert distribution["dct:license"]["rdfs:label"]
    assert all(agent["foaf:name"] for agent in nodes(made, "foaf:Agent"))
    assert all(concept["skos:prefLabel"] for concept in nodes(made, "skos:Concept"))
    assert (
        made["dct:accessRights"]["@id"]
        == EU
        + "access-right/"
        + ({Tier.OPEN: "PUBLIC", Tier.CONTROLLED: "RESTRICTED", Tier.RESTRICTED: "NON_PUBLIC"}[dataset.tier])
    )
    prefixes = {key.split(":")[0] for key in re.findall(r'"([a-z]+:[A-Za-z]+)":', json.dumps(made))}
    assert prefixes <= set(made["@context"])


def test_the_catalogue_lists_every_dataset_once() -> None:
    made = dcat_catalogue([(d, {"main": version(d.name)}) for d in DATASETS.values()], SITE, 2026)
    assert made["@type"] == "dcat:Catalog" and made["dct:title"] and made["dct:description"]
    assert made["dct:publisher"]["foaf:name"]
    assert sorted(d["dct:identifier"] for d in made["dcat:dataset"]) == sorted(DATASETS)
    assert not any("@context" in d for d in made["dcat:dataset"])


def test_croissant_has_what_the_specification_requires(dataset: Dataset) -> None:
    made = croissant(dataset, version(dataset.name), SITE)
    assert made["conformsTo"] == "http://mlcommons.org/croissant/1.0" and made["@type"] == "sc:Dataset"
    for key in ("name", "description", "license", "url", "creator", "datePublished", "version", "citeAs"):
        assert made[key], key
    [files], [records] = made["distribution"], made["recordSet"]
    assert files["encodingFormat"] and files["includes"]
    fields = {field["name"]: field for field in records["field"]}
    assert list(fields) == [c.name for c in dataset.columns]
    for name, field in fields.items():
        assert field["dataType"].startswith("sc:") and field["description"]
        assert field["source"] == {"fileSet": {"@id": files["@id"]}, "extract": {"column": name}}
    identifiers = [field["@id"] for field in records["field"]]
    assert len(set(identifiers)) == len(identifiers)
    assert all(key["@id"] in identifiers for key in records["key"])


def test_the_package_has_what_the_specification_requires(dataset: Dataset) -> None:
    made = datapackage(dataset, version(dataset.name), SITE)
    assert re.fullmatch(r"[a-z0-9._/-]+", made["name"])
    assert all(re.fullmatch(r"[-a-zA-Z0-9._]+", licence["name"]) for licence in made["licenses"])
    [resource] = made["resources"]
    assert re.fullmatch(r"[a-z0-9._-]+", resource["name"]) and not resource["path"].startswith(("/", "."))
    schema = resource["schema"]
    assert [f["name"] for f in schema["fields"]] == [c.name for c in dataset.columns]
    assert {f["type"] for f in schema["fields"]} <= {"string", "integer", "number", "date", "datetime"}
    assert set(schema["primaryKey"]) <= {f["name"] for f in schema["fields"]}
    required = {f["name"] for f in schema["fields"] if f.get("constraints", {}).get("required")}
    assert required == {c.name for c in dataset.columns if not c.nullable}


def test_made_up_data_is_called_so_in_every_format_and_real_data_is_not() -> None:
    dataset = DATASETS["living_population"]
    for synthetic in (True, False):
        snapshot = version(dataset.name, synthetic=synthetic)
        for made in (
            dcat(dataset, {"main": snapshot}, SITE, 2026),
            croissant(dataset, snapshot, SITE),
            datapackage(dataset, snapshot, SITE),
        ):
            text = json.dumps(made, ensure_ascii=False)
            assert ("합성 데이터" in text) is synthetic and ("Synthetic data" in text) is synthetic


def test_a_dataset_without_a_version_is_described_too() -> None:
    dataset = DATASETS["card_sales"]
    assert "dcat:version" not in dcat(dataset, {}, SITE, 2026)
    assert "version" not in croissant(dataset, None, SITE)
    assert "created" not in datapackage(dataset, None, SITE)


def test_a_twin_is_described_as_open_and_a_variant_by_its_own_columns() -> None:
    dataset = DATASETS["card_spending"]
    versions = {v: version(dataset.name, v, synthetic=v == "twin") for v in ("main", "gu_monthly", "twin")}
    main, monthly, twin = nodes(dcat(dataset, versions, SITE, 2026), "dcat:Distribution")
    assert [d["dct:rights"]["@id"].rsplit("/", 1)[1] for d in (main, monthly, twin)] == [
        "RESTRICTED",
        "RESTRICTED",
        "PUBLIC",
    ]
    assert "provision agreement" in json.dumps(main) and "provision agreement" not in json.dumps(twin)
    assert len({d["@id"] for d in (main, monthly, twin)}) == 3
    assert twin["dcatap:availability"]["@id"].endswith("/TEMPORARY")
    assert main["dcatap:availability"]["@id"].endswith("/STABLE")
    columns = [c.name for c in dataset.variants[0].columns]
    made = croissant(dataset, versions["gu_monthly"], SITE, "gu_monthly")
    assert made["name"] == "card_spending_gu_monthly" and made["url"] == f"{SITE}/datasets/card_spending"
    assert [field["name"] for field in made["recordSet"][0]["field"]] == columns
    package = datapackage(dataset, versions["gu_monthly"], SITE, "gu_monthly")
    assert [field["name"] for field in package["resources"][0]["schema"]["fields"]] == columns
    assert "합성 쌍둥이" in datapackage(dataset, versions["twin"], SITE, "twin")["title"]
