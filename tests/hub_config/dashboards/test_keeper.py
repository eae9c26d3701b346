"""A dashboard starts on the first visit, is shown through the gate, and is tidied up when it ends."""

from __future__ import annotations

import asyncio
import time

import pytest

from hub_config.dashboards.load import load_all
from hub_config.settings import REPO
from tests.hub_config.hub.conftest import NOW, House
from tests.hub_config.hub.conftest import house as house
from tests.hub_config.hub.conftest import installed as installed
from tests.hub_config.hub.conftest import state as state

pytestmark = pytest.mark.asyncio(loop_scope="module")
SESSION_IDLE = 8  # also how often the keeper looks (a quarter of it)
NAME = "living-population"


async def test_a_dashboard_starts_on_the_first_visit_and_is_tidied_up(house: House) -> None:
    board = load_all(REPO / "notebooks" / "dashboards")[NAME]
    house.projects.ensure_dashboard(NAME, board.title, [], NOW)
    url = house.settings.site_url(f"d-{NAME}")
    async with house.campus.browser(Accept="text/html") as browser:
        async with browser.get(url + "/") as answer:
            assert answer.status == 503 and answer.headers["X-Campus-Reason"] == "dashboard-starting"
        deadline = time.monotonic() + 60
        while f"/dashboards/{NAME}/" not in await house.campus.control("GET", "/routes"):
            assert time.monotonic() < deadline, house.log("hub_config.services.hub")
            await asyncio.sleep(0.2)
        async with browser.get(url + "/voila/static/voila.js") as answer:
            assert answer.status == 200
        async with browser.get(url + "/voila/files/dashboard.ipynb") as answer:
            assert answer.status == 403
        (live,) = [s for s in house.sessions.live() if not s.person]
        assert house.broker.open[live.session_id] == ("", f"dashboard-{NAME}")
        house.launcher.stop(f"dashboard-{live.session_id}", 0.1)
        await house.until(lambda: not house.sessions.live())
        assert (found := house.sessions.get(live.session_id)) and found.reason == "died"
        async with browser.get(url + "/") as answer:
            assert answer.headers["X-Campus-Reason"] == "dashboard-starting"
        await house.until(lambda: any(not s.person and s.status == "running" for s in house.sessions.live()))
        for session in house.sessions.live():
            house.launcher.stop(f"dashboard-{session.session_id}", 0.1)
        await house.until(lambda: not house.sessions.live())


async def test_a_name_nobody_published_is_not_started(house: House) -> None:
    url = house.settings.site_url("d-nothing-here") + "/"
    async with house.campus.browser(Accept="text/html") as browser:
        for _ in range(50):
            async with browser.get(url) as answer:
                if answer.status == 404:
                    break
            await asyncio.sleep(0.2)
        assert answer.headers["X-Campus-Reason"] == "dashboard-unknown"
    assert house.launcher.list() == ()
