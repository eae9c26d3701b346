"""Whether a request comes from where it may: the same origin, or a person's own navigation. Pure."""

from __future__ import annotations

from collections.abc import Mapping

SAFE = frozenset({"GET", "HEAD"})
OWN = frozenset({"same-origin", "none"})  # none: typed, or a bookmark


def cross_site(
    method: str, headers: Mapping[str, str], own: str, *, websocket: bool, page: bool, framed: bool = False
) -> bool:
    """True when another site made the browser send this.

    Parameters
    ----------
    own
        The origin the request was sent to.
    websocket
        A WebSocket handshake: a GET that changes things, so Origin is demanded.
    page
        The route shows a page, so links to it from elsewhere are fine.
    framed
        The page may be opened in a frame of another site (the portal's; CSP names it).
    """
    site = headers.get("Sec-Fetch-Site")
    if websocket or method not in SAFE:
        return headers.get("Origin") != own or site not in {None, "same-origin"}
    if site is None or site in OWN:
        return headers.get("Origin", own) != own
    navigation = headers.get("Sec-Fetch-Mode") == "navigate"
    where = {"document", "iframe"} if framed else {"document"}
    return not (page and navigation and headers.get("Sec-Fetch-Dest") in where)


def forged(method: str, headers: Mapping[str, str], own: str) -> bool:
    """True when another site made the browser change something at the portal or the hub."""
    if method in SAFE:
        return False
    return headers.get("Origin", own) != own or headers.get("Sec-Fetch-Site", "same-origin") not in OWN
