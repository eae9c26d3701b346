"""The sandboxes behind the door: where each listens, what it has sent, when a person last did something.

Remembered in one file of the run folder, so a restarted gate knows its sessions at once; the hub checks it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp import web

from hub_config.gate.metering import Meter

_SESSION = re.compile(r"[0-9a-f]{20}\Z")


class UnusableRoute(Exception):
    """A route the gate cannot serve; says why."""


@dataclass(slots=True, kw_only=True)
class Upstream:
    """One sandbox: a person's session, or a dashboard (then `person` is empty)."""

    routespec: str
    target: str
    data: Mapping[str, str]
    site: str
    person: str
    project: str
    session_id: str
    socket: Path
    prefix: str
    meter: Meter
    active: float  # s since the epoch
    client: aiohttp.ClientSession | None = None
    open: set[web.WebSocketResponse] = field(default_factory=set)

    def http(self) -> aiohttp.ClientSession:
        """Connections to this sandbox alone; as many as it takes, without cookies of their own."""
        if self.client is None:
            self.client = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self.socket), limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
                max_line_size=16 << 10,
                max_field_size=16 << 10,
            )
        return self.client

    async def close(self) -> None:
        """Close its connections and its browsers'."""
        for browser in list(self.open):
            await browser.close(code=aiohttp.WSCloseCode.GOING_AWAY, message=b"the session has stopped")
        if self.client is not None:
            await self.client.close()

    def seen(self) -> None:
        """A person did something just now."""
        self.active = time.time()


class Upstreams:
    """The table of routes, by routespec and by site.

    Parameters
    ----------
    memory
        The file it is remembered in.
    budget
        What a session may send its browser [bytes].
    site_of
        The site of (person, project).
    """

    def __init__(self, memory: Path, budget: int, site_of: Callable[[str, str], str]) -> None:
        self._memory = memory
        self._budget = budget
        self._site_of = site_of
        self._plain: dict[str, dict[str, object]] = {}
        self._routes: dict[str, Upstream] = {}
        self._sites: dict[str, Upstream] = {}

    def at(self, site: str) -> Upstream | None:
        """The sandbox of a site."""
        return self._sites.get(site)

    def all(self) -> tuple[Upstream, ...]:
        """Every sandbox."""
        return tuple(self._routes.values())

    def listed(self) -> dict[str, dict[str, object]]:
        """Every route as the hub's Proxy class knows it."""
        return self._plain | {
            spec: {
                "routespec": spec,
                "target": up.target,
                "data": {**up.data, "last_activity": _iso(up.active)},
            }
            for spec, up in self._routes.items()
        }

    async def put(self, routespec: str, target: str, data: Mapping[str, str]) -> Upstream | None:
        """Add or replace a route; None for one that leads to the hub itself.

        Raises
        ------
        UnusableRoute
            Neither the hub's, a person's server nor a dashboard's.
        """
        if routespec == "/":
            self._plain[routespec] = {"routespec": routespec, "target": target, "data": dict(data)}
            self.remember()
            return None
        known = self._routes.get(routespec)
        if known is not None and known.target == target:
            return known
        fresh = self._made(routespec, target, data)
        await self.delete(routespec)
        self._routes[routespec] = self._sites[fresh.site] = fresh
        self.remember()
        return fresh

    async def delete(self, routespec: str) -> None:
        """Forget a route and close its connections."""
        self._plain.pop(routespec, None)
        gone = self._routes.pop(routespec, None)
        if gone is not None:
            self._sites.pop(gone.site, None)
            self.remember()
            await gone.close()

    def remember(self) -> None:
        """Write the table down."""
        rows = [
            {
                "routespec": up.routespec,
                "target": up.target,
                "data": dict(up.data),
                "sent": up.meter.sent,
                "active": up.active,
            }
            for up in self._routes.values()
        ]
        fresh = self._memory.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"plain": self._plain, "routes": rows}, file)
        fresh.replace(self._memory)

    def recall(self) -> None:
        """Read the table of an earlier run; a damaged one is as none."""
        try:
            said = json.loads(self._memory.read_text("utf-8"))
            self._plain = dict(said["plain"])
            for row in said["routes"]:
                up = self._made(row["routespec"], row["target"], row["data"])
                up.meter.sent, up.active = int(row["sent"]), float(row["active"])
                self._routes[up.routespec] = self._sites[up.site] = up
        except (OSError, ValueError, KeyError, TypeError, UnusableRoute):
            return

    def _made(self, routespec: str, target: str, data: Mapping[str, str]) -> Upstream:
        url = urlsplit(target)
        socket = Path(unquote(url.netloc))
        if url.scheme != "http+unix" or socket.name != "http.sock" or not _SESSION.match(socket.parent.name):
            raise UnusableRoute(f"{routespec} does not lead to a session's socket")
        if name := data.get("dashboard"):
            person, project, site, prefix = "", f"dashboard-{name}", f"d-{name}", "/"
        elif data.get("user") and data.get("server_name"):
            person, project = data["user"], data["server_name"]
            site, prefix = self._site_of(person, project), f"/user/{person}/{project}/"
            if routespec != prefix:
                raise UnusableRoute(f"{routespec} is not the route of {prefix}")
        else:
            raise UnusableRoute(f"{routespec} names neither a person's server nor a dashboard")
        return Upstream(
            routespec=routespec,
            target=target,
            data=data,
            site=site,
            person=person,
            project=project,
            session_id=socket.parent.name,
            socket=socket,
            prefix=prefix,
            meter=Meter(budget=self._budget if person else None),
            active=time.time(),
        )


def _iso(moment: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1000):03d}Z"
