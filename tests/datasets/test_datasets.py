"""Every folder in `datasets/` is complete, agrees with itself, and its example query runs."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from catalog.descriptions import load_all
from catalog.descriptions.variants import sql_name
from catalog.ingest.checks import load_checks
from catalog.ingest.recipe import load_recipe
from catalog.samples.tables import read_table
from catalog.warehouse import Warehouse, duckdb_relation_sql

REPO = Path(__file__).resolve().parents[2]
DATASETS = load_all(REPO / "datasets")
NAMES = sorted(DATASETS)


def test_every_folder_is_a_dataset() -> None:
    assert {p.name for p in (REPO / "datasets").iterdir() if p.is_dir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_recipe_and_checks_agree_with_the_description(name: str) -> None:
    assert load_recipe(REPO / "datasets" / name / "recipe.yml", DATASETS[name]).layouts
    assert load_checks(REPO / "datasets" / name / "checks.yml", DATASETS[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_example_query_runs_on_the_samples(name: str, sample_warehouse: Warehouse) -> None:
    text = (REPO / "datasets" / name / "README.md").read_text("utf-8")
    (query,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    tables = [(d, v) for d in NAMES for v in sample_warehouse.variants(d)]
    with duckdb.connect() as connection:
        for dataset, variant in tables:
            snapshot = sample_warehouse.snapshot(dataset, variant)
            paths = [str(sample_warehouse.path(f.path)) for f in snapshot.files]
            view = sql_name(dataset, variant)
            connection.execute(f"CREATE VIEW {view} AS {duckdb_relation_sql(snapshot, paths)}")
        rows = connection.execute(query).fetchall()
    assert rows
    assert all(value is not None for row in rows for value in row)


PARAMETERS = sorted([*(REPO / "datasets").glob("*/sample/*.csv"), *(REPO / "datasets").glob("*/twin/*.csv")])


@pytest.mark.parametrize("path", PARAMETERS, ids=lambda p: f"{p.parts[-3]}-{p.name}")
def test_parameter_tables_name_their_source_and_stay_small(path: Path) -> None:
    assert read_table(path)
    assert path.stat().st_size < 64_000


@pytest.mark.parametrize("name", NAMES)
def test_codes_are_text_and_say_their_system(name: str) -> None:
    for column in DATASETS[name].columns:
        if column.name.endswith("_code"):
            assert column.type == "string"
            assert column.code_system
