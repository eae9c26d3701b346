"""Which routes of a session and a dashboard are open, and how: an allow-list. Pure; knows no socket.

Whatever is not in the table is refused; a path is matched as it was sent, so an encoded letter in the fixed
part of a route matches nothing. Routes that hand out files say where to go instead: the export request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hub_config.gate.hosts import Kind

MIB = 1 << 20
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IMAGE = re.compile(r"\.(png|jpe?g|gif|svg|webp|bmp)\Z", re.IGNORECASE)


class Way(StrEnum):
    """How an open route is served."""

    PAGE = "page"  # relayed; another site may link to it
    RELAY = "relay"
    SOCKET = "socket"  # a WebSocket
    STATIC = "static"  # from the trusted environment; the sandbox is not asked


class Reason(StrEnum):
    """Why a request was refused; the wording of each is in pages.toml."""

    ROUTE = "route"
    FILES = "files"
    TERMINAL = "terminal"
    METHOD = "method"
    SHAPE = "shape"
    CROSS_SITE = "cross-site"
    BASE64 = "base64"
    SIZE = "size"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An open route.

    Parameters
    ----------
    name
        What the log calls it; paths hold file names, so no path is logged.
    active
        A person did something: counts against idleness. A page polls by itself, so polls do not count.
    cap
        Largest answer [bytes].
    saves
        Stays open past the budget, with small answers, so that work can be saved.
    """

    name: str
    way: Way
    methods: frozenset[str]
    path: re.Pattern[str]
    active: bool = False
    cap: int = MIB
    saves: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """No, and why."""

    reason: Reason


def _rule(
    name: str, way: Way, methods: str, path: str, *, active: bool = False, cap: int = MIB, saves: bool = False
) -> Rule:
    wanted = frozenset(methods.split())
    if "GET" in wanted and way is not Way.SOCKET:
        wanted |= {"HEAD"}
    return Rule(
        name=name, way=way, methods=wanted, path=re.compile(path + r"\Z"), active=active, cap=cap, saves=saves
    )


SESSION = (
    _rule("root", Way.PAGE, "GET", r"/", active=True),
    _rule("lab", Way.PAGE, "GET", r"/(lab|doc)(/workspaces/[^/]+)?(/tree(/.*)?)?/?", active=True),
    _rule("static", Way.STATIC, "GET", r"/(static|lab/extensions|lab/api/themes|kernelspecs/python3)/.+"),
    _rule("settings", Way.RELAY, "GET", r"/lab/api/settings(/.+)?", cap=4 * MIB),
    _rule("settings", Way.RELAY, "PUT", r"/lab/api/settings/.+", active=True),
    _rule("workspaces", Way.RELAY, "GET PUT DELETE", r"/lab/api/workspaces(/[^/]+)?"),
    _rule("translations", Way.RELAY, "GET", r"/lab/api/translations(/[^/]+)?", cap=4 * MIB),
    _rule(
        "listings",
        Way.RELAY,
        "GET",
        r"/lab/api/listings/@jupyterlab/extensionmanager-extension/listings\.json",
    ),
    _rule("about", Way.RELAY, "GET", r"/api(/|/me|/status|/kernelspecs|/kernelspecs/python3)?"),
    _rule("config", Way.RELAY, "GET PATCH", r"/api/config/[A-Za-z0-9_-]+"),
    _rule("kernels", Way.RELAY, "GET", rf"/api/kernels(/{_UUID})?"),
    _rule("kernels", Way.RELAY, "POST", r"/api/kernels", active=True),
    _rule("kernels", Way.RELAY, "DELETE", rf"/api/kernels/{_UUID}", active=True, saves=True),
    _rule(
        "kernels", Way.RELAY, "POST", rf"/api/kernels/{_UUID}/(interrupt|restart)", active=True, saves=True
    ),
    _rule("channels", Way.SOCKET, "GET", rf"/api/kernels/{_UUID}/channels", cap=32 * MIB),
    _rule("sessions", Way.RELAY, "GET", rf"/api/sessions(/{_UUID})?"),
    _rule("sessions", Way.RELAY, "POST", r"/api/sessions", active=True),
    _rule("sessions", Way.RELAY, "PATCH DELETE", rf"/api/sessions/{_UUID}", active=True, saves=True),
    _rule("contents", Way.RELAY, "GET", r"/api/contents(/.*)?", cap=16 * MIB),
    _rule("contents", Way.RELAY, "POST PUT PATCH DELETE", r"/api/contents(/.*)?", active=True, saves=True),
    _rule("events", Way.SOCKET, "GET", r"/api/events/subscribe"),
)
DASHBOARD = (
    _rule("dashboard", Way.PAGE, "GET", r"/", active=True, cap=32 * MIB),
    _rule("static", Way.STATIC, "GET", r"/(voila/(static|templates|labextensions|api/themes)|static)/.+"),
    _rule("channels", Way.SOCKET, "GET", rf"/api/kernels/{_UUID}/channels", cap=32 * MIB),
    _rule("kernels", Way.RELAY, "GET", rf"/api/kernels/{_UUID}"),
    _rule("close", Way.RELAY, "POST", rf"/voila/api/shutdown/{_UUID}"),
)
_FILES = re.compile(
    r"/(files|nbconvert|view|proxy|voila|notebooks|edit|tree|api/nbconvert)(/|\Z)", re.IGNORECASE
)
_TERMINAL = re.compile(r"/(terminals|api/terminals)(/|\Z)", re.IGNORECASE)


def judge(kind: Kind, method: str, path: str, query: Mapping[str, str], *, websocket: bool) -> Rule | Refusal:
    """The rule that opens this route, or the reason it stays shut.

    Parameters
    ----------
    path
        Below the session's prefix, with its leading slash, undecoded.
    websocket
        The request is a WebSocket handshake.
    """
    table = SESSION if kind is Kind.SITE else DASHBOARD
    named = [rule for rule in table if rule.path.match(path)]
    fitting = [r for r in named if method in r.methods and (r.way is Way.SOCKET) == websocket]
    if not fitting:
        return Refusal(reason=Reason.METHOD if named else _shut(path))
    rule = fitting[0]
    reads = rule.name == "contents" and method in {"GET", "HEAD"}
    if reads and query.get("format") == "base64" and not _IMAGE.search(path):
        return Refusal(reason=Reason.BASE64)
    return rule


def _shut(path: str) -> Reason:
    if _FILES.match(path):
        return Reason.FILES
    return Reason.TERMINAL if _TERMINAL.match(path) else Reason.ROUTE
