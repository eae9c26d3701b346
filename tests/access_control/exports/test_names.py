"""Names of files that leave: hostile ones are refused, Korean ones kept."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_control.decision import Deny
from access_control.exports.names import check_name, check_names, normal_name


def reason(*names: str) -> str:
    decision = check_names([normal_name(name) for name in names])
    return decision.reason if isinstance(decision, Deny) else ""


@pytest.mark.parametrize(
    "name", ["결과.csv", "그림/지도 1.png", "a-b_c (2).tar.gz", ".hidden", "ㄱ.txt", "日本.csv"]
)
def test_ordinary_names_are_kept(name: str) -> None:
    assert reason(name) == ""


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("", "export-name-not-a-path"),
        (".", "export-name-not-a-path"),
        ("..", "export-name-not-a-path"),
        ("../etc/passwd", "export-name-not-a-path"),
        ("a/../../b", "export-name-not-a-path"),
        ("/etc/passwd", "export-name-not-a-path"),
        ("a//b", "export-name-not-a-path"),
        ("a/", "export-name-not-a-path"),
        ("a/" * 16 + "b", "export-name-not-a-path"),
        ("a\\..\\b", "export-name-not-portable"),
        ("C:\\a", "export-name-not-portable"),
        ("a:stream", "export-name-not-portable"),
        ('a"b.csv', "export-name-not-portable"),
        ("a<b>.csv", "export-name-not-portable"),
        ("a?.csv", "export-name-not-portable"),
        ("CON", "export-name-not-portable"),
        ("x/nul.txt", "export-name-not-portable"),
        ("a. ", "export-name-not-portable"),
        ("a.", "export-name-not-portable"),
        (" a", "export-name-not-portable"),
        ("a\nb.csv", "export-name-hidden-characters"),
        ("a\x00.csv", "export-name-hidden-characters"),
        ("a\x1b[31m.csv", "export-name-hidden-characters"),
        ("invoice\u202efdp.exe", "export-name-hidden-characters"),
        ("a\u200b.csv", "export-name-hidden-characters"),
        ("a\u1680b.csv", "export-name-hidden-characters"),
        ("a\u3164.csv", "export-name-hidden-characters"),
        ("a\udcff.csv", "export-name-hidden-characters"),
        ("가" * 86, "export-name-too-long"),
        ("/".join(["a" * 250] * 5), "export-name-too-long"),
    ],
)
def test_hostile_names_are_refused_with_a_reason_that_can_be_printed(name: str, wanted: str) -> None:
    assert reason(name) == wanted
    decision = check_name(normal_name(name))
    assert isinstance(decision, Deny)
    str(decision.params["name"]).encode()
    assert str(decision.params["name"]).isprintable() or not name


def test_two_names_that_one_machine_would_take_for_one_are_refused() -> None:
    assert reason("a.csv", "b.csv") == ""
    assert reason("a.csv", "A.CSV") == "export-name-twice"
    assert reason("결과.csv", unicodedata.normalize("NFD", "결과.csv")) == "export-name-twice"
    assert reason("straße.csv", "STRASSE.csv") == "export-name-twice"


@given(st.text(max_size=40))
def test_an_accepted_name_stays_inside_any_folder(name: str) -> None:
    kept = normal_name(name)
    if check_name(kept):
        assert not kept.startswith("/")
        assert ".." not in kept.split("/")
        assert kept.isprintable()
        kept.encode()
