"""A sign-out reaches the origins of the sessions, and never fails because of them."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from access_control.portal.gate_client import GateClient
from tests.access_control.portal.conftest import Portal


async def test_the_gate_is_told_who_signed_out(portal: Portal, tmp_path: Path) -> None:
    told: list[str] = []

    async def sign_out(request: web.Request) -> web.Response:
        told.append(request.match_info["person"])
        return web.json_response({})

    app = web.Application()
    app.router.add_delete("/sign-ons/{person}", sign_out)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "gate.sock")).start()
    portal.campus.person("minji")
    citizen = await portal.signed_in("minji")
    assert (await citizen.submit("/projects", "/sign-out", {})).status == 303
    assert told == ["minji"]
    await runner.cleanup()


async def test_a_gate_that_is_away_keeps_nobody_signed_in(portal: Portal, tmp_path: Path) -> None:
    assert not await GateClient(tmp_path / "nothing.sock").signed_out("minji")
    portal.campus.person("minji")
    citizen = await portal.signed_in("minji")
    assert (await citizen.submit("/projects", "/sign-out", {})).status == 303
    assert (await citizen.get("/projects")).status == 303
