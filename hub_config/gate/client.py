"""Speaks to the gate's control socket, for the hub and the dashboards' keeper. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE = aiohttp.ClientTimeout(total=10, sock_connect=2)
LONG = aiohttp.ClientTimeout(total=45, sock_connect=2)  # longer than the gate waits for wanted dashboards


class GateAway(Exception):
    """The gate does not answer; it is restarting or not started yet."""


class GateClient:
    """One connection a call, so a restarted gate is found again."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def routes(self) -> dict[str, dict[str, Any]]:
        """Every route by its routespec."""
        return await self._ask("GET", "/routes")

    async def put(self, routespec: str, target: str, data: Mapping[str, str]) -> None:
        """Add or replace a route."""
        await self._ask("PUT", "/routes", {"routespec": routespec, "target": target, "data": dict(data)})

    async def delete(self, routespec: str) -> None:
        """Forget a route and close its connections."""
        await self._ask("DELETE", "/routes", {"routespec": routespec})

    async def idle(self, limit: float) -> set[str]:
        """Session ids left alone for longer than `limit` [s] and, asked just now, without a running cell."""
        answer = await self._ask("GET", f"/idle?limit={limit}", timeout=LONG)
        return set(answer["sessions"])

    async def wanted(self) -> list[str]:
        """Dashboards somebody waits for; returns empty after half a minute without any."""
        return list((await self._ask("GET", "/wanted", timeout=LONG))["names"])

    async def say(self, dashboard: str, state: str) -> None:
        """Tell visitors how a dashboard that does not run stands."""
        await self._ask("PUT", f"/dashboards/{dashboard}", {"state": state})

    async def _ask(
        self, method: str, path: str, body: object = None, timeout: aiohttp.ClientTimeout = PATIENCE
    ) -> dict[str, Any]:
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.UnixConnector(str(self._socket)), timeout=timeout
                ) as client,
                client.request(method, f"http://gate{path}", json=body) as answer,
            ):
                answer.raise_for_status()
                return dict(await answer.json())
        except (aiohttp.ClientConnectionError, TimeoutError, OSError) as error:
            raise GateAway(f"{method} {path}") from error
