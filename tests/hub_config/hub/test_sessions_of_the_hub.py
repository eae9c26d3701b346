"""A session starts, survives, ends and is recorded through a real hub, launcher and gate."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from access_control.portal.hub_client import HubRefused, HubUnavailable
from access_control.sessions.model import SessionStatus
from hub_config.launcher import places
from tests.hub_config.gate.conftest import PREFIX
from tests.hub_config.gate.test_sessions_through_the_gate import a_kernel, execute
from tests.hub_config.hub.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")
HUB, GATE = "hub_config.services.hub", "hub_config.services.gate"


async def test_a_session_starts_is_used_and_stops(house: House) -> None:
    session = await house.open_session()
    assert house.broker.open == {session: ("minji", "open-data")}
    assert (found := house.sessions.get(session)) and found.status is SessionStatus.RUNNING
    async with house.campus.browser() as browser:
        await house.campus.sign_on(browser)
        kernel = await a_kernel(house.campus, browser)
        url = f"{house.campus.origin}{PREFIX}api/kernels/{kernel}/channels"
        async with browser.ws_connect(url, origin=house.campus.origin) as socket:
            said = await execute(socket, "import os; print(os.environ['CAMPUS_PERSON'], os.getcwd())")
        printed = "".join(m["content"]["text"] for m in said if m["msg_type"] == "stream")
        assert printed == "minji /home/minji\n"
        await house.client.stop("minji", "open-data")
        await house.until(lambda: not house.sessions.live())
        assert house.broker.open == {}
        async with browser.get(house.campus.origin + "/", headers={"Accept": "text/html"}) as answer:
            assert answer.status == 503 and "실행 중이 아닙니다" in await answer.text()
    assert (found := house.sessions.get(session)) and found.reason == "stopped"


async def test_a_session_has_the_open_data_the_broker_named(house: House) -> None:
    folder = house.settings.warehouse / places.OPEN_TREE / "bus_stops" / "main" / "7"
    folder.mkdir(parents=True)
    (folder / "part-00000.parquet").write_text("rows")
    house.broker.mounts = [["bus_stops", "main", "7", "bus_stops"]]
    try:
        await house.open_session()
        async with house.campus.browser() as browser:
            await house.campus.sign_on(browser)
            kernel = await a_kernel(house.campus, browser)
            url = f"{house.campus.origin}{PREFIX}api/kernels/{kernel}/channels"
            async with browser.ws_connect(url, origin=house.campus.origin) as socket:
                said = await execute(socket, "import campus; print(campus.path('bus_stops'))")
            printed = "".join(m["content"]["text"] for m in said if m["msg_type"] == "stream")
            assert printed == "['/campus/open/bus_stops/part-00000.parquet']\n"
        await house.client.stop("minji", "open-data")
        await house.until(lambda: not house.sessions.live())
        house.broker.mounts = [["../secrets", "main", "7", "bus_stops"]]
        with pytest.raises((HubRefused, HubUnavailable, TimeoutError)):
            await house.open_session()
        assert not house.sessions.live(), "a name out of form starts nothing"
    finally:
        house.broker.mounts = []


async def test_a_session_and_its_open_kernel_survive_a_hub_restart(house: House) -> None:
    session = await house.open_session()
    async with house.campus.browser() as browser:
        await house.campus.sign_on(browser)
        kernel = await a_kernel(house.campus, browser)
        url = f"{house.campus.origin}{PREFIX}api/kernels/{kernel}/channels"
        async with browser.ws_connect(url, origin=house.campus.origin) as socket:
            await execute(socket, "kept = 41")
            await asyncio.to_thread(house.stop, HUB)
            async with browser.get(f"{house.settings.url}/hub/api/", headers={"Accept": "text/html"}) as away:
                assert away.status == 503 and "http-equiv" in await away.text()
            await asyncio.to_thread(house.start, HUB)
            said = await execute(socket, "print(kept + 1)")
            assert any(m["content"].get("text") == "42\n" for m in said)
    assert [s.session_id for s in house.sessions.live()] == [session]
    assert (await house.client.state("minji", "open-data")).ready
    await house.client.stop("minji", "open-data")
    await house.until(lambda: not house.sessions.live())


async def test_a_session_survives_a_gate_restart_without_signing_on_again(house: House) -> None:
    await house.open_session()
    async with house.campus.browser() as browser:
        await house.campus.sign_on(browser)
        await asyncio.to_thread(house.stop, GATE)
        await asyncio.to_thread(house.start, GATE)
        async with browser.get(f"{house.campus.origin}{PREFIX}api/contents") as answer:
            assert answer.status == 200


async def test_a_gate_that_lost_its_memory_is_told_again(house: House) -> None:
    await house.open_session()
    await asyncio.to_thread(house.stop, GATE)
    house.settings.socket("gate").with_name("gate.json").unlink()
    await asyncio.to_thread(house.start, GATE)
    for _ in range(100):
        if PREFIX in await house.campus.control("GET", "/routes"):
            break
        await asyncio.sleep(0.1)
    assert PREFIX in await house.campus.control("GET", "/routes")


async def test_a_session_that_dies_is_recorded_and_can_be_started_again(house: House) -> None:
    session = await house.open_session()
    async with house.campus.browser(Accept="text/html") as browser:
        await house.campus.sign_on(browser)
        house.launcher.stop(f"session-{session}", 0.1)
        async with browser.get(f"{house.campus.origin}{PREFIX}lab") as answer:
            assert answer.status == 503 and "다시 시작" in await answer.text()
        await house.until(lambda: not house.sessions.live())
        assert (found := house.sessions.get(session)) and found.reason == "died"
        again = await house.open_session()
        assert again != session
        async with browser.get(f"{house.campus.origin}{PREFIX}lab") as answer:
            assert answer.status == 200


async def test_who_may_not_start_a_session_does_not(house: House) -> None:
    await house.client.ensure_user("minji")
    with pytest.raises((HubRefused, HubUnavailable)):
        await house.client.start("minji", "no-such-project")
    assert house.sessions.live() == () and house.launcher.list() == ()


async def test_without_a_gateway_no_session_starts_and_nothing_is_left(house: House) -> None:
    house.broker.refuses = True
    await house.client.ensure_user("minji")
    with pytest.raises((HubRefused, HubUnavailable)):
        await house.client.start("minji", "open-data")
    assert house.sessions.live() == () and house.launcher.list() == ()
    house.broker.refuses = False
    await house.open_session()


async def test_a_ticket_signs_on_at_the_hub_once_and_makes_nobody(house: House) -> None:
    auditor = house.people.person("auditor")
    assert auditor is not None
    stranger = house.people.issue_ticket(auditor, "hub", datetime.now(UTC))
    async with house.campus.browser() as browser:
        url = f"{house.settings.url}/hub/ticket?ticket={stranger}"
        async with browser.get(url, allow_redirects=False) as answer:
            assert "jupyterhub-hub-login" not in str(answer.cookies)
        await house.client.ensure_user("auditor")
        ticket = house.people.issue_ticket(auditor, "hub", datetime.now(UTC))
        url = f"{house.settings.url}/hub/ticket?ticket={ticket}"
        async with browser.get(url, allow_redirects=False) as answer:
            assert "jupyterhub-hub-login" in str(answer.cookies), await answer.text()
        async with browser.get(f"{house.settings.url}/hub/admin") as answer:
            assert answer.status == 403
    async with house.campus.browser() as thief, thief.get(url, allow_redirects=False) as answer:
        assert "jupyterhub-hub-login" not in str(answer.cookies)


async def test_nobody_reaches_the_hub_api_with_a_token_from_outside(house: House) -> None:
    token = (house.settings.state / "secrets" / "hub_api.token").read_text().strip()
    async with (
        house.campus.browser(Authorization=f"token {token}") as browser,
        browser.get(f"{house.settings.url}/hub/api/users") as answer,
    ):
        assert answer.status == 403
