"""Giving grants and taking them back."""

from __future__ import annotations

import pytest

from access_control.audit.event import Action
from access_control.errors import Denied, Invalid, Missing
from access_control.grants.model import Grant
from access_control.people.model import Person, Role
from catalog.descriptions import Text
from catalog.descriptions.scope import scope_of
from tests.access_control.campus import NOW, OPEN, Campus, later

PURPOSE = "상권의 변화를 분석합니다"


@pytest.fixture
def officer(campus: Campus) -> Person:
    """A member of staff beside a project of minji's."""
    officer = campus.person("officer", Role.CITIZEN, Role.STAFF)
    minji = campus.person("minji")
    campus.projects.create(officer, "shops", Text(ko="상권", en="Shops"), PURPOSE, [minji], NOW)
    return officer


def give(campus: Campus, by: Person, project: str = "shops", days: float = 30) -> Grant:
    return campus.grants.give(by, project, "card_sales", "main", PURPOSE, later(days=days), NOW)


def test_a_grant_holds_until_its_end_or_until_taken_back(campus: Campus, officer: Person) -> None:
    grant = give(campus, officer)
    assert campus.grants.effective("shops", NOW) == (grant,)
    assert campus.grants.effective("shops", later(days=30)) == ()
    assert campus.grants.effective("open-data", NOW) == ()
    revoked = campus.grants.revoke(officer, grant.id, "목적이 바뀌었습니다", later(days=1))
    assert revoked.revoked == later(days=1)
    assert campus.grants.effective("shops", later(days=1)) == ()
    assert campus.grants.of_project("shops") == (revoked,), "history stays"
    with pytest.raises(Denied) as refused:
        campus.grants.revoke(officer, grant.id, "다시", NOW)
    assert refused.value.reason == "grant-revoked-already"
    assert campus.actions()[-2:] == [Action.GRANT_GIVEN, Action.GRANT_REVOKED]


def test_grants_are_given_by_staff_and_never_to_their_own_project(campus: Campus, officer: Person) -> None:
    campus.projects.create(officer, "ours", Text(ko="우리", en="Ours"), PURPOSE, ["officer", "minji"], NOW)
    campus.projects.ensure_dashboard("flow", Text(ko="흐름", en="Flow"), [], NOW)
    checker = campus.checker()
    for by, project, reason in (
        ("minji", "shops", "only-staff"),
        (checker, "shops", "only-staff"),
        (officer, "ours", "grant-own-project"),
        (officer, "dashboard-flow", "grant-dashboard"),
    ):
        with pytest.raises(Denied) as refused:
            campus.grants.give(by, project, "card_sales", "main", PURPOSE, later(days=1), NOW)
        assert refused.value.reason == reason
    grant = give(campus, officer)
    with pytest.raises(Denied):
        campus.grants.revoke("minji", grant.id, "원해서", NOW)
    with pytest.raises(Missing):
        give(campus, officer, "nowhere")
    with pytest.raises(Missing):
        campus.grants.revoke(officer, 999, "없음", NOW)


@pytest.mark.parametrize(
    ("dataset", "variant", "purpose", "days", "reason"),
    [
        ("../x", "main", PURPOSE, 1, "grant-dataset-malformed"),
        ("card_sales", "MAIN", PURPOSE, 1, "grant-dataset-malformed"),
        ("card_sales", "main", "왜", 1, "grant-purpose-length"),
        ("card_sales", "main", PURPOSE, 0, "grant-expired-already"),
        ("card_sales", "main", PURPOSE, -1, "grant-expired-already"),
        ("card_sales", "main", PURPOSE, 2000, "grant-too-long"),
    ],
)
def test_a_grant_that_cannot_be_says_why(
    campus: Campus, officer: Person, dataset: str, variant: str, purpose: str, days: float, reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        campus.grants.give(officer, "shops", dataset, variant, purpose, later(days=days), NOW)
    assert refused.value.reason == reason


def test_private_data_never_go_to_the_project_everybody_is_in(campus: Campus, officer: Person) -> None:
    campus.projects.ensure_default(NOW, OPEN)
    with pytest.raises(Denied) as refused:
        campus.grants.give(officer, "open-data", "card_spending", "main", PURPOSE, later(days=1), NOW)
    assert refused.value.reason == "grant-default-project"
    campus.grants.give(officer, "open-data", "card_sales", "main", PURPOSE, later(days=1), NOW)
    campus.grants.give(officer, "open-data", "card_spending", "twin", PURPOSE, later(days=1), NOW)


def test_a_grant_names_parts_its_dataset_has(campus: Campus, officer: Person) -> None:
    def give_parts(variant: str = "main", **parts: list[str]) -> Grant:
        return campus.grants.give(
            officer, "shops", "card_spending", variant, PURPOSE, later(days=1), NOW, scope_of(parts)
        )

    made = give_parts(month=["2025-02", "2025-01", "2025-01"], gu=["11110"])
    assert made.partitions == (("gu", ("11110",)), ("month", ("2025-01", "2025-02")))
    assert campus.grants.effective("shops", NOW) == (made,)
    assert campus.events()[-1].detail["partitions"] == {"gu": ["11110"], "month": ["2025-01", "2025-02"]}
    for variant, parts, reason in (
        ("main", {"quarter": ["20251"]}, "grant-partition-unknown"),
        ("main", {"gu": []}, "grant-partition-empty"),
        ("main", {"gu": ["99999"]}, "grant-partition-value"),
        ("main", {"gu": ["1111"]}, "grant-partition-value"),
        ("main", {"month": ["2025-13"]}, "grant-partition-value"),
        ("main", {"month": ["2025-01' OR '"]}, "grant-partition-value"),
        ("main", {"gu": ["11110"], "month": [""]}, "grant-partition-value"),
        ("main", {"gu": [f"{n:05}" for n in range(1001)]}, "grant-partition-many"),
        ("twin", {"gu": ["11110"]}, "grant-partition-unknown"),
        ("nothing", {}, "grant-variant-unknown"),
    ):
        with pytest.raises(Invalid) as refused:
            give_parts(variant, **parts)
        assert refused.value.reason == reason
    with pytest.raises(Missing):
        campus.grants.give(officer, "shops", "no_such", "main", PURPOSE, later(days=1), NOW)


def test_custodians_see_every_grant_and_take_back_what_people_gave(campus: Campus, officer: Person) -> None:
    custodian = campus.person("custodian", Role.CUSTODIAN)
    auditor = campus.person("auditor", Role.AUDITOR)
    campus.projects.ensure_default(NOW, OPEN)
    grant = give(campus, officer)
    listed = campus.grants.all_effective(custodian, NOW)
    assert grant in listed
    assert len(listed) == 3
    for nosy in ("minji", auditor):
        with pytest.raises(Denied) as refused:
            campus.grants.all_effective(nosy, NOW)
        assert refused.value.reason == "only-custodian"
    with pytest.raises(Denied):
        give(campus, custodian)
    campus.grants.revoke(custodian, grant.id, "목적이 끝났습니다", NOW)
    standing = next(g for g in listed if g.given_by == "campus")
    with pytest.raises(Denied) as refused:
        campus.grants.revoke(custodian, standing.id, "목적이 끝났습니다", NOW)
    assert refused.value.reason == "only-staff"
