"""Projects and data requests through the pages: make, ask, narrow, approve, reject, take back."""

from __future__ import annotations

import re
from html import unescape

from access_control.people.model import Role
from access_control.requests.model import RequestStatus
from tests.access_control.campus import NOW
from tests.access_control.portal.browsing import Answer
from tests.access_control.portal.conftest import Portal

PURPOSE = "종로구 상권의 소비 변화를 봅니다"
PROJECT = {
    "slug": "jongno",
    "title_ko": "종로 상권",
    "title_en": "",
    "purpose": PURPOSE,
    "members": "jiwoo",
}


def offered(page: Answer, name: str) -> list[str]:
    """Values a page offers of a partition."""
    return [unescape(v) for v in re.findall(rf'name="part-{name}" id="[^"]*" value="([^"]*)"', page.text)]


def fields(page: Answer, **changes: object) -> list[tuple[str, str]]:
    """The request form of this page, filled."""
    given: dict[str, object] = {
        "csrf": page.csrf,
        "sent": "yes",
        "dataset": "card_spending",
        "variant": "main",
        "project": "jongno",
        "how-gu": "some",
        "part-gu": ["11110"],
        "how-month": "some",
        "part-month": offered(page, "month")[:2],
        "purpose": PURPOSE,
        "expires": "2026-12-31",
    } | changes
    return [
        (name, str(one))
        for name, value in given.items()
        for one in (value if isinstance(value, list) else [value])
    ]


async def test_from_a_project_to_a_narrowed_grant_and_its_end(portal: Portal) -> None:
    campus = portal.campus
    campus.person("minji")
    campus.person("jiwoo")
    campus.person("custodian", Role.CITIZEN, Role.CUSTODIAN)
    minji, custodian = await portal.signed_in("minji"), await portal.signed_in("custodian")

    about = await minji.get("/datasets/card_spending")
    assert 'href="/requests/new?dataset=card_spending"' in about.text
    none = await minji.get("/requests/new?dataset=card_spending")
    assert 'href="/projects/new"' in none.text and '<form method="post" action="/requests"' not in none.text
    refused = await minji.submit("/projects/new", "/projects", PROJECT | {"slug": "all"})
    assert refused.status == 400 and PURPOSE in refused.text
    made = await minji.submit("/projects/new", "/projects", PROJECT)
    assert made.location == "/projects/jongno?done=project-created"
    assert "이용자 jiwoo" in (await minji.get("/projects/jongno")).text

    page = await minji.get("/requests/new?dataset=card_spending")
    months = offered(page, "month")
    assert len(months) >= 2 and "11110" in offered(page, "gu") and "종로구 (11110)" in page.text
    sent = await minji.post("/requests", fields(page))
    assert sent.status == 303, sent.text
    [request] = campus.requests.mine("minji")
    assert request.partitions == (("gu", ("11110",)), ("month", tuple(months[:2])))
    followed = await minji.get(f"/requests/{request.id}")
    assert (
        "심사 중" in followed.text and "종로구 (11110)" in followed.text and "/decision" not in followed.text
    )

    queue = await custodian.get("/decisions")
    assert f'href="/requests/{request.id}"' in queue.text
    looked = await custodian.get(f"/requests/{request.id}")
    assert offered(looked, "month") == months[:2], "only what was asked for is offered"
    assert "jiwoo, minji" in looked.text or "minji, jiwoo" in looked.text
    decision = [
        ("csrf", looked.csrf), ("sent", "yes"), ("seen", looked.hidden("seen")), ("decision", "approve"),
        ("part-gu", "11110"), ("part-month", months[0]), ("expires", "2026-12-01"), ("reason", "한 달만"),
    ]  # fmt: skip
    approved = await custodian.post(f"/requests/{request.id}/decision", decision)
    assert approved.location == "/decisions?done=request-approved"
    [grant] = campus.grants.of_project("jongno")
    assert grant.partitions == (("gu", ("11110",)), ("month", (months[0],)))
    told = (await minji.get(f"/requests/{request.id}")).text
    assert "승인" in told and "한 달만" in told and "2026-12-01" in told
    for page_of, path in ((minji, "/projects"), (minji, "/projects/jongno"), (custodian, "/grants")):
        assert f"월: {months[0]}" in (await page_of.get(path)).text, path

    held = await minji.submit("/projects/jongno", "/projects/jongno/members", {"handle": "custodian"})
    assert held.status == 403 and "담당자에게 요청" in held.text
    taken = await custodian.submit("/grants", f"/grants/{grant.id}/revoke", {"reason": "기간이 끝났습니다"})
    assert taken.status == 303
    assert "끝났거나 회수됨" in (await minji.get(f"/requests/{request.id}")).text


