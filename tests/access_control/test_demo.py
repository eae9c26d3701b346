"""The demonstration's cast: there after the first start, the same after the second."""

from __future__ import annotations

import pytest

from access_control import demo
from access_control.errors import Denied
from access_control.people.model import Kind, Role
from tests.access_control.campus import NOW, PASSWORD, Campus, later


def test_everybody_of_the_cast_signs_in_by_link_and_nobody_by_password(campus: Campus) -> None:
    links = demo.seed(campus.people, NOW)
    assert [link.person.handle for link in links] == [who.handle for who in demo.CAST]
    for link in links:
        person, token = campus.people.redeem_link(link.token, NOW)
        assert campus.people.who(token, NOW) == person == link.person
        with pytest.raises(Denied):
            campus.people.sign_in(person.handle, "", NOW)
    roles = {str(link.person.handle): link.person.roles for link in links}
    assert roles["minji"] == {Role.CITIZEN}
    assert Role.CHECKER in roles["checker"]
    assert roles["auditor"] == {Role.CITIZEN, Role.AUDITOR}
    assert Role.CHECKER not in roles["administrator"], "an administrator reviews nothing"
    assert [p.slug for p in campus.projects.of("minji")] == ["open-data"]


def test_a_second_start_changes_nobody_and_replaces_the_links(campus: Campus) -> None:
    first = demo.seed(campus.people, NOW)
    second = demo.seed(campus.people, later(hours=1))
    assert [link.person for link in first] == [link.person for link in second]
    with pytest.raises(Denied):
        campus.people.redeem_link(first[0].token, later(hours=1))
    with pytest.raises(Denied):
        campus.people.redeem_link(second[0].token, later(days=8))


def test_somebody_real_of_the_same_name_gets_no_link(campus: Campus) -> None:
    real = campus.person("checker", Role.CHECKER)
    links = demo.seed(campus.people, NOW)
    assert "checker" not in [link.person.handle for link in links]
    assert campus.people.person("checker") == real
    campus.people.suspend(campus.administrator(), "minji", "시연 종료", NOW)
    assert "minji" not in [link.person.handle for link in demo.seed(campus.people, NOW)]


def test_a_demonstration_can_be_joined_by_applying(campus: Campus) -> None:
    demo.seed(campus.people, NOW)
    application = campus.people.apply(
        "jiwoo", "이지우", "jiwoo@mail.example", Kind.CITIZEN, "", "생활인구 분석", PASSWORD, True, NOW
    )
    assert campus.people.approve("administrator", application.id, NOW).handle == "jiwoo"
