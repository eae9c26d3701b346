"""The broker with the real launcher: parser and worker behind real walls."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.descriptions.scope import scope_of
from catalog.gateway.broker import Broker
from catalog.gateway.guard import SessionId, SessionIdentity
from catalog.gateway.session import QueryLimits
from catalog.sandbox.launcher import Launcher
from catalog.warehouse import Warehouse
from tests.catalog.gateway.conftest import DESCRIPTIONS, ROWS
from tests.catalog.gateway.simulator import GuardSimulator, info, until
from tests.catalog.sandbox.walls import descendants
from tests.hub_config.launcher.places import SESSION, isolation, serving, settings_in


@pytest.fixture
def launcher() -> Iterator[tuple[Launcher, Path]]:
    isolation()
    state = Path(tempfile.mkdtemp(prefix="campus-test-"))
    try:
        with serving(state) as client:
            yield client, state
    finally:
        shutil.rmtree(state, ignore_errors=True)  # the sockets of ended workers go by themselves


def rows(answer: Any, run: Path) -> Any:
    """Follow a ticket from outside: the worker's socket has another path there."""
    endpoint = answer.endpoints[0]
    inside = endpoint.locations[0].uri.decode().removeprefix("grpc+unix:///run/campus/")
    return flight.connect(f"grpc+unix://{run}/gateway/{SESSION}/{inside}").do_get(endpoint.ticket).read_all()


def test_rows_through_the_walls(launcher: tuple[Launcher, Path], warehouse: Warehouse) -> None:
    client, state = launcher
    settings = settings_in(state)
    shutil.copytree(warehouse.root, settings.warehouse, dirs_exist_ok=True)
    guard = GuardSimulator()
    guard.grant("subway_ridership")
    broker = Broker(
        guard=guard,
        warehouse=Warehouse(settings.warehouse, warehouse.catalog),
        descriptions=DESCRIPTIONS,
        starter=client,
        run=settings.run,
        admin=settings.run / "gateway.sock",
        limits=QueryLimits(memory=1 << 30, seconds=20.0),
    )
    broker.start()
    try:
        broker.open(SessionIdentity(session_id=SessionId(SESSION), person="minji", project="open-data"))
        session = flight.connect(f"grpc+unix://{settings.run}/gateway/{SESSION}/broker.sock")
        answer = rows(info(session, "SELECT count(*) AS n FROM subway_ridership"), settings.run)
        assert answer.to_pylist() == [{"n": ROWS}]
        spilled = rows(info(session, "SELECT * FROM subway_ridership ORDER BY ALL"), settings.run)
        assert spilled.num_rows == ROWS
        with pytest.raises(flight.FlightUnauthorizedError):
            info(session, "SELECT count(*) FROM dong_codes")
        worker = next(s for s in client.list() if "worker" in s.sandbox_id or s.pid)
        assert worker.pid
        for started in client.list():
            client.stop(started.sandbox_id)
        until(lambda: guard.kinds().count("finished") == 2)
        assert rows(info(session, "SELECT 1 AS a"), settings.run).num_rows == 1
    finally:
        broker.stop()
    until(lambda: client.list() == ())


def inside(pid: int) -> set[str]:
    """Data files that exist in the sandbox of the innermost process below `pid`."""
    data = Path("/proc", str([pid, *descendants(pid)][-1]), "root", "data")
    if not os.access(data.parent, os.R_OK | os.X_OK):
        pytest.skip("this user may not look into the sandbox from outside")
    return {str(p.relative_to(data)) for p in data.rglob("*.parquet")}


def test_parts_that_are_not_granted_are_not_in_the_workers_walls(
    launcher: tuple[Launcher, Path], warehouse: Warehouse
) -> None:
    client, state = launcher
    settings = settings_in(state)
    shutil.copytree(warehouse.root, settings.warehouse, dirs_exist_ok=True)
    guard = GuardSimulator()
    guard.grant("living_population", partitions=scope_of({"month": ["2026-02", "2026-03"]}))
    broker = Broker(
        guard=guard,
        warehouse=Warehouse(settings.warehouse, warehouse.catalog),
        descriptions=DESCRIPTIONS,
        starter=client,
        run=settings.run,
        admin=settings.run / "gateway.sock",
        limits=QueryLimits(memory=1 << 30, seconds=20.0),
    )
    broker.start()
    try:
        broker.open(SessionIdentity(session_id=SessionId(SESSION), person="minji", project="open-data"))
        session = flight.connect(f"grpc+unix://{settings.run}/gateway/{SESSION}/broker.sock")
        months = "SELECT DISTINCT strftime(date, '%Y-%m') AS m FROM living_population ORDER BY m"
        assert rows(info(session, months), settings.run)["m"].to_pylist() == ["2026-02", "2026-03"]
        files = warehouse.snapshot("living_population").files
        granted = {f.path for f in files if dict(f.partition)["month"] in {"2026-02", "2026-03"}}
        assert 0 < len(granted) < len(files)
        [worker] = [s for s in client.list() if inside(s.pid)]
        assert inside(worker.pid) == granted
    finally:
        broker.stop()
    until(lambda: client.list() == ())
