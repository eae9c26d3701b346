"""How each starting session stands, followed once over the hub's progress stream. Knows no page and no rule.

Many browsers may look at the same start; the hub is asked once, since polling its API slows every start down.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from access_control.portal.hub_client import HubClient, HubError

log = logging.getLogger(__name__)

LONGEST_START = 180  # [s]


class Phase(StrEnum):
    """Where a start stands."""

    IDLE = "idle"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Start:
    """One look at a start."""

    phase: Phase
    percent: int


NOT_STARTED = Start(Phase.IDLE, 0)


class StartBoard:
    """The starts of this process; after a restart of the portal the hub is asked again."""

    def __init__(self, hub: HubClient) -> None:
        self._hub = hub
        self._seen: dict[str, Start] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def follow(self, site: str, person: str, project: str) -> None:
        """Follow the start of this server; it was asked for just now."""
        if site in self._tasks:
            return
        self._seen[site] = Start(Phase.STARTING, 0)
        task = asyncio.create_task(self._watch(site, person, project))
        self._tasks[site] = task
        task.add_done_callback(lambda _: self._tasks.pop(site, None))

    async def look(self, site: str, person: str, project: str) -> Start:
        """How the start stands now.

        Raises
        ------
        HubUnavailable
            This process does not follow that start and the hub cannot be asked.
        """
        seen = self._seen.get(site, NOT_STARTED)
        if site in self._tasks or seen.phase is Phase.FAILED:
            return seen
        state = await self._hub.state(person, project)
        if state.ready:
            return Start(Phase.READY, 100)
        if state.pending == "spawn":
            self.follow(site, person, project)
            return self._seen[site]
        self._seen.pop(site, None)
        return NOT_STARTED

    def forget(self, site: str) -> None:
        """The session is stopped or started anew: what was seen is over."""
        self._seen.pop(site, None)

    async def close(self) -> None:
        """Stop following."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self, site: str, person: str, project: str) -> None:
        try:
            async with asyncio.timeout(LONGEST_START):
                async for step in self._hub.progress(person, project):
                    if step.failed:
                        self._seen[site] = Start(Phase.FAILED, step.percent)
                        return
                    phase = Phase.READY if step.ready else Phase.STARTING
                    self._seen[site] = Start(phase, step.percent)
        except (HubError, TimeoutError) as error:
            log.warning("a start could not be followed: %s", type(error).__name__)
            self._seen[site] = Start(Phase.FAILED, self._seen.get(site, NOT_STARTED).percent)
