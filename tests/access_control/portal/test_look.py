"""Pages in a real browser: accessible in both languages, fit for a phone, usable without scripts."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, async_playwright

from access_control.people.model import Kind, Role
from access_control.portal.services import Services
from catalog.descriptions import Text
from catalog.descriptions.scope import scope_of
from tests.access_control.campus import NOW, PASSWORD, Campus, later
from tests.access_control.erasures.test_erasures import ask
from tests.access_control.ingests.simulator import SimulatedLauncher
from tests.access_control.ingests.test_ingests import subway as delivery
from tests.access_control.portal.conftest import REPO, serving_on_tcp
from tests.ports import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = REPO / ".web" / "node_modules" / "axe-core" / "axe.min.js"
MONTHS = ["2025-01", "2025-02"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = {
    "": [
        "/",
        "/datasets",
        "/datasets/living_population",
        "/datasets/dong_boundary",
        "/datasets/card_sales",
        "/datasets/card_spending",
        "/dashboards",
        "/apply",
        "/sign-in",
        "/nowhere",
    ],
    "minji": [
        "/projects",
        "/projects/new",
        "/projects/jongno",
        "/requests",
        "/requests/new?dataset=card_spending",
        "/requests/{narrowed}",
        "/requests/{refused}",
        "/exports",
        "/exports/new?project=open-data",
        "/exports/{export}",
        "/accesses",
        "/accesses?project=jongno&dataset=card_sales",
        "/audit",
    ],
    "custodian": ["/decisions", "/requests/{asked}", "/requests/{narrowed}", "/grants"],
    "boss": ["/applications", "/people", "/grants", "/projects/all"],
    "checker": ["/reviews", "/exports/{export}", "/exports/{export}/files/1/view"],
    "auditor": ["/audit", "/audit?actor=wonju"],
    "officer": ["/erasures", "/erasures?person=wonju", "/erasures?person=nobody-here", "/erasures?query=x"],
    "sora": ["/ingest", "/ingest/{good}", "/ingest/{bad}", "/ingest/{odd}", "/ingest/{working}"],
}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or not AXE.exists(), reason="needs Chromium and `install_web.sh --tests`"
)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def address(services: Services, campus: Campus, ingesting: SimulatedLauncher) -> Iterator[str]:
    """A portal in some use, on a free port."""
    port = free_port()
    url = f"http://localhost:{port}"
    minji = campus.person("minji")
    campus.checker()
    campus.person("auditor", Role.AUDITOR)
    campus.person("officer", Role.PRIVACY)
    ask(campus, "wonju")
    ask(campus, "minji")
    campus.people.apply(
        "lee",
        "이창업",
        "lee@mail.example",
        Kind.STARTUP,
        "마포랩",
        "상권 추천 모형을 만듭니다",
        PASSWORD,
        True,
        NOW,
    )
    campus.export(minji)
    custodian = campus.person("custodian", Role.CITIZEN, Role.CUSTODIAN)
    title = Text(ko="종로 상권의 변화", en="Shops of Jongno")
    campus.projects.create(minji, "jongno", title, "종로구 상권의 변화를 봅니다", [minji], NOW)
    for parts in ({"gu": ["11110", "11140"], "month": MONTHS}, {"gu": ["11110"], "month": MONTHS}, {}):
        asked = campus.requests.submit(
            minji,
            "jongno",
            "card_spending",
            "main",
            scope_of(parts),
            "상권별 소비를 비교합니다",
            later(days=90),
            NOW,
        )
        if not parts:
            campus.requests.reject(custodian, asked.id, "범위를 종로구로 좁혀 다시 신청해 주세요", NOW)
        elif len(parts["gu"]) == 1:
            only = scope_of({"gu": ["11110"], "month": MONTHS[:1]})
            campus.requests.approve(custodian, asked.id, only, later(days=30), "한 달만 드립니다", NOW)
    campus.person("sora", Role.STAFF)
    deliveries = {
        "good": {"CARD_SUBWAY_MONTH_202601.csv": delivery("202601")},
        "bad": {"CARD_SUBWAY_MONTH_202602.csv": delivery("202602", damage=(5, 9))},
        "odd": {"모르는 파일.csv": b"a,b\n1,2\n"},
        "working": {"CARD_SUBWAY_MONTH_202603.csv": delivery("202603")},
    }
    for name, files in deliveries.items():
        ingesting.slow = name == "working"
        with services.ingests.receiving() as received:
            for file, content in files.items():
                received.open(file)
                received.write(content)
                received.close()
            run = services.ingests.begin("sora", "subway_ridership", received, NOW)
        services.ingests.look("sora", run.id, NOW)
        if name == "good":
            services.ingests.publish("sora", run.id, {}, NOW)
    installation = replace(services.installation, url=url, port=port, demo=True, isolation="none")
    with serving_on_tcp(replace(services, installation=installation)):
        yield url


async def sign_in(page: Page, url: str, handle: str) -> None:
    await page.goto(f"{url}/sign-in")
    await page.fill("#handle", handle)
    await page.fill("#password", PASSWORD)
    await page.click("main button[type=submit]")
    await page.wait_for_url(f"{url}/projects")


def listen(page: Page, said: list[str]) -> None:
    """Note what the page complains about."""
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))


async def violations(page: Page) -> list[object]:
    """What axe finds; asked through the debugger, since the page's own policy lets no such script in."""
    debugger = await page.context.new_cdp_session(page)
    await debugger.send("Runtime.evaluate", {"expression": AXE.read_text("utf-8")})
    run = (
        f"axe.run(document, {{runOnly: {json.dumps(RULES)}}}).then(found => "
        "JSON.stringify(found.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 120))])))"
    )
    answer = await debugger.send(
        "Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True}
    )
    found = json.loads(answer["result"]["value"])
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("lang", ["ko", "en"])
async def test_pages_are_accessible_and_fit_a_phone(
    chromium: Browser, address: str, campus: Campus, services: Services, lang: str
) -> None:
    [request] = campus.exports.mine("minji")
    runs = services.ingests.runs("sora", NOW)
    ingests = dict(zip(("working", "odd", "bad", "good"), (run.id for run in runs), strict=True))
    asked = dict(zip(("refused", "narrowed", "asked"), campus.requests.mine("minji"), strict=True))
    numbers = {name: str(r.id) for name, r in asked.items()}
    for handle, paths in PAGES.items():
        context = await chromium.new_context(viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        said: list[str] = []
        listen(page, said)
        await page.goto(f"{address}/language/{lang}")
        if handle:
            await sign_in(page, address, handle)
        for path in paths:
            await page.goto(address + path.format(export=request.id, **ingests, **numbers))
            assert await page.locator("html").get_attribute("lang") == lang
            assert await page.locator("h1").count() == 1
            assert not [text for text in said if "Content Security Policy" in text], path
            assert await violations(page) == [], f"{path} for {handle or 'the public'} in {lang}"
            await page.set_viewport_size({"width": 360, "height": 740})
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
            await page.set_viewport_size({"width": 1280, "height": 900})
            said.clear()
        await context.close()


async def test_everything_works_without_scripts_and_by_keyboard(chromium: Browser, address: str) -> None:
    context = await chromium.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = await context.new_page()
    await page.goto(address)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    assert page.url == f"{address}/#content"
    await page.click("header summary")
    await page.click("header details a[href='/datasets']")
    await page.fill("#q", "생활인구")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{address}/datasets?q=*")
    await page.click("main h2 a[href='/datasets/living_population']")
    await page.wait_for_url(f"{address}/datasets/living_population")
    await page.goto(f"{address}/sign-in")
    await page.fill("#handle", "checker")
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{address}/projects")
    await page.goto(f"{address}/reviews")
    await page.click("main tbody a")
    await page.click("button[value=approve]")
    await page.wait_for_url(f"{address}/reviews?done=export-approved")
    await context.close()


async def test_a_form_is_sent_once_however_often_it_is_pressed(
    chromium: Browser, address: str, campus: Campus
) -> None:
    page = await (await chromium.new_context()).new_page()
    await page.goto(f"{address}/sign-in")
    await page.fill("#handle", "minji")
    await page.fill("#password", PASSWORD)
    before = [str(action) for action in campus.actions()].count("person.signed_in")
    await page.dblclick("main button[type=submit]")
    await page.wait_for_url(f"{address}/projects")
    assert [str(action) for action in campus.actions()].count("person.signed_in") == before + 1
    await page.context.close()
