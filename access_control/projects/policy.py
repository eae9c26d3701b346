"""Who may make a project, who belongs to it, and who may see it; pure. Knows no storage.

Whoever may act makes projects of their own; city staff and administrators make them for others. Members
choose who works with them until somebody has granted the project data: from then on only staff who are not
members add anybody, since the grant was decided about the people who were there. Members see each other; so
do those who administer. The default project and those of dashboards are kept by the installation alone.
"""

from __future__ import annotations

import re

from access_control.decision import ALLOW, Decision, deny
from access_control.people.model import Person, Role
from access_control.people.policy import may_act, must_hold
from access_control.projects.model import DASHBOARD_PREFIX, OPEN_DATA, Project, ProjectKind
from access_control.text import has_letters
from catalog.descriptions import Text

SLUG = re.compile(r"[a-z][a-z0-9-]{1,30}")
KEPT = frozenset({OPEN_DATA, "new", "all"})  # the last two are pages
DASHBOARD = re.compile(r"[a-z][a-z0-9_-]{1,50}")
TITLE_MAX = 80  # characters
PURPOSE_MIN, PURPOSE_MAX = 5, 2000  # characters
MEMBERS_MAX = 200
OWN_MAX = 20  # projects a person who does not administer belongs to, the default one aside


def check_slug(slug: str) -> Decision:
    """Whether a project may be called this."""
    if not SLUG.fullmatch(slug):
        return deny("project-slug-malformed", slug=slug[:40])
    if slug in KEPT or slug.startswith(DASHBOARD_PREFIX):
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


def administers(actor: Person) -> Decision:
    """Whether this person makes and sees projects that are not theirs."""
    return must_hold(actor, Role.STAFF, Role.ADMINISTRATOR)


def may_create(actor: Person, *, joining: bool, projects: int) -> Decision:
    """Whether this person may make a project; `joining`: as its member, who belongs to `projects` already."""
    if not (decision := may_act(actor)):
        return decision
    if administers(actor):
        return ALLOW
    if not joining:
        return administers(actor)
    return ALLOW if projects < OWN_MAX else deny("projects-too-many", limit=OWN_MAX)


def may_see(actor: Person, *, member: bool) -> Decision:
    """Whether this person may see who belongs to a project and what it may read."""
    return may_act(actor) if member else administers(actor)


def may_add(
    actor: Person, added: Person, project: Project, *, member: bool, members: int, granted: bool
) -> Decision:
    """Whether this person may let another belong to a project.

    Parameters
    ----------
    member
        Whether the project is the actor's own.
    granted
        Whether somebody has granted the project data that it can use now.
    """
    if not (decision := may_change(actor, project, member=member)):
        return decision
    if not added.active:
        return may_act(added)
    if granted and (member or actor.handle == added.handle):
        return deny("project-members-held", project=project.slug)
    return ALLOW if members < MEMBERS_MAX else deny("project-members-too-many", limit=MEMBERS_MAX)


def may_remove(actor: Person, project: Project, *, member: bool, members: int) -> Decision:
    """Whether this person may take somebody out of a project, oneself included."""
    if not (decision := may_change(actor, project, member=member)):
        return decision
    return ALLOW if members > 1 else deny("project-member-last", project=project.slug)


def may_change(actor: Person, project: Project, *, member: bool) -> Decision:
    """Whether this person may change who belongs to this project at all."""
    if project.slug == OPEN_DATA or project.kind is ProjectKind.DASHBOARD:
        return deny("project-kept", project=project.slug)
    if not (decision := may_see(actor, member=member)):
        return decision
    return is_open(project)


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
