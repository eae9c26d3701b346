"""Asking the hub, and following a start once for everybody who looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from access_control.portal.hub_client import HubClient, HubRefused, HubUnavailable, ServerState
from access_control.portal.starts import Phase, StartBoard
from tests.access_control.portal.hub import SimulatedHub


@pytest.fixture
def client(hub: SimulatedHub, tmp_path: Path) -> HubClient:
    return HubClient(tmp_path / "hub.sock", hub.token)


async def until(board: StartBoard, phase: Phase) -> None:
    async with asyncio.timeout(10):
        while (await board.look("s-x", "minji", "open-data")).phase is not phase:
            await asyncio.sleep(0.01)


async def test_a_server_is_started_watched_and_stopped(client: HubClient, hub: SimulatedHub) -> None:
    await client.ensure_user("minji")
    await client.ensure_user("minji")
    assert await client.state("minji", "open-data") == ServerState(exists=False, ready=False, pending="")
    await client.start("minji", "open-data")
    assert (await client.state("minji", "open-data")).pending == "spawn"
    hub.go_on.set()
    steps = [step async for step in client.progress("minji", "open-data")]
    assert [step.percent for step in steps] == [50, 100]
    assert steps[-1].ready
    assert (await client.state("minji", "open-data")).ready
    await client.start("minji", "open-data")
    await client.stop("minji", "open-data")
    await client.stop("minji", "open-data")
    assert not (await client.state("minji", "open-data")).ready


async def test_a_hub_that_is_away_is_unavailable(tmp_path: Path) -> None:
    away = HubClient(tmp_path / "nothing.sock", "token")
    with pytest.raises(HubUnavailable):
        await away.start("minji", "open-data")
    with pytest.raises(HubUnavailable):
        async for _ in away.progress("minji", "open-data"):
            pass


async def test_a_wrong_token_is_refused(tmp_path: Path, hub: SimulatedHub) -> None:
    stranger = HubClient(tmp_path / "hub.sock", "stranger")
    with pytest.raises(HubRefused) as refused:
        await stranger.ensure_user("minji")
    assert refused.value.status == 403
    assert "stranger" not in str(refused.value)


async def test_a_start_is_followed_to_its_end(client: HubClient, hub: SimulatedHub) -> None:
    board = StartBoard(client)
    await client.ensure_user("minji")
    assert (await board.look("s-x", "minji", "open-data")).phase is Phase.IDLE
    await client.start("minji", "open-data")
    board.follow("s-x", "minji", "open-data")
    assert (await board.look("s-x", "minji", "open-data")).phase is Phase.STARTING
    hub.go_on.set()
    await until(board, Phase.READY)
    await board.close()


async def test_a_start_that_fails_says_so_until_it_is_tried_again(
    client: HubClient, hub: SimulatedHub
) -> None:
    hub.steps = [{"progress": 20}, {"progress": 100, "failed": True}]
    hub.go_on.set()
    board = StartBoard(client)
    await client.ensure_user("minji")
    await client.start("minji", "open-data")
    board.follow("s-x", "minji", "open-data")
    await until(board, Phase.FAILED)
    board.forget("s-x")
    assert (await board.look("s-x", "minji", "open-data")).phase is Phase.IDLE
    await board.close()


async def test_a_restarted_portal_finds_a_start_under_way(client: HubClient, hub: SimulatedHub) -> None:
    await client.ensure_user("minji")
    await client.start("minji", "open-data")
    board = StartBoard(client)
    assert (await board.look("s-x", "minji", "open-data")).phase is Phase.STARTING
    hub.go_on.set()
    await until(board, Phase.READY)
    await board.close()
