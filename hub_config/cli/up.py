"""`campus up`: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import logging
import sys

from catalog.errors import CatalogError
from catalog.sandbox.isolation import Isolation, choose
from hub_config.launcher.places import service_uid
from hub_config.settings import Settings
from hub_config.up import state
from hub_config.up.once import run_once
from hub_config.up.progress import Progress
from hub_config.up.supervisor import Supervisor


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Start, wait, stop; 1 where it cannot start here, with the reason."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    try:
        isolation = choose(settings.isolation)
        settings = dataclasses.replace(settings, isolation=isolation.mode.value)
        state.check_port(settings)
        state.prepare(settings, service_uid(settings, isolation))
        with state.lock(settings):
            try:
                asyncio.run(_up(settings, isolation))
            finally:
                state.leave_no_sockets(settings)
        return 0
    except KeyboardInterrupt:  # before anything was started
        return 0
    except CatalogError as error:
        sys.stderr.write(f"campus: {error.ko}\n        {error.en}\n")
    except state.CannotStart as error:
        sys.stderr.write(f"campus: {error}\n")
    return 1


SIGNAL_LAG = 0.3  # s


async def _up(settings: Settings, isolation: Isolation) -> None:
    """Start and wait; a signal ends both, also in the middle of the start."""
    supervisor = Supervisor(settings, isolation)
    supervisor.listen_for_signals()
    starting = asyncio.create_task(_start(settings, isolation, supervisor))
    stopped = asyncio.create_task(supervisor.until_stopped())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done() and starting.exception() is not None:
            # a signal to the whole group may end a half-built sandbox before the loop hears of it here
            await asyncio.wait({stopped}, timeout=SIGNAL_LAG)
        if not stopped.done():
            starting.result()
            await stopped
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        stopped.cancel()
        await supervisor.stop()


async def _start(settings: Settings, isolation: Isolation, supervisor: Supervisor) -> None:
    progress = Progress()
    progress.step("audit")
    await supervisor.start("launcher", "audit")
    prepared: dict[str, object] = {}
    async with contextlib.aclosing(run_once(settings, isolation, "prepare")) as saying:
        async for said in saying:
            if "step" in said:
                progress.step(str(said["step"]), str(said.get("name", "")))
            else:
                prepared = said
    progress.step("services")
    await supervisor.start("gateway", "portal", "hub")
    progress.step("gate")
    await supervisor.start("gate", *(["health"] if settings.health_port else []))
    if settings.remote_port:
        await _start_remote(settings, isolation, supervisor)
    setup = prepared.get("setup")
    links = prepared.get("demo") or []
    assert isinstance(links, list)
    progress.done(settings.url, str(setup) if setup else None, links, isolation.mode.value)


async def _start_remote(settings: Settings, isolation: Isolation, supervisor: Supervisor) -> None:
    """The door for other machines, once the server has a certificate."""
    async with contextlib.aclosing(run_once(settings, isolation, "certify", ("ensure",))) as saying:
        async for said in saying:
            match said:
                case {"refused": {"ko": str(ko), "en": str(en)}}:
                    raise state.CannotStart(ko, en)
    await supervisor.start("remote")
