"""A person reaches their session through the gate, and what leaves it is judged."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import aiohttp
import pytest

from tests.hub_config.gate.conftest import PREFIX, PROJECT, SESSION, SITE, Campus

KERNEL_PROTOCOL = "v1.kernel.websocket.jupyter.org"


async def execute(socket: aiohttp.ClientWebSocketResponse, code: str) -> list[dict[str, Any]]:
    """Run code over a kernel's WebSocket (JSON protocol) and return the messages until it is idle again."""
    message = uuid.uuid4().hex
    header = {
        "msg_id": message,
        "msg_type": "execute_request",
        "session": uuid.uuid4().hex,
        "username": "",
        "version": "5.3",
        "date": "2026-01-01T00:00:00Z",
    }
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
    }
    await socket.send_json(
        {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    )
    got: list[dict[str, Any]] = []
    async for raw in socket:
        if raw.type is not aiohttp.WSMsgType.TEXT:
            break
        said = json.loads(raw.data)
        if said["parent_header"].get("msg_id") != message:
            continue
        got.append(said)
        if said["msg_type"] == "status" and said["content"]["execution_state"] == "idle":
            break
    return got


async def a_kernel(campus: Campus, browser: aiohttp.ClientSession) -> str:
    """Start a kernel and return its id."""
    async with browser.post(
        f"{campus.origin}{PREFIX}api/kernels", json={"name": "python3"}, headers={"Origin": campus.origin}
    ) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["id"])


async def test_a_person_enters_and_runs_a_cell(campus: Campus) -> None:
    await campus.add_session()
    async with campus.browser() as browser:
        await campus.sign_on(browser)
        async with browser.get(campus.origin + "/") as answer:
            page = await answer.text()
            assert answer.status == 200 and "jupyter-config-data" in page
            assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Server" not in answer.headers or "Tornado" not in answer.headers["Server"]
        async with browser.get(f"{campus.origin}{PREFIX}api/me") as answer:
            assert (await answer.json())["identity"]["display_name"] == "김민지"
        kernel = await a_kernel(campus, browser)
        url = f"{campus.origin}{PREFIX}api/kernels/{kernel}/channels"
        async with browser.ws_connect(url, origin=campus.origin) as socket:
            said = await execute(socket, "print(6 * 7)")
        assert any(m["content"].get("text") == "42\n" for m in said if m["msg_type"] == "stream")


async def test_the_kernel_protocol_is_agreed_between_browser_and_server(campus: Campus) -> None:
    await campus.add_session()
    async with campus.browser() as browser:
        await campus.sign_on(browser)
        kernel = await a_kernel(campus, browser)
        url = f"{campus.origin}{PREFIX}api/kernels/{kernel}/channels"
        async with browser.ws_connect(url, origin=campus.origin, protocols=(KERNEL_PROTOCOL,)) as socket:
            assert socket.protocol == KERNEL_PROTOCOL


async def test_kernels_know_nothing_of_the_server_and_speak_korean(campus: Campus) -> None:
    await campus.add_session()
    async with campus.browser() as browser:
        await campus.sign_on(browser)
        kernel = await a_kernel(campus, browser)
        url = f"{campus.origin}{PREFIX}api/kernels/{kernel}/channels"
        code = (
            "import os, sys, matplotlib.pyplot as plt\n"
            "print(plt.rcParams['font.sans-serif'][0],"
            " any('jupyterhub' in m for m in sys.modules), any('TOKEN' in k for k in os.environ))"
        )
        async with browser.ws_connect(url, origin=campus.origin) as socket:
            said = await execute(socket, code)
        printed = "".join(m["content"]["text"] for m in said if m["msg_type"] == "stream")
        assert printed.splitlines()[-1] == "NanumGothic False False"


