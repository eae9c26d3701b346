"""What a project is: one purpose, its members, its grants. Knows no rule and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from catalog.descriptions import Text

Slug = NewType("Slug", str)


class ProjectKind(StrEnum):
    """Who a project is for."""

    PERSONAL = "personal"
    SHARED = "shared"
    DASHBOARD = "dashboard"  # no members: a published dashboard reads with the grants of its own project


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Why data is read, and by whom together; `closed` since then, or None while it is open."""

    slug: Slug
    title: Text
    purpose: str
    kind: ProjectKind
    created: datetime
    closed: datetime | None = None


OPEN_DATA = Slug("open-data")
OPEN_DATA_TITLE = Text(ko="열린 데이터", en="Open data")
OPEN_DATA_PURPOSE = "누구나 쓸 수 있는 공개 데이터 분석 / Analysis of open data, for everybody"
DASHBOARD_PREFIX = "dashboard-"


def dashboard_slug(name: str) -> Slug:
    """The project whose grants the dashboard of this name reads with."""
    return Slug(DASHBOARD_PREFIX + name)


def slug_of(project: Project | str) -> str:
    """The slug, given the project or the slug."""
    return project.slug if isinstance(project, Project) else project
