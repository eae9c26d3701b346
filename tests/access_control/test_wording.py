"""Every reason a desk can give has words, and the words name only what the reason carries."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from access_control import locale
from access_control.locale import Lang
from access_control.people.policy import ONLY

HOUSE = Path(locale.__file__).resolve().parents[1]
AREAS = ("people", "projects", "grants", "requests", "sessions", "certificates", "exports")
GIVES = frozenset({"deny", "Denied", "Invalid", "Missing", "Conflict", "AccessError"})


def given_reasons() -> Iterator[tuple[str, frozenset[str], str]]:
    """(reason, parameters, where) of every place that names a reason outright."""
    for area in AREAS:
        for file in sorted((HOUSE / area).glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in GIVES
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                ):
                    names = frozenset(keyword.arg for keyword in node.keywords if keyword.arg)
                    yield str(node.args[0].value), names, f"{area}/{file.name}:{node.lineno}"
    for reason in ONLY.values():
        yield reason, frozenset(), "people/policy.py"


def test_every_reason_has_words_in_both_languages() -> None:
    found = list(given_reasons())
    assert len(found) > 90, "the search for reasons found too few to be right"
    for lang in Lang:
        known = locale.words(lang)
        assert not [f"{where} {reason}" for reason, _, where in found if reason not in known]


def test_words_name_only_what_their_reason_carries() -> None:
    bad = [
        f"{lang} {where} {reason}: {missing}"
        for reason, names, where in given_reasons()
        for lang in Lang
        if (missing := locale.parameters(locale.words(lang)[reason]) - names)
    ]
    assert not bad


def test_no_wording_of_these_areas_is_left_over() -> None:
    given = {reason for reason, _, _ in given_reasons()}
    for lang in Lang:
        areas = locale.areas(lang)
        left = [f"{lang}/{area}: {reason}" for area in AREAS for reason in areas[area] if reason not in given]
        assert not left
