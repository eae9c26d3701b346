"""Which routes of a session are open: the whole list, and many ways around it."""

from __future__ import annotations

import pytest

from hub_config.gate.headers import within
from hub_config.gate.hosts import Kind, origin_of
from hub_config.gate.metering import RESERVE, Meter
from hub_config.gate.origins import cross_site, forged
from hub_config.gate.pages import Pages, wording
from hub_config.gate.policy import Reason, Refusal, Rule, judge
from hub_config.gate.targets import misshapen, safe_next

KERNEL = "0f8fad5b-d9cb-469f-a165-70867728950e"
OPEN = [
    ("GET", "/"),
    ("GET", "/lab"),
    ("GET", "/lab/"),
    ("GET", "/lab/tree/%EA%B0%80.ipynb"),
    ("GET", "/lab/workspaces/auto-k"),
    ("GET", "/lab/workspaces/auto-k/tree/a/b.ipynb"),
    ("GET", "/doc/tree/a.ipynb"),
    ("GET", "/static/lab/main.js"),
    ("GET", "/lab/extensions/@jupyter-widgets/jupyterlab-manager/static/x.js"),
    ("GET", "/lab/api/themes/@jupyterlab/theme-light-extension/index.css"),
    ("GET", "/lab/api/settings"),
    ("PUT", "/lab/api/settings/@jupyterlab/apputils-extension:themes"),
    ("PUT", "/lab/api/workspaces/default"),
    ("GET", "/lab/api/translations/ko_KR"),
    ("GET", "/api"),
    ("GET", "/api/me"),
    ("GET", "/api/status"),
    ("GET", "/api/kernelspecs"),
    ("GET", "/kernelspecs/python3/logo-64x64.png"),
    ("GET", "/api/kernels"),
    ("POST", "/api/kernels"),
    ("DELETE", f"/api/kernels/{KERNEL}"),
    ("POST", f"/api/kernels/{KERNEL}/interrupt"),
    ("GET", "/api/sessions"),
    ("PATCH", f"/api/sessions/{KERNEL}"),
    ("GET", "/api/contents"),
    ("GET", "/api/contents/outbox/a%20b.csv"),
    ("PUT", "/api/contents/a.ipynb"),
    ("POST", "/api/contents/a.ipynb/checkpoints"),
    ("DELETE", "/api/contents/a.ipynb"),
    ("HEAD", "/lab"),
    ("GET", "/api/config/notebook"),
    ("PATCH", "/api/config/notebook"),
]
SHUT = [
    ("GET", "/files/a.csv", "files"),
    ("GET", "/files/", "files"),
    ("GET", "/Files/a.csv", "files"),
    ("GET", "/FILES/a.csv", "files"),
    ("HEAD", "/files/a.csv", "files"),
    ("GET", "/nbconvert/html/a.ipynb", "files"),
    ("GET", "/nbconvert", "files"),
    ("POST", "/api/nbconvert/html", "files"),
    ("GET", "/api/nbconvert", "files"),
    ("GET", "/view/a.html", "files"),
    ("GET", "/notebooks/a.ipynb", "files"),
    ("GET", "/edit/a.py", "files"),
    ("GET", "/tree", "files"),
    ("GET", "/proxy/8080/", "files"),
    ("GET", "/proxy/absolute/8080/", "files"),
    ("GET", "/voila/render/a.ipynb", "files"),
    ("GET", "/voila/files/a", "files"),
    ("GET", "/terminals/1", "terminal"),
    ("GET", "/terminals/websocket/1", "terminal"),
    ("POST", "/api/terminals", "terminal"),
    ("GET", "/api/terminals", "terminal"),
    ("POST", "/api/shutdown", "route"),
    ("GET", "/metrics", "route"),
    ("GET", "/lsp/ws/pylsp", "route"),
    ("GET", "/lsp/status", "route"),
    ("GET", "/login", "route"),
    ("GET", "/logout", "route"),
    ("GET", "/oauth_callback", "route"),
    ("GET", "/hub/api", "route"),
    ("GET", "/_internal/redeem", "route"),
    ("GET", "/lab/api/licenses", "route"),
    ("GET", "/lab/api/plugins", "route"),
    ("POST", "/lab/api/extensions", "route"),
    ("POST", "/lab/api/build", "route"),
    ("GET", "/lab/api/news", "route"),
    ("GET", "/kernelspecs/other/kernel.js", "route"),
    ("GET", "/api/contentsx", "route"),
    ("GET", "/apI/contents", "route"),
    ("GET", "/%61pi/contents", "route"),
    ("GET", "/api%2Fcontents", "route"),
    ("GET", "/Lab", "route"),
    ("GET", "/labx", "route"),
    ("GET", "/lab/other", "route"),
    ("POST", "/api/kernels/../shutdown", "route"),
    ("GET", "/api/kernels/not-a-uuid", "route"),
    ("DELETE", "/api/kernels", "method"),
    ("PUT", "/api/kernels", "method"),
    ("POST", "/lab", "method"),
    ("DELETE", "/lab/api/settings", "method"),
    ("POST", "/api/status", "method"),
    ("PUT", "/static/lab/a", "method"),
    ("GET", f"/api/kernels/{KERNEL}/channels", "method"),
    ("GET", "/api/events/subscribe", "method"),
    ("POST", "/api/events", "route"),
    ("GET", "/custom/custom.css", "route"),
    ("GET", "/api/spec.yaml", "route"),
    ("GET", "/favicon.ico", "route"),
    ("GET", "/security/csp-report", "route"),
    ("GET", "/lab/../files/a", "route"),
    ("GET", "/.well-known/x", "route"),
    ("GET", "/api/collaboration/room/x", "route"),
    ("GET", "", "route"),
]


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_what_the_lab_needs_is_open(method: str, path: str) -> None:
    assert isinstance(judge(Kind.SITE, method, path, {}, websocket=False), Rule)


