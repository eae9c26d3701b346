"""Health and counters for a monitor on this machine: `python -m hub_config.services.health`. Changes nothing.

`/health` asks every service the way its users do; `/metrics` is the gateway's counters and whether each
service answers, as Prometheus text. Neither names a person, a session, a dataset or a statement.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import socket
from typing import Final

from aiohttp import web

from hub_config.settings import Settings, load
from hub_config.up.ready import answers

ADDRESS: Final = "127.0.0.1"  # sessions have no network and other machines no way here
PATIENCE: Final = 5.0  # [s]
ASKED: Final = ("launcher", "audit", "gateway", "portal", "hub", "gate")
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def counters(settings: Settings) -> str:
    """The gateway's counters as Prometheus text.

    Raises
    ------
    OSError
        It does not answer, or this user may not ask it.
    ValueError
        It said something else.
    """
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(str(settings.socket("gateway")))
        peer.sendall(b'{"op": "metrics"}\n')
        with peer.makefile("rb") as stream:
            said = json.loads(stream.readline())
    if not isinstance(said, dict) or not isinstance(said.get("text"), str):
        raise ValueError("no counters")
    return str(said["text"])


class Health:
    """The two pages of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def app(self) -> web.Application:
        """Its routes."""
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        """200 where everything answers, 503 otherwise; the body says what does not."""
        up = await self._up()
        return web.json_response(
            {"ok": all(up.values()), "services": up}, status=200 if all(up.values()) else 503
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        up = await self._up()
        lines = ["# HELP campus_up Whether a service answers.", "# TYPE campus_up gauge"]
        lines += [f'campus_up{{service="{name}"}} {int(works)}' for name, works in up.items()]
        text = ""
        if up["gateway"]:
            try:
                text = await asyncio.to_thread(counters, self._settings)
            except (OSError, ValueError):
                logging.getLogger(__name__).warning("the gateway gave no counters", exc_info=True)
        return web.Response(text=text + "\n".join(lines) + "\n", headers={"Content-Type": TEXT})

    async def _up(self) -> dict[str, bool]:
        asked = (asyncio.to_thread(answers, self._settings, name) for name in ASKED)
        return dict(zip(ASKED, await asyncio.gather(*asked), strict=True))


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(Health(settings).app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, ADDRESS, settings.health_port, reuse_address=True).start()
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="Health and counters of Campus, on this machine.")
    parser.add_argument("--state", required=True, help="folder that holds all state")
    settings = load({"state": parser.parse_args().state})
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
