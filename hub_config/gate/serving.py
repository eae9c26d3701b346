"""Serves one judged request of a sandbox's origin: static, relayed or a WebSocket; meters and logs it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from aiohttp import web

from hub_config.gate import relay, sockets
from hub_config.gate.headers import guards
from hub_config.gate.hosts import Kind
from hub_config.gate.journal import Journal
from hub_config.gate.origins import cross_site
from hub_config.gate.pages import Pages
from hub_config.gate.policy import Reason, Refusal, Rule, Way, judge
from hub_config.gate.statics import Statics
from hub_config.gate.upstreams import Upstream

STATIC_AGE = 3600  # s a browser may keep a static file


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What every sandbox's origin needs.

    Parameters
    ----------
    portal
        The portal's public address: it alone may frame a dashboard.
    """

    statics: Statics
    pages: Pages
    journal: Journal
    portal: str

    def judged(self, request: web.BaseRequest, kind: Kind, path: str, own: str) -> Rule | Refusal:
        """The rule that opens the request, or why not; routes first, then where it comes from."""
        websocket = is_websocket(request)
        rule = judge(kind, request.method, path, request.query, websocket=websocket)
        if isinstance(rule, Refusal):
            return rule
        crossed = cross_site(
            request.method,
            request.headers,
            own,
            websocket=websocket,
            page=rule.way is Way.PAGE,
            framed=kind is Kind.DASHBOARD,
        )
        return Refusal(reason=Reason.CROSS_SITE) if crossed else rule

    def static(self, request: web.BaseRequest, kind: Kind, path: str) -> web.StreamResponse:
        """A file of the trusted environment; the sandbox is not asked."""
        file = self.statics.find(kind, path)
        if file is None:
            return self.pages.answer(Reason.ROUTE, request)
        answer = web.FileResponse(file)
        answer.headers["Cache-Control"] = f"private, max-age={STATIC_AGE}"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return answer

    def refuse(
        self, request: web.BaseRequest, reason: Reason, upstream: Upstream | None, kind: Kind
    ) -> web.Response:
        """No, with its reason, on the page and in the log."""
        self.journal.write(
            "refused",
            reason=reason,
            method=request.method,
            kind=kind,
            site=upstream.site if upstream else None,
            session=upstream.session_id if upstream else None,
        )
        return self.pages.answer(reason, request, project=upstream.project if upstream else "")

    async def serve(
        self,
        request: web.BaseRequest,
        upstream: Upstream,
        rule: Rule,
        person: tuple[str, str],
        own: str,
        kind: Kind,
    ) -> web.StreamResponse:
        """Pass the request on by its rule."""
        if upstream.meter.spent and not rule.saves:
            return self.refuse(request, Reason.BUDGET, upstream, kind)
        if rule.active:
            upstream.seen()
        began, before = time.monotonic(), upstream.meter.sent
        status, incoming = 0, request.content_length or 0
        try:
            if rule.way is Way.SOCKET:
                outer, carried = await sockets.carry(request, upstream, rule, person)
                status, incoming = (403 if carried.spent else 101), carried.inward
                return outer
            frames = f"'self' {self.portal}" if kind is Kind.DASHBOARD else "'self'"
            answer, _ = await relay.to_sandbox(request, upstream, rule, person, guards(own, frames=frames))
            status = answer.status
            return answer
        except relay.Refused as refused:
            status = 403
            return self.refuse(request, refused.reason, upstream, kind)
        except relay.NotThere:
            status = 503
            return self.pages.answer("died", request, project=upstream.project)
        except relay.Nonsense:
            status = 502
            return self.pages.answer("not-answering", request, project=upstream.project)
        finally:
            self.journal.write(
                "served",
                rule=rule.name,
                method=request.method,
                status=status,
                site=upstream.site,
                session=upstream.session_id,
                sent=upstream.meter.sent - before,
                received=incoming,
                ms=relay.milliseconds(began),
            )


def is_websocket(request: web.BaseRequest) -> bool:
    """Whether this is a WebSocket handshake."""
    return request.headers.get("Upgrade", "").lower() == "websocket"
