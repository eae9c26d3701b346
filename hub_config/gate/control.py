"""What the hub tells the gate, on a socket of its own: routes, dashboards, sign-outs. Never proxied."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from aiohttp import web

from hub_config.gate.dashboards import State, Wanted
from hub_config.gate.kernels import idle
from hub_config.gate.sign_on import Portal
from hub_config.gate.upstreams import UnusableRoute, Upstreams

LONGEST_WAIT = 30.0  # s of one question for wanted dashboards


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The hub's side of the gate."""

    upstreams: Upstreams
    wanted: Wanted
    portal: Portal
    signed_out: dict[str, float]

    def app(self) -> web.Application:
        """The routes of the control socket."""
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/routes", self._routes)
        app.router.add_put("/routes", self._put)
        app.router.add_delete("/routes", self._delete)
        app.router.add_get("/meters", self._meters)
        app.router.add_get("/idle", self._idle)
        app.router.add_get("/wanted", self._wanted)
        app.router.add_put("/dashboards/{name}", self._dashboard)
        app.router.add_delete("/sign-ons/{person}", self._sign_out)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _routes(self, request: web.Request) -> web.Response:
        return web.json_response(self.upstreams.listed())

    async def _put(self, request: web.Request) -> web.Response:
        said = await request.json()
        data = {k: v for k, v in said["data"].items() if isinstance(v, str)}
        try:
            made = await self.upstreams.put(said["routespec"], said["target"], data)
        except UnusableRoute as error:
            raise web.HTTPBadRequest(text=json.dumps({"message": str(error)})) from error
        if made is not None and "dashboard" in data:
            self.wanted.running(data["dashboard"])
        return web.json_response({})

    async def _delete(self, request: web.Request) -> web.Response:
        await self.upstreams.delete((await request.json())["routespec"])
        return web.json_response({})

    async def _meters(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                up.session_id: {
                    "site": up.site,
                    "person": up.person,
                    "project": up.project,
                    "sent": up.meter.sent,
                    "budget": up.meter.budget,
                    "active": up.active,
                    "open": len(up.open),
                }
                for up in self.upstreams.all()
            }
        )

    async def _idle(self, request: web.Request) -> web.Response:
        quiet = await idle(self.upstreams.all(), float(request.query["limit"]))
        return web.json_response({"sessions": quiet})

    async def _wanted(self, request: web.Request) -> web.Response:
        return web.json_response({"names": await self.wanted.wait(LONGEST_WAIT)})

    async def _dashboard(self, request: web.Request) -> web.Response:
        self.wanted.said(request.match_info["name"], State((await request.json())["state"]))
        return web.json_response({})

    async def _sign_out(self, request: web.Request) -> web.Response:
        """Make every cookie of a person worthless and close their open WebSockets."""
        person = request.match_info["person"]
        self.signed_out[person] = time.time()
        self.portal.forget(person)
        for up in self.upstreams.all():
            if up.person == person:
                for browser in list(up.open):
                    await browser.close(code=4401, message=b"signed out")
        return web.json_response({})
