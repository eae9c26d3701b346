"""From an application to a reviewed export, through the real processes and a real browser.

Told twice: on the synthetic sample that `up` loads, and on the publisher's real files.
"""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from access_control.audit.event import AuditEvent
from access_control.audit.reader import AuditReader, Filter, Recorded
from tests.stories.campus import CHROMIUM, CHROMIUM_FLAGS, REPO, Campus, running

REAL = REPO.parent / "shared" / "data" / "real"
PASSWORD = "seoul-campus-2026-journey"
LESSON = "lessons/01_first_look.ipynb"
PURPOSE = "자치구별 시간대 생활인구 비율을 수업 발표에 씁니다."
FILES = {
    "subway_ridership": ("transit/CARD_SUBWAY_MONTH_202505.csv",),
    "living_population": ("living_population/living_pop_dong_hourly_week_20190304.json",),
    "card_sales": ("card_spending/서울시 상권분석서비스(추정매출-행정동).csv",),
    "floating_population": ("floating_population/서울시 상권분석서비스(길단위인구-행정동).csv",),
    "gu_boundary": ("boundaries/seoul_municipalities_geo_simple_juso2015.json",),
    "dong_boundary": ("boundaries/서울시 상권분석서비스(영역-행정동).shp",),
    "dong_codes": ("codes/행정동코드_매핑정보_20241218.xlsx",),
}

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed; `bin/campus test` installs it")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield launched
        launched.close()


@pytest.fixture(scope="module", params=["synthetic", "real"])
def campus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    if request.param == "real" and not REAL.is_dir():
        pytest.skip(f"the publisher's files are not at {REAL}")
    state = tmp_path_factory.mktemp("s") / "var"
    if request.param == "real":
        for dataset, names in FILES.items():
            ingest(state, dataset, *names)
    with running(state) as started:
        started.real = request.param == "real"
        yield started


