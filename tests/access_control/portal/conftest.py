"""A real portal over real desks on a unix socket, a real launcher, and a simulated hub."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from access_control.erasures.desk import ErasuresDesk
from access_control.ingests.desk import IngestsDesk
from access_control.portal.app import create_app
from access_control.portal.audit_log import AuditLog
from access_control.portal.facts import FactsShelf
from access_control.portal.gate_client import GateClient
from access_control.portal.hub_client import HubClient
from access_control.portal.own_record import OwnRecord
from access_control.portal.services import Installation, Services
from access_control.portal.starts import StartBoard
from catalog.descriptions import Tier, load_all
from catalog.samples import load_samples
from catalog.sandbox.launcher import Launcher
from catalog.synth.publish import load_twins
from catalog.warehouse import Warehouse
from hub_config.services.portal import listen
from hub_config.settings import load
from tests.access_control.campus import NOW, Campus
from tests.access_control.ingests.simulator import SimulatedLauncher
from tests.access_control.portal.browsing import Browser
from tests.access_control.portal.hub import SimulatedHub

REPO = Path(__file__).resolve().parents[3]
URL = "http://localhost:8000"
BOARD = """
title: {ko: 생활인구 한눈에, en: Living population at a glance}
description: {ko: 시간대별 생활인구, en: Living population by hour}
datasets: [living_population, dong_boundary]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """A running portal and what stands behind it."""

    campus: Campus
    services: Services
    socket: Path
    hub: SimulatedHub
    state: Path

    def browser(self) -> Browser:
        """Somebody who has not been here before."""
        return Browser(self.socket, self.services.installation.url)

    async def signed_in(self, handle: str) -> Browser:
        """A person who has signed in."""
        browser = self.browser()
        await browser.sign_in(handle)
        return browser

    def put_in_outbox(self, handle: str, name: str, content: bytes) -> None:
        """A file as the person's session would have saved it."""
        home = self.state / "homes" / handle / "open-data"
        if not home.exists():
            person = self.campus.people.person(handle)
            assert person is not None
            self.services.launcher.prepare_home(handle, "open-data", 200_000 + person.number)
        file = home / "outbox" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        owner = home.stat()
        if os.geteuid() == 0:
            os.chown(file, owner.st_uid, owner.st_gid)


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The synthetic samples, published."""
    folder = tmp_path_factory.mktemp("warehouse")
    made = Warehouse(folder / "files", folder / "catalog.sqlite")
    descriptions = load_all(REPO / "datasets")
    load_samples(made, descriptions, NOW)
    load_twins(made, descriptions, NOW)
    return made


@pytest.fixture(scope="session")
def facts(warehouse: Warehouse) -> FactsShelf:
    """What datasets' pages show, collected once."""
    return FactsShelf(warehouse, load_all(REPO / "datasets"))


@pytest.fixture(scope="session")
def launched() -> Iterator[Path]:
    """State folder of a running launcher."""
    with tempfile.TemporaryDirectory(prefix="campus-") as name:
        state = Path(name)
        for folder in ("run", "run/sessions", "run/gateway", "homes", "logs"):
            (state / folder).mkdir(exist_ok=True)
        argv = [sys.executable, "-m", "hub_config.launcher", "--state", str(state)]
        environ = {"PATH": os.environ["PATH"], "CAMPUS_STATE": str(state)}
        process = subprocess.Popen(argv, cwd=REPO, env=environ, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "ready" in line:
                    break
            yield state
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[SimulatedHub]:
    """A hub that starts nothing."""
    simulated = SimulatedHub()
    async with simulated.listening(tmp_path / "hub.sock"):
        yield simulated


@pytest.fixture
def ingesting(campus: Campus, tmp_path: Path) -> SimulatedLauncher:
    """Runs what the launcher would start, over a warehouse of its own."""
    return SimulatedLauncher(tmp_path / "uploads", tmp_path / "ingested", campus.audit)


@pytest.fixture
def services(
    campus: Campus,
    audit_writer: Path,
    facts: FactsShelf,
    launched: Path,
    hub: SimulatedHub,
    ingesting: SimulatedLauncher,
    tmp_path: Path,
) -> Services:
    """The parts of one installation."""
    boards = tmp_path / "dashboards"
    (boards / "living_population").mkdir(parents=True)
    (boards / "living_population" / "dashboard.yml").write_text(BOARD, "utf-8")
    datasets = load_all(REPO / "datasets")
    campus.projects.ensure_default(NOW, [d.name for d in datasets.values() if d.tier is Tier.OPEN])
    client = HubClient(tmp_path / "hub.sock", hub.token)
    return Services(
        installation=Installation(
            url=URL,
            host="localhost",
            port=8000,
            isolation="userns",
            demo=False,
            web=REPO / ".web" / "node_modules",
            dashboards=boards,
        ),
        people=campus.people,
        projects=campus.projects,
        grants=campus.grants,
        requests=campus.requests,
        sessions=campus.sessions,
        exports=campus.exports,
        ingests=IngestsDesk(campus.db, tmp_path / "uploads", ingesting, ingesting.warehouse),
        audit=AuditLog(audit_writer / "log", campus.audit),
        own_record=OwnRecord(audit_writer / "log", campus.audit, secrets.token_bytes(32)),
        erasures=ErasuresDesk(audit_writer / "log", campus.audit),
        datasets=datasets,
        facts=facts,
        launcher=Launcher(load({"state": launched}, {}).socket("launcher")),
        hub=client,
        gate=GateClient(tmp_path / "gate.sock"),
        starts=StartBoard(client),
        internal_token="gate-knows-this",
        form_key=secrets.token_bytes(32),
        clock=lambda: NOW,
    )


@pytest.fixture
async def portal(
    campus: Campus, services: Services, hub: SimulatedHub, launched: Path, tmp_path: Path
) -> AsyncIterator[Portal]:
    """A portal that serves."""
    socket = tmp_path / "portal.sock"
    config = uvicorn.Config(create_app(services), log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(sockets=[listen(socket)]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield Portal(campus=campus, services=services, socket=socket, hub=hub, state=launched)
    server.should_exit = True
    await serving


@contextlib.contextmanager
def serving_on_tcp(services: Services) -> Iterator[None]:
    """The same portal for a real browser, in a thread of its own, on the port of its address."""
    config = uvicorn.Config(
        create_app(services),
        host="127.0.0.1",
        port=services.installation.port,
        log_config=None,
        access_log=False,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.02)
        yield
    finally:
        server.should_exit = True
        thread.join(20)
