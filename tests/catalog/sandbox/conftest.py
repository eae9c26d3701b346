"""Walls of both kinds, or a reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.catalog.sandbox.walls import Walls, available, scratch


@pytest.fixture(params=["root", "userns"])
def walls(request: pytest.FixtureRequest) -> Walls:
    return available(request.param)


@pytest.fixture
def folder(walls: Walls) -> Iterator[Path]:
    with scratch(walls) as path:
        yield path
