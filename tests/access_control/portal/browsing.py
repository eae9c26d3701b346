"""A browser without a screen: keeps cookies, sends what browsers send, fills the forms it is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import aiohttp
from yarl import URL

from tests.access_control.campus import PASSWORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response, not followed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    location: str
    cookies: dict[str, str]

    @property
    def text(self) -> str:
        """The page."""
        return self.body.decode()

    def header(self, name: str) -> str:
        """A header's value, empty when absent."""
        return self.headers.get(name, "")

    @property
    def csrf(self) -> str:
        """The token of the page's forms."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.text)
        assert found, "no form on this page"
        return found[1]

    def hidden(self, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found, f"no field {name}"
        return unescape(found[1])


class Browser:
    """One visitor."""

    def __init__(self, socket: Path, url: str) -> None:
        self._socket = socket
        self._url = url
        self.cookies: dict[str, str] = {}

    async def get(self, path: str, **headers: str) -> Answer:
        """Look at a page."""
        return await self._send("GET", path, None, headers)

    async def post(self, path: str, fields: object, **headers: str) -> Answer:
        """Send fields as a page of the portal would."""
        sent = {"Origin": self._url, "Sec-Fetch-Site": "same-origin"} | headers
        return await self._send("POST", path, fields, {k: v for k, v in sent.items() if v})

    async def submit(self, page: str, action: str, fields: dict[str, str]) -> Answer:
        """Open a page and send one of its forms."""
        shown = await self.get(page)
        return await self.post(action, {"csrf": shown.csrf, **fields})

    async def sign_in(self, handle: str, password: str = PASSWORD) -> Answer:
        """Sign in."""
        fields = {"handle": handle, "password": password}
        answer = await self.submit("/sign-in", "/sign-in", fields)
        assert answer.status == 303, answer.text
        return answer

    async def _send(self, method: str, path: str, fields: object, headers: dict[str, str]) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies and "Cookie" not in named:
            named["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connector = aiohttp.UnixConnector(str(self._socket))
        jar = aiohttp.DummyCookieJar()
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session,
            session.request(
                method,
                URL(f"http://localhost{path}", encoded=True),
                data=fields,
                headers=named,
                allow_redirects=False,
            ) as response,
        ):
            body = await response.read()
            set_now = {name: morsel.value for name, morsel in response.cookies.items()}
            for name, value in set_now.items():
                if value in {"", '""'}:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = value
            return Answer(
                status=response.status,
                headers=response.headers,
                body=body,
                location=response.headers.get("Location", ""),
                cookies=set_now,
            )
