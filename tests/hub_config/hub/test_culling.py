"""A session nobody uses is stopped; one that runs a cell never is, and a ping is no use."""

from __future__ import annotations

import asyncio

import pytest

from tests.hub_config.gate.conftest import PREFIX
from tests.hub_config.gate.test_sessions_through_the_gate import a_kernel, execute
from tests.hub_config.hub.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")
SESSION_IDLE = 4


async def test_a_busy_session_is_never_stopped_and_an_idle_one_is(house: House) -> None:
    session = await house.open_session()
    async with house.campus.browser() as browser:
        await house.campus.sign_on(browser)
        kernel = await a_kernel(house.campus, browser)
        url = f"{house.campus.origin}{PREFIX}api/kernels/{kernel}/channels"
        socket = await browser.ws_connect(url, origin=house.campus.origin)
        running = asyncio.create_task(execute(socket, "import time; time.sleep(20); print('done')"))
        await asyncio.sleep(1)
        said = await running
        assert any(m["content"].get("text") == "done\n" for m in said), "the cell was cut off"
        assert [s.session_id for s in house.sessions.live()] == [session]
        await socket.ping()
        await house.until(lambda: not house.sessions.live(), 60)
        await socket.close()
    assert (found := house.sessions.get(session)) and found.reason == "idle"
