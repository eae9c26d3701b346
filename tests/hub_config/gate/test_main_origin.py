"""The main origin: portal and hub behind it, forged and smuggled requests, restarts."""

from __future__ import annotations

import asyncio
import io
import time

import pytest

from access_control.sessions.model import site
from hub_config.gate.hosts import Kind
from hub_config.gate.statics import of_environment
from hub_config.settings import REPO
from tests.hub_config.gate.conftest import PREFIX, SITE, Campus


async def raw(campus: Campus, text: bytes) -> bytes:
    """Send bytes and read what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", campus.settings.port)
    writer.write(text)
    await writer.drain()
    try:
        async with asyncio.timeout(5):
            return await reader.read(65536)  # the first segment holds the status line
    finally:
        writer.close()


async def test_the_portal_is_told_who_asks_by_the_gate_alone(campus: Campus) -> None:
    lies = {
        "X-Forwarded-For": "1.2.3.4",
        "X-Campus-User": "root",
        "Authorization": "token x",
        "X-Real-IP": "1.1.1.1",
    }
    async with (
        campus.browser(**lies) as browser,
        browser.get(campus.settings.url + "/catalogue?q=1") as answer,
    ):
        heard = await answer.json()
    told = {k.lower(): v for k, v in heard["headers"].items()}
    assert heard["path"] == "/catalogue?q=1" and told["x-forwarded-for"] == "127.0.0.1"
    assert not {"x-campus-user", "authorization", "x-real-ip", "x-campus-internal"} & set(told)


@pytest.mark.parametrize(
    "path", ["/_internal/redeem", "/_Internal/redeem", "/%5Finternal/redeem", "/_internal"]
)
async def test_internal_questions_are_never_passed_on(campus: Campus, path: str) -> None:
    answer = await raw(
        campus, f"GET {path} HTTP/1.1\r\nHost: localhost:{campus.settings.port}\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 4") and campus.portal.seen == []


@pytest.mark.parametrize(
    "head",
    [
        "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {h}\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET http://{h}/ HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "GET /hub/../x HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "GET //evil.example/ HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "CONNECT evil.example:80 HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {h}\r\n folded: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {h}\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    ],
)
async def test_smuggled_and_misaddressed_requests_reach_nobody(campus: Campus, head: str) -> None:
    answer = await raw(campus, head.format(h=f"localhost:{campus.settings.port}").encode())
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer[:200]
    assert campus.portal.seen == []


async def test_other_sites_cannot_post_to_the_portal(campus: Campus) -> None:
    async with campus.browser() as browser:
        for origin in ("http://evil.example", campus.origin, "null"):
            async with browser.post(campus.settings.url + "/apply", headers={"Origin": origin}) as answer:
                assert answer.status == 403
        async with browser.post(
            campus.settings.url + "/apply", headers={"Origin": campus.settings.url}
        ) as answer:
            assert answer.status == 200
    assert len(campus.portal.seen) == 1


async def test_links_of_the_hub_lead_to_the_sessions_own_origin(campus: Campus) -> None:
    url = campus.settings.url + PREFIX + "lab"
    async with campus.browser() as browser, browser.get(url, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == f"{campus.settings.url}/enter/{SITE}?next={PREFIX}lab"


async def test_a_restarting_hub_shows_a_page_that_tries_again(campus: Campus) -> None:
    page = {"Accept": "text/html"}
    async with (
        campus.browser() as browser,
        browser.get(campus.settings.url + "/hub/home", headers=page) as answer,
    ):
        text = await answer.text()
        assert answer.status == 503 and answer.headers["Retry-After"] == "3"
        assert "http-equiv" in text and "다시 시작하는 중" in text


async def test_the_loopback_address_leads_to_the_name(campus: Campus) -> None:
    url = f"http://127.0.0.1:{campus.settings.port}/catalogue"
    async with campus.browser() as browser, browser.get(url, allow_redirects=False) as answer:
        assert answer.headers["Location"] == f"{campus.settings.url}/catalogue"


async def test_large_answers_stream_both_ways(campus: Campus) -> None:
    body = b"x" * (8 << 20)
    async with campus.browser(Origin=campus.settings.url) as browser:
        began = time.monotonic()
        async with browser.post(campus.settings.url + "/upload", data=io.BytesIO(body)) as answer:
            assert answer.status == 200
        assert time.monotonic() - began < 20


async def test_a_dashboard_is_asked_for_and_shown_as_starting(campus: Campus) -> None:
    url = campus.settings.site_url("d-living-population") + "/"
    page = {"Accept": "text/html"}
    async with campus.browser() as browser:
        asking = asyncio.create_task(campus.control("GET", "/wanted"))
        async with browser.get(url, headers=page) as answer:
            text = await answer.text()
            assert answer.status == 503 and "준비하고 있습니다" in text and "http-equiv" in text
        assert await asking == {"names": ["living-population"]}
        await campus.control("PUT", "/dashboards/living-population", state="unknown")
        async with browser.get(url, headers=page) as answer:
            assert answer.status == 404


async def test_cookies_of_the_main_origin_stay_there(campus: Campus) -> None:
    other = site("jihoon", "open-data")
    async with campus.browser() as browser, browser.get(campus.settings.site_url(other) + "/api") as answer:
        assert answer.status == 401


def test_static_files_come_from_the_environment_and_nowhere_else() -> None:
    statics = of_environment(REPO / ".venv-session")
    assert statics.find(Kind.SITE, "/static/lab/index.html") is not None
    assert statics.find(Kind.SITE, "/kernelspecs/python3/logo-64x64.png") is not None
    assert statics.find(Kind.DASHBOARD, "/voila/static/voila.js") is not None
    for bad in (
        "/static/lab/../../../../etc/passwd",
        "/static/lab/%2e%2e/%2e%2e/x",
        "/static/lab//etc/passwd",
        "/x",
    ):
        assert statics.find(Kind.SITE, bad) is None
