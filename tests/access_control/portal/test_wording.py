"""Every word a page asks for exists, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_control.audit.event import Action
from access_control.exports.model import ExportStatus
from access_control.locale import Lang, words
from access_control.people.model import ApplicationStatus, Kind, PersonStatus, Role
from access_control.portal.starts import Phase
from access_control.portal.wording import Wording, end_of_day
from access_control.projects.model import ProjectKind
from catalog.descriptions import ExportClass, Tier
from catalog.descriptions import Role as ColumnRole

PORTAL = Path(__file__).resolve().parents[3] / "access_control" / "portal"
BY_VALUE: dict[str, Iterable[str]] = {
    "action": [action.replace(".", "-").replace("_", "-") for action in Action],
    "application-status": ApplicationStatus,
    "export-class": ExportClass,
    "export-status": ExportStatus,
    "kind": Kind,
    "person-status": PersonStatus,
    "project-kind": ProjectKind,
    "role": Role,
    "role-of-column": ColumnRole,
    "starting": [Phase.IDLE, Phase.FAILED],
    "tier": Tier,
}


@pytest.mark.parametrize("lang", Lang)
def test_every_literal_key_of_a_template_has_words(lang: Lang) -> None:
    asked = {
        key
        for file in (PORTAL / "templates").rglob("*.html")
        for key in re.findall(r"\bt\('([a-z0-9_-]+)'[,)]", file.read_text("utf-8"))
    }
    assert len(asked) > 150
    assert not asked - words(lang).keys()


@pytest.mark.parametrize("lang", Lang)
def test_every_literal_key_of_a_route_has_words(lang: Lang) -> None:
    source = "".join(file.read_text("utf-8") for file in PORTAL.rglob("*.py"))
    asked = set(re.findall(r'(?:Invalid|Missing|Refused|Denied)\((?:\d+, )?"([a-z0-9-]+)"', source))
    asked |= {f"notice-{key}" for key in re.findall(r'visit\.go\([^)]*?, "([a-z-]+)"\)', source)}
    asked |= set(re.findall(r'"((?:menu|export-step|error)-[a-z0-9-]+)"', source))
    assert len(asked) > 30
    assert not asked - words(lang).keys()


@pytest.mark.parametrize("lang", Lang)
def test_every_value_a_page_shows_has_words(lang: Lang) -> None:
    asked = {f"{area}-{value}" for area, values in BY_VALUE.items() for value in values}
    assert not asked - words(lang).keys()


def test_moments_are_shown_in_seoul() -> None:
    t = Wording(Lang.KO)
    assert t.when(datetime(2026, 12, 31, 23, 30, tzinfo=UTC)) == "2027-01-01 08:30"
    assert end_of_day("2027-01-01") == datetime(2027, 1, 1, 14, 59, 59, tzinfo=UTC)
    assert end_of_day("2027-13-01") is None


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (200 << 20, "200 MB")]
)
def test_sizes_read_well(size: int, text: str) -> None:
    assert Wording(Lang.EN).size(size) == text