async def test_without_signing_on_nothing_is_shown(campus: Campus) -> None:
    await campus.add_session()
    async with campus.browser() as browser:
        page = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
        async with browser.get(
            f"{campus.origin}{PREFIX}lab?a=1", headers=page, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            assert answer.headers["Location"] == (
                f"{campus.settings.url}/enter/{SITE}?next={PREFIX}lab%3Fa%3D1"
            )
        async with browser.get(f"{campus.origin}{PREFIX}api/contents") as answer:
            assert answer.status == 401 and (await answer.json())["reason"] == "signed-out"


async def test_a_ticket_works_once_and_for_its_site(campus: Campus) -> None:
    await campus.add_session()
    async with campus.browser() as browser:
        await campus.sign_on(browser, "once")
        async with browser.get(f"{campus.origin}/_campus/enter?ticket=once") as answer:
            assert answer.status == 403
        campus.portal.tickets["elsewhere"] = "s-aaaaaaaaaaaaaaaa"
        async with browser.get(f"{campus.origin}/_campus/enter?ticket=elsewhere") as answer:
            assert answer.status == 403


@pytest.mark.parametrize("onward", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/..//x"])
async def test_entering_leads_nowhere_else(campus: Campus, onward: str) -> None:
    async with campus.browser() as browser:
        campus.portal.tickets["t"] = SITE
        url = f"{campus.origin}/_campus/enter"
        async with browser.get(url, params={"ticket": "t", "next": onward}, allow_redirects=False) as answer:
            assert answer.status == 303 and answer.headers["Location"] == "/"


async def test_a_cookie_of_one_site_is_worth_nothing_at_another(campus: Campus) -> None:
    await campus.add_session()
    other = "s-aaaaaaaaaaaaaaaa"
    async with campus.browser() as browser:
        campus.portal.tickets["t"] = other
        url = f"{campus.settings.site_url(other)}/_campus/enter?ticket=t"
        async with browser.get(url, allow_redirects=False) as answer:
            stolen = answer.headers["Set-Cookie"].split(";")[0].partition("=")[2]
            assert (
                "HttpOnly" in answer.headers["Set-Cookie"] and "SameSite=Lax" in answer.headers["Set-Cookie"]
            )
            assert "Domain" not in answer.headers["Set-Cookie"]
    async with campus.browser() as thief:
        headers = {"Cookie": f"campus-{SITE}={stolen}"}
        async with thief.get(f"{campus.origin}{PREFIX}api/contents", headers=headers) as answer:
            assert answer.status == 401


async def test_a_suspended_person_is_out(campus: Campus) -> None:
    await campus.add_session()
    async with campus.browser() as browser:
        await campus.sign_on(browser)
        campus.portal.inactive.add("minji")
        async with browser.get(f"{campus.origin}{PREFIX}api/contents") as answer:
            assert answer.status == 401


async def test_signing_out_ends_cookies_and_sockets(campus: Campus) -> None:
    await campus.add_session()
    async with campus.browser() as browser:
        await campus.sign_on(browser)
        url = f"{campus.origin}{PREFIX}api/events/subscribe"
        async with browser.ws_connect(url, origin=campus.origin) as socket:
            await campus.control("DELETE", "/sign-ons/minji")
            assert (await socket.receive(5)).type is aiohttp.WSMsgType.CLOSE
        async with browser.get(f"{campus.origin}{PREFIX}api/contents") as answer:
            assert answer.status == 401


async def test_what_goes_in_carries_no_secret(campus: Campus) -> None:
    heard: list[dict[str, str]] = []
    polite = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with pretender(campus, heard, polite), campus.browser() as browser:
        await campus.sign_on(browser)
        headers = {"Authorization": "token x", "X-Secret": "1", "X-Campus-User": '{"name":"root"}'}
        async with browser.get(f"{campus.origin}{PREFIX}api/contents", headers=headers) as answer:
            assert answer.status == 200
    told = {k.lower(): v for k, v in heard[0].items()}
    assert set(told) <= {"accept", "host", "accept-encoding", "x-campus-user"}
    assert json.loads(told["x-campus-user"]) == {"name": "minji", "display": "김민지"}


HOSTILE = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/html\r\n"
    b"Set-Cookie: campus-x=1; Domain=localhost\r\n"
    b"Content-Security-Policy: default-src *\r\nLink: <http://evil.example>; rel=preload\r\n"
    b"Refresh: 0;url=http://evil.example\r\nAccess-Control-Allow-Origin: *\r\nX-Frame-Options: ALLOWALL\r\n"
    b'Clear-Site-Data: "*"\r\nService-Worker-Allowed: /\r\nContent-Disposition: attachment\r\n'
    b"Location: http://evil.example/\r\nReport-To: {}\r\nSourceMap: http://evil.example\r\n\r\nok"
)


async def test_what_comes_out_says_only_its_type(campus: Campus) -> None:
    async with pretender(campus, [], HOSTILE), campus.browser() as browser:
        await campus.sign_on(browser)
        async with browser.get(f"{campus.origin}{PREFIX}api/contents") as answer:
            names = {k.lower() for k in answer.headers}
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert not names & {
        "set-cookie", "link", "refresh", "access-control-allow-origin", "x-frame-options", "clear-site-data",
        "service-worker-allowed", "content-disposition", "location", "report-to", "sourcemap",
    }  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello",
        b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n",
        b"",
    ],
)
async def test_a_sandbox_that_speaks_nonsense_gets_a_clear_page(campus: Campus, raw: bytes) -> None:
    async with pretender(campus, [], raw), campus.browser(Accept="text/html") as browser:
        await campus.sign_on(browser)
        async with browser.get(f"{campus.origin}{PREFIX}lab") as answer:
            assert answer.status in {502, 503} and "세션" in await answer.text()


