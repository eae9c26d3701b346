"""A hub that speaks the REST API the portal uses and starts nothing: a simulator, for failures on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web


@dataclass(slots=True)
class SimulatedHub:
    """Users and named servers; `steps` is what the next start's progress stream says."""

    token: str = "portal-token"
    users: set[str] = field(default_factory=set)
    ready: set[tuple[str, str]] = field(default_factory=set)
    pending: set[tuple[str, str]] = field(default_factory=set)
    steps: list[dict[str, object]] = field(
        default_factory=lambda: [{"progress": 50}, {"progress": 100, "ready": True}]
    )
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def listening(self, socket: Path) -> AsyncIterator[None]:
        """Answer on a unix socket."""
        app = web.Application(middlewares=[self._known])
        app.router.add_post("/hub/api/users/{user}", self._add)
        app.router.add_get("/hub/api/users/{user}", self._user)
        app.router.add_post("/hub/api/users/{user}/servers/{server}", self._start)
        app.router.add_delete("/hub/api/users/{user}/servers/{server}", self._stop)
        app.router.add_get("/hub/api/users/{user}/servers/{server}/progress", self._progress)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(socket)).start()
        try:
            yield
        finally:
            await runner.cleanup()

    @web.middleware
    async def _known(self, request: web.Request, handler: object) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"token {self.token}":
            raise web.HTTPForbidden
        assert callable(handler)
        answer = await handler(request)
        assert isinstance(answer, web.StreamResponse)
        return answer

    async def _add(self, request: web.Request) -> web.Response:
        user = request.match_info["user"]
        if user in self.users:
            return web.json_response({"message": "User already exists"}, status=409)
        self.users.add(user)
        return web.json_response({"name": user}, status=201)

    async def _user(self, request: web.Request) -> web.Response:
        user = request.match_info["user"]
        if user not in self.users:
            return web.json_response({"message": "Not Found"}, status=404)
        servers = {
            server: {"ready": (user, server) in self.ready, "pending": "spawn" if waits else None}
            for name, server in self.ready | self.pending
            if name == user
            for waits in [(user, server) in self.pending]
        }
        return web.json_response({"name": user, "servers": servers})

    async def _start(self, request: web.Request) -> web.Response:
        key = (request.match_info["user"], request.match_info["server"])
        if key in self.ready:
            return web.json_response({"message": f"{key[0]} is already running"}, status=400)
        self.pending.add(key)
        return web.Response(status=202)

    async def _stop(self, request: web.Request) -> web.Response:
        self.ready.discard((request.match_info["user"], request.match_info["server"]))
        return web.Response(status=204)

    async def _progress(self, request: web.Request) -> web.StreamResponse:
        key = (request.match_info["user"], request.match_info["server"])
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for number, step in enumerate(self.steps):
            if number == len(self.steps) - 1:
                await self.go_on.wait()
                self.pending.discard(key)
                if step.get("ready"):
                    self.ready.add(key)
            await answer.write(f"data: {json.dumps(step)}\n\n".encode())
        return answer
