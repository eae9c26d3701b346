"""Loading data on the page: uploads that stream, what is shown, exceptions, and who may."""

from __future__ import annotations

import io
import re

import aiohttp
import pytest

from access_control.ingests import policy
from access_control.ingests.model import IngestStatus
from access_control.people.model import Role
from catalog.ingest.meter import Phase, Progress
from catalog.ingest.run import Telling
from tests.access_control.campus import NOW
from tests.access_control.ingests.simulator import SimulatedLauncher
from tests.access_control.ingests.test_ingests import REASON, subway
from tests.access_control.portal.browsing import Answer, Browser
from tests.access_control.portal.conftest import Portal


async def steward(portal: Portal) -> Browser:
    portal.campus.person("sora", Role.STAFF)
    return await portal.signed_in("sora")


def form(csrf: str, files: dict[str, bytes], dataset: str = "subway_ridership") -> aiohttp.FormData:
    made = aiohttp.FormData(quote_fields=False)
    made.add_field("csrf", csrf)
    made.add_field("dataset", dataset)
    for name, content in files.items():
        made.add_field("files", io.BytesIO(content), filename=name, content_type="text/csv")
    return made


async def upload(browser: Browser, files: dict[str, bytes]) -> Answer:
    return await browser.post("/ingest", form((await browser.get("/ingest")).csrf, files))


async def test_upload_look_publish(portal: Portal, ingesting: SimulatedLauncher) -> None:
    browser = await steward(portal)
    sent = await upload(browser, {"2월.csv": subway(), "3월.csv": subway("202603")})
    assert sent.status == 303, sent.text
    page = (await browser.get(sent.location)).text
    assert "결정 대기" in page and "2월.csv" in page and "2026-03" in page
    assert "검사 4개 가운데 0개 실패" in page
    assert page.count("강변") >= 1 and "UTF-8" in page
    done = await browser.submit(sent.location, f"{sent.location}/publish", {})
    assert (done.status, done.location) == (303, sent.location)
    assert "새 판을 공개했습니다" in (await browser.get(sent.location)).text
    assert ingesting.warehouse.snapshot("subway_ridership").rows == 118
    assert "공개됨" in (await browser.get("/ingest")).text


async def test_a_failing_check_is_shown_with_its_rows_and_accepted_with_a_reason(
    portal: Portal, ingesting: SimulatedLauncher
) -> None:
    browser = await steward(portal)
    sent = await upload(browser, {"2월.csv": subway(damage=(5, 9))})
    page = (await browser.get(sent.location)).text
    assert "<code>range-boardings</code>" in page and "격리된 행 2건" in page
    report = await browser.get(f"{sent.location}/quarantine.csv")
    assert "attachment" in report.header("Content-Disposition") and b"2\xec\x9b\x94.csv,5," in report.body
    for fields in (
        {},
        {"accept": "range-boardings", "reason:range-boardings": " "},
        {"accept": "even-date", "reason:even-date": REASON},
    ):
        refused = await browser.submit(sent.location, f"{sent.location}/publish", fields)
        assert refused.status == 400 and "range-boardings" in refused.text
    assert ingesting.warehouse.versions("subway_ridership") == ()
    fields = {"accept": "range-boardings", "reason:range-boardings": REASON}
    await browser.submit(sent.location, f"{sent.location}/publish", fields)
    assert REASON in (await browser.get(sent.location)).text
    assert ingesting.warehouse.snapshot("subway_ridership").publication.exceptions[0].reason == REASON


async def test_the_page_waits_with_and_without_a_script(portal: Portal, ingesting: SimulatedLauncher) -> None:
    browser = await steward(portal)
    ingesting.slow = True
    sent = await upload(browser, {"2월.csv": subway()})
    page = await browser.get(sent.location)
    assert 'http-equiv="refresh"' in page.text and f'hx-get="{sent.location}/progress"' in page.text
    part = await browser.get(f"{sent.location}/progress")
    assert "HX-Redirect" not in part.headers and "검사하는 중" in part.text
    assert "<progress" not in part.text
    telling = Telling(ingesting.uploads / "runs" / sent.location.rpartition("/")[2], 1)
    telling.meter(Progress(file="2월.csv", phase=Phase.READ, done=30, total=40, rows=1234))
    for address in (sent.location, f"{sent.location}/progress"):
        shown = (await browser.get(address)).text
        assert '<progress id="far" max="100" value="75">75 %</progress>' in shown
        assert "값 읽기: 2월.csv" in shown and "75 %, 1,234행" in shown
    ingesting.work(sent.location.rpartition("/")[2])
    ingesting.slow = False
    part = await browser.get(f"{sent.location}/progress")
    assert part.header("HX-Redirect") == sent.location


