"""A real JupyterHub, gate, launcher and audit log; a small broker that keeps what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from access_control.audit.client import AuditClient
from access_control.database import Database
from access_control.demo import seed
from access_control.migrations import upgrade
from access_control.people.desk import PeopleDesk
from access_control.portal.hub_client import HubClient
from access_control.projects.desk import ProjectsDesk
from access_control.sessions.desk import SessionsDesk
from catalog.sandbox.launcher import Launcher
from hub_config.settings import REPO, Settings, load
from hub_config.up.state import prepare
from tests.hub_config.gate.conftest import Campus, SmallPortal, ended
from tests.ports import free_port

NOW = datetime.now(UTC)


@dataclass(slots=True)
class SmallBroker:
    """Answers the admin socket's lines and remembers which sessions are open."""

    open: dict[str, tuple[str, str]] = field(default_factory=dict)
    refuses: bool = False
    mounts: list[list[str]] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                said = json.loads(line)
                if said["op"] == "open" and not self.refuses:
                    self.open[said["session_id"]] = (said["person"], said["project"])
                elif said["op"] == "close":
                    self.open.pop(said["session_id"], None)
                answer = {"error": "refused"} if self.refuses else {"ok": True, "open": self.mounts}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()


@dataclass(slots=True, kw_only=True)
class House:
    """One installation with everything but the portal's pages and the gateway's engine."""

    settings: Settings
    people: PeopleDesk
    projects: ProjectsDesk
    sessions: SessionsDesk
    client: HubClient
    broker: SmallBroker
    campus: Campus
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def launcher(self) -> Launcher:
        return Launcher(self.settings.socket("launcher"))

    def start(self, module: str) -> None:
        """Start a service and wait for its socket."""
        socket = self.settings.socket(module.rpartition(".")[2])
        socket.unlink(missing_ok=True)
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CAMPUS_")}
        with (self.settings.state / "logs" / f"{module}.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, "--state", str(self.settings.state)],
                cwd=REPO,
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.running[module] = process
        self.wait(lambda: socket.exists() or process.poll() is not None)
        assert process.poll() is None, self.log(module)

    def stop(self, module: str) -> None:
        """Stop a service as the supervisor would."""
        ended(self.running.pop(module))

    def log(self, module: str) -> str:
        """What a service wrote."""
        return (self.settings.state / "logs" / f"{module}.log").read_text()

    @staticmethod
    def wait(done: Callable[[], bool], seconds: float = 40) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    async def open_session(self, person: str = "minji", project: str = "open-data") -> str:
        """Start a session through the hub's API, as the portal does; returns its id once it runs.

        For a moment the hub still calls a server ready whose session has died: that one is not meant.
        """
        await self.client.ensure_user(person)
        async with asyncio.timeout(60):
            while True:
                state = await self.client.state(person, project)
                live = [s.session_id for s in self.sessions.live() if s.person == person]
                if state.ready and live:
                    return live[0]
                if not state.ready and not state.pending:
                    await self.client.start(person, project)
                await asyncio.sleep(0.1)

    async def until(self, done: Callable[[], Any], seconds: float = 40) -> None:
        """Wait, without blocking, until something holds."""
        await asyncio.to_thread(self.wait, done, seconds)


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A short path: socket names are limited."""
    folder = Path(tempfile.mkdtemp(prefix="h"))
    folder.chmod(0o711)
    yield folder / "v"
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installed(state: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """Everything started; a module may say SESSION_IDLE [s]."""
    idle = getattr(request.module, "SESSION_IDLE", 3600)
    state.mkdir(mode=0o711)
    (state / "campus.toml").write_text(f"port = {free_port()}\nsession_idle = {idle}\n", "utf-8")
    settings = load({"state": state}, environ={})
    prepare(settings, None)
    audit = AuditClient(settings.socket("audit"))
    db = Database(settings.access_url, audit)
    token = (state / "secrets" / "hub_api.token").read_text().strip()
    internal = (state / "secrets" / "internal.token").read_text().strip()
    portal, broker = SmallPortal(token=internal), SmallBroker()
    made = House(
        settings=settings,
        people=PeopleDesk(db),
        projects=ProjectsDesk(db),
        sessions=SessionsDesk(db),
        client=HubClient(settings.socket("hub"), token),
        broker=broker,
        campus=Campus(settings=settings, portal=portal),
    )
    runner = web.AppRunner(portal.app(), access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(settings.socket("portal"))).start()
    admin = await asyncio.start_unix_server(broker.talk, settings.socket("gateway"))
    try:
        await asyncio.to_thread(made.start, "hub_config.services.audit")
        upgrade(settings.access_url)
        made.projects.ensure_default(NOW, [])
        await asyncio.to_thread(seed, made.people, NOW)
        await asyncio.to_thread(made.start, "hub_config.launcher")
        await asyncio.to_thread(made.start, "hub_config.services.gate")
        await asyncio.to_thread(made.start, "hub_config.services.hub")
        yield made
    finally:
        for sandbox in made.launcher.list() if "hub_config.launcher" in made.running else ():
            made.launcher.stop(sandbox.sandbox_id, 0.5)
        for module in list(reversed(made.running)):
            await asyncio.to_thread(made.stop, module)
        admin.close()
        await runner.cleanup()
        db.close()
        audit.close()


@pytest_asyncio.fixture(loop_scope="module")
async def house(installed: House) -> AsyncIterator[House]:
    """The installation, left without sessions."""
    yield installed
    installed.broker.refuses = False
    for session in installed.sessions.live():
        await installed.client.stop(session.person, session.project)
    await installed.until(lambda: not installed.sessions.live())
