"""Whatever part of the running product dies, a person reads what happened, goes on, and no record is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from catalog.sandbox.launcher import Launcher
from hub_config.settings import load
from tests.stories import erasing
from tests.stories.campus import REPO, Campus, running
from tests.stories.notebook import (
    SESSION,
    Kernel,
    expect_text,
    new_page,
    press,
    sign_in_by_link,
    start_session,
)

pytestmark = pytest.mark.story

BACK_WITHIN = 30.0  # s until a killed service serves again
COUNT = "print(campus.sql('SELECT count(*) AS n FROM subway_ridership').df()['n'][0] > 0, kept)"
LONG = """
try:
    campus.sql('SELECT sum(a.total * b.total) FROM living_population a, living_population b').df()
    print('it ended by itself')
except campus.CampusError as error:
    print(error.reason, error.ko, error.en, sep=' | ')
"""
ENDS = {"query.finished", "query.failed", "query.cancelled"}


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    with running(tmp_path_factory.mktemp("s") / "var", "--demo") as started:
        yield started
    assert not list(load({"state": started.state}, {}).run.rglob("*.sock"))  # of the session that ran, too


@pytest.fixture(scope="module")
def page(campus: Campus, browser: Browser) -> Page:
    """Minji's browser, in her session."""
    made = new_page(browser)
    sign_in_by_link(made, campus, "minji")
    start_session(made, campus)
    return made


@pytest.fixture(scope="module")
def kernel(page: Page) -> Kernel:
    """Her notebook's kernel; what it keeps shows that it is still the same one."""
    made = Kernel.start(page)
    assert made.run("import campus; kept = 41; open('made.txt', 'w').write('mine'); " + COUNT) == "True 41\n"
    return made


def test_what_is_erased_stays_erased(campus: Campus, browser: Browser, page: Page, kernel: Kernel) -> None:
    """Also through all that follows: the last test looks again."""
    erasing.erased_on_request(campus, browser, page, kernel)


def test_a_query_worker_dies_while_its_query_runs(campus: Campus, kernel: Kernel) -> None:
    kernel.begin(LONG)
    until(lambda: len(open_queries(campus)) == 1)
    time.sleep(1)
    kill(sandbox(campus, "worker"))
    said = kernel.said()
    assert "worker-died | 질의를 처리하던 작업자가 중단되었습니다" in said, said  # after the progress
    assert "The worker running this query ended" in said
    assert kernel.run(COUNT) == "True 41\n"


def test_the_gateway_dies_while_a_query_runs(campus: Campus, kernel: Kernel) -> None:
    kernel.begin(LONG)
    until(lambda: len(open_queries(campus)) == 1)
    time.sleep(1)
    killed(campus, "gateway")
    said = kernel.said()
    assert "worker-died | 질의를 처리하던 작업자가 중단되었습니다" in said, said  # after the progress
    assert "or the gateway restarted" in said
    assert "True 41\n" in kernel.run(COUNT)
    until(lambda: not open_queries(campus))


def test_the_audit_log_dies_and_the_next_query_waits_for_it(campus: Campus, kernel: Kernel) -> None:
    killed(campus, "audit")
    assert kernel.run(COUNT) == "True 41\n"


def test_the_hub_dies(campus: Campus, page: Page, kernel: Kernel, browser: Browser) -> None:
    other = page.context.new_page()
    killed(campus, "hub")
    other.goto(f"{campus.url}/hub/api/")
    expect_text(other, "세션 관리 서비스가 다시 시작하는 중입니다", "The session service is restarting")
    assert kernel.run(COUNT) == "True 41\n"
    until(lambda: other.goto(f"{campus.url}/hub/api/").status == 200)  # type: ignore[union-attr]
    other.goto(f"{campus.url}/projects")
    expect_text(other, "실행 중")
    other.close()


def test_the_portal_dies(campus: Campus, page: Page, kernel: Kernel) -> None:
    other = page.context.new_page()
    killed(campus, "portal")
    other.goto(f"{campus.url}/projects")
    expect_text(other, "포털이 다시 시작하는 중입니다", "The portal is restarting")
    assert kernel.run(COUNT) == "True 41\n"
    expect(other.get_by_role("heading", name="내 프로젝트").first).to_be_visible(timeout=20_000)  # by itself
    other.close()