@pytest.mark.parametrize(("method", "path", "reason"), SHUT)
def test_everything_else_is_shut(method: str, path: str, reason: str) -> None:
    assert judge(Kind.SITE, method, path, {}, websocket=False) == Refusal(reason=Reason(reason))


def test_only_two_routes_are_websockets() -> None:
    for path in ("/", "/lab", "/api/contents/a", "/terminals/websocket/1", "/files/a", "/api/kernels"):
        assert isinstance(judge(Kind.SITE, "GET", path, {}, websocket=True), Refusal)
    for path in (f"/api/kernels/{KERNEL}/channels", "/api/events/subscribe"):
        assert isinstance(judge(Kind.SITE, "GET", path, {}, websocket=True), Rule)


@pytest.mark.parametrize(
    ("name", "fine"), [("a.png", True), ("a.PNG", True), ("a.csv", False), ("png", False)]
)
def test_only_images_are_shown_as_base64(name: str, fine: bool) -> None:
    found = judge(Kind.SITE, "GET", f"/api/contents/{name}", {"format": "base64"}, websocket=False)
    assert isinstance(found, Rule) is fine


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/voila/files/a"),
        ("GET", "/api/contents/x"),
        ("POST", "/api/kernels"),
        ("GET", "/api/kernels"),
        ("GET", "/voila/tree/"),
        ("DELETE", f"/api/kernels/{KERNEL}"),
        ("GET", "/lab"),
        ("PUT", "/"),
        ("GET", "/dashboard.ipynb"),
        ("GET", "/voila/render/a.ipynb"),
    ],
)
def test_a_dashboard_shows_its_page_and_nothing_else(method: str, path: str) -> None:
    assert isinstance(judge(Kind.DASHBOARD, method, path, {}, websocket=False), Refusal)


