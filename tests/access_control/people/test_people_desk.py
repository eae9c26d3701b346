"""Applying, deciding, roles and suspension through the desk."""

from __future__ import annotations

import threading

import pytest

from access_control.audit.event import Action
from access_control.errors import Conflict, Denied, Invalid, Missing
from access_control.people.model import Application, ApplicationStatus, Kind, Person, PersonStatus, Role
from tests.access_control.campus import NOW, PASSWORD, Campus, later


def apply(campus: Campus, handle: str = "minji", **changes: object) -> Application:
    form: dict[str, object] = {
        "handle": handle,
        "display_name": "김민지",
        "email": f"{handle}@mail.example",
        "kind": Kind.CITIZEN,
        "affiliation": "",
        "purpose": "생활인구를 분석합니다",
        "password": PASSWORD,
        "consent": True,
        "now": NOW,
    }
    return campus.people.apply(**{**form, **changes})  # type: ignore[arg-type]


def test_setup_makes_one_administrator_once(campus: Campus) -> None:
    first = campus.people.begin_setup(NOW)
    second = campus.people.begin_setup(NOW)
    assert first and second
    assert not campus.people.is_setup_link(first, NOW), "asking again replaces the earlier link"
    boss = campus.people.complete_setup(second, "boss", "정도현", "boss@city.example", PASSWORD, NOW)
    assert Role.ADMINISTRATOR in boss.roles
    assert boss.number == 1000
    assert campus.people.begin_setup(NOW) is None
    with pytest.raises(Denied) as refused:
        campus.people.complete_setup(second, "boss2", "정도현", "b2@city.example", PASSWORD, NOW)
    assert refused.value.reason == "setup-link-invalid"


def test_setup_link_ends_after_a_day_and_survives_a_bad_password(campus: Campus) -> None:
    token = campus.people.begin_setup(NOW)
    assert token is not None
    with pytest.raises(Invalid):
        campus.people.complete_setup(token, "boss", "정도현", "boss@city.example", "short", NOW)
    assert campus.people.is_setup_link(token, later(hours=23))
    with pytest.raises(Denied):
        campus.people.complete_setup(token, "boss", "정도현", "boss@city.example", PASSWORD, later(hours=24))


