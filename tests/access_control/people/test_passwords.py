"""Which passwords are refused, and that a kept one is recognised."""

from __future__ import annotations

import unicodedata

import pytest

from access_control.decision import Deny
from access_control.people import passwords


def reason(password: str) -> str:
    decision = passwords.check_password(password, handle="minji", email="kim.minji@mail.example")
    return decision.reason if isinstance(decision, Deny) else ""


@pytest.mark.parametrize(
    ("password", "wanted"),
    [
        ("Password123!", "password-common"),
        ("p4ssw0rd2026", "password-common"),
        ("qwertyuiop12", "password-common"),
        ("1234567890", "password-common"),
        ("0987654321!", "password-common"),
        ("asdfghjkl;1", "password-common"),
        ("비밀번호비밀번호12", "password-common"),
        ("seoulcampus2026", "password-common"),
        ("aaaaaaaaaaaa", "password-too-uniform"),
        ("abababababab", "password-too-uniform"),
        ("i-am-MINJI-ok", "password-holds-name"),
        ("ijnim-spelt-back", "password-holds-name"),
        ("kim.minji-2026", "password-holds-name"),
        ("short", "password-too-short"),
        ("x" * 129, "password-too-long"),
        ("한강에서 자전거를 탄다", ""),
        ("correct horse battery", ""),
        ("Tr0ub4dor&3xyz", ""),
        ("물결 위에 달빛 하나", ""),
    ],
)
def test_weak_passwords_are_refused_with_a_reason(password: str, wanted: str) -> None:
    assert reason(password) == wanted


def test_a_password_typed_on_another_keyboard_is_the_same() -> None:
    composed = "한강에서 자전거를 탄다"
    encoded = passwords.hash_password(unicodedata.normalize("NFD", composed))
    assert passwords.matches(encoded, composed)
    assert not passwords.matches(encoded, composed + " ")
    assert not passwords.matches("not a hash", composed)
