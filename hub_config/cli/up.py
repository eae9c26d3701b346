"""`campus up`: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import logging
import sys
import tempfile
from pathlib import Path

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
            asyncio.run(_up(settings, isolation))
            _leave_nothing(settings)
        return 0
    except CatalogError as error:
        sys.stderr.write(f"campus: {error.ko}\n        {error.en}\n")
    except state.CannotStart as error:
        sys.stderr.write(f"campus: {error}\n")
    return 1


async def _up(settings: Settings, isolation: Isolation) -> None:
    progress = Progress()
    supervisor = Supervisor(settings, isolation)
    supervisor.listen_for_signals()
    try:
        progress.step("audit")
        await supervisor.start("launcher", "audit")
        prepared: dict[str, object] = {}
        async for said in run_once(settings, isolation, "prepare"):
            if "step" in said:
                progress.step(str(said["step"]), str(said.get("name", "")))
            else:
                prepared = said
        progress.step("services")
        await supervisor.start("gateway", "portal", "hub")
        progress.step("gate")
        await supervisor.start("gate")
        setup = prepared.get("setup")
        links = prepared.get("demo") or []
        assert isinstance(links, list)
        progress.done(settings.url, str(setup) if setup else None, links, isolation.mode.value)
        await supervisor.until_stopped()
    finally:
        await supervisor.stop()


def _leave_nothing(settings: Settings) -> None:
    """Sockets outside the state folder go with the product."""
    if not settings.run.is_relative_to(settings.state) and settings.run.is_relative_to(
        Path(tempfile.gettempdir())
    ):
        for path in sorted(settings.run.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        settings.run.rmdir()