def test_two_who_use_the_setup_link_at_once_make_one_administrator(campus: Campus) -> None:
    token = campus.people.begin_setup(NOW)
    assert token is not None
    made: list[Person] = []
    refused: list[str] = []

    def use(handle: str) -> None:
        try:
            made.append(
                campus.people.complete_setup(token, handle, "관리자", f"{handle}@x.example", PASSWORD, NOW)
            )
        except Denied as error:
            refused.append(error.reason)

    threads = [threading.Thread(target=use, args=(f"boss{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert refused == ["setup-link-invalid"] * 3


def test_an_approved_application_is_a_person_in_the_shared_project(campus: Campus) -> None:
    boss = campus.administrator()
    apply(campus)
    [application] = campus.people.applications(boss, ApplicationStatus.PENDING)
    person = campus.people.approve(boss, application.id, NOW)
    assert person.roles == {Role.CITIZEN}
    assert person.number == 1001
    assert [p.slug for p in campus.projects.of(person)] == ["open-data"]
    assert campus.people.sign_in("minji", PASSWORD, NOW)[0] == person
    assert campus.people.applications(boss, ApplicationStatus.PENDING) == ()
    wanted = [
        Action.APPLICATION_SUBMITTED,
        Action.APPLICATION_APPROVED,
        Action.PERSON_CREATED,
        Action.PROJECT_MEMBER_ADDED,
        Action.PERSON_SIGNED_IN,
    ]
    assert campus.actions()[-len(wanted) :] == wanted


def test_an_application_is_decided_once_also_when_two_decide_at_once(campus: Campus) -> None:
    boss = campus.administrator()
    application = apply(campus)
    outcomes: list[str] = []

    def decide() -> None:
        try:
            campus.people.approve(boss, application.id, NOW)
            outcomes.append("approved")
        except Denied as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=decide) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["application-decided"] * 3 + ["approved"]
    assert len(campus.people.people(boss)) == 2


def test_a_rejected_applicant_learns_why_and_may_apply_again(campus: Campus) -> None:
    boss = campus.administrator()
    application = apply(campus)
    with pytest.raises(Denied) as waiting:
        campus.people.sign_in("minji", PASSWORD, NOW)
    assert waiting.value.reason == "application-pending"
    campus.people.reject(boss, application.id, "목적이 모호합니다", NOW)
    with pytest.raises(Denied) as refused:
        campus.people.sign_in("minji", PASSWORD, NOW)
    assert (refused.value.reason, refused.value.params["why"]) == (
        "application-turned-down",
        "목적이 모호합니다",
    )
    with pytest.raises(Denied) as guessed:
        campus.people.sign_in("minji", "wrong password here", NOW)
    assert guessed.value.reason == "sign-in-failed"
    apply(campus)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"handle": "-minji"}, "handle-malformed"),
        ({"handle": "m"}, "handle-malformed"),
        ({"handle": "민지"}, "handle-malformed"),
        ({"handle": "../etc"}, "handle-malformed"),
        ({"handle": "min\nji"}, "handle-malformed"),
        ({"handle": "campus"}, "handle-reserved"),
        ({"display_name": "\u202e\u200b \u3164"}, "display-name-empty"),
        ({"display_name": "가" * 61}, "display-name-too-long"),
        ({"email": "minji"}, "email-malformed"),
        ({"email": "a@b"}, "email-malformed"),
        ({"email": "minji@mail.example\nBcc: x@y.example"}, "email-malformed"),
        ({"email": "a" * 65 + "@mail.example"}, "email-malformed"),
        ({"purpose": "분석"}, "application-purpose-too-short"),
        ({"purpose": "가" * 2001}, "application-purpose-too-long"),
        ({"affiliation": "가" * 121}, "affiliation-too-long"),
        ({"consent": False}, "consent-missing"),
        ({"password": "짧다"}, "password-too-short"),
    ],
)
def test_a_form_that_cannot_be_accepted_says_which_field(
    campus: Campus, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        apply(campus, **changes)  # type: ignore[arg-type]
    assert refused.value.reason == reason
    assert campus.actions() == []


def test_a_display_name_keeps_only_what_is_seen(campus: Campus) -> None:
    decomposed = "\u1100\u1175\u11b7\u1106\u1175\u11ab\u110c\u1175"
    application = apply(campus, display_name=f"  {decomposed}\u202e\u200d\t(시민)\x00 ")
    assert application.display_name == "김민지 (시민)"


def test_handles_and_addresses_are_taken_by_people_and_by_waiting_applications(campus: Campus) -> None:
    campus.person("minji")
    apply(campus, "jiwoo")
    for handle in ("minji", "jiwoo"):
        with pytest.raises(Conflict) as refused:
            apply(campus, handle, email="other@mail.example")
        assert refused.value.reason == "handle-taken"
    for email in ("MINJI@mail.example", "jiwoo@MAIL.example"):
        with pytest.raises(Conflict) as refused:
            apply(campus, "another", email=email)
        assert refused.value.reason == "email-taken"


def test_only_those_who_decide_see_and_decide(campus: Campus) -> None:
    citizen = campus.person("minji")
    staff = campus.person("officer", Role.CITIZEN, Role.STAFF)
    application = apply(campus, "jiwoo", kind=Kind.STAFF)
    for act in (
        lambda: campus.people.applications(citizen),
        lambda: campus.people.people(citizen),
        lambda: campus.people.approve(citizen, application.id, NOW),
        lambda: campus.people.reject(citizen, application.id, "아니요", NOW),
    ):
        with pytest.raises(Denied) as refused:
            act()
        assert refused.value.reason == "only-staff"
    with pytest.raises(Denied) as refused:
        campus.people.approve(staff, application.id, NOW)
    assert refused.value.reason == "only-administrator", "staff do not make staff"
    with pytest.raises(Missing):
        campus.people.approve(staff, 999, NOW)


def test_roles_are_given_by_an_administrator_and_kept_apart(campus: Campus) -> None:
    boss, citizen = campus.administrator(), campus.person("minji")
    with pytest.raises(Denied) as refused:
        campus.people.assign_roles(citizen, "minji", {Role.ADMINISTRATOR}, NOW)
    assert refused.value.reason == "only-administrator"
    with pytest.raises(Denied) as refused:
        campus.people.assign_roles(boss, "minji", {Role.AUDITOR, Role.CHECKER}, NOW)
    assert refused.value.reason == "roles-inseparable"
    with pytest.raises(Denied) as refused:
        campus.people.assign_roles(boss, "boss", {Role.CITIZEN}, NOW)
    assert refused.value.reason == "administrator-last"
    assert campus.people.assign_roles(boss, "minji", {Role.CHECKER}, NOW).roles == {Role.CHECKER}
    event = campus.events()[-1]
    assert (event.action, event.actor, event.object) == (
        Action.PERSON_ROLES_ASSIGNED,
        "boss",
        "person:minji",
    )
    assert dict(event.detail) == {"before": ["citizen"], "after": ["checker"]}


def test_a_suspended_person_can_do_nothing_any_more(campus: Campus) -> None:
    boss, officer = campus.administrator(), campus.person("officer", Role.STAFF)
    _, token = campus.people.sign_in("officer", PASSWORD, NOW)
    ticket = campus.people.issue_ticket(officer, "hub", NOW)
    link = campus.people.sign_in_link(officer, NOW, 3)
    suspended = campus.people.suspend(boss, "officer", "규정 위반", NOW)
    assert suspended.status is PersonStatus.SUSPENDED
    assert campus.people.who(token, NOW) is None
    assert campus.people.redeem_ticket(ticket, "hub", NOW) is None
    with pytest.raises(Denied) as ended:
        campus.people.redeem_link(link, NOW)
    assert ended.value.reason == "link-invalid", "what stood for them is gone, not only refused"
    for act in (
        lambda: campus.people.sign_in("officer", PASSWORD, NOW),
        lambda: campus.people.applications(officer),
        lambda: campus.people.issue_ticket(officer, "hub", NOW),
        lambda: campus.people.sign_in_link(officer, NOW, 1),
    ):
        with pytest.raises(Denied) as refused:
            act()
        assert refused.value.reason == "person-suspended", "what the caller remembers of them does not count"


def test_nobody_suspends_themselves_or_the_last_administrator(campus: Campus) -> None:
    boss = campus.administrator()
    with pytest.raises(Denied) as refused:
        campus.people.suspend(boss, "boss", "그만둡니다", NOW)
    assert refused.value.reason == "suspend-oneself"
    second = campus.person("second", Role.ADMINISTRATOR)
    campus.people.suspend(second, "boss", "전보", NOW)
    with pytest.raises(Denied) as refused:
        campus.people.assign_roles(second, "second", {Role.CITIZEN}, NOW)
    assert refused.value.reason == "administrator-last"
