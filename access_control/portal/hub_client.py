"""Asks the hub to start and stop sessions, over its REST API on a unix socket. Knows no page and no rule.

HubError
├── HubUnavailable   the hub does not answer; trying again later is safe
└── HubRefused       it answered no; `status` and `problem` are for the log, never for the page
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp

PATIENCE: Final = aiohttp.ClientTimeout(total=15, connect=3)  # [s]
STREAM_PATIENCE: Final = aiohttp.ClientTimeout(total=None, connect=3, sock_read=60)  # [s]


class HubError(Exception):
    """The hub did not do what was asked."""


class HubUnavailable(HubError):
    """The hub does not answer."""


class HubRefused(HubError):
    """The hub answered, but no."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(f"the hub answered {status}")
        self.status = status
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """A named server as the hub sees it; `pending` is spawn, stop or empty."""

    exists: bool
    ready: bool
    pending: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One step of a start: 0 to 100, and how it ended once it has."""

    percent: int
    ready: bool
    failed: bool


class HubClient:
    """The hub's API for one service token; a connection a call, so a restarted hub is found again.

    Parameters
    ----------
    socket
        The hub's unix socket.
    token
        Its service token; leaves this object only in the request header.
    """

    def __init__(self, socket: Path, token: str) -> None:
        self._socket = socket
        self._headers = {"Authorization": f"token {token}", "Accept": "application/json"}

    async def ensure_user(self, person: str) -> None:
        """Make the person known to the hub; nothing happens when it knows them."""
        await self._ask("POST", f"/users/{_part(person)}", fine={201, 409})

    async def start(self, person: str, project: str) -> None:
        """Begin to start the server of this project; nothing happens when it runs or starts already."""
        await self._ask("POST", _server(person, project), fine={201, 202}, also=_already_there)

    async def stop(self, person: str, project: str) -> None:
        """Stop the server; nothing happens when there is none."""
        await self._ask("DELETE", _server(person, project), fine={202, 204, 404})

    async def state(self, person: str, project: str) -> ServerState:
        """How the server stands."""
        found = await self._ask("GET", f"/users/{_part(person)}?include_stopped_servers", fine={200, 404})
        server = found.get("servers", {}).get(project)
        if not isinstance(server, dict):
            return ServerState(exists=False, ready=False, pending="")
        return ServerState(
            exists=not server.get("stopped", False),
            ready=bool(server.get("ready")),
            pending=str(server.get("pending") or ""),
        )

    async def progress(self, person: str, project: str) -> AsyncIterator[Progress]:
        """The steps of a start as they happen; ends when it is ready or has failed."""
        async with self._session(STREAM_PATIENCE) as session, _wrapped():
            url = f"http://hub/hub/api{_server(person, project)}/progress"
            async with session.get(url, headers={"Accept": "text/event-stream"}) as response:
                if response.status != 200:
                    raise HubRefused(response.status, (await response.text())[:500])
                async for line in response.content:
                    if line.startswith(b"data:"):
                        step = _progress(json.loads(line[5:]))
                        yield step
                        if step.ready or step.failed:
                            return

    async def _ask(
        self, method: str, path: str, *, fine: set[int], also: Any = lambda status, body: False
    ) -> Mapping[str, Any]:
        url = f"http://hub/hub/api{path}"
        async with self._session(PATIENCE) as session, _wrapped(), session.request(method, url) as response:
            body = await response.text()
        if response.status in {502, 503, 504}:
            raise HubUnavailable(f"the hub answered {response.status}")
        if response.status not in fine and not also(response.status, body):
            raise HubRefused(response.status, body[:500])
        try:
            found = json.loads(body) if body else {}
        except ValueError:
            found = {}
        return found if isinstance(found, dict) else {}

    def _session(self, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self._socket)),
            headers=self._headers,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        )


@asynccontextmanager
async def _wrapped() -> AsyncIterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise HubUnavailable(type(error).__name__) from error


def _part(name: str) -> str:
    return quote(name, safe="")


def _server(person: str, project: str) -> str:
    return f"/users/{_part(person)}/servers/{_part(project)}"


def _already_there(status: int, body: str) -> bool:
    return status == 400 and ("already running" in body or "already pending" in body or "pending" in body)


def _progress(event: Mapping[str, Any]) -> Progress:
    percent = event.get("progress", 0)
    return Progress(
        percent=max(0, min(100, int(percent))) if isinstance(percent, int | float) else 0,
        ready=bool(event.get("ready")),
        failed=bool(event.get("failed")),
    )
