"""Pages as anybody sees them: languages, headers, errors, and forms that do not come from us."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import quote

import pytest

from access_control.portal import app
from access_control.portal.services import Services
from tests.access_control.campus import NOW, PASSWORD
from tests.access_control.portal.conftest import URL, Portal

PUBLIC = ["/", "/datasets", "/datasets/living_population", "/dashboards", "/apply", "/apply/done", "/sign-in"]
FOR_PEOPLE = [
    "/projects",
    "/projects/new",
    "/requests",
    "/exports",
    "/reviews",
    "/applications",
    "/decisions",
]
FOR_PEOPLE += ["/people", "/grants", "/ingest", "/audit", "/accesses"]


@pytest.mark.parametrize("path", PUBLIC)
async def test_a_public_page_is_korean_first_and_english_on_request(portal: Portal, path: str) -> None:
    visitor = portal.browser()
    korean = await visitor.get(path)
    assert korean.status == 200
    assert '<html lang="ko">' in korean.text
    chosen = await visitor.get(f"/language/en?next={path}")
    assert (chosen.status, chosen.location) == (303, path)
    english = await visitor.get(path)
    assert '<html lang="en">' in english.text
    words = re.sub(r"<[^>]+>|English|한국어", "", re.sub(r"(?s)<a [^>]*lang=\"ko\".*?</a>", "", english.text))
    if path in {"/apply", "/sign-in", "/apply/done"}:
        assert not re.search(r"[가-힣]", words)


@pytest.mark.parametrize("path", [*PUBLIC, "/nowhere"])
async def test_every_page_forbids_what_it_does_not_need(portal: Portal, path: str) -> None:
    page = await portal.browser().get(path)
    policy = page.header("Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert page.header("X-Frame-Options") == "DENY"
    assert page.header("X-Content-Type-Options") == "nosniff"
    assert page.header("Referrer-Policy") == "same-origin"
    assert page.header("Cache-Control") == "no-store"
    assert " style=" not in page.text and "<script>" not in page.text and " on" + "click" not in page.text


@pytest.mark.parametrize("path", FOR_PEOPLE)
async def test_a_page_for_people_sends_others_to_sign_in(portal: Portal, path: str) -> None:
    answer = await portal.browser().get(path)
    assert (answer.status, answer.location) == (303, f"/sign-in?next={quote(path, safe='')}")


@pytest.mark.parametrize(
    "path", ["/reviews", "/applications", "/decisions", "/people", "/grants", "/ingest", "/audit"]
)
async def test_a_citizen_is_told_why_not(portal: Portal, path: str) -> None:
    portal.campus.person("minji")
    citizen = await portal.signed_in("minji")
    answer = await citizen.get(path)
    assert answer.status == 403
    assert "할 수 없는 일입니다" in answer.text


async def test_the_catalogue_can_be_searched(portal: Portal) -> None:
    visitor = portal.browser()
    found = (await visitor.get("/datasets?q=%EC%83%9D%ED%99%9C%EC%9D%B8%EA%B5%AC")).text
    assert "/datasets/living_population" in found and "/datasets/subway_ridership" not in found
    assert "/datasets/subway_ridership" in (await visitor.get("/datasets?tier=open")).text
    nothing = (await visitor.get("/datasets?tier=restricted&q=%EC%B2%A0%EC%84%B8")).text
    assert "조건에 맞는 데이터셋이 없습니다" in nothing


async def test_a_dataset_page_shows_dictionary_rows_figure_and_that_it_is_synthetic(portal: Portal) -> None:
    page = (await portal.browser().get("/datasets/living_population")).text
    assert "합성 데이터" in page and "<polyline" in page and "FROM living_population" in page
    assert page.count("<code>age_20s</code>") == 1
    assert "<path " in (await portal.browser().get("/datasets/dong_boundary")).text


async def test_the_gallery_leads_to_the_dashboards_own_origin(portal: Portal) -> None:
    page = (await portal.browser().get("/dashboards")).text
    assert 'href="http://d-living-population.localhost:8000/"' in page


@pytest.mark.parametrize("path", ["/nowhere", "/datasets/nothing", "/language/fr", "/static/../app.py"])
async def test_what_does_not_exist_is_not_found(portal: Portal, path: str) -> None:
    answer = await portal.browser().get(path)
    assert answer.status == 404
    if not path.startswith("/static"):
        assert "찾을 수 없습니다" in answer.text


async def test_a_form_from_elsewhere_is_refused(portal: Portal) -> None:
    visitor = portal.browser()
    csrf = (await visitor.get("/sign-in")).csrf
    fields = {"csrf": csrf, "handle": "minji", "password": PASSWORD}
    sibling = {"Origin": "http://s-abc.localhost:8000", "Sec_Fetch_Site": "same-site"}
    for headers in (sibling, {"Origin": "", "Sec-Fetch-Site": ""}, {"Origin": "null"}):
        refused = await visitor.post("/sign-in", fields, **headers)
        assert refused.status == 403 and URL in refused.text


async def test_a_form_without_its_token_or_with_anothers_is_refused(portal: Portal) -> None:
    portal.campus.person("minji")
    citizen, other = await portal.signed_in("minji"), portal.browser()
    theirs = (await other.get("/sign-in")).csrf
    for token in ("", theirs, "0" * 64):
        refused = await citizen.post("/sign-out", {"csrf": token})
        assert refused.status == 403
    assert (await citizen.get("/projects")).status == 200


async def test_a_form_that_is_too_large_or_none_is_refused(portal: Portal) -> None:
    visitor = portal.browser()
    large = await visitor.post("/apply", {"purpose": "가" * 80_000})
    assert large.status == 413
    upload = {"Content_Type": "multipart/form-data; boundary=x"}
    assert (await visitor.post("/apply", b"--x--", **upload)).status == 400
    assert (await visitor.post("/", {})).status == 405


async def test_a_planted_session_cookie_signs_nobody_in(portal: Portal) -> None:
    portal.campus.person("minji")
    portal.campus.person("mallory")
    citizen, mallory = await portal.signed_in("minji"), await portal.signed_in("mallory")
    mine, planted = citizen.cookies["campus_session"], mallory.cookies["campus_session"]
    both = f"campus_session={mine}; campus_session={planted}"
    assert (await citizen.get("/projects", Cookie=both)).status == 303


async def test_session_cookies_are_for_this_host_and_no_script(portal: Portal) -> None:
    portal.campus.person("minji")
    browser = portal.browser()
    answer = await browser.sign_in("minji")
    sent = answer.header("Set-Cookie")
    assert "campus_session=" in sent and "HttpOnly" in sent and "SameSite=lax" in sent
    assert "domain" not in sent.lower()


async def test_signing_in_goes_on_only_to_our_own_pages(portal: Portal) -> None:
    portal.campus.person("minji")
    page = await portal.browser().get("/sign-in?next=https://evil.example/")
    assert page.hidden("next") == "/"
    browser = portal.browser()
    fields = {"handle": "minji", "password": PASSWORD, "next": "//evil.example"}
    assert (await browser.submit("/sign-in", "/sign-in", fields)).location == "/projects"


async def test_five_wrong_passwords_lock_the_account_for_a_while(portal: Portal) -> None:
    portal.campus.person("minji")
    browser = portal.browser()
    for _ in range(5):
        fields = {"handle": "minji", "password": "틀린 비밀번호입니다"}
        assert (await browser.submit("/sign-in", "/sign-in", fields)).status == 403
    locked = await browser.submit("/sign-in", "/sign-in", {"handle": "minji", "password": PASSWORD})
    assert locked.status == 403


async def test_banners_say_demonstration_and_no_isolation(portal: Portal) -> None:
    services = portal.services
    calm = (await portal.browser().get("/")).text
    assert "campus-banner" not in calm
    loud = replace(services.installation, demo=True, isolation="none")
    object.__setattr__(services, "installation", loud)
    page = (await portal.browser().get("/nowhere")).text
    assert "campus-banner danger" in page and "campus-banner demo" in page


async def test_an_error_nobody_foresaw_is_a_number_without_detail(
    portal: Portal, caplog: pytest.LogCaptureFixture
) -> None:
    object.__setattr__(portal.services, "datasets", None)
    answer = await portal.browser().get("/datasets")
    assert answer.status == 500
    assert "NoneType" not in answer.text and "Traceback" not in answer.text
    incident = re.search(r"<code>([0-9a-f]{8})</code>", answer.text)
    assert incident and incident[1] in caplog.text
    assert "access_control/portal/routes/catalogue.py" in caplog.text


async def test_static_files_are_kept_only_under_a_version(portal: Portal) -> None:
    visitor = portal.browser()
    page = (await visitor.get("/")).text
    for address in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page)):
        file = await visitor.get(address)
        assert file.status == 200 and "immutable" in file.header("Cache-Control")
        assert file.header("X-Content-Type-Options") == "nosniff"
    assert "immutable" not in (await visitor.get("/static/campus.css")).header("Cache-Control")
    missing = await visitor.get("/static/krds/package.json")
    assert missing.status == 404


def test_without_the_front_end_packages_nothing_starts(services: Services) -> None:
    bare = replace(services.installation, web=services.installation.dashboards)
    with pytest.raises(FileNotFoundError, match="install_web"):
        app.create_app(replace(services, installation=bare))


async def test_looking_changes_nothing_but_the_record_of_looking(portal: Portal) -> None:
    campus = portal.campus
    campus.person("minji")
    citizen = await portal.signed_in("minji")
    before = campus.actions()
    for path in (
        "/",
        "/datasets",
        "/projects",
        "/requests",
        "/projects/new",
        "/exports",
        "/exports/new?project=open-data",
    ):
        assert (await citizen.get(path)).status == 200
    assert campus.actions() == before
    assert not portal.hub.users
    assert portal.services.clock() == NOW
