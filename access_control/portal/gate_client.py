"""Tells the gate that somebody signed out, over its control socket. Knows no page and no rule."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiohttp

log = logging.getLogger(__name__)

PATIENCE: Final = aiohttp.ClientTimeout(total=3)  # [s]


class GateClient:
    """The gate's control socket; a gate that is away has nobody inside to send out."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def signed_out(self, person: str) -> bool:
        """Make the person's sign-ons at every session's origin worthless; whether the gate heard it."""
        connector = aiohttp.UnixConnector(str(self._socket))
        url = f"http://gate/sign-ons/{quote(person, safe='')}"
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session,
                session.delete(url) as response,
            ):
                heard = response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the gate was not told of a sign-out: %s", type(error).__name__)
            return False
        if not heard:
            log.warning("the gate did not take a sign-out: %s", response.status)
        return heard