def test_a_dashboard_has_a_page_widgets_and_files_of_the_environment() -> None:
    for path in ("/", "/voila/static/voila.js", "/voila/templates/lab/static/a.css"):
        assert isinstance(judge(Kind.DASHBOARD, "GET", path, {}, websocket=False), Rule)
    assert isinstance(
        judge(Kind.DASHBOARD, "GET", f"/api/kernels/{KERNEL}/channels", {}, websocket=True), Rule
    )


def test_polls_of_an_open_page_are_no_activity() -> None:
    for path in ("/api/kernels", "/api/sessions", "/api/contents", "/api/status", "/lab/api/settings"):
        found = judge(Kind.SITE, "GET", path, {}, websocket=False)
        assert isinstance(found, Rule) and not found.active
    found = judge(Kind.SITE, "PUT", "/api/contents/a", {}, websocket=False)
    assert isinstance(found, Rule) and found.active


@pytest.mark.parametrize(
    "target",
    [
        "//lab",
        "/lab//tree",
        "/lab/./x",
        "/lab/../x",
        "/lab/%2e%2e/x",
        "/lab/.%2E/x",
        "/lab/%2e/x",
        "/a%2fb",
        "/a%5cb",
        "/a\\b",
        "/a%00",
        "/a%0d%0aX:1",
        "/%ff",
        "/a%2",
        "/a%zz",
        "/가",
        "/a b",
        "/a#b",
        "/a|b",
        "http://evil/",
        "lab",
        "*",
        "",
        "/" + "a" * 5000,
        '/a"b',
        "/a<b",
        "/a^b",
        "/a`b",
        "/a{b}",
    ],
)
def test_paths_two_parsers_could_read_differently_are_refused(target: str) -> None:
    assert misshapen("GET", target, {"Host": "a"}) is not None


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("CONNECT", {"Host": "a"}),
        ("TRACE", {"Host": "a"}),
        ("OPTIONS", {"Host": "a"}),
        ("get", {"Host": "a"}),
        ("GET", {}),
        ("POST", {"Host": "a", "Content-Length": "1", "Transfer-Encoding": "chunked"}),
        ("POST", {"Host": "a", "Transfer-Encoding": "gzip, chunked"}),
        ("POST", {"Host": "a", "Content-Length": "+1"}),
        ("POST", {"Host": "a", "Transfer-Encoding": "xchunked"}),
        ("GET", {"Host": "a", "Upgrade": "h2c"}),
    ],
)
def test_shapes_of_smuggled_requests_are_refused(method: str, headers: dict[str, str]) -> None:
    assert misshapen(method, "/", headers) is not None


def test_plain_requests_are_fine() -> None:
    for target in ("/", "/lab/tree/%EA%B0%80%EB%82%98%20(1).ipynb?a=%2F..%2F", "/a/", "/@x/y:z", "/a%25b"):
        assert misshapen("GET", target, {"Host": "a"}) is None


OWN = "http://s-x.localhost:8000"


@pytest.mark.parametrize(
    ("method", "headers", "websocket", "page", "crossed"),
    [
        ("GET", {}, False, False, False),
        ("GET", {"Sec-Fetch-Site": "same-origin"}, False, False, False),
        ("GET", {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, False, False, False),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, False, True, True),
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, False, False, True),
        (
            "GET",
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
            False,
            True,
            False,
        ),
        (
            "GET",
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
            False,
            False,
            True,
        ),
        (
            "GET",
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            False,
            True,
            True,
        ),
        ("GET", {"Origin": "http://evil"}, False, False, True),
        ("POST", {}, False, False, True),
        ("POST", {"Origin": OWN}, False, False, False),
        ("POST", {"Origin": "null"}, False, False, True),
        ("POST", {"Origin": OWN + ".evil"}, False, False, True),
        ("PUT", {"Origin": "http://localhost:8000"}, False, False, True),
        ("POST", {"Origin": OWN, "Sec-Fetch-Site": "cross-site"}, False, False, True),
        ("GET", {}, True, False, True),
        ("GET", {"Origin": OWN}, True, False, False),
        ("GET", {"Origin": "http://localhost:8000"}, True, False, True),
    ],
)
def test_other_sites_cannot_make_a_browser_act(
    method: str, headers: dict[str, str], websocket: bool, page: bool, crossed: bool
) -> None:
    assert cross_site(method, headers, OWN, websocket=websocket, page=page) is crossed


