"""Publishes the made-up sample of every dataset that has no version yet. Knows which maker serves which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.descriptions import Dataset, load
from catalog.warehouse import MAIN, Publication, Warehouse
from catalog.warehouse.materialise import refresh_variants

if TYPE_CHECKING:
    import pyarrow as pa

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
RECIPE = "sample-1"
SOURCE = "합성 데이터: 실제 통계가 아닙니다 / synthetic data, not actual statistics"


def load_samples(
    warehouse: Warehouse,
    descriptions: Mapping[str, Dataset],
    now: datetime,
    progress: Callable[[str], None] = lambda text: None,
    *,
    by: str = "campus",
    datasets: Path = DATASETS,
) -> tuple[str, ...]:
    """Names of the datasets that got a sample; the others keep theirs. Variants are brought up to date.

    Raises
    ------
    WarehouseError
        Another publication of a dataset is running.
    """
    present = {name for name in warehouse.datasets() if MAIN in warehouse.variants(name)}
    loaded = []
    for name, dataset in descriptions.items():
        if name not in present:
            rows = sample(dataset, datasets)
            publication = Publication(
                now=now, by=by, synthetic=True, source=SOURCE, recipe=RECIPE, key=key_of(dataset, rows)
            )
            warehouse.publish(dataset, MAIN, rows, publication)
            progress(
                f"{dataset.title.ko}: 합성 데이터 {rows.num_rows:,}행 / {rows.num_rows:,} synthetic rows"
            )
            loaded.append(name)
        for made in refresh_variants(warehouse, dataset, now, by):
            progress(f"{dataset.title.ko} ({made.variant}): {made.rows:,}행 / rows")
    return tuple(loaded)


def key_of(dataset: Dataset, rows: pa.Table) -> tuple[str, ...]:
    """The dataset's key, if no two of the rows have the same; else nothing."""
    different = rows.group_by(list(dataset.key)).aggregate([]).num_rows
    return dataset.key if different == rows.num_rows else ()


def sample(dataset: Dataset, datasets: Path = DATASETS) -> pa.Table:
    """The sample of one dataset; always the same rows.

    Raises
    ------
    OSError
        The dataset has no maker of its own and no parameter tables.
    """
    import pyarrow as pa

    from catalog.samples import boundaries, generic, presence, sales, transit
    from catalog.synth.standin import movement, spending
    from catalog.warehouse.schema import arrow_schema

    def folder(name: str) -> Path:
        return datasets / name / "sample"

    def described(name: str) -> Dataset:
        return load(datasets / name / "dataset.yml")

    centres, gu = folder("dong_boundary") / "dong_centres.csv", folder("gu_boundary") / "gu.csv"
    makers: dict[str, Callable[[], pa.Table]] = {
        "subway_ridership": lambda: transit.subway(folder("subway_ridership")),
        "living_population": lambda: presence.living(folder("living_population")),
        "card_sales": lambda: sales.sales(folder("card_sales"), centres),
        "floating_population": lambda: presence.footfall(folder("living_population"), centres),
        "gu_boundary": lambda: boundaries.gu_boundary(centres, gu),
        "dong_boundary": lambda: boundaries.dong_boundary(centres),
        "commercial_area_boundary": lambda: boundaries.commercial_area_boundary(
            generic.made_up(described("commercial_areas"), datasets),
            folder("commercial_area_boundary") / "outlines.csv",
        ),
        "dong_codes": lambda: boundaries.dong_codes(centres, gu),
        "card_spending": lambda: spending.card_spending(datasets).rows,
        "card_spending_inflow": lambda: spending.card_spending_inflow(datasets).rows,
        "telecom_population": lambda: movement.telecom_population(datasets).rows,
        "transit_trips": lambda: movement.transit_trips(datasets).rows,
        "living_mobility": lambda: movement.living_mobility(datasets).rows,
    }
    make = makers.get(dataset.name, lambda: generic.made_up(dataset, datasets))
    made = make()
    schema = arrow_schema(dataset)
    columns: Any = {
        field.name: made[field.name]
        if field.name in made.column_names
        else pa.nulls(made.num_rows, field.type)
        for field in schema
    }
    return pa.table(columns).cast(schema)
