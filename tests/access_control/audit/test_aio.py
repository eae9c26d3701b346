"""The asyncio client keeps the promises of the threaded one."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from access_control.audit.aio import AsyncAuditClient
from access_control.audit.reader import AuditReader
from access_control.errors import AuditRefused, AuditUnavailable
from tests.access_control.audit.builders import event, writer


async def test_many_tasks_share_a_connection_and_outlive_a_kill(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        client = AsyncAuditClient(process.socket, patience=30)
        events = [event(number) for number in range(400)]
        await client.ping()
        waiting = [asyncio.create_task(client.append(each)) for each in events]
        await asyncio.sleep(0.005)
        await asyncio.to_thread(process.stop, signal.SIGKILL)
        process.start()
        numbers = await asyncio.gather(*waiting)
        found = {each.seq: each.event for each in AuditReader(process.folder).everything()}
        assert [found[seq] for seq in numbers] == events
        assert set(Counter(each.event_id for each in found.values()).values()) == {1}
        await client.close()


async def test_a_refusal_and_an_absence_are_told_apart(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        client = AsyncAuditClient(process.socket, patience=30)
        with pytest.raises(AuditRefused):
            await client.append(event(actor=""))
        await client.append(event())
        await client.close()
        process.stop()
        client = AsyncAuditClient(process.socket, patience=0.3)
        with pytest.raises(AuditUnavailable):
            await client.append(event())
        await client.close()
