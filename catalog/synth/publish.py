"""Publishes the small synthetic twin of every dataset that declares one. Knows no rights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from catalog.descriptions import Dataset
from catalog.descriptions.variants import TWIN
from catalog.synth.declaration import DATASETS, has_twin, load_twin
from catalog.synth.generate import Generator
from catalog.warehouse import Publication, Warehouse, WarehouseError

SOURCE = (
    "합성 쌍둥이: 설명과 공개된 주변분포로만 만든 합성 데이터 / "
    "synthetic twin, made from the description and published margins alone"
)


def twins(descriptions: Mapping[str, Dataset], datasets: Path = DATASETS) -> tuple[str, ...]:
    """Names of the datasets that declare a twin."""
    return tuple(name for name in descriptions if has_twin(name, datasets))


def load_twins(
    warehouse: Warehouse,
    descriptions: Mapping[str, Dataset],
    now: datetime,
    progress: Callable[[str], None] = lambda text: None,
    *,
    by: str = "campus",
    datasets: Path = DATASETS,
) -> tuple[str, ...]:
    """Names of the datasets whose twin was published: new ones, and those whose declaration changed.

    Raises
    ------
    DescriptionError
        A `twin.yml` cannot be used.
    WarehouseError
        Another publication of a twin is running.
    """
    loaded = []
    for name in twins(descriptions, datasets):
        dataset = descriptions[name]
        recipe = _recipe(dataset, datasets)
        if _published(warehouse, name) == recipe:
            continue
        twin = load_twin(dataset, datasets)
        rows = Generator(twin, dataset, plain=True).batches(twin.rows)
        publication = Publication(now=now, by=by, synthetic=True, source=SOURCE, recipe=recipe)
        made = warehouse.publish(dataset, TWIN, rows, publication)
        progress(f"{dataset.title.ko}: 합성 쌍둥이 {made.rows:,}행 / synthetic twin, {made.rows:,} rows")
        loaded.append(name)
    return tuple(loaded)


def _recipe(dataset: Dataset, datasets: Path) -> str:
    """The declaration's own fingerprint."""
    return "twin-" + hashlib.sha256((datasets / dataset.name / "twin.yml").read_bytes()).hexdigest()[:12]


def _published(warehouse: Warehouse, name: str) -> str:
    try:
        return warehouse.snapshot(name, TWIN).publication.recipe
    except WarehouseError:
        return ""
