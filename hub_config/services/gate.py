"""Entry point of the gate's process: `python -m hub_config.services.gate --state VAR`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal

from access_control.sessions.model import site
from hub_config import settings as configuration
from hub_config.gate import door


async def serve(settings: configuration.Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await door.run(door.build(settings, site), stop)


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="The Campus gate: the one public door.")
    parser.add_argument("--state", required=True, help="folder that holds all state")
    flags = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(configuration.load({"state": flags.state})))


if __name__ == "__main__":
    main()
