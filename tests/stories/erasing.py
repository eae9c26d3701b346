"""A value that somebody put into a query is erased on request: no page and no command shows it any more.

Told with the keyboard alone, on a phone, without JavaScript where a page is only read or a form sent.
"""

from __future__ import annotations

import re
import subprocess

from playwright.sync_api import Browser, Page, expect

from tests.stories.campus import REPO, Campus
from tests.stories.notebook import Kernel, new_page, sign_in_by_link
from tests.stories.test_first_journey import give_role

LITERAL, BOUND = "홍길동", "김철수"
ASK = f"""
import campus
campus.sql("SELECT count(*) AS n FROM dong_codes WHERE dong_name <> '{LITERAL}'").df()
campus.sql("SELECT count(*) AS n FROM dong_codes WHERE dong_name <> ?", ["{BOUND}"]).df()
print("asked")
"""


def plain_phone(browser: Browser, page: Page) -> Page:
    """The same person on a phone whose browser runs no script."""
    context = browser.new_context(
        locale="ko-KR",
        viewport={"width": 390, "height": 844},
        java_script_enabled=False,
        storage_state=page.context.storage_state(),
    )
    return context.new_page()


def show(campus: Campus, *words: str) -> str:
    command = [str(REPO / "bin" / "campus"), "audit", *words, "--state", str(campus.state)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def by_keyboard(page: Page, label: str, key: str = "Enter") -> None:
    """Tab until something of that name has the focus, then press; as who has no mouse."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() and label in (focused.inner_text() or focused.get_attribute("id") or ""):
            page.keyboard.press(key)
            return
    raise AssertionError(f"{label} is not reached with the keyboard")


def erased_on_request(campus: Campus, browser: Browser, citizen: Page, kernel: Kernel) -> None:
    """The whole story; `citizen` is Minji's browser, `kernel` her notebook's."""
    assert "asked" in kernel.run(ASK)

    # The auditor sees statement and values; so does the person, of their own; nobody else does.
    auditor, custodian, admin = new_page(browser), new_page(browser), new_page(browser)
    for page, handle in ((auditor, "auditor"), (custodian, "custodian"), (admin, "administrator")):
        sign_in_by_link(page, campus, handle)
    audit = f"{campus.url}/audit?actor=minji&action=query.admitted"
    own = plain_phone(browser, citizen)
    queries: list[str] = []
    for page, address in ((auditor, audit), (own, f"{campus.url}/accesses")):
        page.goto(address)
        queries += re.findall(r"query:([0-9a-f]{16})", page.content())
        assert f"'{LITERAL}'" in page.content().replace("&#39;", "'") and BOUND in page.content()
    custodian.goto(f"{campus.url}/accesses")
    assert LITERAL not in custodian.content() and "minji" not in custodian.locator("main").inner_text()

    # An officer finds the queries, sees no value, and erases with the keyboard alone.
    give_role(admin, campus, "custodian", "privacy")
    officer = plain_phone(browser, custodian)
    officer.goto(f"{campus.url}/erasures")
    by_keyboard(officer, "person", "End")
    officer.keyboard.type("minji")
    officer.keyboard.press("Enter")
    expect(officer.get_by_role("heading", name=re.compile("지울 수 있는 질의 [0-9]건"))).to_be_visible()
    assert LITERAL not in officer.content() and BOUND not in officer.content()
    by_keyboard(officer, "reason", "End")
    officer.keyboard.type("정보주체의 삭제 요구 2026-17호")
    by_keyboard(officer, "sure", "Space")
    by_keyboard(officer, "값 지우기")
    expect(officer.get_by_text("값을 지우고 그 사실을 감사 기록에 남겼습니다.")).to_be_visible()

    # It is gone everywhere, that it was erased is on record, and the log is whole.
    for page, address in ((auditor, audit), (own, f"{campus.url}/accesses")):
        page.goto(address)
        assert LITERAL not in page.content() and BOUND not in page.content()
        assert "값이 지워졌습니다" in page.content()
    auditor.goto(f"{campus.url}/audit?action=audit.literals_erased")
    assert "2026-17호" in auditor.content()
    auditor.locator("main").get_by_role("button", name="지금 검증하기").click()
    expect(auditor.get_by_text("기록이 온전합니다")).to_be_visible()
    for query in queries:
        told = show(campus, "show", query)
        assert "minji" in told and LITERAL not in told and BOUND not in told
    assert "whole" in show(campus, "verify")
    gone(campus)


def gone(campus: Campus) -> None:
    """No file of the log or beside it holds a value."""
    for file in (campus.state / "audit").parent.glob("audit*/**/*"):
        if file.is_file():
            assert LITERAL.encode() not in file.read_bytes() and BOUND.encode() not in file.read_bytes(), file