def test_forms_of_other_sites_do_not_reach_the_portal() -> None:
    own = "http://localhost:8000"
    assert forged("POST", {"Origin": OWN}, own) and forged("POST", {"Origin": "null"}, own)
    assert forged("POST", {"Sec-Fetch-Site": "cross-site"}, own)
    assert not forged("POST", {"Origin": own, "Sec-Fetch-Site": "same-origin"}, own)
    assert not forged("GET", {"Sec-Fetch-Site": "cross-site"}, own)


@pytest.mark.parametrize(
    ("host", "kind", "label"),
    [
        ("localhost:8000", "main", ""),
        ("LOCALHOST:8000", "main", ""),
        ("localhost", "stranger", ""),
        ("localhost:80", "stranger", ""),
        ("127.0.0.1:8000", "alias", ""),
        ("evil.example:8000", "stranger", ""),
        ("s-abcdefghijklmn23.localhost:8000", "site", "s-abcdefghijklmn23"),
        ("a.s-abcdefghijklmn23.localhost:8000", "stranger", ""),
        ("s-abc.localhost:8000", "stranger", ""),
        ("d-living-population.localhost:8000", "dashboard", "living-population"),
        ("d-.localhost:8000", "stranger", ""),
        ("localhost.evil.example:8000", "stranger", ""),
        ("evillocalhost:8000", "stranger", ""),
        ("localhost.:8000", "stranger", ""),
        ("", "stranger", ""),
        ("localhost:8000@evil:8000", "stranger", ""),
        ("s-abcdefghijklmn23.evil.example:8000", "stranger", ""),
        ("d-x_y.localhost:8000", "stranger", ""),
    ],
)
def test_a_host_is_ours_or_a_stranger(host: str, kind: str, label: str) -> None:
    found = origin_of(host, "localhost", 8000)
    assert (found.kind, found.label) == (kind, label)


def test_a_sandbox_redirects_only_within_itself() -> None:
    prefix = "/user/minji/open-data/"
    assert within(prefix + "lab?a=1", prefix)
    for bad in (
        "/",
        "//evil/",
        "/\\evil",
        "http://evil",
        prefix + "../../hub",
        prefix + "a\\b",
        prefix + "a\r\nX: 1",
    ):
        assert not within(bad, prefix)


def test_going_on_after_signing_on_stays_here() -> None:
    assert safe_next("/user/a/b/lab?x=1") == "/user/a/b/lab?x=1"
    for bad in (
        None,
        "",
        "//evil",
        "/\\evil",
        "https://evil",
        "/_campus/enter?ticket=x",
        "/a/../b",
        "/%0d%0a",
    ):
        assert safe_next(bad) == "/"


def test_a_budget_is_not_taken_in_small_pieces() -> None:
    meter = Meter(budget=100)
    assert meter.take(90) and not meter.take(20)
    assert meter.spent and not meter.take(1)
    assert meter.take(RESERVE, saves=True) and not meter.take(1, saves=True)
    assert Meter(budget=None).take(1 << 40)


def test_every_reason_has_words_in_both_languages() -> None:
    words = wording()
    assert {str(r) for r in Reason} <= set(words)
    pages = Pages(portal="http://localhost:8000")
    for reason, entry in words.items():
        ko, en = entry["ko"], entry["en"]
        assert isinstance(ko, list) and isinstance(en, list) and len(ko) == len(en) == 2
        text = pages.answer(reason).text
        assert text is not None and text.count("<h1>") == 1 and "{" not in text.split("</style>")[1]
    unsafe = Pages(portal="http://localhost:8000", unsafe=True).answer("route").text
    assert unsafe is not None and "격리 없음" in unsafe
