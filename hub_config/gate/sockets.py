"""Carries WebSocket messages both ways, metered; pings are answered on each side and count as nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web
from yarl import URL

from hub_config.gate import headers
from hub_config.gate.policy import Rule
from hub_config.gate.relay import Nonsense, NotThere
from hub_config.gate.upstreams import Upstream

INWARD_CAP = 16 << 20  # bytes of one message from a browser
HEARTBEAT = 30.0  # s between pings to the browser


@dataclass(slots=True, kw_only=True)
class Carried:
    """What went through: bytes each way, and whether the budget ended it."""

    outward: int = 0
    inward: int = 0
    spent: bool = False


async def carry(
    request: web.BaseRequest, upstream: Upstream, rule: Rule, person: tuple[str, str]
) -> tuple[web.WebSocketResponse, Carried]:
    """Open the sandbox's WebSocket, then the browser's with the same subprotocol, and pass messages on.

    Raises
    ------
    NotThere, Nonsense
        The sandbox is gone, or refused the handshake; the browser's side is not open then.
    """
    offered = _protocols(request.headers.getall("Sec-WebSocket-Protocol", []))
    try:
        inner = await upstream.http().ws_connect(
            URL(f"http://sandbox{request.raw_path}", encoded=True),
            headers=headers.into_sandbox((), *person),
            protocols=offered,
            max_msg_size=rule.cap,
            compress=0,
        )
    except aiohttp.WSServerHandshakeError as error:
        raise Nonsense from error
    except (aiohttp.ClientConnectionError, OSError) as error:
        raise NotThere from error
    if inner.protocol is not None and inner.protocol not in offered:
        await inner.close()
        raise Nonsense
    outer = web.WebSocketResponse(
        protocols=[inner.protocol] if inner.protocol else [],
        max_msg_size=INWARD_CAP,
        heartbeat=HEARTBEAT,
        compress=False,
    )
    carried = Carried()
    await outer.prepare(request)
    upstream.open.add(outer)
    ways = [
        asyncio.create_task(_outward(inner, outer, upstream, carried)),
        asyncio.create_task(_inward(outer, inner, upstream, carried)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        upstream.open.discard(outer)
        await inner.close()
        if not outer.closed:
            code = WSCloseCode.POLICY_VIOLATION if carried.spent else WSCloseCode.GOING_AWAY
            await outer.close(code=code, message=b"budget" if carried.spent else b"session closed")
    return outer, carried


async def _outward(
    inner: aiohttp.ClientWebSocketResponse, outer: web.WebSocketResponse, upstream: Upstream, carried: Carried
) -> None:
    async for message in inner:
        if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
            return
        data = message.data.encode() if message.type is WSMsgType.TEXT else message.data
        if not upstream.meter.take(len(data)):
            carried.spent = True
            return
        carried.outward += len(data)
        await outer.send_frame(data, message.type)


async def _inward(
    outer: web.WebSocketResponse, inner: aiohttp.ClientWebSocketResponse, upstream: Upstream, carried: Carried
) -> None:
    async for message in outer:
        if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
            return
        data = message.data.encode() if message.type is WSMsgType.TEXT else message.data
        carried.inward += len(data)
        upstream.seen()
        await inner.send_frame(data, message.type)


def _protocols(values: list[str]) -> list[str]:
    return [name for value in values for part in value.split(",") if (name := part.strip())]
