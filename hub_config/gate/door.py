"""The whole gate: one public listener, one control socket, and two watches. Decides nothing itself."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from hub_config.gate.control import Control
from hub_config.gate.dashboards import Dashboards, Wanted
from hub_config.gate.front import Front, service_client
from hub_config.gate.hosts import Kind, origin_of
from hub_config.gate.journal import Journal
from hub_config.gate.kernels import busy
from hub_config.gate.pages import Pages, redirect
from hub_config.gate.policy import Reason
from hub_config.gate.serving import Serving
from hub_config.gate.sign_on import Portal, Seal
from hub_config.gate.sites import Sites
from hub_config.gate.statics import of_environment
from hub_config.gate.targets import misshapen
from hub_config.gate.upstreams import Upstream, Upstreams
from hub_config.settings import Settings

log = logging.getLogger("campus.gate")

WATCH_EVERY = 15.0  # s between looks at quiet sessions and open WebSockets
QUIET = 10.0  # s without a sign of a person after which kernels are asked


@dataclass(slots=True, kw_only=True)
class Door:
    """One gate of one installation."""

    settings: Settings
    front: Front
    sites: Sites
    dashboards: Dashboards
    control: Control
    upstreams: Upstreams
    pages: Pages
    journal: Journal

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request from outside."""
        if why := misshapen(request.method, request.raw_path, request.headers):
            self.journal.write("misshapen", reason=why)
            answer = self.pages.answer(Reason.SHAPE if why != "method" else Reason.METHOD, request)
            answer.force_close()
            return answer
        origin = origin_of(request.headers["Host"], self.settings.host, self.settings.port)
        try:
            match origin.kind:
                case Kind.MAIN:
                    return await self.front.serve(request)
                case Kind.SITE:
                    return await self.sites.serve(request, origin.label, self._own(origin.label))
                case Kind.DASHBOARD:
                    label = f"d-{origin.label}"
                    return await self.dashboards.serve(request, origin.label, self._own(label))
                case Kind.ALIAS if request.method in {"GET", "HEAD"}:
                    return redirect(self.settings.url + request.raw_path)
                case Kind.ALIAS | Kind.STRANGER:
                    self.journal.write("stranger")
                    return self.pages.answer("stranger", request)
        except (ConnectionResetError, asyncio.CancelledError):
            raise
        except Exception as error:
            incident = secrets.token_hex(4)
            log.exception("incident %s", incident, exc_info=error)
            return self.pages.answer("trouble", request, incident=incident)

    def _own(self, label: str) -> str:
        return self.settings.site_url(label).removesuffix(":80")

    async def watch(self) -> None:
        """Until cancelled: ask quiet sessions for busy kernels; close WebSockets of the unwelcome."""
        while True:
            await asyncio.sleep(WATCH_EVERY)
            await asyncio.gather(*(self._look(up) for up in self.upstreams.all()), return_exceptions=True)
            self.upstreams.remember()

    async def _look(self, upstream: Upstream) -> None:
        now = time.time()
        if upstream.open and upstream.person and not await self.sites.still_welcome(upstream, now):
            for browser in list(upstream.open):
                await browser.close(code=4401, message=b"no longer active")
        if now - upstream.active > QUIET and upstream.person and await busy(upstream):
            upstream.seen()


def build(settings: Settings, site_of: Callable[[str, str], str]) -> Door:
    """Every part of the gate of one installation, sockets not yet open."""
    state = settings.state
    pages = Pages(portal=settings.url, unsafe=settings.isolation == "none")
    journal = Journal(state / "logs" / "gate.jsonl")
    upstreams = Upstreams(settings.socket("gate").with_name("gate.json"), settings.egress_budget, site_of)
    upstreams.recall()
    serving = Serving(
        statics=of_environment(settings.session_env), pages=pages, journal=journal, portal=settings.url
    )
    token = (state / "secrets" / "internal.token").read_text("ascii").strip()
    portal = Portal(settings.socket("portal"), token)
    signed_out: dict[str, float] = {}
    wanted = Wanted()
    return Door(
        settings=settings,
        front=Front(
            hub=service_client(str(settings.socket("hub"))),
            portal=service_client(str(settings.socket("portal"))),
            authority=settings.url.removeprefix("http://"),
            url=settings.url,
            pages=pages,
            site_of=site_of,
        ),
        sites=Sites(
            serving=serving,
            upstreams=upstreams,
            portal=portal,
            seal=Seal(token.encode()),
            portal_url=settings.url,
            signed_out=signed_out,
        ),
        dashboards=Dashboards(serving=serving, upstreams=upstreams, wanted=wanted),
        control=Control(upstreams=upstreams, wanted=wanted, portal=portal, signed_out=signed_out),
        upstreams=upstreams,
        pages=pages,
        journal=journal,
    )


async def run(door: Door, stop: asyncio.Event) -> None:
    """Open the sockets and serve until `stop`."""
    settings = door.settings
    control = web.AppRunner(door.control.app(), access_log=None, shutdown_timeout=1)
    await control.setup()
    wires = settings.socket("gate")
    wires.unlink(missing_ok=True)
    await web.UnixSite(control, str(wires)).start()
    wires.chmod(0o600)
    public = web.ServerRunner(
        web.Server(
            door.serve, access_log=None, auto_decompress=False, handler_cancellation=True, max_headers=96
        ),
        shutdown_timeout=2,
    )
    await public.setup()
    await web.TCPSite(public, settings.bind, settings.port, backlog=1024, reuse_address=True).start()
    watching = asyncio.create_task(door.watch())
    try:
        await stop.wait()
    finally:
        watching.cancel()
        await control.cleanup()
        await public.cleanup()
        for up in door.upstreams.all():
            await up.close()
        door.upstreams.remember()
        for client in (door.front.hub, door.front.portal):
            await client.close()
        await door.sites.portal.close()
        door.journal.close()
        wires.unlink(missing_ok=True)
