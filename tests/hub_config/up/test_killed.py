"""Worker, gateway, audit writer and clients killed at random under load: nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from access_control.audit.client import AuditClient
from access_control.audit.event import Action
from access_control.errors import AuditRefused
from catalog.sandbox.errors import SandboxError
from catalog.sandbox.isolation import Isolation, choose
from hub_config.settings import Settings, load
from tests.access_control.audit.builders import event
from tests.hub_config.up.ground import Ground, ground, program
from tests.hub_config.up.killing import VICTIMS, Campaign, Load, demand_all

LOOKS_EVERY = 10  # rounds
DISK = 4 << 20  # of a small disk for the log [bytes]


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
        yield dataclasses.replace(found, isolation=isolation.mode.value, query_memory=512 << 20)


@pytest.mark.campaign(12, 1000)
async def test_killed_at_random_under_load(settings: Settings, isolation: Isolation, rounds: int) -> None:
    async with ground(settings, isolation) as made:
        campaign, load = Campaign(made), Load(settings.socket("audit"))
        try:
            await campaign.quiet()
            victims = [VICTIMS[number % len(VICTIMS)] for number in range(rounds)]
            random.shuffle(victims)
            for number, victim in enumerate(victims, 1):
                await campaign.round(victim)
                if number % LOOKS_EVERY == 0:
                    await campaign.quiet()
                    sys.stderr.write(f"{number} rounds\n{campaign.figures()}\n")
            await campaign.quiet()
        finally:
            load.end()
    demand_all(made, campaign, load.acknowledged)


async def test_without_a_log_nobody_is_given_rows_and_everybody_is_told(
    settings: Settings, isolation: Isolation
) -> None:
    """Its disk is full; then its writer is dead and cannot start. Each time all go on when it can again."""
    async with ground(settings, isolation, log_disk=DISK) as made:
        campaign = Campaign(made)
        await campaign.quiet()
        for breaking in (full_disk, dead_for_good):
            made.hold()
            await made.until(lambda: made.held() and not campaign.open(), "an end of every query")
            with breaking(made):
                since = time.monotonic()
                made.go_on()
                await made.until(lambda: made.said(since, "record-unavailable"), "words to everybody")  # noqa: B023
                assert not made.rows_since(since)
                for said in made.said(since, "record-unavailable"):
                    assert "감사 기록을 남길 수 없어 데이터를 내보내지 않았습니다" in said
                    assert "The access log cannot be written, so no rows were given" in said
            since = time.monotonic()
            await made.until(lambda: all(r.answered(since) for r in made.readers), "answers")  # noqa: B023
        await campaign.quiet()
    demand_all(made, campaign, {})


@contextlib.contextmanager
def full_disk(made: Ground) -> Iterator[None]:
    """No room at all: a small disk that something else fills, or a limit where none can be mounted."""
    if os.path.ismount(made.log):
        filler = made.log / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
            while True:
                out.write(b" " * 512)
        audit = AuditClient(made.settings.socket("audit"))
        with contextlib.closing(audit), contextlib.suppress(AuditRefused):
            while True:  # the last page of the log's own file has room for some
                audit.append(event(action=Action.AUDIT_READ, detail={}))
        yield
        filler.unlink()
        return
    writer = program(made.pid("audit"))
    room = max(file.stat().st_size for file in (made.log / "segments").glob("*.jsonl"))
    _, hardest = resource.prlimit(writer, resource.RLIMIT_FSIZE)
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (room, hardest))
    yield
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (hardest, hardest))


@contextlib.contextmanager
def dead_for_good(made: Ground) -> Iterator[None]:
    """It is killed, and refuses a log signed with another key."""
    key = made.log / "public_key"
    text = key.read_text("ascii")
    key.write_text("nonsense\n")
    os.kill(program(made.pid("audit")), signal.SIGKILL)
    yield
    key.write_text(text)
