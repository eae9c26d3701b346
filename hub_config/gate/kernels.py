"""Asks a session, over its own socket, whether a cell runs. Believes a yes; stops nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable

import aiohttp

from hub_config.gate.headers import into_sandbox
from hub_config.gate.upstreams import Upstream

KERNEL_PATIENCE = aiohttp.ClientTimeout(total=10, sock_connect=2)
MOST_KERNELS = 256 << 10  # bytes of an answer about kernels


async def busy(upstream: Upstream) -> bool:
    """Whether a kernel runs something; a server too loaded to answer counts as running."""
    asked = into_sandbox((), "gate", "gate")
    url = f"http://sandbox{upstream.prefix}api/kernels"
    try:
        async with upstream.http().get(url, headers=asked, timeout=KERNEL_PATIENCE) as answer:
            raw = await answer.content.read(MOST_KERNELS)
            kernels = await asyncio.to_thread(_kernels, raw)
            return any(k.get("execution_state") in {"busy", "starting"} for k in kernels)
    except TimeoutError:
        return True
    except (aiohttp.ClientError, OSError, ValueError):
        return False


def _kernels(raw: bytes) -> list[dict[str, object]]:
    said = json.loads(raw)
    return [k for k in said if isinstance(k, dict)] if isinstance(said, list) else []


async def idle(upstreams: Iterable[Upstream], limit: float) -> list[str]:
    """Ids left alone for longer than `limit` [s] and, asked just now, without a running cell."""
    quiet = [up for up in upstreams if time.time() - up.active > limit]
    running = await asyncio.gather(*(busy(up) for up in quiet if up.person))
    for up, runs in zip([up for up in quiet if up.person], running, strict=True):
        if runs:
            up.seen()
    return [up.session_id for up in quiet if time.time() - up.active > limit]
