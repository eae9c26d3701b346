"""Refuses request shapes that two parsers could read differently. Pure; knows no route."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from multidict import CIMultiDictProxy

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
LONGEST = 4096  # bytes of a request target
_PLAIN = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*\Z")  # RFC 3986 §3.3 pchar and "/"
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HIDDEN = re.compile(rb"[\x00-\x1f\x7f/\\]")


def misshapen(method: str, target: str, headers: CIMultiDictProxy[str] | Mapping[str, str]) -> str | None:
    """The reason to refuse this request before anything reads it, or None.

    Parameters
    ----------
    method, target
        As on the request line; the target undecoded, with its query.
    headers
        All of them, repeated ones included.

    Notes
    -----
    RFC 9112 §6.1: a message with both lengths, or a transfer coding other than chunked alone, is an attack.
    """
    if method not in METHODS:
        return "method"
    if not target.startswith("/") or len(target) > LONGEST:
        return "target"
    return _misshapen_path(target.partition("?")[0]) or _misshapen_headers(headers)


def _misshapen_path(path: str) -> str | None:
    if not _PLAIN.match(path) or _PERCENT.search(path):
        return "characters"
    segments = path.split("/")[1:]
    if any(not s for s in segments[:-1]):
        return "empty-segment"
    for segment in segments:
        decoded = unquote_to_bytes(segment)
        if _HIDDEN.search(decoded):
            return "hidden-characters"
        if decoded in {b".", b".."}:
            return "dots"
        try:
            decoded.decode("utf-8")
        except UnicodeDecodeError:
            return "encoding"
    return None


def _misshapen_headers(headers: CIMultiDictProxy[str] | Mapping[str, str]) -> str | None:
    def all_of(name: str) -> list[str]:
        if isinstance(headers, CIMultiDictProxy):
            return list(headers.getall(name, []))
        return [v for k, v in headers.items() if k.lower() == name.lower()]

    lengths, codings = all_of("Content-Length"), all_of("Transfer-Encoding")
    if len(all_of("Host")) != 1:
        return "host"
    if lengths and (codings or len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,15}", lengths[0])):
        return "length"
    if codings and [c.strip().lower() for c in codings] != ["chunked"]:
        return "transfer-coding"
    upgrades = all_of("Upgrade")
    if upgrades and [u.strip().lower() for u in upgrades] != ["websocket"]:
        return "upgrade"
    return None


def safe_next(path: str | None, otherwise: str = "/") -> str:
    """A path to go on to after signing on, if it stays on this host; else `otherwise`."""
    if not path or not path.startswith("/") or path.startswith("/_campus"):
        return otherwise
    return otherwise if _misshapen_path(path.partition("?")[0].partition("#")[0]) else path