async def test_an_unreadable_file_offers_no_publication(portal: Portal) -> None:
    browser = await steward(portal)
    sent = await upload(browser, {"<b>odd</b>.csv": b"a,b\n1,2\n"})
    page = (await browser.get(sent.location)).text
    assert "읽을 수 없는 파일 1개" in page and "/publish" not in page
    assert "<b>odd" not in page
    gone = await browser.submit(sent.location, f"{sent.location}/discard", {})
    assert gone.location == "/ingest?done=ingest-discarded"


async def test_only_stewards_upload_and_nothing_of_others_is_kept(portal: Portal) -> None:
    portal.campus.person("minji")
    citizen = await portal.signed_in("minji")
    csrf = (await citizen.get("/projects")).csrf
    assert (await citizen.post("/ingest", form(csrf, {"a.csv": subway()}))).status == 403
    stranger = portal.browser()
    assert (await stranger.post("/ingest", form(csrf, {"a.csv": subway()}))).status == 303
    browser = await steward(portal)
    assert (await browser.post("/ingest", form(csrf, {"a.csv": subway()}))).status == 403
    own = (await browser.get("/ingest")).csrf
    elsewhere = {"Origin": "http://s-abc.localhost:8000", "Sec_Fetch_Site": "same-site"}
    assert (await browser.post("/ingest", form(own, {"a.csv": subway()}), **elsewhere)).status == 403
    blobs = portal.services.ingests._folder / "blobs"
    assert not blobs.exists() or list(blobs.iterdir()) == []
    assert portal.services.ingests.runs("sora", NOW) == ()


async def test_a_file_before_the_token_is_refused(portal: Portal) -> None:
    browser = await steward(portal)
    csrf = (await browser.get("/ingest")).csrf
    made = aiohttp.FormData()
    made.add_field("files", io.BytesIO(subway()), filename="a.csv")
    made.add_field("csrf", csrf)
    assert (await browser.post("/ingest", made)).status == 403


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nab'),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nno headers\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 20_000 + b"\r\n\r\n\r\n--x--\r\n"),
        ("multipart/form-data; boundary=" + "x" * 80, b"--x--"),
        ("application/x-www-form-urlencoded", b"csrf=1&dataset=x"),
        ("text/plain", b""),
    ],
)
async def test_what_is_no_form_with_files_is_refused(portal: Portal, kind: str, body: bytes) -> None:
    browser = await steward(portal)
    answer = await browser.post("/ingest", body, **{"Content-Type": kind})
    assert answer.status in {400, 403}


async def test_too_large_a_file_is_refused_in_words_after_it_was_read(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FILE_MAX", 1 << 20)
    browser = await steward(portal)
    answer = await upload(browser, {"large.csv": b"x" * (3 << 20), "more.csv": b"y" * (1 << 19)})
    assert answer.status == 400 and "1 MB까지" in answer.text
    assert list((portal.services.ingests._folder / "blobs").iterdir()) == []


async def test_names_that_browsers_must_not_send_and_unknown_datasets(portal: Portal) -> None:
    browser = await steward(portal)
    csrf = (await browser.get("/ingest")).csrf
    path = await browser.post("/ingest", form(csrf, {"../../../etc/passwd.csv": subway()}))
    (run,) = portal.services.ingests.runs("sora", NOW)
    assert path.status == 303 and run.files[0].name == "passwd.csv"
    hidden = await browser.post("/ingest", form(csrf, {"a\u202e.csv": subway()}))
    assert hidden.status == 400 and "파일 이름" in hidden.text
    unknown = await browser.post("/ingest", form(csrf, {"a.csv": subway()}, "../../secrets"))
    assert unknown.status == 400
    nothing = await browser.post("/ingest", form(csrf, {"": b""}))
    assert nothing.status == 400 and re.search("하나 이상", nothing.text)


async def test_the_launcher_away_is_said_and_the_run_failed(
    portal: Portal, ingesting: SimulatedLauncher
) -> None:
    from catalog.sandbox.launcher import Launcher

    browser = await steward(portal)
    ingesting.start_ingest = Launcher(ingesting.path).start_ingest  # type: ignore[method-assign]
    answer = await upload(browser, {"2월.csv": subway()})
    assert answer.status == 503 and "campus up" in answer.text
    assert portal.services.ingests.runs("sora", NOW)[0].status is IngestStatus.FAILED
