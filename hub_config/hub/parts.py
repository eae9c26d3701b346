"""What the hub's classes share, assembled once from the settings. Opens nothing by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from access_control.audit.client import AuditClient
from access_control.database import Database
from access_control.errors import AuditError
from access_control.people.desk import PeopleDesk
from access_control.sessions.desk import SessionsDesk
from catalog.sandbox.launcher import Launcher, OpenVersion
from hub_config.gate.client import GateClient
from hub_config.settings import Settings

BROKER_PATIENCE = 15.0  # s
LONGEST_ANSWER = 1 << 20  # bytes: five hundred open versions fit


class BrokerAway(Exception):
    """The gateway's broker does not answer, or refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """The broker's admin socket: a line of JSON each way."""

    path: Path

    async def open(self, session_id: str, person: str, project: str) -> tuple[OpenVersion, ...]:
        """Make the session's data socket; answers the open versions to mount, which are on record then."""
        answer = await self._ask(op="open", session_id=session_id, person=person, project=project)
        try:
            return tuple((str(d), str(v), str(n), str(name)) for d, v, n, name in answer.get("open", ()))
        except (TypeError, ValueError) as error:
            raise BrokerAway("open") from error

    async def close(self, session_id: str) -> None:
        """Close the session's data socket and end its queries."""
        await self._ask(op="close", session_id=session_id)

    async def _ask(self, **question: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(BROKER_PATIENCE):
                reader, writer = await asyncio.open_unix_connection(str(self.path), limit=LONGEST_ANSWER)
                try:
                    writer.write(json.dumps(question).encode() + b"\n")
                    await writer.drain()
                    answer = json.loads(await reader.readline())
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError) as error:
            raise BrokerAway(question["op"]) from error
        if not isinstance(answer, dict) or answer.get("error") or answer.get("ok") is False:
            raise BrokerAway(question["op"])
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The desks and the wires of one installation."""

    settings: Settings
    people: PeopleDesk
    sessions: SessionsDesk
    launcher: Launcher
    broker: Broker
    gate: GateClient


def parts_of(settings: Settings) -> Parts:
    """Everything, from the settings."""
    db = Database(settings.access_url, AuditClient(settings.socket("audit")))
    with contextlib.suppress(AuditError):  # the next change tries again
        db.relay_leftovers()
    return Parts(
        settings=settings,
        people=PeopleDesk(db),
        sessions=SessionsDesk(db),
        launcher=Launcher(settings.socket("launcher")),
        broker=Broker(path=settings.socket("gateway")),
        gate=GateClient(settings.socket("gate")),
    )


def now() -> datetime:
    """This moment; the hub is an edge, so it may look at the clock."""
    return datetime.now(UTC)
