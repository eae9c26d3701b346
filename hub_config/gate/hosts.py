"""Which of the product's origins a Host header names. Pure; knows no route and no person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_SITE = re.compile(r"s-[a-z2-7]{16}\Z")
_DASHBOARD = re.compile(r"d-([a-z][a-z0-9-]{1,30})\Z")
_LOOPBACK = {"127.0.0.1", "[::1]"}


class Kind(StrEnum):
    """What lives at an origin."""

    MAIN = "main"  # portal and hub
    SITE = "site"  # one (person, project)
    DASHBOARD = "dashboard"
    ALIAS = "alias"  # the loopback address itself: sent on to the public name
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An origin by its kind and label: the site's, or the dashboard's name."""

    kind: Kind
    label: str = ""


def origin_of(header: str, host: str, port: int) -> Origin:
    """The origin a Host header names; anything unknown is a stranger, so no foreign name resolves to us.

    Parameters
    ----------
    header
        As sent.
    host, port
        The product's public name and TCP port.
    """
    name, _, given = header.lower().rpartition(":") if re.search(r":[0-9]+\Z", header) else (header, "", "80")
    name = name.lower()
    if given != str(port):
        return Origin(kind=Kind.STRANGER)
    if name == host:
        return Origin(kind=Kind.MAIN)
    if name.endswith("." + host):
        label = name[: -len(host) - 1]
        if _SITE.match(label):
            return Origin(kind=Kind.SITE, label=label)
        if found := _DASHBOARD.match(label):
            return Origin(kind=Kind.DASHBOARD, label=found[1])
    if name in _LOOPBACK:
        return Origin(kind=Kind.ALIAS)
    return Origin(kind=Kind.STRANGER)