def test_the_gate_dies(campus: Campus, page: Page, kernel: Kernel) -> None:
    kernel.begin("import time\nfor n in range(8): time.sleep(1)\nkept = 42", "over")
    killed(campus, "gate")
    assert "[the connection closed]" in kernel.said("over")
    until(lambda: answers(page, f"{campus.url}/projects"))
    page.goto(f"{campus.url}/projects")
    page.locator("main").get_by_role("link", name="분석 세션 들어가기").first.click()
    page.wait_for_url(SESSION)
    assert kernel.run(COUNT) == "True 42\n"  # the cell went on without a browser, the kernel is the same


def test_the_sessions_own_server_dies(campus: Campus, page: Page) -> None:
    kill(sandbox(campus, "session"), "lab.py")
    until(
        lambda: "저장한 파일은 그대로" in text_of(page, page.url)
    )  # one answer may be cut off in the middle
    expect_text(page, "Your saved files are safe")
    page.get_by_role("link", name="세션 다시 시작").click()
    until(lambda: page.reload() is not None and page.get_by_role("button", name="분석 세션 시작").count() > 0)
    press(page, "분석 세션 시작")
    page.wait_for_url(SESSION, timeout=150_000)
    again = Kernel.start(page)
    assert again.run("import campus; kept = open('made.txt').read(); " + COUNT) == "True mine\n"


def test_the_launcher_dies_and_takes_the_sessions_along(campus: Campus, page: Page) -> None:
    killed(campus, "launcher")
    until(lambda: "세션 다시 시작" in text_of(page, page.url))
    expect_text(page, "Restart the session")
    page.get_by_role("link", name="세션 다시 시작").click()
    until(lambda: page.reload() is not None and page.get_by_role("button", name="분석 세션 시작").count() > 0)
    press(page, "분석 세션 시작")
    page.wait_for_url(SESSION, timeout=150_000)
    assert Kernel.start(page).run("import campus; kept = 1; " + COUNT) == "True 1\n"


def test_no_record_is_lost(campus: Campus) -> None:
    until(lambda: not open_queries(campus))
    command = [str(REPO / "bin" / "campus"), "audit", "verify", "--state", str(campus.state)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    events = recorded(campus)
    admitted = [e["object"] for e in events if e["action"] == "query.admitted"]
    ended = Counter(e["object"] for e in events if e["action"] in ENDS)
    assert len(admitted) >= 9
    assert len(admitted) == len(set(admitted))
    assert ended == Counter(admitted)
    started = {e["session_id"] for e in events if e["action"] == "session.started"}
    stopped = Counter(e["session_id"] for e in events if e["action"] == "session.stopped")
    assert len(started) == 3
    assert sorted(stopped.values()) == [1, 1]
    erasing.gone(campus)


# -- helpers


def killed(campus: Campus, service: str) -> None:
    """Kill a service; it is back under another number later."""
    before = campus.services()[service]
    kill(before)
    until(lambda: not Path(f"/proc/{before}").exists())


def kill(pid: int, program: str = "python") -> None:
    """SIGKILL to the first process of that program in a sandbox, and to nothing around it."""
    for found in family(pid):
        line = Path(f"/proc/{found}/cmdline").read_bytes().split(b"\0")
        if not line[0].endswith(b"bwrap") and any(program.encode() in word for word in line):
            os.kill(found, signal.SIGKILL)
            return
    raise AssertionError(f"no {program} in {pid}")


def family(pid: int) -> Iterator[int]:
    """A process and all below it, from the top."""
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from family(int(child))


def sandbox(campus: Campus, kind: str) -> int:
    """Process of the running sandbox of that kind."""
    running = Launcher(load({"state": campus.state}, {}).socket("launcher")).list()
    return next(one.pid for one in running if one.sandbox_id.startswith(kind))


def recorded(campus: Campus) -> list[dict[str, str]]:
    """Every event of the log."""
    files = sorted((campus.state / "audit" / "segments").glob("*.jsonl"))
    lines = [line for file in files for line in file.read_text("utf-8").splitlines() if "\t" in line]
    return [json.loads(line.split("\t")[0])["event"] for line in lines]


def open_queries(campus: Campus) -> set[str]:
    """Admitted and not ended."""
    events = recorded(campus)
    return {e["object"] for e in events if e["action"] == "query.admitted"} - {
        e["object"] for e in events if e["action"] in ENDS
    }


def until(done: Callable[[], object], seconds: float = BACK_WITHIN) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def answers(page: Page, url: str) -> bool:
    try:
        found = page.goto(url)
    except Error:
        return False
    return found is not None and found.status == 200


def text_of(page: Page, url: str) -> str:
    try:
        page.goto(url)
    except Error:
        return ""
    return page.locator("body").inner_text()
