"""The port for sessions on other machines: `python -m hub_config.services.remote --state VAR`.

Alone on the network beside the gate. It holds the server's key and no other: not the authority's, no socket
of the gateway but the one where it announces who came.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import socket

from catalog.remote.front import Front
from catalog.remote.tls import Served
from hub_config.settings import Settings, load

BACKLOG = 128  # connections not yet looked at


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    front = Front(Served(settings.state / "remote"), settings.socket("entrance"))
    address = settings.remote_bind, settings.remote_port
    family = socket.AF_INET6 if ":" in settings.remote_bind else socket.AF_INET
    with socket.create_server(address, family=family, backlog=BACKLOG) as listener:
        serving = asyncio.create_task(front.serve(listener))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="The Campus port for sessions on other machines.")
    parser.add_argument("--state", required=True, help="folder that holds all state")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(load({"state": parser.parse_args().state})))


if __name__ == "__main__":
    main()
