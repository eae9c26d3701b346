"""Making projects, and the ones the installation keeps itself."""

from __future__ import annotations

import pytest

from access_control.audit.event import Action
from access_control.errors import Conflict, Denied, Invalid, Missing
from access_control.people.model import Role
from access_control.projects.model import OPEN_DATA, ProjectKind
from access_control.projects.policy import OWN_MAX
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
        campus.projects.create(minji, "theirs", TITLE, PURPOSE, ["officer"], NOW)
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


def test_anybody_makes_a_project_of_their_own_and_chooses_who_works_in_it(campus: Campus) -> None:
    minji, jiwoo = campus.person("minji"), campus.person("jiwoo")
    mine = campus.projects.create(minji, "mine", TITLE, PURPOSE, [minji], NOW)
    assert mine.kind is ProjectKind.PERSONAL
    campus.projects.add_member(minji, "mine", "jiwoo", NOW)
    project, members = campus.projects.look(jiwoo, "mine")
    assert (project.kind, members) == (ProjectKind.SHARED, (minji, jiwoo))
    with pytest.raises(Conflict):
        campus.projects.add_member(minji, "mine", "jiwoo", NOW)
    campus.projects.remove_member(jiwoo, "mine", "minji", NOW)
    assert campus.projects.look(jiwoo, "mine")[0].kind is ProjectKind.PERSONAL
    with pytest.raises(Missing):
        campus.projects.look(minji, "mine")
    with pytest.raises(Denied) as refused:
        campus.projects.remove_member(jiwoo, "mine", "jiwoo", NOW)
    assert refused.value.reason == "project-member-last"
    with pytest.raises(Missing):
        campus.projects.add_member(jiwoo, "mine", "ghost", NOW)
    changes = [(e.action, e.actor, e.object) for e in campus.events() if e.project == "mine"]
    assert changes == [
        (Action.PROJECT_CREATED, "minji", "project:mine"),
        (Action.PROJECT_MEMBER_ADDED, "minji", "person:jiwoo"),
        (Action.PROJECT_MEMBER_REMOVED, "jiwoo", "person:minji"),
    ]


def test_strangers_change_nothing_and_kept_projects_stay_as_they_are(campus: Campus) -> None:
    minji, mallory = campus.person("minji"), campus.person("mallory")
    officer = campus.person("officer", Role.STAFF)
    campus.projects.create(minji, "mine", TITLE, PURPOSE, [minji], NOW)
    campus.projects.ensure_dashboard("flow", TITLE, [], NOW)
    for by, slug, reason in (
        (mallory, "mine", "only-staff"),
        (minji, OPEN_DATA, "project-kept"),
        (officer, "dashboard-flow", "project-kept"),
    ):
        with pytest.raises(Denied) as refused:
            campus.projects.add_member(by, slug, "mallory", NOW)
        assert refused.value.reason == reason
        with pytest.raises(Denied):
            campus.projects.remove_member(by, slug, "minji", NOW)
    with pytest.raises(Denied):
        campus.projects.every(minji)
    assert [p.slug for p in campus.projects.every(officer)] == ["mine", OPEN_DATA]


def test_members_of_a_project_with_granted_data_are_added_by_staff_outside_it(campus: Campus) -> None:
    minji, officer = campus.person("minji"), campus.person("officer", Role.STAFF)
    campus.person("jiwoo")
    campus.projects.create(minji, "mine", TITLE, PURPOSE, [minji], NOW)
    grant = campus.grants.give(officer, "mine", "card_spending", "main", PURPOSE, later(days=9), NOW)
    for by, added in ((minji, "jiwoo"), (officer, "officer")):
        with pytest.raises(Denied) as refused:
            campus.projects.add_member(by, "mine", added, NOW)
        assert refused.value.reason == "project-members-held"
    campus.projects.add_member(officer, "mine", "jiwoo", NOW)
    campus.projects.remove_member(minji, "mine", "jiwoo", NOW)
    campus.grants.revoke(officer, grant.id, "기간이 끝났습니다", NOW)
    campus.projects.add_member(minji, "mine", "jiwoo", NOW)


def test_a_person_belongs_to_so_many_projects_and_no_more(campus: Campus) -> None:
    minji = campus.person("minji")
    for number in range(OWN_MAX):
        campus.projects.create(minji, f"p{number}", TITLE, PURPOSE, [minji], NOW)
    with pytest.raises(Denied) as refused:
        campus.projects.create(minji, "one-more", TITLE, PURPOSE, [minji], NOW)
    assert refused.value.reason == "projects-too-many"
