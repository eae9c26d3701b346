"""A page that everybody may open shows rows of the twin, never of what a custodian delivered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_control.portal.facts import FactsShelf
from catalog.descriptions import load_all
from catalog.samples import load_samples
from catalog.synth.publish import load_twins
from catalog.warehouse import Warehouse

REPO = Path(__file__).resolve().parents[3]
NAME = "card_spending_inflow"
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path / "warehouse", tmp_path / "catalog.sqlite")
    few = {n: d for n, d in load_all(REPO / "datasets").items() if n in {NAME, "dong_codes"}}
    load_samples(made, few, NOW)
    return made


def test_shown_rows_are_the_twins(warehouse: Warehouse) -> None:
    datasets = load_all(REPO / "datasets")
    facts = FactsShelf(warehouse, datasets)
    assert facts.snapshot(NAME) is not None
    assert facts.shown(NAME) is None, "without a twin nothing is shown"
    load_twins(warehouse, {NAME: datasets[NAME]}, NOW)
    shown = facts.shown(NAME)
    assert shown is not None
    assert shown.variant == "twin"
    assert {row["date"][:4] for row in facts.sample(shown).rows} == {"2026"}, "the delivery is of 2025"
    public = facts.shown("dong_codes")
    assert public is not None
    assert public.variant == "main"
