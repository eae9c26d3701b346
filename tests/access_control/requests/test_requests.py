"""Asking for data: who asks, who decides, how far an approval goes, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_control.audit.event import Action
from access_control.errors import AccessError, Conflict, Denied, Invalid, Missing
from access_control.people.model import Person, Role
from access_control.requests.model import GrantRequest, RequestStatus, seen_of
from access_control.requests.policy import WAITING_MAX
from access_control.requests.states import TABLE, Step, may_advance
from catalog.descriptions import Text
from catalog.descriptions.scope import WHOLE, Scope, scope_of, wanted, within
from tests.access_control.campus import NOW, Campus, later

PURPOSE = "상권별 소비의 변화를 봅니다"
NEXT_WEEK = later(days=7)
TITLE = Text(ko="상권 분석", en="Shops")
ASKED = scope_of({"gu": ["11110"], "month": ["2025-01", "2025-02"]})
LESS = scope_of({"gu": ["11110"], "month": ["2025-01"]})


@pytest.fixture
def custodian(campus: Campus) -> Person:
    """A custodian, and minji with a project of her own."""
    minji = campus.person("minji")
    campus.projects.create(minji, "shops", TITLE, PURPOSE, [minji], NOW)
    return campus.person("custodian", Role.CUSTODIAN)


def ask(campus: Campus, scope: Scope = ASKED, person: str = "minji", project: str = "shops") -> GrantRequest:
    return campus.requests.submit(
        person, project, "card_spending", "main", scope, PURPOSE, later(days=90), NOW
    )


def test_an_approval_gives_exactly_what_the_custodian_chose(campus: Campus, custodian: Person) -> None:
    request = ask(campus)
    assert campus.requests.queue(custodian) == (request,)
    found, grant, members, may = campus.requests.get(custodian, request.id)
    assert (found, grant, [m.handle for m in members], bool(may)) == (request, None, ["minji"], True)
    done = campus.requests.approve(
        custodian, request.id, LESS, later(days=30), "한 달치만 드립니다", NOW, seen_of(request, ["minji"])
    )
    assert (done.status, done.decided_by, done.reason) == (
        RequestStatus.APPROVED, "custodian", "한 달치만 드립니다",
    )  # fmt: skip
    [grant] = campus.grants.of_project("shops")
    assert (grant.id, grant.partitions, grant.expires) == (done.granted, LESS, later(days=30))
    assert (grant.purpose, grant.given_by) == (PURPOSE, "custodian")
    assert campus.requests.get("minji", request.id)[:2] == (done, grant)
    assert campus.requests.queue(custodian) == ()
    assert campus.requests.decided(custodian) == (done,)
    asked, approved, given_ = campus.events()[-3:]
    assert (asked.action, asked.actor, asked.detail["partitions"]) == (
        Action.GRANT_REQUESTED, "minji", {"gu": ["11110"], "month": ["2025-01", "2025-02"]},
    )  # fmt: skip
    assert (approved.action, approved.detail["members"]) == (Action.GRANT_REQUEST_APPROVED, ["minji"])
    assert (given_.action, given_.detail["partitions"]) == (
        Action.GRANT_GIVEN, {"gu": ["11110"], "month": ["2025-01"]},
    )  # fmt: skip


def test_a_rejection_says_why_and_a_withdrawal_ends_it(campus: Campus, custodian: Person) -> None:
    one, two = ask(campus), ask(campus, WHOLE)
    with pytest.raises(Invalid):
        campus.requests.reject(custodian, one.id, " ", NOW)
    assert campus.requests.reject(custodian, one.id, "목적이 넓습니다", NOW).reason == "목적이 넓습니다"
    assert campus.requests.withdraw("minji", two.id, NOW).status is RequestStatus.WITHDRAWN
    assert campus.grants.of_project("shops") == ()
    assert [r.status for r in campus.requests.mine("minji")] == ["withdrawn", "rejected"]
    assert campus.requests.decided("custodian") == (campus.requests.mine("minji")[1],)
    for request in (one, two):
        with pytest.raises(Denied) as refused:
            campus.requests.approve(custodian, request.id, LESS, later(days=1), "", NOW)
        assert refused.value.reason == "request-not-open"
        with pytest.raises(Denied):
            campus.requests.withdraw("minji", request.id, NOW)


def test_nobody_decides_about_their_own_or_their_projects_request(campus: Campus, custodian: Person) -> None:
    boss = campus.administrator()
    campus.projects.add_member("minji", "shops", "custodian", NOW)
    mine = campus.requests.submit(
        custodian, "shops", "card_spending", "main", LESS, PURPOSE, later(days=9), NOW
    )
    theirs = ask(campus)
    assert campus.requests.queue(custodian) == ()
    for request, reason in ((mine, "request-own"), (theirs, "request-own-project")):
        with pytest.raises(Denied) as refused:
            campus.requests.approve(custodian, request.id, LESS, later(days=1), "", NOW)
        assert refused.value.reason == reason
        with pytest.raises(Denied) as refused:
            campus.requests.reject(custodian, request.id, "아니오", NOW)
        assert refused.value.reason == reason
    assert campus.requests.queue(boss) == (mine, theirs)
    with pytest.raises(Denied) as refused:
        campus.requests.withdraw(custodian, theirs.id, NOW)
    assert refused.value.reason == "request-not-yours"


def test_only_custodians_and_administrators_decide_and_strangers_see_nothing(
    campus: Campus, custodian: Person
) -> None:
    request = ask(campus)
    for handle, role in (("officer", Role.STAFF), ("checker", Role.CHECKER), ("mallory", Role.CITIZEN)):
        stranger = campus.person(handle, role)
        with pytest.raises(Denied):
            campus.requests.queue(stranger)
        with pytest.raises(Missing):
            campus.requests.get(stranger, request.id)
        with pytest.raises(Missing):
            campus.requests.approve(stranger, request.id, LESS, later(days=1), "", NOW)
        with pytest.raises(Missing):
            campus.requests.reject(stranger, request.id, "아니오", NOW)
        with pytest.raises(Missing):
            campus.requests.withdraw(stranger, request.id, NOW)
    for number in (0, -1, request.id + 1, 1 << 40):
        with pytest.raises(Missing):
            campus.requests.get(custodian, number)
    assert campus.requests.mine("minji") == (request,)


@pytest.mark.parametrize(
    ("scope", "days", "reason"),
    [
        (WHOLE, 1, "request-widened"),
        (scope_of({"gu": ["11110"]}), 1, "request-widened"),
        (scope_of({"gu": ["11110", "11140"], "month": ["2025-01"]}), 1, "request-widened"),
        (scope_of({"gu": ["11110"], "month": ["2025-03"]}), 1, "request-widened"),
        (LESS, 91, "request-lengthened"),
        (LESS, 0, "grant-expired-already"),
        (scope_of({"gu": ["11110"], "month": []}), 1, "grant-partition-empty"),
    ],
)
def test_an_approval_never_gives_more(
    campus: Campus, custodian: Person, scope: Scope, days: float, reason: str
) -> None:
    request = ask(campus)
    with pytest.raises(Invalid) as refused:
        campus.requests.approve(custodian, request.id, scope, later(days=days), "", NOW)
    assert refused.value.reason == reason
    assert campus.grants.of_project("shops") == ()


def test_what_was_decided_about_is_what_was_looked_at(campus: Campus, custodian: Person) -> None:
    request = ask(campus)
    seen = seen_of(request, ["minji"])
    campus.person("mallory")
    campus.projects.add_member("minji", "shops", "mallory", NOW)
    with pytest.raises(Conflict) as refused:
        campus.requests.approve(custodian, request.id, LESS, later(days=1), "", NOW, seen)
    assert refused.value.reason == "request-changed"
    campus.projects.remove_member("minji", "shops", "minji", NOW)
    with pytest.raises(Denied) as gone:
        campus.requests.approve(custodian, request.id, LESS, later(days=1), "", NOW)
    assert gone.value.reason == "not-a-member"


def test_what_cannot_be_asked_for_says_why(campus: Campus, custodian: Person) -> None:
    campus.projects.ensure_default(NOW, [])
    campus.person("mallory")

    def submit(
        person: str = "minji",
        project: str = "shops",
        dataset: str = "card_spending",
        variant: str = "main",
        parts: Mapping[str, list[str]] | None = None,
        purpose: str = PURPOSE,
        expires: datetime = NEXT_WEEK,
    ) -> None:
        scope = scope_of(parts or {})
        campus.requests.submit(person, project, dataset, variant, scope, purpose, expires, NOW)

    before = campus.actions()
    for changes, reason in (
        ({"project": "open-data"}, "grant-default-project"),
        ({"person": "mallory"}, "project-unknown"),
        ({"project": "nowhere"}, "project-unknown"),
        ({"dataset": "card_sales"}, "request-open"),
        ({"variant": "twin"}, "request-open"),
        ({"dataset": "nothing"}, "dataset-unknown"),
        ({"variant": "nothing"}, "grant-variant-unknown"),
        ({"parts": {"gu": ["00000"]}}, "grant-partition-value"),
        ({"purpose": "왜"}, "grant-purpose-length"),
        ({"expires": NOW}, "grant-expired-already"),
    ):
        with pytest.raises(AccessError) as refused:
            submit(**changes)
        assert refused.value.reason == reason
    assert campus.actions() == before
    for _ in range(WAITING_MAX):
        submit()
    with pytest.raises(Denied) as many:
        submit()
    assert many.value.reason == "request-too-many"


def test_every_step_leads_from_the_beginning_to_an_end(campus: Campus, custodian: Person) -> None:
    request = ask(campus)
    for step in Step:
        assert (request.status, step) in TABLE
        assert bool(may_advance(request, step, "minji")) == TABLE[request.status, step].by_applicant
        assert bool(may_advance(request, step, "other")) != TABLE[request.status, step].by_applicant
    assert {rule.to for rule in TABLE.values()} == set(RequestStatus) - {RequestStatus.SUBMITTED}


SCOPES = st.dictionaries(
    st.sampled_from(["gu", "month"]), st.frozensets(st.sampled_from("abc"), max_size=3), max_size=2
).map(scope_of)


@given(SCOPES, SCOPES)
def test_within_means_every_part_of_one_is_a_part_of_the_other(inner: Scope, outer: Scope) -> None:
    def covers(scope: Scope) -> set[tuple[str, str]]:
        named = wanted(scope)
        return {(g, m) for g in "abcd" for m in "abcd"
                if g in named.get("gu", {g}) and m in named.get("month", {m})}  # fmt: skip

    if within(inner, outer):
        assert covers(inner) <= covers(outer)
    elif all(values for _, values in inner):
        assert not covers(inner) <= covers(outer)
