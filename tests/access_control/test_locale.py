"""Every reason is worded in both languages with the same parameters, and wording never fails a page."""

from __future__ import annotations

import re

import pytest

from access_control.locale import Lang, areas, both, parameters, text, words


def test_both_languages_hold_the_same_reasons_in_the_same_areas() -> None:
    korean, english = areas(Lang.KO), areas(Lang.EN)
    assert {area: list(table) for area, table in korean.items()} == {
        area: list(table) for area, table in english.items()
    }


def test_both_languages_name_the_same_parameters() -> None:
    korean, english = words(Lang.KO), words(Lang.EN)
    differing = {
        reason: (parameters(wording), parameters(english[reason]))
        for reason, wording in korean.items()
        if parameters(wording) != parameters(english[reason])
    }
    assert differing == {}


@pytest.mark.parametrize("lang", list(Lang))
def test_every_wording_is_written_and_can_be_filled(lang: Lang) -> None:
    for reason, wording in words(lang).items():
        assert wording.strip() == wording != "", reason
        filled = text(lang, reason, **dict.fromkeys(parameters(wording), "값"))
        assert "{" not in filled, reason


def test_korean_is_korean_and_english_is_not() -> None:
    """Except the switch to the other language, which is named in that language."""
    switch = {"language-other"}
    hangul = {
        lang: {reason for reason, wording in words(lang).items() if re.search("[가-힣]", wording)}
        for lang in Lang
    }
    spoken = {reason for reason, wording in words(Lang.EN).items() if re.search("[a-z]", _said(wording))}
    assert spoken - hangul[Lang.KO] - switch == set()
    assert hangul[Lang.EN] - switch == set()


def _said(wording: str) -> str:
    return re.sub(r"\{[^}]*\}", "", wording)


def test_parameters_are_filled_in() -> None:
    assert text("en", "event-too-large", size=9, largest=5) == (
        "The audit event is too large: 9 bytes, at most 5 bytes"
    )
    assert both("event-too-large", size=9, largest=5).endswith("9 bytes, at most 5 bytes")


def test_missing_parameters_and_reasons_stay_visible() -> None:
    assert "{largest}" in text("en", "event-too-large", size=9)
    assert text("ko", "no-such-reason", a=1) == "no-such-reason (a=1)"


def test_a_parameter_cannot_inject_a_parameter() -> None:
    assert "{largest}" in text("en", "event-too-large", size="{largest}", largest=5)
