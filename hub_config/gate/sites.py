"""A person's own site: signing on with a ticket, then their session's open routes. Knows no dashboard."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from hub_config.gate.hosts import Kind
from hub_config.gate.pages import redirect, wants_page
from hub_config.gate.policy import Reason, Refusal, Way
from hub_config.gate.serving import Serving, is_websocket
from hub_config.gate.sign_on import (
    COOKIE_LIFE,
    Portal,
    PortalUnavailable,
    Seal,
    SignedOn,
    cookie_name,
    new_sign_on,
)
from hub_config.gate.targets import safe_next
from hub_config.gate.upstreams import Upstream, Upstreams

ENTER = "/_campus/enter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """Serves every person's site.

    Parameters
    ----------
    portal_url
        The portal's public address.
    signed_out
        Person → moment: cookies from before it are worth nothing [s since the epoch].
    """

    serving: Serving
    upstreams: Upstreams
    portal: Portal
    seal: Seal
    portal_url: str
    signed_out: dict[str, float]

    async def serve(self, request: web.BaseRequest, site: str, own: str) -> web.StreamResponse:
        """Answer one request to a site."""
        if request.path.startswith("/_campus"):
            return await self._enter(request, site)
        try:
            who = await self._who(request, site)
        except PortalUnavailable:
            return self.serving.pages.answer("portal-restarting", request)
        if who is None:
            return self._sign_on(request, site)
        upstream = self.upstreams.at(site)
        if upstream is None:
            return self.serving.pages.answer("stopped", request)
        if upstream.person != who.person:
            return self.serving.pages.answer("not-yours", request)
        return await self._session(request, upstream, who, own)

    async def _session(
        self, request: web.BaseRequest, upstream: Upstream, who: SignedOn, own: str
    ) -> web.StreamResponse:
        raw = request.raw_path.partition("?")[0]
        if raw in {"/", upstream.prefix, upstream.prefix.rstrip("/")}:
            if request.method not in {"GET", "HEAD"}:
                return self.serving.refuse(request, Reason.METHOD, upstream, Kind.SITE)
            return redirect(f"{upstream.prefix}lab")
        if not raw.startswith(upstream.prefix):
            return self.serving.refuse(request, Reason.ROUTE, upstream, Kind.SITE)
        path = raw[len(upstream.prefix) - 1 :]
        rule = self.serving.judged(request, Kind.SITE, path, own)
        if isinstance(rule, Refusal):
            return self.serving.refuse(request, rule.reason, upstream, Kind.SITE)
        if rule.way is Way.STATIC:
            return self.serving.static(request, Kind.SITE, path)
        return await self.serving.serve(request, upstream, rule, (who.person, who.display), own, Kind.SITE)

    async def _enter(self, request: web.BaseRequest, site: str) -> web.StreamResponse:
        if request.path != ENTER or request.method != "GET":
            return self.serving.pages.answer("internal", request)
        ticket = request.query.get("ticket", "")
        try:
            found = await self.portal.redeem(ticket, site) if ticket else None
        except PortalUnavailable:
            return self.serving.pages.answer("portal-restarting", request)
        if found is None:
            self.serving.journal.write("ticket-refused", site=site)
            return self.serving.pages.answer("ticket", request)
        person, display = found
        who = new_sign_on(site, person, display)
        self.portal.forget(person)
        self.serving.journal.write("signed-on", site=site)
        response = redirect(safe_next(request.query.get("next")))
        response.headers["Referrer-Policy"] = "no-referrer"
        response.set_cookie(
            cookie_name(site),
            self.seal.seal(who),
            path="/",
            max_age=COOKIE_LIFE,
            httponly=True,
            samesite="Lax",
        )
        return response

    async def _who(self, request: web.BaseRequest, site: str) -> SignedOn | None:
        now = time.time()
        who = self.seal.open(request.cookies.get(cookie_name(site)), site, now)
        if who is None or who.since <= self.signed_out.get(who.person, 0.0):
            return None
        return who if await self.portal.active(who.person, now) else None

    async def still_welcome(self, upstream: Upstream, now: float) -> bool:
        """Whether the person of a session may keep an open WebSocket."""
        try:
            return await self.portal.active(upstream.person, now)
        except PortalUnavailable:
            return False

    def _sign_on(self, request: web.BaseRequest, site: str) -> web.StreamResponse:
        if request.method != "GET" or is_websocket(request) or not wants_page(request.headers):
            return self.serving.pages.answer("signed-out", request)
        onward = quote(request.raw_path, safe="/")
        return redirect(f"{self.portal_url}/enter/{site}?next={onward}")
