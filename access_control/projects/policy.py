"""Who may make a project and who may see it; pure. Knows no storage.

City staff and administrators make projects. Members see each other; so do those who administer. Projects of
dashboards are made by the installation alone, which is why their names are kept for it.
"""

from __future__ import annotations

import re

from access_control.decision import ALLOW, Decision, deny
from access_control.people.model import Person, Role
from access_control.people.policy import must_hold
from access_control.projects.model import DASHBOARD_PREFIX, OPEN_DATA, Project, ProjectKind
from access_control.text import has_letters
from catalog.descriptions import Text

SLUG = re.compile(r"[a-z][a-z0-9-]{1,30}")
DASHBOARD = re.compile(r"[a-z][a-z0-9_-]{1,50}")
TITLE_MAX = 80  # characters
PURPOSE_MIN, PURPOSE_MAX = 5, 2000  # characters
MEMBERS_MAX = 200


def check_slug(slug: str) -> Decision:
    """Whether a project may be called this."""
    if not SLUG.fullmatch(slug):
        return deny("project-slug-malformed", slug=slug[:40])
    if slug == OPEN_DATA or slug.startswith(DASHBOARD_PREFIX):
        return deny("project-slug-reserved", slug=slug)
    return ALLOW


def check_project(title: Text, purpose: str, members: int) -> Decision:
    """Whether cleaned titles and purpose say something, and the members are not too many."""
    for text in (title.ko, title.en):
        if not has_letters(text):
            return deny("project-title-missing")
        if len(text) > TITLE_MAX:
            return deny("project-title-too-long", limit=TITLE_MAX)
    if not has_letters(purpose) or not PURPOSE_MIN <= len(purpose) <= PURPOSE_MAX:
        return deny("project-purpose-length", minimum=PURPOSE_MIN, limit=PURPOSE_MAX)
    if members > MEMBERS_MAX:
        return deny("project-members-too-many", limit=MEMBERS_MAX)
    return ALLOW


def may_create(actor: Person) -> Decision:
    """Whether this person may make a project."""
    return must_hold(actor, Role.STAFF, Role.ADMINISTRATOR)


def is_open(project: Project) -> Decision:
    """Whether work may still begin in this project."""
    return ALLOW if project.closed is None else deny("project-closed", project=project.slug)


def may_work_in(person: Person, project: Project, *, member: bool) -> Decision:
    """Whether an active person may begin work in an open project of which they are a member."""
    if not person.active:
        return deny("person-suspended", handle=person.handle)
    if project.kind is ProjectKind.DASHBOARD or not member:
        return deny("not-a-member", handle=person.handle, project=project.slug)
    return is_open(project)


def check_dashboard(name: str) -> Decision:
    """Whether a dashboard may be called this: its name becomes part of a host name."""
    return ALLOW if DASHBOARD.fullmatch(name) else deny("dashboard-name-malformed", name=name[:60])
