"""`--isolation=none`, for development: everything works as plain processes, and every page says so in red."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.stories.campus import Campus, running
from tests.stories.notebook import Kernel, new_page, sign_in_by_link, start_session

pytestmark = pytest.mark.story

PAGES = (
    "",
    "datasets",
    "datasets/living_population",
    "dashboards",
    "apply",
    "sign-in",
    "projects",
    "exports",
)


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    with running(tmp_path_factory.mktemp("s") / "var", "--demo", "--isolation=none") as started:
        yield started


def warned(page: Page) -> bool:
    """Whether a red banner says that there are no walls."""
    banner = page.get_by_text("격리 없음").first
    expect(banner).to_be_visible()
    red, green, blue = (int(n) for n in banner.evaluate(REDDEST))
    return red > 180 and green < 100 and blue < 100


REDDEST = """(element) => {
    for (let at = element; at; at = at.parentElement) {
        const found = getComputedStyle(at).backgroundColor.match(/[\\d.]+/g);
        if (found && found.length === 3) return found;
    }
    return [255, 255, 255];
}"""


def test_a_session_and_a_query_work_and_every_page_warns(campus: Campus, browser: Browser) -> None:
    page = new_page(browser)
    sign_in_by_link(page, campus, "minji")
    for path in PAGES:
        page.goto(f"{campus.url}/{path}")
        assert warned(page), path
    start_session(page, campus)
    kernel = Kernel.start(page)
    said = kernel.run(
        "import campus, os; print(campus.sql('SELECT count(*) AS n FROM subway_ridership').df()['n'][0] > 0)"
    )
    assert said == "True\n"
    Path(campus.state / "homes/minji/open-data/outbox/share.csv").write_text("line,share\n2,0.3\n")
    receipt = kernel.run("campus.export('outbox/share.csv', purpose='수업 발표 자료에 싣습니다')")
    assert f'<a href="{campus.url}/exports/' in receipt
    page.goto(f"{campus.url}/exports")
    expect(page.locator("main table").get_by_text("반출신청").first).to_be_visible()
    gate = new_page(browser)
    gate.goto(f"{page.url.replace('localhost', 'd-nothing.localhost').removesuffix('/exports')}/")
    assert warned(gate)
