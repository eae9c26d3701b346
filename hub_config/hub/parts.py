"""What the hub's classes share, assembled once from the settings. Opens nothing by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from access_control.audit.client import AuditClient
from access_control.database import Database
from access_control.errors import AuditError
from access_control.people.desk import PeopleDesk
from access_control.sessions.desk import SessionsDesk
from catalog.sandbox.launcher import Launcher
from hub_config.gate.client import GateClient
from hub_config.settings import Settings

BROKER_PATIENCE = 15.0  # s


class BrokerAway(Exception):
    """The gateway's broker does not answer, or refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """The broker's admin socket: a line of JSON each way."""

    path: Path

    async def open(self, session_id: str, person: str, project: str) -> None:
        """Make the session's data socket."""
        await self._ask(op="open", session_id=session_id, person=person, project=project)

    async def close(self, session_id: str) -> None:
        """Close the session's data socket and end its queries."""
        await self._ask(op="close", session_id=session_id)

    async def _ask(self, **question: str) -> None:
        try:
            async with asyncio.timeout(BROKER_PATIENCE):
                reader, writer = await asyncio.open_unix_connection(str(self.path))
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
