"""One warehouse with all samples, made once for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.descriptions import load_all
from catalog.samples import load_samples
from catalog.synth.publish import load_twins
from catalog.warehouse import Warehouse

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def sample_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("samples")
    warehouse = Warehouse(folder / "warehouse", folder / "catalog.sqlite")
    load_samples(warehouse, load_all(REPO / "datasets"), datetime(2026, 3, 2, tzinfo=UTC))
    load_twins(warehouse, load_all(REPO / "datasets"), datetime(2026, 3, 2, tzinfo=UTC))
    return warehouse
