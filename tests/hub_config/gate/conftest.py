"""A real gate in front of a real slim Jupyter server; a small portal that answers what the gate asks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web

from access_control.sessions.model import site
from hub_config.settings import REPO, Settings
from tests.ports import free_port

PERSON, PROJECT = "minji", "open-data"
SESSION = "0123456789abcdef0123"
PREFIX = f"/user/{PERSON}/{PROJECT}/"
SITE = site(PERSON, PROJECT)
TOKEN = "the-gate"


def start_inside(program: str, listen: Path, home: Path, prefix: str, **env: str) -> subprocess.Popen[bytes]:
    """Start a program of hub_config/inside on a fresh socket, as a sandbox would."""
    (home / "outbox").mkdir(parents=True, exist_ok=True)
    listen.parent.mkdir(parents=True, exist_ok=True)
    scratch = home.parent / f"{home.name}-tmp"
    scratch.mkdir(exist_ok=True)
    with (
        socket.socket(socket.AF_UNIX) as listener,
        (home.parent / f"{home.name}.log").open("wb") as output,
    ):
        listener.bind(str(listen))
        listener.listen(64)
        return subprocess.Popen(
            [REPO / ".venv-session" / "bin" / "python", REPO / "hub_config" / "inside" / program],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(home),
                "TMPDIR": str(scratch),
                "LANG": "C.UTF-8",
                "CAMPUS_LISTEN_FD": str(listener.fileno()),
                "CAMPUS_PREFIX": prefix,
                **env,
            },
            pass_fds=[listener.fileno()],
            cwd=home,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def ended(process: subprocess.Popen[bytes]) -> None:
    """Stop a process this test started."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    if process.poll() is None:
        process.kill()
        process.wait()


@dataclass(slots=True)
class SmallPortal:
    """What the portal's internal routes answer, with single-use tickets; everything else is echoed."""

    token: str = TOKEN
    tickets: dict[str, str] = field(default_factory=dict)
    inactive: set[str] = field(default_factory=set)
    seen: list[web.Request] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/_internal/redeem", self.redeem)
        app.router.add_get("/_internal/person/{handle}/active", self.active)
        app.router.add_route("*", "/{path:.*}", self.echo)
        return app

    async def redeem(self, request: web.Request) -> web.Response:
        assert request.headers["X-Campus-Internal"] == self.token
        said = await request.json()
        if self.tickets.pop(said["ticket"], None) != said["site"]:
            return web.json_response({"error": "ticket-invalid"}, status=403)
        return web.json_response({"person": PERSON, "display_name": "김민지"})

    async def active(self, request: web.Request) -> web.Response:
        return web.json_response({"active": request.match_info["handle"] not in self.inactive})

    async def echo(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        return web.json_response({"path": request.raw_path, "headers": dict(request.headers)})


@dataclass(slots=True, kw_only=True)
class Campus:
    """A gate and what stands behind it."""

    settings: Settings
    portal: SmallPortal
    gate: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return self.settings.site_url(SITE)

    def start_gate(self) -> None:
        """Start the gate and wait until it listens."""
        with (self.settings.state / "gate.out").open("ab") as output:
            self.gate = subprocess.Popen(
                [sys.executable, "-m", "hub_config.services.gate", "--state", str(self.settings.state)],
                cwd=REPO,
                env={**os.environ, "PYTHONWARNINGS": "default"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.settings.port), 1):
                return
            assert self.gate.poll() is None, (self.settings.state / "gate.out").read_text()
            time.sleep(0.05)
        raise AssertionError("the gate does not listen")

    def browser(self, **headers: str) -> aiohttp.ClientSession:
        """A client that resolves every site to the gate, as browsers do with *.localhost."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=ToGate(), limit=0), auto_decompress=False, headers=headers
        )

    async def control(self, method: str, path: str, **json: object) -> dict[str, object]:
        """Ask the gate's control socket, as the hub does."""
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self.settings.socket("gate")))
            ) as client,
            client.request(method, f"http://gate{path}", json=json or None) as answer,
        ):
            assert answer.status == 200, await answer.text()
            found = await answer.json()
            assert isinstance(found, dict)
            return found

    async def add_session(self, session: str = SESSION) -> None:
        """Tell the gate of the session, as the hub does."""
        target = quote(str(self.settings.run / "sessions" / session / "http.sock"), safe="")
        await self.control(
            "PUT",
            "/routes",
            routespec=PREFIX,
            target=f"http+unix://{target}",
            data={"user": PERSON, "server_name": PROJECT},
        )

    async def sign_on(self, browser: aiohttp.ClientSession, ticket: str = "ticket") -> None:
        """Enter with a ticket; the browser keeps the cookie."""
        self.portal.tickets[ticket] = SITE
        url = f"{self.origin}/_campus/enter?ticket={ticket}&next=/"
        async with browser.get(url, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()


class ToGate(aiohttp.abc.AbstractResolver):
    """Every name is this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        return [
            aiohttp.abc.ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        return None


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """(socket, home) of a real slim Jupyter server that lives as long as the tests."""
    folder = tmp_path_factory.mktemp("lab")
    listen, home = folder / "http.sock", folder / "home"
    process = start_inside("lab.py", listen, home, PREFIX)
    yield listen, home
    ended(process)


@pytest.fixture
async def campus(tmp_path: Path, lab: tuple[Path, Path]) -> AsyncIterator[Campus]:
    """A gate in front of a portal and, on demand, the session."""
    state = tmp_path / "s"
    settings = Settings(state=state, port=free_port(), egress_budget=64 << 20)
    sockets = [settings.socket(name).parent for name in ("gate", "portal", "hub")]
    for folder in (settings.run / "sessions" / SESSION, state / "secrets", state / "logs", *sockets):
        folder.mkdir(parents=True)
    (settings.run / "sessions" / SESSION / "http.sock").symlink_to(lab[0])
    (state / "secrets" / "internal.token").write_text(TOKEN)
    (state / "campus.toml").write_text(
        f"port = {settings.port}\negress_budget = {settings.egress_budget}\n", "utf-8"
    )
    portal = SmallPortal()
    runner = web.AppRunner(portal.app(), access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(settings.socket("portal"))).start()
    made = Campus(settings=settings, portal=portal)
    await asyncio.to_thread(made.start_gate)
    yield made
    assert made.gate is not None
    await asyncio.to_thread(ended, made.gate)
    await runner.cleanup()
