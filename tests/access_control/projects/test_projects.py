"""Making projects, and the ones the installation keeps itself."""

from __future__ import annotations

import pytest

from access_control.audit.event import Action
from access_control.errors import Conflict, Denied, Invalid, Missing
from access_control.people.model import Role
from access_control.projects.model import OPEN_DATA, ProjectKind
from catalog.descriptions import Text
from tests.access_control.campus import NOW, OPEN, Campus, later

TITLE = Text(ko="상권 분석", en="Shops")
PURPOSE = "상권의 변화를 분석합니다"


def held(campus: Campus, slug: str, days: float = 0) -> list[str]:
    return [grant.dataset for grant in campus.grants.effective(slug, later(days=days))]


def test_staff_make_a_project_with_members(campus: Campus) -> None:
    officer = campus.person("officer", Role.STAFF)
    minji, jiwoo = campus.person("minji"), campus.person("jiwoo")
    project = campus.projects.create(officer, "shops", TITLE, PURPOSE, [minji, "jiwoo"], NOW)
    assert project.kind is ProjectKind.SHARED
    assert campus.projects.project("shops") == project
    assert campus.projects.members("shops") == (minji, jiwoo)
    assert [p.slug for p in campus.projects.of("minji")] == [OPEN_DATA, "shops"]
    alone = campus.projects.create(officer, "alone", TITLE, PURPOSE, [minji], NOW)
    assert alone.kind is ProjectKind.PERSONAL
    event = campus.events()[-1]
    assert (event.action, event.actor, event.project) == (Action.PROJECT_CREATED, "officer", "alone")


def test_what_cannot_be_a_project_says_why_and_leaves_nothing(campus: Campus) -> None:
    officer, minji = campus.person("officer", Role.STAFF), campus.person("minji")
    campus.projects.create(officer, "shops", TITLE, PURPOSE, [], NOW)
    before = campus.actions()
    with pytest.raises(Denied) as denied:
        campus.projects.create(minji, "mine", TITLE, PURPOSE, [minji], NOW)
    assert denied.value.reason == "only-staff"
    with pytest.raises(Conflict):
        campus.projects.create(officer, "shops", TITLE, PURPOSE, [], NOW)
    with pytest.raises(Missing):
        campus.projects.create(officer, "ghosts", TITLE, PURPOSE, ["ghost"], NOW)
    assert campus.projects.project("ghosts") is None
    for slug, title, purpose, reason in (
        ("dashboard-x", TITLE, PURPOSE, "project-slug-reserved"),
        ("open-data", TITLE, PURPOSE, "project-slug-reserved"),
        ("../x", TITLE, PURPOSE, "project-slug-malformed"),
        ("x1", Text(ko="", en="x"), PURPOSE, "project-title-missing"),
        ("x1", Text(ko="가" * 81, en="x"), PURPOSE, "project-title-too-long"),
        ("x1", TITLE, "왜", "project-purpose-length"),
    ):
        with pytest.raises(Invalid) as refused:
            campus.projects.create(officer, slug, title, purpose, [], NOW)
        assert refused.value.reason == reason
    assert campus.actions() == before


def test_the_shared_project_holds_exactly_the_open_datasets(campus: Campus) -> None:
    project = campus.projects.ensure_default(NOW, OPEN)
    assert (project.title.ko, project.title.en) == ("열린 데이터", "Open data")
    assert held(campus, OPEN_DATA) == sorted(OPEN)
    campus.projects.ensure_default(NOW, OPEN)
    assert campus.actions().count(Action.GRANT_GIVEN) == 2, "a second start gives nothing twice"
    campus.projects.ensure_default(NOW, ["living_population", "dong_codes"])
    assert held(campus, OPEN_DATA) == ["dong_codes", "living_population"], "no longer open: taken back"
    campus.projects.ensure_default(NOW, OPEN)
    assert held(campus, OPEN_DATA) == sorted(OPEN), "open again: given again"


def test_standing_grants_end_after_a_year_unless_a_start_renews_them(campus: Campus) -> None:
    campus.projects.ensure_default(NOW, OPEN)
    assert held(campus, OPEN_DATA, 364.9) == sorted(OPEN)
    assert held(campus, OPEN_DATA, 365) == []
    campus.projects.ensure_default(later(days=29), OPEN)
    assert held(campus, OPEN_DATA, 365) == [], "not renewed at every start"
    campus.projects.ensure_default(later(days=30), OPEN)
    assert held(campus, OPEN_DATA, 394) == sorted(OPEN)
    assert len(campus.grants.of_project(OPEN_DATA)) == 2
    campus.projects.ensure_default(later(days=800), OPEN)
    assert held(campus, OPEN_DATA, 800) == sorted(OPEN), "after a long pause they are given anew"


def test_what_a_person_took_back_is_not_given_again_by_a_start(campus: Campus) -> None:
    boss = campus.person("officer", Role.STAFF)
    campus.projects.ensure_default(NOW, OPEN)
    [first, _] = campus.grants.effective(OPEN_DATA, NOW)
    campus.grants.revoke(boss, first.id, "오류 발견", NOW)
    campus.projects.ensure_default(later(days=1), OPEN)
    assert held(campus, OPEN_DATA, 1) == ["living_population"]


def test_a_dashboard_reads_exactly_what_it_declares_and_has_no_members(campus: Campus) -> None:
    title = Text(ko="생활인구", en="Living population")
    project = campus.projects.ensure_dashboard("living_population", title, OPEN, NOW)
    assert (project.slug, project.kind) == ("dashboard-living_population", ProjectKind.DASHBOARD)
    assert held(campus, project.slug) == sorted(OPEN)
    renamed = Text(ko="시간대별 생활인구", en="Living population by hour")
    campus.projects.ensure_dashboard("living_population", renamed, ["card_sales"], NOW)
    assert held(campus, project.slug) == ["card_sales"]
    found = campus.projects.project(project.slug)
    assert found is not None
    assert found.title == renamed
    assert campus.projects.members(project.slug) == ()
    for name in ("../x", "X", "", "a" * 60, "a.b"):
        with pytest.raises(Invalid):
            campus.projects.ensure_dashboard(name, title, [], NOW)


def test_twins_are_open_to_everybody_and_private_deliveries_are_not(campus: Campus) -> None:
    def tables() -> list[tuple[str, str]]:
        return [(g.dataset, g.variant) for g in campus.grants.effective(OPEN_DATA, NOW)]

    campus.projects.ensure_default(NOW, ["dong_codes"], ["card_spending"])
    assert tables() == [("card_spending", "twin"), ("dong_codes", "main")]
    campus.projects.ensure_default(NOW, ["dong_codes"], ["card_spending"])
    assert campus.actions().count(Action.GRANT_GIVEN) == 2
    campus.projects.ensure_default(NOW, ["dong_codes"])
    assert tables() == [("dong_codes", "main")], "no longer declared: taken back"
