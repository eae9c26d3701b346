"""Starts the services in order, each within its walls, watches and stops them. Knows no page, no person."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from dataclasses import dataclass

from catalog.sandbox.errors import SandboxError
from catalog.sandbox.isolation import Isolation
from catalog.sandbox.process import Running, start
from hub_config.launcher.profiles import service
from hub_config.settings import Settings
from hub_config.up.ready import answers, forget_socket
from hub_config.up.state import CannotStart

log = logging.getLogger("campus.up")

LOOK = 30.0  # s between two looks at a service of which nothing is heard
READY_WITHIN = 60.0  # s: first starts compile bytecode on slow disks
STOP_WITHIN = 10.0  # s: then it is killed
FIRST_BACKOFF, LONGEST_BACKOFF = 0.25, 8.0  # s: doubles while a service does not stay
CALM = 5.0  # s: a service that ran this long stays; above all, it has answered


@dataclass(slots=True)
class Service:
    """One service process and how often it had to be started."""

    name: str
    running: Running | None = None
    restarts: int = 0
    began: float = 0.0


class Supervisor:
    """The services of one machine.

    The launcher starts first, since the others ask it for sandboxes; the audit log second, since nobody
    may act without it; the gate last, since it lets people in. They stop in the opposite order.
    """

    def __init__(self, settings: Settings, isolation: Isolation) -> None:
        self._settings = settings
        self._isolation = isolation
        self._stopping = asyncio.Event()
        self._services: list[Service] = []
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self, *names: str) -> None:
        """Start services side by side and return when each answers.

        Raises
        ------
        CannotStart
            One ended, or did not answer in time; names its log.
        """
        fresh = [Service(name=name) for name in names]
        self._services += fresh
        for one in fresh:
            self._begin(one)
        await asyncio.gather(*(self._until_ready(one) for one in fresh))
        self._watchers += [asyncio.create_task(self._watch(one)) for one in fresh]

    def listen_for_signals(self) -> None:
        """From now on Ctrl-C and SIGTERM stop everything in order, also while it starts."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stopping.set)

    async def until_stopped(self) -> None:
        """Wait for Ctrl-C or SIGTERM."""
        await self._stopping.wait()

    async def stop(self) -> None:
        """Stop everything, last started first; no socket stays."""
        self._stopping.set()
        for watcher in self._watchers:
            watcher.cancel()
        for one in reversed(self._services):
            if one.running is not None and one.running.poll() is None:
                await asyncio.to_thread(one.running.stop, STOP_WITHIN)
            forget_socket(self._settings, one.name)

    def _begin(self, one: Service) -> None:
        """Start one; in the main thread, since a sandbox dies with the thread that started it."""
        one.began = time.monotonic()
        forget_socket(self._settings, one.name)
        one.running = start(service(self._settings, self._isolation, one.name), self._isolation)
        self._write_down()

    async def _until_ready(self, one: Service) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not await asyncio.to_thread(answers, self._settings, one.name):
            if self._stopping.is_set():
                raise CannotStart("시작을 멈췄습니다.", "stopped while starting.")
            if one.running is None or one.running.poll() is not None or time.monotonic() > deadline:
                written = self._settings.state / "logs" / f"{one.name}.log"
                raise CannotStart(
                    f"{one.name} 서비스가 시작되지 않았습니다. {written} 를 보세요.",
                    f"the {one.name} service did not start; see {written}.",
                )
            await asyncio.sleep(0.05)

    async def _watch(self, one: Service) -> None:
        while not self._stopping.is_set():
            running = one.running
            if running is not None and running.poll() is None:
                await _end_of(running)
                continue
            calm = time.monotonic() - one.began > CALM
            one.restarts = 0 if calm else one.restarts + 1
            pause = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (one.restarts - 1)) if one.restarts else 0.0
            log.warning("%s ended; starting it again in %g s (%d)", one.name, pause, one.restarts)
            await asyncio.sleep(pause)
            with contextlib.suppress(OSError, SandboxError):
                self._begin(one)

    def _write_down(self) -> None:
        """Which process serves what, for people and tests that look."""
        lines = [f"{s.name} {s.running.pid}\n" for s in self._services if s.running is not None]
        (self._settings.run / "services").write_text("".join(lines), "utf-8")


async def _end_of(running: Running) -> None:
    """Wait until a process has ended (pidfd_open(2)), or for a while."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    try:
        fd = os.pidfd_open(running.pid)
    except ProcessLookupError:
        return
    loop.add_reader(fd, ended.set)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), LOOK)
    finally:
        loop.remove_reader(fd)
        os.close(fd)
