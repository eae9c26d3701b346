"""The broker with real parser and worker processes: what is given, what is recorded, what happens on death."""

from __future__ import annotations

from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.gateway.guard import QueryEventKind
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import Installation, info, reader, run, until


def test_rows_come_and_both_ends_are_on_record(gateway: Installation, client: Any) -> None:
    assert run(client, "SELECT count(*) AS n FROM subway_ridership").to_pylist() == [{"n": ROWS}]
    until(lambda: len(gateway.guard.events) == 2)
    admitted, finished = gateway.guard.events
    assert (admitted.kind, finished.kind) == (QueryEventKind.ADMITTED, QueryEventKind.FINISHED)
    assert admitted.query_id == finished.query_id
    assert admitted.statement == "SELECT count_star() AS n FROM memory.campus.subway_ridership"
    assert [t.dataset for t in admitted.tables] == ["subway_ridership"]
    assert admitted.tables[0].snapshot_id == gateway.warehouse.snapshot("subway_ridership").snapshot_id
    assert (admitted.purposes, admitted.identity.person) == (("study",), "minji")
    assert finished.rows == 1 and 8 <= finished.bytes <= 16
    assert finished.seconds > 0
