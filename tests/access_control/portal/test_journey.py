"""The whole way through the pages: set-up, application, session, export, review, download, audit."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

from access_control.audit.event import Action, AuditEvent
from access_control.people.model import Role
from access_control.sessions.model import site
from tests.access_control.campus import NOW, PASSWORD
from tests.access_control.erasures.test_erasures import ask
from tests.access_control.portal.conftest import Portal

CSV = "구,비율\n종로구,0.4\n<script>alert(1)</script>,1\n".encode()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
APPLICATION = {
    "handle": "minji",
    "display_name": "김민지",
    "email": "minji@mail.example",
    "kind": "citizen",
    "affiliation": "",
    "purpose": "행정동별 생활인구를 알아봅니다",
    "password": PASSWORD,
    "password_again": PASSWORD,
    "consent": "yes",
}


async def test_from_set_up_to_a_citizen_who_signs_in(portal: Portal) -> None:
    token = portal.campus.people.begin_setup(NOW)
    boss = portal.browser()
    fields = {"handle": "boss", "display_name": "정도현", "email": "boss@city.example"}
    passwords = {"password": PASSWORD, "password_again": PASSWORD}
    differ = await boss.submit(f"/setup/{token}", f"/setup/{token}", {**fields, **passwords, "password": "x"})
    assert differ.status == 400 and "정도현" in differ.text
    made = await boss.submit(f"/setup/{token}", f"/setup/{token}", fields | passwords)
    assert (made.status, made.location) == (303, "/applications?done=setup")
    assert (await portal.browser().get(f"/setup/{token}")).status == 403

    citizen = portal.browser()
    refused = await citizen.submit("/apply", "/apply", APPLICATION | {"consent": ""})
    assert refused.status == 400 and "행정동별 생활인구를 알아봅니다" in refused.text
    assert PASSWORD not in refused.text
    sent = await citizen.submit("/apply", "/apply", APPLICATION)
    assert sent.location == "/apply/done"
    waiting = await citizen.submit("/sign-in", "/sign-in", {"handle": "minji", "password": PASSWORD})
    assert waiting.status == 403

    page = await boss.get("/applications")
    assert "행정동별 생활인구를 알아봅니다" in page.text
    [number] = re.findall(r'action="/applications/(\d+)"', page.text)
    approved = await boss.post(f"/applications/{number}", {"csrf": page.csrf, "decision": "approve"})
    assert approved.location == "/applications?done=application-approved"
    again = await boss.post(f"/applications/{number}", {"csrf": page.csrf, "decision": "approve"})
    assert again.status in {403, 409}
    assert (await citizen.sign_in("minji")).location == "/projects"
    assert "열린 데이터" in (await citizen.get("/projects")).text

    out = await citizen.submit("/projects", "/sign-out", {})
    assert out.status == 303
    assert (await citizen.get("/projects")).status == 303


async def test_a_rejection_needs_a_reason_which_the_applicant_reads(portal: Portal) -> None:
    portal.campus.administrator()
    citizen, boss = portal.browser(), await portal.signed_in("boss")
    await citizen.submit("/apply", "/apply", APPLICATION)
    page = await boss.get("/applications")
    [number] = re.findall(r'action="/applications/(\d+)"', page.text)
    fields = {"csrf": page.csrf, "decision": "reject", "reason": ""}
    assert (await boss.post(f"/applications/{number}", fields)).status == 400
    fields["reason"] = "목적을 더 적어 주세요"
    assert (await boss.post(f"/applications/{number}", fields)).status == 303
    told = await citizen.submit("/sign-in", "/sign-in", {"handle": "minji", "password": PASSWORD})
    assert "목적을 더 적어 주세요" in told.text


async def test_a_session_is_started_watched_entered_and_stopped(portal: Portal) -> None:
    portal.campus.person("minji")
    citizen = await portal.signed_in("minji")
    where = site("minji", "open-data")
    started = await citizen.submit("/projects", "/projects/open-data/open", {})
    assert started.location == f"/sessions/{where}/starting"
    waiting = await citizen.get(started.location)
    assert '<noscript><meta http-equiv="refresh"' in waiting.text
    assert f'hx-get="/sessions/{where}/progress"' in waiting.text
    assert "시작하는 중" in (await citizen.get("/projects")).text

    portal.hub.go_on.set()
    while not (part := await citizen.get(f"/sessions/{where}/progress")).header("HX-Redirect"):
        assert "시작" not in part.text or part.status == 200
    assert part.header("HX-Redirect") == f"/enter/{where}"
    entered = await citizen.get(f"/enter/{where}?next=/lab")
    on = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', entered.text)
    assert entered.status == 200 and on is not None  # no redirect: a form of ours may have led here
    target = urlsplit(html.unescape(on[1]))
    assert (target.netloc, target.path) == (f"{where}.localhost:8000", "/_campus/enter")
    asked = parse_qs(target.query)
    assert asked["next"] == ["/lab"]
    holder = portal.campus.people.redeem_ticket(asked["ticket"][0], f"site:{where}", NOW)
    assert holder is not None and holder.handle == "minji"

    stopped = await citizen.submit("/projects", "/projects/open-data/stop", {})
    assert stopped.location == "/projects?done=session-stopped"
    assert not portal.hub.ready


async def test_another_persons_session_is_not_found(portal: Portal) -> None:
    portal.campus.person("minji")
    portal.campus.person("mallory")
    mallory = await portal.signed_in("mallory")
    theirs = site("minji", "open-data")
    for path in (f"/enter/{theirs}", f"/sessions/{theirs}/starting", f"/sessions/{theirs}/progress"):
        assert (await mallory.get(path)).status == 404
    assert (await mallory.submit("/projects", "/projects/nothing/open", {})).status == 404


async def test_a_start_that_fails_is_said_and_can_be_tried_again(portal: Portal) -> None:
    portal.hub.steps = [{"progress": 10}, {"failed": True}]
    portal.hub.go_on.set()
    portal.campus.person("minji")
    citizen = await portal.signed_in("minji")
    started = await citizen.submit("/projects", "/projects/open-data/open", {})
    while "시작하지 못했습니다" not in (page := await citizen.get(started.location)).text:
        assert page.status == 200
    assert 'action="/projects/open-data/open"' in page.text


async def test_an_export_leaves_byte_for_byte_after_somebody_elses_review(portal: Portal) -> None:
    campus = portal.campus
    campus.person("minji")
    campus.checker()
    portal.put_in_outbox("minji", "표/비율 표.csv", CSV)
    portal.put_in_outbox("minji", "그림.png", PNG)
    citizen, checker = await portal.signed_in("minji"), await portal.signed_in("checker")

    page = await citizen.get("/exports/new?project=open-data")
    assert 'value="표/비율 표.csv"' in page.text
    nothing = await citizen.post("/exports", {"csrf": page.csrf, "project": "open-data", "purpose": "보고서"})
    assert nothing.status == 400
    chosen = [
        ("csrf", page.csrf),
        ("project", "open-data"),
        ("file", "표/비율 표.csv"),
        ("file", "그림.png"),
        ("purpose", "보고서에 실을 표와 그림입니다"),
    ]
    sent = await citizen.post("/exports", chosen)
    assert sent.status == 303, sent.text
    where = urlsplit(sent.location).path
    portal.put_in_outbox("minji", "표/비율 표.csv", b"changed afterwards")
    assert (await citizen.get(f"{where}/files/1")).status == 403
    assert (await citizen.get(f"{where}/files/1/view")).status == 403

    assert "보고서에 실을 표와 그림입니다" in (await checker.get("/reviews")).text
    review = await checker.get(where)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in review.text and "<script>alert" not in review.text
    shown = await checker.get(f"{where}/files/2/image")
    assert (shown.body, shown.header("Content-Type")) == (PNG, "image/png")
    assert shown.header("Content-Security-Policy").startswith("sandbox;")
    assert shown.header("X-Content-Type-Options") == "nosniff"
    assert (await checker.get(f"{where}/files/1/image")).status == 404
    unseen = {"csrf": review.csrf, "decision": "approve", "seen": "0" * 64}
    assert (await checker.post(f"{where}/decision", unseen)).status == 400
    decision = {"csrf": review.csrf, "decision": "approve", "seen": review.hidden("seen")}
    assert (await checker.post(f"{where}/decision", decision)).location == "/reviews?done=export-approved"

    released = await citizen.get(where)
    assert f'href="{where}/files/1"' in released.text
    got = await citizen.get(f"{where}/files/1")
    assert got.body == CSV
    assert got.header("Content-Disposition").startswith("attachment;")
    assert got.header("X-Content-Type-Options") == "nosniff"
    assert (await checker.get(f"{where}/files/1")).status in {403, 404}
    actions = campus.actions()
    for done in (Action.EXPORT_SUBMITTED, Action.EXPORT_VIEWED, Action.EXPORT_RELEASED):
        assert done in actions
    assert actions.count(Action.EXPORT_DOWNLOADED) == 1


async def test_a_rejection_reaches_the_author_and_a_withdrawal_the_queue(portal: Portal) -> None:
    campus = portal.campus
    minji = campus.person("minji")
    campus.checker()
    first, second = campus.export(minji), campus.export(minji)
    citizen, checker = await portal.signed_in("minji"), await portal.signed_in("checker")
    page = await checker.get(f"/exports/{first.id}")
    fields = {"csrf": page.csrf, "decision": "reject", "reason": "", "seen": page.hidden("seen")}
    assert (await checker.post(f"/exports/{first.id}/decision", fields)).status == 400
    fields["reason"] = "칸이 너무 작습니다"
    assert (await checker.post(f"/exports/{first.id}/decision", fields)).status == 303
    assert "칸이 너무 작습니다" in (await citizen.get(f"/exports/{first.id}")).text
    back = await citizen.submit(f"/exports/{second.id}", f"/exports/{second.id}/withdraw", {})
    assert back.status == 303
    assert f"/exports/{second.id}" not in (await checker.get("/reviews")).text


async def test_an_outbox_nobody_made_yet_is_empty(portal: Portal) -> None:
    portal.campus.person("newcomer")
    citizen = await portal.signed_in("newcomer")
    assert "outbox 폴더가 비어 있습니다" in (await citizen.get("/exports/new?project=open-data")).text
    assert (await citizen.get("/exports/new?project=other")).status == 404


async def test_grants_are_given_and_taken_back(portal: Portal) -> None:
    campus = portal.campus
    boss = campus.administrator()
    campus.person("minji")
    campus.person("custodian", Role.CITIZEN, Role.CUSTODIAN)
    campus.person("staff", Role.CITIZEN, Role.STAFF)
    title = campus.projects.project("open-data")
    assert title is not None
    campus.projects.create(boss, "market", title.title, "상권을 분석합니다", ["minji"], NOW)
    custodian, staff = await portal.signed_in("custodian"), await portal.signed_in("staff")
    fields = {"project": "market", "dataset": "card_sales", "purpose": "상권을 분석합니다"}
    fields["expires"] = "2026-12-31"
    for wrong in ({"dataset": "nothing"}, {"expires": "soon"}, {"project": "unknown"}, {"purpose": "?"}):
        refused = await staff.submit("/grants", "/grants", fields | wrong)
        assert refused.status in {400, 404} and "다시 확인해 주세요" in refused.text
    seen = await custodian.get("/grants")
    assert "card_sales" in seen.text and 'action="/grants' not in seen.text
    assert (await custodian.submit("/projects", "/grants", fields)).status == 403
    assert (await staff.submit("/grants", "/grants", fields)).status == 303
    [grant] = campus.grants.of_project("market")
    assert grant.expires.isoformat() == "2026-12-31T14:59:59+00:00"
    taken = await staff.submit("/grants", f"/grants/{grant.id}/revoke", {"reason": "연구가 끝났습니다"})
    assert taken.status == 303
    assert not campus.grants.effective("market", NOW)


async def test_roles_are_assigned_and_a_suspended_person_is_out_at_once(portal: Portal) -> None:
    campus = portal.campus
    campus.person("minji")
    campus.session(campus.people.person("minji") or campus.administrator())
    portal.hub.ready.add(("minji", "open-data"))
    boss, citizen = await portal.signed_in("boss"), await portal.signed_in("minji")
    page = await boss.get("/people")
    roles = [("csrf", page.csrf), ("role", "citizen"), ("role", "checker"), ("role", "emperor")]
    assert (await boss.post("/people/minji/roles", roles)).status == 303
    assert (await citizen.get("/reviews")).status == 200
    out = await boss.post("/people/minji/suspend", {"csrf": page.csrf, "reason": "약속을 어겼습니다"})
    assert out.location == "/people?done=suspended"
    assert (await citizen.get("/projects")).status == 303
    assert not portal.hub.ready


async def test_the_auditor_reads_filters_and_verifies(portal: Portal) -> None:
    campus = portal.campus
    campus.person("auditor", Role.AUDITOR)
    campus.export(campus.person("minji"))
    auditor = await portal.signed_in("auditor")
    assert "export.submitted" in (await auditor.get("/audit?actor=minji")).text
    only = await auditor.get("/audit?action=export.submitted&since=2026-11-20&until=2026-11-20")
    rows = only.text.partition("<tbody>")[2]
    assert "export.submitted" in rows and "person.created" not in rows
    for wrong in ("action=nothing", "since=soon", "before=nowhere"):
        assert (await auditor.get(f"/audit?{wrong}")).status == 400
    page = await auditor.get("/audit")
    whole = await auditor.post("/audit/verify", {"csrf": page.csrf})
    assert "기록이 온전합니다" in whole.text
    forged = await auditor.post("/audit/verify", {"csrf": page.csrf, "held": "campus\n1\nAAAA\n\n— x y\n"})
    assert "기록이 온전하지 않습니다" in forged.text
    assert {Action.AUDIT_READ, Action.AUDIT_VERIFIED} <= set(campus.actions())


async def test_the_auditor_sees_which_columns_and_partitions_a_query_read(portal: Portal) -> None:
    campus = portal.campus
    campus.person("auditor", Role.AUDITOR)
    auditor = await portal.signed_in("auditor")
    about = {"dataset": "card_sales", "variant": "main", "snapshot": "7", "files": 1, "granted_files": 24}
    one = {**about, "columns": ["quarter", "sales_amount"], "partitions": {"quarter": ["20251"]}}
    unknown = {**about, "dataset": "gone", "columns": None, "partitions": {}, "files": 24}
    counted = {**about, "columns": [], "partitions": {}, "files": 24}

    async def shown(detail: dict[str, object]) -> str:
        event = AuditEvent(
            time=NOW, actor="minji", action=Action.QUERY_ADMITTED, object="query:q", detail=detail
        )
        campus.audit.append_all([event])
        row = (
            (await auditor.get("/audit?action=query.admitted"))
            .text.partition("<tbody>")[2]
            .partition("</tr>")[0]
        )
        return html.unescape(re.sub(r"<[^>]+>", "", row))

    said = await shown({"statement": "SELECT 1", "scans": [one, unknown]})
    assert "카드 매출" in said or "추정매출" in said
    assert "quarter, " in said and "sales_amount" in said and "20251" in said
    assert "허용된 파일 24개 가운데 1개" in said and "gone" in said and "모든 열을 읽은 것으로 보세요" in said
    said = await shown({"statement": "SELECT 1", "scans": [counted]})
    assert "없음 (행 수만 셈)" in said and "허용된 것 모두" in said
    assert "데이터셋의 파일을 읽지 않는" in await shown({"statement": "SELECT 1", "scans": []})
    assert "읽은" not in await shown({"statement": "SELECT 1"}), "a line of an earlier release"


async def test_a_sign_in_link_is_used_by_pressing_not_by_looking(portal: Portal) -> None:
    person = portal.campus.person("minji")
    token = portal.campus.people.sign_in_link(person, NOW, 1)
    visitor = portal.browser()
    for _ in range(3):
        assert (await visitor.get(f"/link/{token}")).status == 200
    used = await visitor.submit(f"/link/{token}", f"/link/{token}", {})
    assert used.status == 303 and "campus_session" in used.cookies
    assert (await visitor.get("/projects")).status == 200


async def test_the_auditor_sees_values_until_the_officer_erases_them(portal: Portal) -> None:
    campus = portal.campus
    campus.person("auditor", Role.AUDITOR)
    campus.person("officer", Role.PRIVACY)
    ask(campus, "wonju")
    auditor, officer = await portal.signed_in("auditor"), await portal.signed_in("officer")
    page = "/audit?actor=wonju&action=query.admitted"
    assert "&#39;홍길동&#39;" in (await auditor.get(page)).text
    assert (await auditor.get("/erasures")).status == (await officer.get("/audit")).status == 403
    assert (await auditor.post("/erasures", {"csrf": (await auditor.get("/audit")).csrf})).status == 403
    for wrong in ("query=x", "person=../x", "before=soon", "before=2030-01-01"):
        assert (await officer.get(f"/erasures?{wrong}")).status in (400, 403)
    shown = await officer.get("/erasures?person=wonju")
    assert "지울 수 있는 질의 2건" in shown.text and "홍길동" not in shown.text
    fields = {"csrf": shown.csrf, "person": "wonju", "seen": shown.hidden("seen"), "reason": "삭제 요구 3호"}
    for missing in ({"sure": ""}, {"sure": "yes", "reason": " "}, {"sure": "yes", "seen": "1"}):
        answer = await officer.post("/erasures", fields | missing)
        assert answer.status in (400, 403, 409) and 'role="alert"' in answer.text
    assert "&#39;홍길동&#39;" in (await auditor.get(page)).text
    done = await officer.post("/erasures", fields | {"sure": "yes"})
    assert done.location == "/erasures?done=literals-erased"
    after = (await auditor.get(page)).text
    assert "홍길동" not in after and "값이 지워졌습니다" in after
    record = (await auditor.get("/audit?action=audit.literals_erased&actor=officer")).text
    assert "삭제 요구 3호" in record
    english = await auditor.get(f"{page}&lang=en")
    assert english.status == 200
