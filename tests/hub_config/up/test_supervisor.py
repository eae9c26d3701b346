"""The supervisor starts real services within their walls, revives dead ones, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from catalog.sandbox.errors import SandboxError
from catalog.sandbox.isolation import Isolation, choose
from hub_config.launcher.places import service_uid
from hub_config.settings import Settings, load
from hub_config.up import state, supervisor
from hub_config.up.once import run_once
from hub_config.up.ready import answers
from hub_config.up.state import CannotStart
from hub_config.up.supervisor import Supervisor
from tests.ports import free_port


@pytest.fixture
def isolation() -> Isolation:
    try:
        return choose("auto")
    except SandboxError as error:
        pytest.skip(error.en)


@pytest.fixture
def settings(isolation: Isolation) -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="c-") as folder:
        found = load({"state": Path(folder) / "var"}, {})
        found = dataclasses.replace(found, isolation=isolation.mode.value)
        state.prepare(found, service_uid(found, isolation))
        yield found


@contextlib.asynccontextmanager
async def running(settings: Settings, isolation: Isolation, *names: str) -> AsyncIterator[Supervisor]:
    made = Supervisor(settings, isolation)
    try:
        await made.start(*names)
        yield made
    finally:
        await made.stop()


def pid_of(settings: Settings, name: str) -> int:
    lines = (settings.run / "services").read_text().split("\n")
    return int(next(line.split()[1] for line in lines if line.startswith(name)))


async def test_services_answer_and_are_gone_after_the_stop(settings: Settings, isolation: Isolation) -> None:
    async with running(settings, isolation, "launcher", "audit"):
        assert answers(settings, "audit") and answers(settings, "launcher")
        pids = [pid_of(settings, "launcher"), pid_of(settings, "audit")]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not answers(settings, "audit")


async def test_a_monitor_reads_health_and_counters_on_this_machine_alone(
    settings: Settings, isolation: Isolation
) -> None:
    settings = dataclasses.replace(settings, health_port=free_port(), port=free_port())
    url = f"http://127.0.0.1:{settings.health_port}"
    async with running(settings, isolation, "launcher", "audit", "health") as supervisor:
        status, said = await asyncio.to_thread(get, f"{url}/health")
        down = {"gateway": False, "portal": False, "hub": False, "gate": False}
        assert (status, json.loads(said)) == (
            503,
            {"ok": False, "services": {"launcher": True, "audit": True, **down}},
        )
        async with contextlib.aclosing(run_once(settings, isolation, "prepare")) as saying:
            async for _ in saying:
                pass
        await supervisor.start("gateway", "portal", "hub")
        await supervisor.start("gate")
        status, said = await asyncio.to_thread(get, f"{url}/health")
        assert status == 200 and json.loads(said)["ok"]
        status, said = await asyncio.to_thread(get, f"{url}/metrics")
        assert status == 200
        assert 'campus_up{service="gate"} 1' in said and "campus_gateway_sessions 0.0" in said
        assert [
            line for line in said.splitlines() if not re.match(r"#|[a-z_]+(\{.*\})? [-+0-9.e]+$", line)
        ] == []
        assert (await asyncio.to_thread(get, f"{url}/"))[0] == 404
        listening = Path("/proc/net/tcp").read_text().splitlines()
        port = f":{settings.health_port:04X}"
        assert {line.split()[1] for line in listening if line.split()[1].endswith(port)} == {
            f"0100007F{port}"
        }


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_a_killed_service_comes_back(settings: Settings, isolation: Isolation) -> None:
    async with running(settings, isolation, "audit"):
        first = pid_of(settings, "audit")
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(20):
            while pid_of(settings, "audit") == first or not await asyncio.to_thread(
                answers, settings, "audit"
            ):
                await asyncio.sleep(0.1)


async def test_one_that_does_not_stay_is_started_ever_less_often_and_comes_back_when_it_can(
    settings: Settings,
    isolation: Isolation,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "CALM", 1000.0)
    async with running(settings, isolation, "audit"):
        first, key = pid_of(settings, "audit"), settings.state / "audit" / "public_key"
        text = key.read_text("ascii")
        key.write_text("nonsense\n")
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(40):
            while len(caplog.records) < 4:
                await asyncio.sleep(0.05)
            key.write_text(text)
            while not await asyncio.to_thread(answers, settings, "audit"):
                await asyncio.sleep(0.05)
    pauses = [float(record.getMessage().split(" in ")[1].split(" s ")[0]) for record in caplog.records[:4]]
    assert pauses == [0.25, 0.5, 1.0, 2.0]


async def test_one_that_stayed_is_started_again_at_once(
    settings: Settings,
    isolation: Isolation,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "CALM", 0.0)
    async with running(settings, isolation, "audit"):
        for number in (1, 2):
            before = pid_of(settings, "audit")
            os.kill(before, signal.SIGKILL)
            async with asyncio.timeout(20):
                while pid_of(settings, "audit") == before:
                    await asyncio.sleep(0.02)
            assert [record.getMessage() for record in caplog.records] == [
                "audit ended; starting it again in 0 s (0)"
            ] * number


async def test_a_service_that_cannot_start_names_its_log(settings: Settings, isolation: Isolation) -> None:
    (settings.state / "audit" / "public_key").write_text("nonsense\n")
    with pytest.raises(CannotStart, match=r"audit\.log"):
        async with running(settings, isolation, "audit"):
            pass


async def test_a_failed_step_shows_its_last_words(settings: Settings, isolation: Isolation) -> None:
    with pytest.raises(CannotStart, match="ingest"):
        async for _ in run_once(settings, isolation, "ingest", ("--nonsense",)):
            pass


async def test_a_full_audit_log_that_says_so_is_no_dead_service(settings: Settings) -> None:
    refusal = {"id": 0, "error": "audit-full", "params": {"free": 1, "needed": 2}}

    async def full(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(json.dumps(refusal).encode() + b"\n")
        await writer.drain()
        writer.close()

    assert not await asyncio.to_thread(answers, settings, "audit")
    async with await asyncio.start_unix_server(full, settings.socket("audit")):
        assert await asyncio.to_thread(answers, settings, "audit")
