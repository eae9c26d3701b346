"""Opens a sandbox in order and ends it in order: desk, data socket, sandbox, answer; then the opposite.

1. The desk admits and names the session.  2. The broker makes its data socket and records which open data it
will have mounted.  3. The launcher starts the sandbox.  4. It answers on its own socket.  5. The desk records
that it started.
A step that fails undoes those before it, and the desk keeps the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp

from access_control.errors import AccessError
from catalog.sandbox.errors import LauncherError
from catalog.sandbox.launcher import GONE, OpenVersion
from hub_config.gate.headers import IDENTITY
from hub_config.hub.parts import BrokerAway, Parts, now

log = logging.getLogger("campus.hub")

READY_WITHIN = 60.0  # s: the first start of a machine compiles and builds caches
ASK_EVERY = 0.05  # s
GRACE = 5.0  # s a sandbox has to end by itself


class NotStarted(Exception):
    """A sandbox could not be started; the reason is kept with the session."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A sandbox that answers."""

    session_id: str
    sandbox_id: str


async def open_sandbox(parts: Parts, person: str, project: str, prefix: str) -> Opened:
    """Open a session, or a dashboard where `person` is empty.

    Raises
    ------
    Denied
        The desk says no.
    NotStarted
        A later step failed; everything before it is undone.
    """
    session = await asyncio.to_thread(parts.sessions.open, person, project, now())
    sandbox = ""
    try:
        opened = await parts.broker.open(session.session_id, person, project)
        sandbox = await asyncio.to_thread(_launch, parts, session.session_id, person, project, prefix, opened)
        await _answers(parts, session.session_id, sandbox, prefix)
        await asyncio.to_thread(parts.sessions.started, session.session_id, now())
    except (AccessError, BrokerAway, LauncherError, NotStarted) as error:
        reason = getattr(error, "reason", "gateway-unavailable")
        log.warning("session %s did not start: %s", session.session_id, reason)
        await end_sandbox(parts, session.session_id, sandbox, f"not-started: {reason}")
        raise NotStarted(str(reason), str(error)) from error
    except asyncio.CancelledError:
        await end_sandbox(parts, session.session_id, sandbox, "not-started: given up")
        raise
    return Opened(session_id=session.session_id, sandbox_id=sandbox)


async def end_sandbox(parts: Parts, session_id: str, sandbox_id: str, reason: str) -> None:
    """Stop a sandbox, close its data socket and record why; every step is tried."""
    if sandbox_id:
        try:
            await asyncio.to_thread(parts.launcher.stop, sandbox_id, GRACE)
        except LauncherError as error:
            log.warning("sandbox of %s: %s", session_id, error.reason)
    with contextlib.suppress(BrokerAway):
        await parts.broker.close(session_id)
    try:
        await asyncio.to_thread(parts.sessions.stopped, session_id, reason, now())
    except AccessError as error:
        log.warning("session %s is not recorded as stopped: %s", session_id, error.reason)


async def gone(parts: Parts, sandbox_id: str) -> bool:
    """Whether a sandbox has ended; a launcher that does not answer says nothing about it."""
    try:
        status = await asyncio.to_thread(parts.launcher.status, sandbox_id)
    except LauncherError:
        return False
    return status == GONE or status is not None


def socket_of(parts: Parts, session_id: str) -> Path:
    """Where a sandbox listens."""
    return parts.settings.run / "sessions" / session_id / "http.sock"


def target_of(parts: Parts, session_id: str) -> str:
    """The sandbox's address as hub and gate write it."""
    return f"http+unix://{quote(str(socket_of(parts, session_id)), safe='')}"


def _launch(
    parts: Parts,
    session_id: str,
    person: str,
    project: str,
    prefix: str,
    opened: Sequence[OpenVersion],
) -> str:
    if not person:
        name = project.removeprefix("dashboard-")
        return parts.launcher.start_dashboard(session_id, name, prefix, opened).sandbox_id
    known = parts.people.person(person)
    if known is None:
        raise NotStarted("person-unknown", person)
    uid = parts.settings.uid_base + known.number
    parts.launcher.prepare_home(person, project, uid)
    return parts.launcher.start_session(session_id, person, project, uid, prefix, opened).sandbox_id


async def _answers(parts: Parts, session_id: str, sandbox_id: str, prefix: str) -> None:
    path = "api" if prefix.startswith("/user/") else "voila/static/voila.js"
    headers = {IDENTITY: json.dumps({"name": "hub", "display": "hub"})}
    try:
        async with asyncio.timeout(READY_WITHIN):
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with (
                        aiohttp.ClientSession(
                            connector=aiohttp.UnixConnector(str(socket_of(parts, session_id)))
                        ) as client,
                        client.get(f"http://sandbox{prefix}{path}", headers=headers) as answer,
                    ):
                        if answer.status < 500:
                            return
                if await gone(parts, sandbox_id):
                    raise NotStarted("sandbox-died", "the sandbox ended while starting")
                await asyncio.sleep(ASK_EVERY)
    except TimeoutError as error:
        raise NotStarted("sandbox-slow", f"no answer within {READY_WITHIN:.0f} s") from error
