"""What the gate asks, and what nobody else may."""

from __future__ import annotations

import json

from access_control.sessions.model import site
from tests.access_control.campus import NOW
from tests.access_control.portal.conftest import Portal

GATE = {"X_Campus_Internal": "gate-knows-this"}
JSON = {"Content_Type": "application/json"}


async def test_a_ticket_is_redeemed_once_and_for_its_site_only(portal: Portal) -> None:
    person = portal.campus.person("minji")
    stolen = portal.campus.people.issue_ticket(person, "site:s-abc", NOW)
    ticket = portal.campus.people.issue_ticket(person, "site:s-abc", NOW)
    gate = portal.browser()
    elsewhere = json.dumps({"ticket": stolen, "site": "s-other"}).encode()
    there = json.dumps({"ticket": ticket, "site": "s-abc"}).encode()
    assert (await gate.post("/_internal/redeem", elsewhere, **GATE, **JSON)).status == 403
    answer = await gate.post("/_internal/redeem", there, **GATE, **JSON)
    assert json.loads(answer.body) == {"person": "minji", "display_name": person.display_name}
    assert (await gate.post("/_internal/redeem", there, **GATE, **JSON)).status == 403


async def test_nobody_but_the_gate_is_answered(portal: Portal) -> None:
    stranger = portal.browser()
    assert (await stranger.get("/_internal/person/minji/active")).status == 404
    wrong = await stranger.get("/_internal/person/minji/active", X_Campus_Internal="guess")
    assert wrong.status == 404


async def test_questions_that_are_none_are_refused(portal: Portal) -> None:
    gate = portal.browser()
    for body in (b"", b"[]", b"{", b'{"ticket": 1}', b'{"ticket": "a", "site": "../x"}', b"x" * 5000):
        assert (await gate.post("/_internal/redeem", body, **GATE, **JSON)).status == 400


async def test_the_owner_of_a_live_site_is_named(portal: Portal) -> None:
    person = portal.campus.person("minji")
    session = portal.campus.session(person)
    where = site("minji", "open-data")
    gate = portal.browser()
    found = json.loads((await gate.get(f"/_internal/site/{where}", **GATE)).body)
    assert (found["person"], found["project"]) == ("minji", "open-data")
    portal.campus.sessions.stopped(session.session_id, "idle", NOW)
    assert (await gate.get(f"/_internal/site/{where}", **GATE)).status == 404


async def test_a_suspended_person_is_not_active(portal: Portal) -> None:
    portal.campus.person("minji")
    gate = portal.browser()
    asked = "/_internal/person/minji/active"
    assert json.loads((await gate.get(asked, **GATE)).body) == {"active": True}
    portal.campus.people.suspend(portal.campus.administrator(), "minji", "약속을 어겼습니다", NOW)
    assert json.loads((await gate.get(asked, **GATE)).body) == {"active": False}
    unknown = await gate.get("/_internal/person/nobody-here/active", **GATE)
    assert json.loads(unknown.body) == {"active": False}