def ingest(state: Path, dataset: str, *names: str) -> None:
    done = subprocess.run(
        [
            str(REPO / "bin" / "campus"),
            "ingest",
            "--state",
            str(state),
            dataset,
            *(str(REAL / n) for n in names),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def new_page(browser: Browser) -> Page:
    page = browser.new_context(locale="ko-KR", viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    return page


def press(page: Page, name: str) -> None:
    page.locator("main").get_by_role("button", name=name, exact=True).first.click()


def fill(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.locator(f"#{name}").fill(value)


def sign_in(page: Page, campus: Campus, handle: str) -> None:
    page.goto(f"{campus.url}/sign-in")
    fill(page, handle=handle, password=PASSWORD)
    press(page, "로그인")
    page.wait_for_url(f"{campus.url}/projects*")


def apply(page: Page, campus: Campus, handle: str, name: str) -> None:
    page.goto(f"{campus.url}/apply")
    fill(page, display_name=name, email=f"{handle}@campus.example", handle=handle)
    fill(page, password=PASSWORD, password_again=PASSWORD)
    fill(page, purpose="생활인구의 하루 흐름을 알아보는 수업에 씁니다.")
    page.locator("label[for=consent]").click()
    press(page, "신청하기")
    expect(page.get_by_role("heading", name="신청을 받았습니다")).to_be_visible()


def give_role(admin: Page, campus: Campus, handle: str, role: str) -> None:
    admin.goto(f"{campus.url}/people")
    panel = admin.locator("article", has_text=f"({handle})")
    panel.locator("summary").click()
    panel.locator(f"label[for={handle}-{role}]").click()
    panel.get_by_role("button", name="역할 저장").click()
    expect(admin.get_by_text("역할을 저장했습니다.")).to_be_visible()


def open_request(page: Page, campus: Campus, where: str) -> None:
    page.goto(f"{campus.url}/{where}")
    page.locator("main table").get_by_role("link", name=re.compile("반출신청")).first.click()


def run_lesson(page: Page) -> list[dict[str, Any]]:
    """Open the first lesson, run every cell as a person does from the menu, and return the saved cells."""
    page.goto(re.sub(r"/lab.*", f"/lab/tree/{LESSON}", page.url))
    page.locator(".jp-Notebook").wait_for(timeout=120_000)
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=120_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    for _ in range(60):
        page.wait_for_timeout(2000)
        page.keyboard.press("Control+s")
        page.wait_for_timeout(500)
        cells = page.evaluate(
            """async (lesson) => {
                const at = location.pathname.replace(/lab.*/, "api/contents/" + lesson + "?content=1");
                const answer = await fetch(at);
                return answer.ok ? (await answer.json()).content.cells : [];
            }""",
            LESSON,
        )
        code: list[dict[str, Any]] = [cell for cell in cells if cell["cell_type"] == "code"]
        if code and (all(c["execution_count"] for c in code) or any(failed(c) for c in code)):
            return code
    raise AssertionError("the lesson did not finish")


def failed(cell: dict[str, Any]) -> list[str]:
    return [f"{o['ename']}: {o['evalue']}" for o in cell["outputs"] if o["output_type"] == "error"]


def recorded(campus: Campus) -> list[AuditEvent]:
    entries: list[Recorded] = []
    before: str | None = None
    reader = AuditReader(campus.state / "audit")
    while True:
        page = reader.page(Filter(), before=before, limit=500)
        entries += page.entries
        before = page.older
        if before is None:
            return [entry.event for entry in entries]


def test_the_whole_journey(campus: Campus, browser: Browser) -> None:
    # The public sees the front page and the catalogue, which says what is synthetic.
    public = new_page(browser)
    public.goto(campus.url)
    expect(public.get_by_role("heading", name="도시의 데이터를 직접 분석하세요")).to_be_visible()
    public.goto(f"{campus.url}/datasets/living_population")
    labels = public.locator("main").get_by_text("합성 데이터").count()
    assert labels == 0 if campus.real else labels > 0

    # The first administrator sets up, with the link that `up` printed; a second use is refused.
    setup = campus.wait_for(rf"{re.escape(campus.url)}/setup/\S+").group()
    admin = new_page(browser)
    admin.goto(setup)
    fill(admin, handle="dohyun", display_name="정도현", email="dohyun@campus.example")
    fill(admin, password=PASSWORD, password_again=PASSWORD)
    press(admin, "관리자 계정 만들기")
    expect(admin.get_by_text("관리자 계정을 만들고 로그인했습니다.")).to_be_visible()
    assert status(public, setup) >= 400

    # Three people apply in advance; the administrator approves, and gives two of them their roles.
    for handle, name in (("minji", "김민지"), ("seojun", "이서준"), ("hayun", "최하윤")):
        apply(new_page(browser), campus, handle, name)
        admin.goto(f"{campus.url}/applications")
        press(admin, "승인")
        expect(admin.get_by_text("신청을 승인했습니다.")).to_be_visible()
    give_role(admin, campus, "seojun", "checker")
    give_role(admin, campus, "hayun", "auditor")

    # The citizen starts a session and runs the first lesson, which asks for an export at its end.
    citizen = new_page(browser)
    sign_in(citizen, campus, "minji")
    citizen.goto(f"{campus.url}/projects")
    press(citizen, "분석 세션 시작")
    session = re.compile(r"http://s-\w{16}\.localhost:\d+/user/minji/open-data/lab")
    citizen.wait_for_url(session, timeout=150_000)
    cells = run_lesson(citizen)
    assert [failed(cell) for cell in cells if failed(cell)] == []
    pictures = [o for cell in cells for o in cell["outputs"] if "image/png" in o.get("data", {})]
    assert len(pictures) == 3, "a bar chart, a map and a line"

    # In another browser she signs in on the way to her running session: a form that ends at another origin.
    elsewhere = new_page(browser)
    site = re.search(r"//(s-\w{16})\.", citizen.url)
    assert site is not None
    elsewhere.goto(f"{campus.url}/sign-in?next=/enter/{site[1]}")
    fill(elsewhere, handle="minji", password=PASSWORD)
    press(elsewhere, "로그인")
    elsewhere.wait_for_url(session)
    elsewhere.close()

    # Jupyter's own way out is closed.
    asked = "async (at) => (await fetch(at)).status"
    assert citizen.evaluate(asked, "/user/minji/open-data/files/outbox/line_share.csv") == 403
    original = (campus.state / "homes/minji/open-data/outbox/line_share.csv").read_bytes()

    # The citizen cannot review; the checker sees exactly the file, and approves.
    assert status(citizen, f"{campus.url}/reviews") == 403
    checker = new_page(browser)
    sign_in(checker, campus, "seojun")
    open_request(checker, campus, "reviews")
    expect(checker.get_by_text(hashlib.sha256(original).hexdigest())).to_be_visible()
    press(checker, "승인")
    expect(checker.get_by_text("반출을 승인했습니다.")).to_be_visible()

    # The citizen downloads exactly those bytes.
    open_request(citizen, campus, "exports")
    with citizen.expect_download() as download:
        citizen.get_by_role("link", name="내려받기").first.click()
    got = Path(download.value.path()).read_bytes()
    assert got == original
    assert len(list(csv.DictReader(got.decode().splitlines()))) == 12

    # The public opens the dashboard from the gallery.
    public.goto(f"{campus.url}/dashboards")
    public.locator('main a[href*="d-living-population"]').first.click()
    public.wait_for_url(re.compile(r"http://d-living-population\.localhost"))
    expect(public.locator("img").first).to_be_visible(timeout=150_000)

    # The auditor sees every step, and verifies the log, on the page and from the command line.
    auditor = new_page(browser)
    sign_in(auditor, campus, "hayun")
    auditor.goto(f"{campus.url}/audit?action=export.released")
    expect(auditor.locator("main table").get_by_text("export.released").first).to_be_visible()
    auditor.goto(f"{campus.url}/audit")
    press(auditor, "지금 검증하기")
    expect(auditor.get_by_text("기록이 온전합니다")).to_be_visible()
    events = recorded(campus)
    assert set(STEPS) <= {event.action for event in events}
    board_reads = [e for e in events if e.project == "dashboard-living-population"]
    assert {"session.started", "query.finished"} <= {e.action for e in board_reads}
    command = [str(REPO / "bin" / "campus"), "audit", "verify", "--state", str(campus.state)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def status(page: Page, url: str) -> int:
    answer = page.goto(url)
    assert answer is not None
    return answer.status


STEPS = (
    "setup.completed",
    "application.submitted",
    "application.approved",
    "person.signed_in",
    "session.mounted",
    "session.started",
    "query.admitted",
    "query.finished",
    "export.submitted",
    "export.approved",
    "export.released",
    "export.downloaded",
    "dataset.published",
)