async def test_silence_is_never_taken_for_everything(portal: Portal) -> None:
    campus = portal.campus
    minji = campus.person("minji")
    campus.projects.create(minji, "jongno", campus.projects.project("open-data").title, PURPOSE, [minji], NOW)  # type: ignore[union-attr]
    browser = await portal.signed_in("minji")
    page = await browser.get("/requests/new?dataset=card_spending")
    for changes, words in (
        ({"part-gu": []}, "하나 이상 고르거나"),
        ({"how-gu": "", "part-gu": []}, "하나 이상 고르거나"),
        ({"how-month": "all"}, "둘 중 하나만"),
        ({"part-gu": ["99999"]}, "값이 아닙니다"),
        ({"expires": "언젠가"}, "2027-05-31"),
        ({"purpose": "왜"}, "이용 목적"),
        ({"project": "open-data"}, "공개 데이터만"),
        ({"project": "others"}, "프로젝트가 없습니다"),
    ):
        refused = await browser.post("/requests", fields(page, **changes))
        assert refused.status in {400, 403, 404} and words in refused.text, changes
    assert campus.requests.mine("minji") == ()
    again = await browser.post("/requests", fields(page, purpose="왜"))
    assert re.search(r'value="11110" checked', again.text), "what was chosen stays chosen"
    whole = {"how-gu": "all", "part-gu": [], "how-month": "all", "part-month": []}
    assert (await browser.post("/requests", fields(page, **whole))).status == 303
    assert campus.requests.mine("minji")[0].partitions == ()
    for path in ("?dataset=nothing", "?dataset=card_sales", "?dataset=card_spending&variant=twin", ""):
        assert (await browser.get(f"/requests/new{path}")).status in {400, 404}


async def test_a_decision_is_refused_to_strangers_and_when_things_changed(portal: Portal) -> None:
    campus = portal.campus
    minji = campus.person("minji")
    campus.person("mallory")
    campus.person("custodian", Role.CITIZEN, Role.CUSTODIAN)
    campus.projects.create(minji, "jongno", campus.projects.project("open-data").title, PURPOSE, [minji], NOW)  # type: ignore[union-attr]
    browser, custodian = await portal.signed_in("minji"), await portal.signed_in("custodian")
    stranger = await portal.signed_in("mallory")
    page = await browser.get("/requests/new?dataset=card_spending")
    await browser.post("/requests", fields(page))
    [request] = campus.requests.mine("minji")
    where = f"/requests/{request.id}"
    assert (await stranger.get(where)).status == 404
    assert (await stranger.get("/decisions")).status == 403
    looked = await custodian.get(where)
    decision = [(n, v) for n, v in fields(page) if n != "csrf"] + [
        ("csrf", looked.csrf), ("seen", looked.hidden("seen")), ("decision", "approve"),
    ]  # fmt: skip
    own = await browser.post(f"{where}/decision", [(n, page.csrf if n == "csrf" else v) for n, v in decision])
    assert own.status == 403
    empty = [(n, v) for n, v in decision if n != "part-month"]
    refused = await custodian.post(f"{where}/decision", empty)
    assert refused.status == 400 and "하나 이상 고르거나" in refused.text
    wider = [*decision, ("part-gu", "11140")]
    assert (await custodian.post(f"{where}/decision", wider)).status == 400
    campus.projects.add_member("minji", "jongno", "mallory", NOW)
    changed = await custodian.post(f"{where}/decision", decision)
    assert changed.status == 409 and "새로 고쳐" in changed.text
    silent = await custodian.submit(where, f"{where}/decision", {"decision": "reject", "reason": ""})
    assert silent.status == 400
    rejected = await custodian.submit(
        where, f"{where}/decision", {"decision": "reject", "reason": "넓습니다"}
    )
    assert rejected.status == 303
    assert campus.requests.mine("minji")[0].status is RequestStatus.REJECTED
    assert "넓습니다" in (await browser.get(where)).text


async def test_a_request_is_taken_back_and_members_leave(portal: Portal) -> None:
    campus = portal.campus
    minji = campus.person("minji")
    campus.person("jiwoo")
    campus.projects.create(minji, "jongno", campus.projects.project("open-data").title, PURPOSE, [minji], NOW)  # type: ignore[union-attr]
    browser = await portal.signed_in("minji")
    page = await browser.get("/requests/new?dataset=card_spending")
    sent = await browser.post("/requests", fields(page))
    where = sent.location.partition("?")[0]
    assert (await browser.submit(where, f"{where}/withdraw", {})).status == 303
    assert "취소" in (await browser.get(where)).text
    assert (await browser.submit("/projects/jongno", f"{where}/withdraw", {})).status == 403
    added = await browser.submit("/projects/jongno", "/projects/jongno/members", {"handle": "jiwoo"})
    assert added.location == "/projects/jongno?done=member-added"
    unknown = await browser.submit("/projects/jongno", "/projects/jongno/members", {"handle": "ghost"})
    assert unknown.status == 404
    left = await browser.submit("/projects/jongno", "/projects/jongno/members/remove", {"handle": "minji"})
    assert left.location == "/projects?done=member-removed"
    assert (await browser.get("/projects/jongno")).status == 404
    shared = await browser.get("/projects/open-data")
    assert shared.status == 200 and "jiwoo" not in shared.text, "who else is here is not for everybody"
