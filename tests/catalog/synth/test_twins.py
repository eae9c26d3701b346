"""Twins keep what they declare, at any size and always the same; the report sees it when they do not."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from catalog.descriptions import load_all
from catalog.synth.declaration import load_twin
from catalog.synth.draw import Cells
from catalog.synth.files import write_twin
from catalog.synth.generate import Generator
from catalog.synth.model import SynthError, Twin
from catalog.synth.publish import load_twins, twins
from catalog.synth.report import compare, published_report
from catalog.warehouse import Warehouse
from catalog.warehouse.schema import arrow_schema

REPO = Path(__file__).resolve().parents[3]
DATASETS = load_all(REPO / "datasets")
NAMES = twins(DATASETS)
TWINS = {name: load_twin(DATASETS[name]) for name in NAMES}
ROWS = 120_000
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def table(name: str, rows: int, seed: int | None = None, *, workers: int = 2) -> pa.Table:
    generator = Generator(TWINS[name], DATASETS[name], plain=True)
    return pa.Table.from_batches(list(generator.batches(rows, seed, workers)), generator.schema)


def test_every_private_dataset_has_a_twin_and_no_open_one_does() -> None:
    assert set(NAMES) == {d.name for d in DATASETS.values() if d.tier != "open"}


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_has_the_schema_and_the_key_of_its_dataset(name: str) -> None:
    made = table(name, ROWS)
    assert made.schema.equals(arrow_schema(DATASETS[name]))
    assert made.num_rows == ROWS
    key = list(DATASETS[name].key)
    assert made.group_by(key).aggregate([]).num_rows == ROWS, "a key occurs once"
    for field in made.schema:
        assert field.nullable or not made[field.name].null_count


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_is_the_same_for_the_same_seed_and_another_for_another(name: str) -> None:
    made = table(name, 30_000)
    assert made.equals(table(name, 30_000, workers=1)), "also when blocks are made one after the other"
    assert made.equals(table(name, 30_000, TWINS[name].seed))
    assert not made.equals(table(name, 30_000, 7))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [None, 11])
def test_declared_margins_and_joint_shares_are_kept(name: str, seed: int | None) -> None:
    report = compare(TWINS[name], Generator(TWINS[name], DATASETS[name]).batches(ROWS, seed))
    assert report.rows == ROWS
    assert not [m.columns for m in report.margins if not m.within]
    assert {c for m in report.margins for c in m.columns} >= {f.column for f in TWINS[name].factors}
    for margin in report.margins:
        assert sum(margin.declared) == pytest.approx(1)
        assert sum(margin.found) == pytest.approx(1)
        assert margin.source


def changed(twin: Twin, column: str, shares: Any) -> Twin:
    factors = tuple(dataclasses.replace(f, shares=shares) if f.column == column else f for f in twin.factors)
    return dataclasses.replace(twin, factors=factors)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("card_spending", "hour"),
        ("card_spending", "sex"),
        ("telecom_population", "age"),
        ("transit_trips", "boarding_hour"),
        ("living_mobility", "kind"),
        ("card_spending_inflow", "home"),
    ],
)
def test_the_report_sees_a_twin_that_departs_from_its_declaration(name: str, column: str) -> None:
    shares = TWINS[name].factor(column).shares
    bent = shares + 0.02 * np.eye(1, shares.shape[1])  # two points in a hundred moved to the first code
    other = changed(TWINS[name], column, bent / bent.sum(axis=1, keepdims=True))
    report = compare(TWINS[name], Generator(other, DATASETS[name]).batches(ROWS))
    assert (column,) in [m.columns for m in report.margins if not m.within]
    honest = compare(other, Generator(other, DATASETS[name]).batches(ROWS))
    assert honest.within


def test_the_report_sees_lost_dependence_though_both_margins_hold() -> None:
    twin = TWINS["card_spending"]
    flat = np.repeat(twin.margins()["hour"][None], len(twin.factor("industry").codes), axis=0)
    other = changed(twin, "hour", flat)
    report = compare(twin, Generator(other, DATASETS["card_spending"]).batches(ROWS))
    assert [m.columns for m in report.margins if not m.within] == [("industry", "hour")]


def test_the_report_sees_a_day_that_is_missing() -> None:
    twin = TWINS["card_spending"]
    batches = list(Generator(twin, DATASETS["card_spending"]).batches(ROWS))
    half = [batches[0].slice(0, batches[0].num_rows // 2), *batches[1:]]
    assert ("date",) in [m.columns for m in compare(twin, half).margins if not m.within]


def test_amounts_follow_the_declared_payment() -> None:
    twin, made = TWINS["card_spending"], table("card_spending", ROWS)
    payment = dict(zip(twin.factor("industry").codes, twin.measures[1].by_code, strict=True))
    sums: Any = made.group_by("industry").aggregate([("amount", "sum"), ("count", "sum")])
    for row in sums.to_pylist():
        assert row["amount_sum"] / row["count_sum"] == pytest.approx(payment[row["industry"]], rel=0.06)


def test_travel_takes_longer_to_further_places_and_small_flows_are_withheld() -> None:
    made: Any = table("living_mobility", ROWS)
    near = pc.equal(made["origin_dong"], made["destination_dong"])
    assert pc.mean(made.filter(near)["minutes"]).as_py() + 5 < pc.mean(made["minutes"]).as_py()
    withheld = made["persons"].null_count / ROWS
    assert 0.02 < withheld < 0.3
    assert pc.min(made["persons"]).as_py() >= 3


def test_rides_end_after_they_began_and_cards_return() -> None:
    made: Any = table("transit_trips", ROWS)
    assert pc.all(pc.greater(made["alighting_time"], made["boarding_time"])).as_py()
    assert set(pc.utf8_length(made["card_hash"]).to_pylist()) == {16}
    assert pc.count_distinct(made["card_hash"]).as_py() < ROWS


def test_drawing_keeps_shares_exactly_in_expectation() -> None:
    shares = np.array([[0.5, 0.25, 0.125, 0.125, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]])
    from catalog.synth.draw import Alias

    alias = Alias(shares)
    parents = np.repeat(np.array([0, 1], np.int32), 200_000)
    drawn = alias.draw(np.random.default_rng(3), 400_000, parents)
    assert set(drawn[200_000:]) == {4}
    assert np.bincount(drawn[:200_000], minlength=5) / 200_000 == pytest.approx(shares[0], abs=0.004)


def test_the_joint_of_a_dense_table_is_the_product_of_its_factors() -> None:
    twin = TWINS["telecom_population"]
    joint = Cells(twin).joint().reshape([len(f.codes) for f in twin.factors])
    assert joint.sum() == pytest.approx(1)
    margins = twin.margins()
    for axis, factor in enumerate(twin.factors):
        others = tuple(i for i in range(joint.ndim) if i != axis)
        assert joint.sum(axis=others) == pytest.approx(margins[factor.column])


@pytest.mark.parametrize("rows", [1, 27, 1_000, 250_001])
@pytest.mark.parametrize("name", ["card_spending", "telecom_population", "transit_trips"])
def test_any_size_is_met_exactly(name: str, rows: int) -> None:
    assert sum(b.num_rows for b in Generator(TWINS[name], DATASETS[name]).batches(rows)) == rows


def test_impossible_sizes_are_refused() -> None:
    generator = Generator(TWINS["card_spending"], DATASETS["card_spending"])
    for rows in (0, -5, 10**12):
        with pytest.raises(SynthError, match="행 수"):
            next(generator.batches(rows))
    twin = TWINS["card_spending_inflow"]
    crowded = dataclasses.replace(twin, calendar=dataclasses.replace(twin.calendar, rows=10**7, periods=1))
    for rows in (240_000, 10**6):
        with pytest.raises(SynthError, match=r"calendar\.rows"):
            list(Generator(crowded, DATASETS["card_spending_inflow"]).batches(rows))


def test_a_file_is_whole_or_absent_and_says_that_it_is_synthetic(tmp_path: Path) -> None:
    name, out = "card_spending", tmp_path / "twin.parquet"
    told: list[int] = []
    size = write_twin(TWINS[name], DATASETS[name], 50_000, out, seed=5, progress=told.append)
    assert size == out.stat().st_size
    assert told[-1] == 50_000
    with pq.ParquetFile(out) as parquet:
        notes: Any = parquet.metadata.metadata
        assert b"synthetic" in notes[b"campus.synthetic"]
        assert notes[b"campus.seed"] == b"5"
        assert parquet.read().cast(arrow_schema(DATASETS[name])).equals(table(name, 50_000, 5))
    with pytest.raises(SynthError, match="쓸 수 없습니다"):
        write_twin(TWINS[name], DATASETS[name], 10, tmp_path / "no" / "x.parquet")
    with pytest.raises(SynthError):
        write_twin(TWINS[name], DATASETS[name], 0, tmp_path / "none.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["twin.parquet"]


def test_twins_are_published_once_beside_the_main_variant(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")
    few = {n: DATASETS[n] for n in ("card_spending_inflow", "dong_codes")}
    said: list[str] = []
    assert load_twins(warehouse, few, NOW, said.append) == ("card_spending_inflow",)
    assert "합성 쌍둥이" in said[0]
    made = warehouse.snapshot("card_spending_inflow", "twin")
    assert made.synthetic
    assert made.rows == TWINS["card_spending_inflow"].rows
    assert "합성" in made.source
    assert load_twins(warehouse, few, NOW) == ()
    report = published_report(warehouse, DATASETS["card_spending_inflow"])
    assert report is not None
    assert report.within
    assert report.rows == made.rows
    assert published_report(warehouse, DATASETS["dong_codes"]) is None
    assert published_report(warehouse, DATASETS["card_spending"]) is None
