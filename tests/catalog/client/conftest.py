"""The same installation as the gateway's own tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.catalog.gateway.conftest import gateway, run_folder, warehouse

__all__ = ["gateway", "run_folder", "warehouse"]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT as on a terminal, here and in what is started here: a shell's `&` has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
