"""Carries HTTP both ways as a stream: to portal and hub as it is, from a sandbox judged and metered."""

from __future__ import annotations

import time

import aiohttp
from aiohttp import web
from yarl import URL

from hub_config.gate import headers
from hub_config.gate.metering import SAVE_CAP
from hub_config.gate.policy import Reason, Rule
from hub_config.gate.upstreams import Upstream

NO_BODY = frozenset({204, 304})


class NotThere(Exception):
    """Nobody listens on the other side."""


class Nonsense(Exception):
    """The other side answered something that is no HTTP."""


class Refused(Exception):
    """The answer may not be passed on."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


async def to_service(
    request: web.BaseRequest, client: aiohttp.ClientSession, host: str
) -> web.StreamResponse:
    """Relay to portal or hub; what they say is trusted.

    Raises
    ------
    NotThere
        The service is restarting.
    """
    asked = headers.to_service(request.headers.items(), host, request.remote or "")
    if request.can_read_body and request.content_length is not None:
        asked.append(("Content-Length", str(request.content_length)))
    try:
        async with client.request(
            request.method,
            URL(f"http://service{request.raw_path}", encoded=True),
            headers=asked,
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as answer:
            out = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in headers.from_service(answer.headers.items()):
                out.headers.add(name, value)
            out.headers.setdefault("X-Content-Type-Options", "nosniff")
            await out.prepare(request)
            if request.method != "HEAD" and answer.status not in NO_BODY:
                async for chunk in answer.content.iter_any():
                    await out.write(chunk)
            await out.write_eof()
            return out
    except (aiohttp.ClientConnectionError, OSError) as error:
        raise NotThere from error


async def to_sandbox(
    request: web.BaseRequest,
    upstream: Upstream,
    rule: Rule,
    person: tuple[str, str],
    guards: dict[str, str],
) -> tuple[web.StreamResponse, int]:
    """Relay to a sandbox; nothing it says is trusted. Returns the answer and its body's size [bytes].

    Raises
    ------
    NotThere, Nonsense
        The sandbox is gone, or does not speak HTTP.
    Refused
        The answer is larger than the route or the budget allows, and nothing was sent yet.
    """
    asked = headers.into_sandbox(request.headers.items(), *person)
    if request.can_read_body and request.content_length is not None:
        asked["Content-Length"] = str(request.content_length)
    try:
        async with upstream.http().request(
            request.method,
            URL(f"http://sandbox{request.raw_path}", encoded=True),  # as judged: not one byte rewritten
            headers=asked,
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent",),
        ) as answer:
            return await _judged(request, answer, upstream, rule, guards)
    except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, FileNotFoundError) as error:
        raise NotThere from error
    except aiohttp.ClientError as error:
        raise Nonsense from error


async def _judged(
    request: web.BaseRequest,
    answer: aiohttp.ClientResponse,
    upstream: Upstream,
    rule: Rule,
    guards: dict[str, str],
) -> tuple[web.StreamResponse, int]:
    if not 200 <= answer.status < 600:
        raise Nonsense
    saves = rule.saves and upstream.meter.spent
    cap = min(rule.cap, SAVE_CAP) if saves else rule.cap
    told = answer.content_length
    if told is not None and told > cap and request.method != "HEAD":
        raise Refused(Reason.SIZE)
    if told is not None and not upstream.meter.fits(told, saves=saves):
        raise Refused(Reason.BUDGET)
    out = web.StreamResponse(status=answer.status)
    out.headers.update(headers.out_of_sandbox(answer.headers.items(), upstream.prefix))
    out.headers.update(guards)
    out.headers["Cache-Control"] = "no-store"
    if request.method == "HEAD" or answer.status in NO_BODY:
        await out.prepare(request)
        await out.write_eof()
        return out, 0
    sent = 0
    async for chunk in answer.content.iter_any():
        if sent + len(chunk) > cap:
            raise _cut(out, Reason.SIZE)
        if not upstream.meter.take(len(chunk), saves=saves):
            raise _cut(out, Reason.BUDGET)
        if not out.prepared:
            if told is not None:
                out.content_length = told
            await out.prepare(request)
        sent += len(chunk)
        await out.write(chunk)
    if not out.prepared:
        await out.prepare(request)
    await out.write_eof()
    return out, sent


def _cut(out: web.StreamResponse, reason: Reason) -> Exception:
    """Nothing sent yet: say why. Else break the connection, so the browser sees it is not whole."""
    return ConnectionResetError(reason) if out.prepared else Refused(reason)


def milliseconds(since: float) -> int:
    """Time since a `time.monotonic()` [ms]."""
    return round((time.monotonic() - since) * 1000)
