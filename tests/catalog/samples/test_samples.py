"""What the samples promise: made up, always the same, believable, and within the publisher's own checks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import shapely
from pyproj import Transformer

from catalog.descriptions import Tier, load_all
from catalog.ingest.checks import load_checks
from catalog.ingest.evaluate import run_checks
from catalog.ingest.recipe import load_recipe
from catalog.ingest.rows import Rows
from catalog.ingest.spool import LINE, ROW, TOTAL, Spool
from catalog.samples import load_samples, sample
from catalog.samples.tables import split
from catalog.warehouse import Warehouse

REPO = Path(__file__).resolve().parents[3]
DATASETS = load_all(REPO / "datasets")
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_samples_are_always_the_same_and_pass_the_checks_of_real_files(tmp_path: Path, name: str) -> None:
    dataset = DATASETS[name]
    rows = sample(dataset)
    assert rows.equals(sample(dataset))
    layout = load_recipe(REPO / "datasets" / name / "recipe.yml", dataset).layouts[0]
    spool = Spool(tmp_path, name, name)
    numbers = pa.array(range(rows.num_rows), pa.int64())
    numbered = rows.append_column(LINE, numbers).append_column(ROW, numbers)
    spool.add(0, 0, numbered.append_column(TOTAL, pa.repeat(False, rows.num_rows)), 0)
    spooled = Rows(file=name, layout=layout, dataset=dataset, spool=spool, carried=(), engine_memory=1 << 28)
    run_checks(load_checks(REPO / "datasets" / name / "checks.yml", dataset), spooled)
    spooled.close()
    assert rows.group_by(list(dataset.key)).aggregate([]).num_rows == rows.num_rows


def test_only_datasets_without_a_version_get_a_sample(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")
    few = {n: DATASETS[n] for n in ("dong_codes", "gu_boundary")}
    said: list[str] = []
    assert load_samples(warehouse, few, NOW, said.append) == ("dong_codes", "gu_boundary")
    assert all("합성 데이터" in s for s in said)
    before = warehouse.snapshot("dong_codes")
    assert before.synthetic
    assert "합성 데이터" in before.source
    assert load_samples(warehouse, few, NOW, said.append) == ()
    assert warehouse.versions("dong_codes") == (before,)


def test_a_description_is_true_of_real_versions_too() -> None:
    for dataset in (d for d in DATASETS.values() if d.tier is Tier.OPEN):
        assert "합성 데이터" not in dataset.description.ko
        assert "synthetic" not in dataset.description.en


def values(name: str, column: str) -> list[Any]:
    rows: Any = sample(DATASETS[name])
    out: list[Any] = rows[column].to_pylist()
    return out


def test_all_tables_join_on_codes() -> None:
    dongs = set(values("dong_boundary", "dong_code"))
    assert len(dongs) == 425
    assert set(values("dong_codes", "dong_code")) == dongs
    for name in ("living_population", "card_sales", "floating_population"):
        used = set(values(name, "dong_code"))
        assert used <= dongs
        assert len(used) > 415
    assert set(values("gu_boundary", "gu_code")) == {d[:5] for d in dongs}


def test_boundaries_tile_the_city_without_gaps_or_overlaps() -> None:
    def shapes(name: str) -> Any:
        return shapely.from_wkb(values(name, "geometry"))

    dongs, gu = shapes("dong_boundary"), shapes("gu_boundary")
    assert shapely.is_valid(dongs).all()
    assert shapely.is_valid(gu).all()
    city = shapely.union_all(gu).area
    assert shapely.area(dongs).sum() == pytest.approx(city, rel=1e-4)
    assert shapely.union_all(dongs).symmetric_difference(shapely.union_all(gu)).area < city * 1e-4
    west, south, east, north = shapely.total_bounds(dongs)
    assert 126.7 < west < 126.85
    assert 37.4 < south < 37.5
    assert 127.1 < east < 127.25
    assert 37.65 < north < 37.75


def test_outlines_of_commercial_areas_hold_their_centre_and_the_area_they_are_given() -> None:
    areas: Any = sample(DATASETS["commercial_areas"])
    outlines: Any = sample(DATASETS["commercial_area_boundary"])
    for column in ("area_code", "area_type_code", "dong_code", "area"):
        assert outlines[column].to_pylist() == areas[column].to_pylist()
    shapes = shapely.from_wkb(outlines["geometry"].to_pylist())
    assert shapely.is_valid(shapes).all()
    assert shapely.contains(shapes, shapely.from_wkb(areas["geometry"].to_pylist())).all()
    metres = shapely.transform(
        shapes,
        Transformer.from_crs("EPSG:4326", "EPSG:5181", always_xy=True).transform,
        interleaved=False,
    )
    assert shapely.area(metres) == pytest.approx(areas["area"].to_numpy(), rel=0.01)


def test_the_subway_week_has_its_shape() -> None:
    rows: Any = sample(DATASETS["subway_ridership"])
    boardings = rows["boardings"].to_numpy()
    weekday = pc.day_of_week(rows["date"]).to_numpy()
    day = pc.day(rows["date"]).to_numpy()

    def mean(*days: int) -> float:
        kept = np.isin(weekday, days) & ~np.isin(day, (5, 6))
        return float(boardings[kept].sum() / len(set(day[kept])))

    assert 7.3e6 < mean(0, 1, 2, 3, 4) < 8.4e6
    assert 0.70 < mean(5) / mean(0, 1, 2, 3, 4) < 0.85
    assert 0.55 < mean(6) / mean(0, 1, 2, 3, 4) < 0.70


def test_living_population_moves_between_day_and_night_but_the_city_hardly_changes() -> None:
    rows: Any = sample(DATASETS["living_population"])
    total, hour = rows["total"].to_numpy(), rows["hour"].to_numpy()
    workday = pc.day_of_week(rows["date"]).to_numpy() < 5
    by_hour = np.array([total[workday & (hour == h)].sum() / 5 for h in range(24)])
    assert 10.4e6 < by_hour.mean() < 11.6e6
    assert by_hour.max() / by_hour.min() < 1.12
    order = np.argsort(rows["dong_code"].to_numpy(zero_copy_only=False), kind="stable")
    per_dong = total[order].reshape(-1, 7, 24)[:, :5]
    ratio = per_dong[:, :, 9:18].mean(axis=(1, 2)) / per_dong[:, :, :6].mean(axis=(1, 2))
    assert ratio.max() > 5
    assert 0.5 < (ratio < 0.95).mean() < 0.65


def test_splitting_keeps_every_total() -> None:
    generator = np.random.default_rng(1)
    totals = generator.integers(0, 10**12, 500)
    parts = split(totals, generator.random((500, 7)) + 0.01)
    assert (parts.sum(axis=1) == totals).all()
    assert (parts >= 0).all()
