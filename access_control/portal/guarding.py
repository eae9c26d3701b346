"""What keeps other origins out: headers, origin and form tokens, cookies, safe addresses. Knows no page.

A sandbox is a sibling origin (`s-….HOST`), so browsers call it *same-site*: SameSite cookies do not stop it,
and it can plant cookies for the parent domain. Hence: only *same-origin* requests may change anything, the
form token is bound to the sign-in, and a cookie that arrives twice counts as none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers

SESSION_COOKIE: Final = "campus_session"
FORM_COOKIE: Final = "campus_form"
LANGUAGE_COOKIE: Final = "campus_language"
LARGEST_FORM: Final = 64 << 10  # [bytes]
MOST_FIELDS: Final = 300
LONGEST_NEXT: Final = 1000  # characters

PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with that, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# For bytes that people made and that we serve: nothing in them may run or load.
INERT_HEADERS: Final[Mapping[str, str]] = {
    **PAGE_HEADERS,
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
}


class Form:
    """The fields of a submitted form; a field that was not sent is empty."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def text(self, name: str) -> str:
        """The field's last value."""
        return next((value for key, value in reversed(self._pairs) if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of a field that may be chosen several times."""
        return [value for key, value in self._pairs if key == name]

    def flag(self, name: str) -> bool:
        """Whether a checkbox was ticked."""
        return self.text(name) == "yes"


def parse_form(content_type: str, body: bytes) -> Form | None:
    """The form, or None when this is no URL-encoded form in UTF-8."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return None
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        return None
    return None if any("\0" in key or "\0" in value for key, value in pairs) else Form(pairs)


def cookie(headers: Headers, name: str) -> str:
    """The value of a cookie; empty when absent or sent twice (the second one was planted)."""
    found = [
        value.strip()
        for line in headers.getlist("cookie")
        for key, _, value in (pair.partition("=") for pair in line.split(";"))
        if key.strip() == name
    ]
    return found[0] if len(found) == 1 else ""


def from_own_page(headers: Headers, url: str) -> bool:
    """Whether a request that changes something was made by a page of this very origin."""
    fetch_site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if fetch_site is not None and fetch_site != "same-origin":
        return False
    return origin == url if origin is not None else fetch_site is not None


def form_token(key: bytes, session_token: str, browser: str) -> str:
    """The token every form of this sign-in (or, before it, of this browser) carries."""
    bound = f"session {session_token}" if session_token else f"browser {browser}"
    return hmac.new(key, bound.encode(), hashlib.sha256).hexdigest()


def same_text(left: str, right: str) -> bool:
    """Compare secrets without telling by time how much of them agrees."""
    return hmac.compare_digest(left.encode(), right.encode())


def safe_next(target: str, otherwise: str = "/") -> str:
    """A path on this origin to go on to, never another origin's address."""
    if (
        not target.startswith("/")
        or len(target) > LONGEST_NEXT
        or re.search(r"[\x00-\x20\\\x7f]", target)
        or target.startswith("//")
    ):
        return otherwise
    return target
