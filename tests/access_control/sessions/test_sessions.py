"""Who may start a session, and that one site has one live session."""

from __future__ import annotations

import re
import threading

import pytest
import sqlalchemy as sa

from access_control.audit.event import Action
from access_control.decision import Deny
from access_control.errors import Denied, Missing
from access_control.people.model import Role
from access_control.projects.store import project as project_table
from access_control.sessions.model import SessionStatus, new_session_id, site
from catalog.descriptions import Text
from tests.access_control.campus import NOW, OPEN, Campus, later


def test_a_session_opens_starts_and_stops(campus: Campus) -> None:
    minji = campus.person("minji")
    opened = campus.sessions.open(minji, "open-data", NOW)
    assert re.fullmatch("[0-9a-f]{20}", opened.session_id)
    assert opened.status is SessionStatus.OPENING
    assert Action.SESSION_STARTED not in campus.actions(), "started only when it runs"
    assert campus.sessions.started(opened.session_id, NOW).status is SessionStatus.RUNNING
    campus.sessions.started(opened.session_id, NOW)
    assert campus.sessions.live() == (campus.sessions.get(opened.session_id),)
    stopped = campus.sessions.stopped(opened.session_id, "idle", later(hours=1))
    again = campus.sessions.stopped(opened.session_id, "other", later(hours=2))
    assert again == stopped
    assert (stopped.reason, stopped.stopped) == ("idle", later(hours=1))
    assert campus.sessions.live() == ()
    assert campus.sessions.of(minji) == (stopped,)
    mine = [e.action for e in campus.events() if e.session_id == opened.session_id]
    assert mine == [Action.SESSION_REQUESTED, Action.SESSION_STARTED, Action.SESSION_STOPPED]


def test_a_site_is_a_dns_label_stable_and_different_for_each_work() -> None:
    label = site("minji", "open-data")
    assert re.fullmatch(r"s-[a-z2-7]{16}", label)
    assert label == site("minji", "open-data")
    assert len({site(p, q) for p in ("minji", "jiwoo") for q in ("open-data", "shops")}) == 4
    assert site("", "dashboard-flow") == "d-flow"
    assert len({new_session_id() for _ in range(1000)}) == 1000


def test_the_newest_start_wins_and_the_older_cannot_run_any_more(campus: Campus) -> None:
    minji = campus.person("minji")
    first = campus.sessions.open(minji, "open-data", NOW)
    second = campus.sessions.open(minji, "open-data", NOW)
    assert [s.session_id for s in campus.sessions.live()] == [second.session_id]
    with pytest.raises(Denied) as refused:
        campus.sessions.started(first.session_id, NOW)
    assert refused.value.reason == "session-stopped"
    found = campus.sessions.get(first.session_id)
    assert found is not None
    assert found.reason == "replaced"


def test_starts_at_once_leave_one_live_session(campus: Campus) -> None:
    minji = campus.person("minji")
    threads = [
        threading.Thread(target=campus.sessions.open, args=(minji, "open-data", NOW)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(campus.sessions.live()) == 1
    assert len(campus.sessions.of(minji)) == 6


def test_sessions_of_two_people_or_projects_live_side_by_side(campus: Campus) -> None:
    officer, minji = campus.person("officer", Role.STAFF), campus.person("minji")
    campus.projects.create(officer, "shops", Text(ko="상권", en="Shops"), "상권을 봅니다", [minji], NOW)
    for person, project in ((minji, "open-data"), (minji, "shops"), (officer, "open-data")):
        campus.session(person, project)
    assert len(campus.sessions.live()) == 3


def test_only_an_active_member_of_an_open_project_is_admitted(campus: Campus) -> None:
    boss, minji = campus.administrator(), campus.person("minji")
    officer = campus.person("officer", Role.STAFF)
    campus.projects.create(officer, "shops", Text(ko="상권", en="Shops"), "상권을 봅니다", [], NOW)
    campus.projects.ensure_dashboard("flow", Text(ko="흐름", en="Flow"), OPEN, NOW)
    assert campus.sessions.admit(minji, "open-data", NOW)

    def reason(person: str, project: str) -> str:
        decision = campus.sessions.admit(person, project, NOW)
        assert isinstance(decision, Deny)
        with pytest.raises(Denied) as refused:
            campus.sessions.open(person, project, NOW)
        assert refused.value.reason == decision.reason
        assert campus.actions()[-1] is Action.SESSION_REFUSED, "a refusal is on record"
        return decision.reason

    assert reason("minji", "shops") == "not-a-member"
    assert reason("minji", "nowhere") == "project-unknown"
    assert reason("ghost", "open-data") == "person-unknown"
    assert reason("minji", "dashboard-flow") == "not-a-member"
    assert reason("", "open-data") == "session-without-person"
    campus.people.suspend(boss, "minji", "규정 위반", NOW)
    assert reason("minji", "open-data") == "person-suspended"
    with campus.db.unit() as unit:
        unit.connection.execute(sa.update(project_table).values(closed=NOW))
    assert reason("officer", "open-data") == "project-closed"
    assert reason("", "dashboard-flow") == "project-closed"
    assert campus.sessions.live() == ()


def test_a_dashboard_has_a_session_without_a_person(campus: Campus) -> None:
    campus.projects.ensure_dashboard("flow", Text(ko="흐름", en="Flow"), OPEN, NOW)
    opened = campus.sessions.open("", "dashboard-flow", NOW)
    assert (opened.person, opened.site) == ("", "d-flow")
    campus.sessions.started(opened.session_id, NOW)
    assert campus.sessions.at_site("d-flow") == campus.sessions.get(opened.session_id)
    assert campus.events()[-1].actor == "campus"


def test_an_unknown_session_is_missing(campus: Campus) -> None:
    assert campus.sessions.get("0" * 20) is None
    with pytest.raises(Missing) as unstarted:
        campus.sessions.started("0" * 20, NOW)
    with pytest.raises(Missing) as unstopped:
        campus.sessions.stopped("0" * 20, "x", NOW)
    assert unstarted.value.reason == unstopped.value.reason == "session-unknown"


def test_a_stop_reason_is_one_short_line(campus: Campus) -> None:
    opened = campus.sessions.open(campus.person("minji"), "open-data", NOW)
    stopped = campus.sessions.stopped(opened.session_id, "died\n\x00" + "x" * 500, NOW)
    assert stopped.reason.startswith("died x")
    assert len(stopped.reason) == 200
