"""The client for asyncio: one connection, any number of tasks waiting. Knows the wire, not the log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import Any

from access_control.audit import protocol
from access_control.audit.client import ANSWER_SECONDS, FIRST_PAUSE, LONGEST_PAUSE, PATIENCE
from access_control.audit.event import AuditEvent
from access_control.errors import AuditError, AuditUnavailable


class AsyncAuditClient:
    """Records events from one event loop. An event sent again is recorded once, by its identifier."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self._path = path
        self._patience = patience
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._connecting = asyncio.Lock()
        self._out: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def append(self, event: AuditEvent) -> int:
        """Record one event; durable when it returns its sequence number.

        Raises
        ------
        AuditUnavailable
            The writer was away for `patience` seconds.
        AuditRefused
            The writer will not take it.
        """
        return int((await self._ask(event=event))["seq"])

    async def ping(self) -> None:
        """Return when the writer can take events.

        Raises
        ------
        AuditUnavailable, AuditRefused
            It cannot.
        """
        await self._ask(event=None)

    async def close(self) -> None:
        """Hang up; whoever still waits is told."""
        self._drop()
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None

    async def _ask(self, *, event: AuditEvent | None) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        while True:
            try:
                answer = await asyncio.wait_for(self._once(event), ANSWER_SECONDS)
            except (OSError, TimeoutError) as error:
                if time.monotonic() + pause > deadline:
                    raise AuditUnavailable("audit-unavailable", problem=str(error)) from error
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            refused = protocol.raised(answer)
            if refused is not None:
                raise refused
            return answer

    async def _once(self, event: AuditEvent | None) -> dict[str, Any]:
        out = await self._connected()
        number = self._number = self._number + 1
        asked: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = asked
        try:
            out.write(_line(number, event))
            await out.drain()
            return await asked
        finally:
            self._asked.pop(number, None)

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._out is None:
                answers, self._out = await asyncio.open_unix_connection(
                    os.fspath(self._path), limit=protocol.LONGEST_LINE
                )
                self._reading = asyncio.create_task(self._read(answers, self._out))
            return self._out

    async def _read(self, answers: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        try:
            while (line := await answers.readline()).endswith(b"\n"):
                values = protocol.parse(line)
                asked = self._asked.get(values.get("id", 0))
                if asked is not None and not asked.done():
                    asked.set_result(values)
        except (OSError, ValueError, AuditError):
            pass
        finally:
            if self._out is out:
                self._drop()

    def _drop(self) -> None:
        """Let the connection go; whoever waits for an answer tries again on the next one."""
        if self._out is not None:
            self._out.close()
            self._out = None
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(ConnectionResetError("the audit writer hung up"))


def _line(number: int, event: AuditEvent | None) -> bytes:
    return protocol.request(number, do="ping") if event is None else protocol.recording(number, event)
