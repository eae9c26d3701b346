"""Runs dashboards while somebody looks at them: starts one on the first visit, stops it when left alone.

The gate shows the pages; the keeper is told which dashboards are wanted and tells it where they listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable

from access_control.errors import AccessError
from hub_config.dashboards.load import load_all
from hub_config.gate.client import GateAway
from hub_config.hub.parts import Parts
from hub_config.hub.sandboxes import NotStarted, Opened, end_sandbox, gone, open_sandbox, target_of

log = logging.getLogger("campus.dashboards")

IDLE = 900  # s without a visitor doing anything
AGAIN_AFTER = 30.0  # s between attempts of a dashboard that does not start
AWAY_PAUSE = 0.5  # s


class Keeper:
    """The dashboards of one installation.

    Parameters
    ----------
    gate_is_back
        Called when the gate answers after it did not.
    """

    def __init__(self, parts: Parts, gate_is_back: Callable[[], Awaitable[None]], idle: float = IDLE) -> None:
        self._parts = parts
        self._gate_is_back = gate_is_back
        self._idle = idle
        self._memory = parts.settings.state / "hub" / "dashboards.json"
        self._running: dict[str, Opened] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, float] = {}

    async def run(self) -> None:
        """Until cancelled: start what is wanted."""
        await self._adopt()
        away = True
        while True:
            try:
                if away:
                    await self._parts.gate.routes()
                    await self._settle()
                    away = False
                for name in await self._parts.gate.wanted():
                    if name not in self._starting:
                        self._starting[name] = asyncio.create_task(self._start(name))
            except GateAway:
                away = True
                await asyncio.sleep(AWAY_PAUSE)
            except Exception as error:  # the keeper outlives one bad answer
                log.warning("the keeper stumbled: %s", type(error).__name__, exc_info=error)
                away = True
                await asyncio.sleep(AWAY_PAUSE)

    async def cull(self) -> None:
        """Stop what was left alone; tidy up after what ended by itself."""
        quiet: set[str] = set()
        with contextlib.suppress(GateAway):
            quiet = await self._parts.gate.idle(self._idle)
        for name, opened in list(self._running.items()):
            if await gone(self._parts, opened.sandbox_id):
                await self._end(name, "died")
            elif opened.session_id in quiet:
                await self._end(name, "idle")

    async def _start(self, name: str) -> None:
        try:
            boards = load_all(self._parts.settings.repo / "notebooks" / "dashboards")
            if name not in boards:
                await self._parts.gate.say(name, "unknown")
                return
            if name in self._running:
                if not await gone(self._parts, self._running[name].sandbox_id):
                    await self._tell(name)
                    return
                await self._end(name, "died")
            if time.monotonic() - self._failed.get(name, -AGAIN_AFTER) < AGAIN_AFTER:
                return
            self._running[name] = await open_sandbox(self._parts, "", f"dashboard-{name}", "/")
            self._remember()
            await self._tell(name)
        except (AccessError, NotStarted) as error:
            log.warning("dashboard %s did not start: %s", name, error)
            self._failed[name] = time.monotonic()
            with contextlib.suppress(GateAway):
                await self._parts.gate.say(name, "failed")
        except GateAway:
            log.warning("the gate is away; it is told of %s when it is back", name)
        finally:
            self._starting.pop(name, None)

    async def _end(self, name: str, reason: str) -> None:
        opened = self._running.pop(name)
        self._remember()
        with contextlib.suppress(GateAway):
            await self._parts.gate.delete(_routespec(name))
        await end_sandbox(self._parts, opened.session_id, opened.sandbox_id, reason)

    async def _tell(self, name: str) -> None:
        target = target_of(self._parts, self._running[name].session_id)
        await self._parts.gate.put(_routespec(name), target, {"dashboard": name})

    async def _settle(self) -> None:
        """Bring the gate's table in line with what runs."""
        routes = await self._parts.gate.routes()
        for route in routes.values():
            name = route["data"].get("dashboard")
            if name and name not in self._running:
                await self._parts.gate.delete(_routespec(name))
        for name in list(self._running):
            await self._tell(name)
        await self._gate_is_back()

    async def _adopt(self) -> None:
        """Take over what an earlier hub left running; end what nobody remembers."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            for name, (session, sandbox) in json.loads(self._memory.read_text("utf-8")).items():
                if not await gone(self._parts, sandbox):
                    self._running[name] = Opened(session_id=session, sandbox_id=sandbox)
        known = {opened.session_id for opened in self._running.values()}
        for session in await asyncio.to_thread(self._parts.sessions.live):
            if not session.person and session.session_id not in known:
                sandbox = f"dashboard-{session.session_id}"
                await end_sandbox(self._parts, session.session_id, sandbox, "lost")

    def _remember(self) -> None:
        rows = {name: [o.session_id, o.sandbox_id] for name, o in self._running.items()}
        fresh = self._memory.with_suffix(".new")
        fresh.write_text(json.dumps(rows), "utf-8")
        fresh.replace(self._memory)


def _routespec(name: str) -> str:
    return f"/dashboards/{name}/"
