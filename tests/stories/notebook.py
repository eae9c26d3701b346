"""A person of the demonstration in a browser: signs in by the printed link, starts a session, runs code.

The code runs in a real kernel through the session's own origin, as a notebook does. Mocks nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, expect

from tests.stories.campus import Campus

SESSION = re.compile(r"http://s-\w{16}\.localhost:\d+/user/minji/open-data/lab")
BASE = "/user/minji/open-data/"

_START = """async (base) => {
    const made = await fetch(base + "api/kernels", {method: "POST", body: JSON.stringify({name: "python3"})});
    return (await made.json()).id;
}"""
_BEGIN = """([base, kernel, code, key]) => new Promise((begun) => {
    window.said = window.said || {};
    window.said[key] = new Promise((done) => {
        const socket = new WebSocket(
            location.origin.replace("http", "ws") + base + "api/kernels/" + kernel + "/channels");
        const id = crypto.randomUUID(), said = [];
        let idle = false, replied = false;
        const end = (word) => { begun(); if (word) said.push(word); socket.onclose = null; socket.close();
            done(said.join("")); };
        socket.onclose = () => end("[the connection closed]");
        socket.onopen = () => socket.send(JSON.stringify({
            header: {msg_id: id, msg_type: "execute_request", username: "", session: id, version: "5.3",
                     date: new Date().toISOString()},
            parent_header: {}, metadata: {}, channel: "shell", buffers: [],
            content: {code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false,
                      stop_on_error: true}}));
        socket.onmessage = (event) => {
            if (typeof event.data !== "string") return;
            const message = JSON.parse(event.data);
            if ((message.parent_header || {}).msg_id !== id) return;
            begun();
            const type = message.msg_type || message.header.msg_type, content = message.content;
            if (type === "stream") said.push(content.text);
            if (type === "error") said.push(content.traceback.join("\\n"));
            if (type === "execute_result" || type === "display_data")
                said.push(content.data["text/html"] || content.data["text/plain"] || "");
            if (type === "execute_reply") replied = true;
            if (type === "status" && content.execution_state === "idle") idle = true;
            if (replied && idle) end("");
        };
    });
})"""
_SAID = "(key) => window.said[key]"


def new_page(browser: Browser) -> Page:
    """A fresh browser profile."""
    page = browser.new_context(locale="ko-KR", viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    return page


def press(page: Page, name: str) -> None:
    """A button of the page's main part."""
    page.locator("main").get_by_role("button", name=name, exact=True).first.click()


def sign_in_by_link(page: Page, campus: Campus, handle: str) -> None:
    """With the link that `up --demo` printed."""
    link = campus.wait_for(rf"^\s+{handle}\s.*({re.escape(campus.url)}/link/\S+)").group(1)
    page.goto(link)
    press(page, "로그인하기")
    page.wait_for_url(f"{campus.url}/projects*")


def start_session(page: Page, campus: Campus) -> None:
    """Until JupyterLab is there."""
    page.goto(f"{campus.url}/projects")
    press(page, "분석 세션 시작")
    page.wait_for_url(SESSION, timeout=150_000)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of the session that a page shows."""

    page: Page
    name: str

    @classmethod
    def start(cls, page: Page) -> Kernel:
        """A new one."""
        return cls(page, page.evaluate(_START, BASE))

    def begin(self, code: str, key: str = "one") -> None:
        """Run code; returns when it has begun."""
        self.page.evaluate(_BEGIN, [BASE, self.name, code, key])

    def said(self, key: str = "one") -> str:
        """Everything it said, once it has ended."""
        return str(self.page.evaluate(_SAID, key))

    def run(self, code: str) -> str:
        """Run code and return what it said."""
        self.begin(code)
        return self.said()


def expect_text(page: Page, *texts: str) -> None:
    """Each is on the page."""
    for text in texts:
        expect(page.get_by_text(text).first).to_be_visible()
