"""The main origin: `/hub` to the hub, the rest to the portal. Knows no session's inside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
from aiohttp import web

from hub_config.gate import relay
from hub_config.gate.origins import forged
from hub_config.gate.pages import Pages, redirect
from hub_config.gate.policy import Reason

_USER = re.compile(r"/user/([a-z][a-z0-9-]{1,30})/([a-z][a-z0-9-]{1,30})(/.*)?\Z")
_INTERNAL = re.compile(r"/_", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Serves the main origin.

    Parameters
    ----------
    hub, portal
        Connections to each, over their sockets.
    authority
        Host and port as browsers write them.
    site_of
        The site of (person, project).
    """

    hub: aiohttp.ClientSession
    portal: aiohttp.ClientSession
    authority: str
    url: str
    pages: Pages
    site_of: Callable[[str, str], str]

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request to portal or hub."""
        path = request.raw_path.partition("?")[0]
        if _INTERNAL.match(request.path) or request.headers.get("Upgrade"):
            return self.pages.answer("internal", request)
        if forged(request.method, request.headers, self.url):
            return self.pages.answer(Reason.CROSS_SITE, request)
        if path.startswith("/user/"):
            return self._to_site(request)
        hub = path == "/hub" or path.startswith("/hub/")
        try:
            return await relay.to_service(request, self.hub if hub else self.portal, self.authority)
        except relay.NotThere:
            return self.pages.answer("hub-restarting" if hub else "portal-restarting", request)

    def _to_site(self, request: web.BaseRequest) -> web.StreamResponse:
        """Sessions live on their own origins: the hub's links lead there through the portal."""
        found = _USER.match(request.path)
        if found is None or request.method != "GET":
            return self.pages.answer(Reason.ROUTE, request)
        site = self.site_of(found[1], found[2])
        return redirect(f"{self.url}/enter/{site}?next={quote(request.raw_path, safe='/')}")


def service_client(socket: str) -> aiohttp.ClientSession:
    """Connections to a trusted service; each request's answer is streamed as it is."""
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(socket, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        max_line_size=64 << 10,
        max_field_size=64 << 10,
    )
