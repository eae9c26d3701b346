"""Who is signed on at a sandbox's own site: tickets in, one cookie a site, re-checked with the portal.

Knows no password and no route. A cookie is worth something at its own site only, and only while the portal
calls its person active.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

COOKIE_LIFE = 12 * 3600  # s
RECHECK = 30  # s between questions to the portal about one person
PORTAL_OUTAGE = 600  # s for which the portal's last yes holds while it restarts
PATIENCE = aiohttp.ClientTimeout(total=10, sock_connect=3)
TOKEN_HEADER = "X-Campus-Internal"  # noqa: S105  # the name of a header
RESTARTING = frozenset({502, 503, 504})


class PortalUnavailable(Exception):
    """The portal does not answer and there is no earlier answer to go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOn:
    """A person at one site, since when [s since the epoch]."""

    site: str
    person: str
    display: str
    since: float


class Seal:
    """Signs and reads site cookies, with a key that outlives the gate and is good for nothing else."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.new(secret, b"campus site cookie", hashlib.sha256).digest()

    def seal(self, who: SignedOn) -> str:
        """A cookie's value."""
        body = _coded(json.dumps([who.site, who.person, who.display, who.since]).encode())
        return f"{body}.{self._mark(body)}"

    def open(self, value: str | None, site: str, now: float) -> SignedOn | None:
        """The person of a cookie sealed for this site and not too old, or None."""
        body, _, mark = (value or "").partition(".")
        if not body or not hmac.compare_digest(mark.encode(), self._mark(body).encode()):
            return None
        sealed_site, person, display, since = json.loads(base64.urlsafe_b64decode(body + "=="))
        if sealed_site != site or not since <= now < since + COOKIE_LIFE:
            return None
        return SignedOn(site=site, person=person, display=display, since=since)

    def _mark(self, body: str) -> str:
        return _coded(hmac.new(self._key, body.encode(), hashlib.sha256).digest())


class Portal:
    """The portal's internal questions, over its own socket.

    Parameters
    ----------
    socket
        The portal's unix socket.
    token
        What the portal knows the gate by.
    """

    def __init__(self, socket: Path, token: str) -> None:
        self._socket = socket
        self._token = token
        self._active: dict[str, tuple[bool, float]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def redeem(self, ticket: str, site: str) -> tuple[str, str] | None:
        """(handle, display name) of a ticket for this site; None when it is spent, expired or another's."""
        found = await self._ask("POST", "/_internal/redeem", json={"ticket": ticket, "site": site})
        return (str(found["person"]), str(found["display_name"])) if found and found.get("person") else None

    async def owner(self, site: str) -> tuple[str, str] | None:
        """(handle, project) of a site, or None."""
        found = await self._ask("GET", f"/_internal/site/{site}")
        return (str(found["person"]), str(found["project"])) if found else None

    async def active(self, person: str, now: float) -> bool:
        """Whether the person may still be here; good for 30 s, longer while the portal restarts.

        Raises
        ------
        PortalUnavailable
            No answer now, and none lately.
        """
        known, asked = self._active.get(person, (False, 0.0))
        if now - asked < RECHECK:
            return known
        try:
            found = await self._ask("GET", f"/_internal/person/{person}/active")
        except PortalUnavailable:
            if known and now - asked < PORTAL_OUTAGE:
                return True
            raise
        answer = bool(found and found.get("active"))
        self._active[person] = (answer, now)
        return answer

    def forget(self, person: str) -> None:
        """Ask again at the next request."""
        self._active.pop(person, None)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, method: str, path: str, json: object = None) -> dict[str, object] | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self._socket), limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={TOKEN_HEADER: self._token},
                timeout=PATIENCE,
            )
        try:
            async with self._session.request(method, f"http://portal{path}", json=json) as response:
                if response.status in RESTARTING:
                    raise PortalUnavailable(path)
                if response.status != 200:
                    return None
                found = await response.json()
                return found if isinstance(found, dict) else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise PortalUnavailable(path) from error


def new_sign_on(site: str, person: str, display: str) -> SignedOn:
    """A sign-on that begins now."""
    return SignedOn(site=site, person=person, display=display, since=time.time())


def cookie_name(site: str) -> str:
    """One cookie a site, named by it: a sibling site cannot plant another's."""
    return f"campus-{site}"


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
