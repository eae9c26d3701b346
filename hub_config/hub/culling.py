"""Stops sessions in which nobody has done anything for a while; never one that runs a cell.

The gate knows when a person last did something, and asks for running cells before it calls a session idle.
A gate that is away stops nothing.
"""

from __future__ import annotations

import logging
from typing import Any

from hub_config.gate.client import GateAway
from hub_config.hub.parts import Parts

log = logging.getLogger("campus.hub")


async def cull(app: Any, parts: Parts) -> None:
    """Stop every idle session once."""
    try:
        quiet = await parts.gate.idle(parts.settings.session_idle)
    except GateAway:
        return
    for user in list(app.users.values()):
        for name, spawner in list(user.spawners.items()):
            if spawner.ready and not spawner.pending and spawner.session_id in quiet:
                log.info("session %s is idle", spawner.session_id)
                spawner.stop_reason = "idle"
                await app.proxy.delete_user(user, name)
                await user.stop(name)
