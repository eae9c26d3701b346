"""JupyterHub with the watches that belong to it: idle and lost sessions, dashboards, a returning gate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from jupyterhub.app import JupyterHub

from hub_config.dashboards.keeper import Keeper
from hub_config.hub.culling import cull
from hub_config.hub.parts import Parts
from hub_config.hub.sandboxes import end_sandbox

log = logging.getLogger("campus.hub")


class CampusHub(JupyterHub):  # type: ignore[misc]
    """The hub of one installation; `parts` is set by the configuration."""

    name = "jupyterhub"
    parts: Parts

    async def start(self) -> None:
        """Start the hub, then its watches."""
        await super().start()
        parts = self.proxy.parts
        await self._settle(parts)
        keeper = Keeper(parts, self._gate_is_back)
        every = max(1.0, min(30.0, parts.settings.session_idle / 4))
        self._watches = [
            asyncio.create_task(keeper.run()),
            asyncio.create_task(_repeat(every, lambda: cull(self, parts))),
            asyncio.create_task(_repeat(every, keeper.cull)),
        ]

    async def _settle(self, parts: Parts) -> None:
        """Close sessions that no server of this hub stands for any more."""
        known = {s.session_id for u in self.users.values() for s in u.spawners.values()}
        for session in await asyncio.to_thread(parts.sessions.live):
            if session.person and session.session_id not in known:
                await end_sandbox(parts, session.session_id, f"session-{session.session_id}", "lost")

    async def _gate_is_back(self) -> None:
        await self.proxy.check_routes(self.users, self._service_map)


async def _repeat(seconds: float, work: Callable[[], Awaitable[Any]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as error:  # a watch outlives one failure; the next round tries again
            log.warning("a watch failed: %s", type(error).__name__, exc_info=error)