async def test_too_large_an_answer_is_refused_or_broken_off(campus: Campus) -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 1000
    async with pretender(campus, [], large), campus.browser() as browser:
        await campus.sign_on(browser)
        async with browser.get(f"{campus.origin}{PREFIX}api/contents/a.csv") as answer:
            assert answer.status == 413 and (await answer.json())["reason"] == "size"
    endless = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    )
    async with pretender(campus, [], endless + endless[47:] * 20), campus.browser() as browser:
        await campus.sign_on(browser)
        with pytest.raises(aiohttp.ClientPayloadError):
            async with browser.get(f"{campus.origin}{PREFIX}api/contents/a.csv") as answer:
                await answer.read()


async def test_the_budget_cuts_off_and_saving_still_works(campus: Campus, lab: Any) -> None:
    await campus.add_session()
    (lab[1] / "big.csv").write_text("x" * (12 << 20))
    async with campus.browser() as browser:
        await campus.sign_on(browser)
        url = f"{campus.origin}{PREFIX}api/contents/big.csv?content=1&type=file&format=text"
        reasons = []
        for _ in range(7):
            async with browser.get(url) as answer:
                body = await answer.read()
                reasons.append(json.loads(body)["reason"] if answer.status == 403 else answer.status)
        assert reasons == [200] * 5 + ["budget"] * 2
        async with browser.get(f"{campus.origin}{PREFIX}lab", headers={"Accept": "text/html"}) as answer:
            assert answer.status == 403 and "반출신청" in await answer.text()
        model = {"type": "file", "format": "text", "content": "지킨 작업"}
        url = f"{campus.origin}{PREFIX}api/contents/kept.txt"
        async with browser.put(url, json=model, headers={"Origin": campus.origin}) as answer:
            assert answer.status in {200, 201}, await answer.text()
    assert (lab[1] / "kept.txt").read_text() == "지킨 작업"
    meter = (await campus.control("GET", "/meters"))[SESSION]
    assert isinstance(meter, dict) and meter["sent"] >= meter["budget"]


async def test_the_budget_counts_what_kernels_print(campus: Campus) -> None:
    await campus.add_session()
    async with campus.browser() as browser:
        await campus.sign_on(browser)
        kernel = await a_kernel(campus, browser)
        url = f"{campus.origin}{PREFIX}api/kernels/{kernel}/channels"
        code = (
            "from IPython.display import display\n"
            "for _ in range(9): display({'text/plain': 'x'*(8<<20)}, raw=True)"
        )
        async with browser.ws_connect(url, origin=campus.origin, max_msg_size=0) as socket:
            await execute(socket, code)
            assert socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await browser.ws_connect(url, origin=campus.origin)
        assert refused.value.status == 403


async def test_the_log_tells_bytes_and_reasons_but_no_content(campus: Campus, lab: Any) -> None:
    await campus.add_session()
    (lab[1] / "비밀.txt").write_text("아무도 모르게")
    async with campus.browser() as browser:
        await campus.sign_on(browser)
        async with browser.get(f"{campus.origin}{PREFIX}api/contents/비밀.txt?content=1") as answer:
            size = len(await answer.read())
        async with browser.get(f"{campus.origin}{PREFIX}files/비밀.txt") as answer:
            assert answer.status == 403
    log = campus.settings.state / "logs" / "gate.jsonl"
    lines: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not {"contents", "files"} <= {x.get("reason") or x.get("rule") for x in lines}:
            await asyncio.sleep(0.02)  # each is written when its answer has been given
            lines = [json.loads(line) for line in log.read_text().splitlines()]
    text = log.read_text()
    served = [x for x in lines if x["event"] == "served" and x["rule"] == "contents"]
    assert [x["sent"] for x in served] == [size] and served[0]["session"] == SESSION
    assert any(x["event"] == "refused" and x["reason"] == "files" for x in lines)
    assert "비밀" not in text and "%EB" not in text and "모르게" not in text and "minji" not in text


def pretender(campus: Campus, heard: list[dict[str, str]], answer: bytes) -> Any:
    """A hostile server in the session's place: says exactly these bytes to every request."""
    import contextlib

    @contextlib.asynccontextmanager
    async def running() -> Any:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                raw = (await reader.readuntil(b"\r\n\r\n")).decode()
                heard.append(dict(line.split(": ", 1) for line in raw.strip().split("\r\n")[1:]))
                writer.write(answer)
                await writer.drain()
            writer.close()

        path = campus.settings.run / "sessions" / SESSION / "http.sock"
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(talk, path)
        await campus.add_session()
        yield
        server.close()

    assert PROJECT
    return running()
