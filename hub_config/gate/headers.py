"""Which headers may go into a sandbox and come out of one. Pure; knows no route."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

HOP = frozenset(  # RFC 9110 §7.6.1, and what the next message sets for itself
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
INWARD = frozenset({"accept", "accept-language", "content-type", "if-modified-since", "if-none-match"})
OUTWARD = frozenset({"content-type"})  # whatever else a sandbox says about its answer is not repeated
IDENTITY = "X-Campus-User"
_NEVER_ON = ("x-forwarded-", "x-real-ip", "x-campus-", "x-scheme", "forwarded", "sec-websocket-")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(;[ -~]*)?\Z")


def into_sandbox(headers: Iterable[tuple[str, str]], person: str, display: str) -> dict[str, str]:
    """What a sandbox is told: the content, and who asks. No cookie, token, origin or address."""
    kept = {k: v for k, v in headers if k.lower() in INWARD}
    kept["Host"] = "sandbox"
    kept["Accept-Encoding"] = "identity"  # so that what is metered is what it is
    if person:
        kept[IDENTITY] = json.dumps({"name": person, "display": display})
    return kept


def out_of_sandbox(headers: Iterable[tuple[str, str]], prefix: str) -> dict[str, str]:
    """What a browser is told: the type, and a redirect if it stays within the session."""
    kept: dict[str, str] = {}
    for name, value in headers:
        low = name.lower()
        if low in OUTWARD and _TYPE.match(value):
            kept["Content-Type"] = value
        elif low == "location" and within(value, prefix):
            kept["Location"] = value
    kept.setdefault("Content-Type", "application/octet-stream")
    return kept


def within(location: str, prefix: str) -> bool:
    """True for a path below the prefix that no parser reads as another host."""
    return (
        location.startswith(prefix)
        and not location.startswith(("//", "/\\"))
        and re.fullmatch(r"[!-~]*", location) is not None
        and "\\" not in location
        and ".." not in location
    )


def guards(own: str, *, frames: str = "'self'") -> dict[str, str]:
    """The headers every answer of a sandbox's origin carries.

    CSP confines images, scripts and connections to the origin; it does not stop a person from following a
    link out, which SECURITY.md says.
    """
    policy = (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
        f"connect-src 'self' {own.replace('http', 'ws', 1)} data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        f"frame-ancestors {frames}",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), serial=(), bluetooth=()",
        "X-DNS-Prefetch-Control": "off",
    }


def to_service(headers: Iterable[tuple[str, str]], host: str, peer: str) -> list[tuple[str, str]]:
    """What portal and hub are told: all but hop-by-hop headers, tokens and claims about the sender."""
    kept = [
        (k, v)
        for k, v in headers
        if k.lower() not in HOP and k.lower() != "authorization" and not k.lower().startswith(_NEVER_ON)
    ]
    return [
        *kept,
        ("Host", host),
        ("X-Forwarded-For", peer),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", host),
    ]


def from_service(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a browser is told by portal and hub: all but hop-by-hop headers."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(k, v) for k, v in pairs if k.lower() not in HOP - {"content-length"} and k.lower() != "server"]
