"""Who may start a session, and what a session's state allows; pure. Knows no storage.

A person has one live session per project. The newest start wins: whatever older one still counts as live,
after a crash say, is stopped with the reason `replaced` and loses its grants at once. A stopped session never
runs again; starting anew makes another.
"""

from __future__ import annotations

from access_control.decision import ALLOW, Decision, deny
from access_control.people.model import Person
from access_control.projects.model import Project, ProjectKind
from access_control.projects.policy import is_open, may_work_in
from access_control.sessions.model import Session, SessionStatus
from access_control.text import clean_line

REPLACED = "replaced"
REASON_MAX = 200  # characters


def admit(person: Person, project: Project, *, member: bool) -> Decision:
    """Whether a person may start a session in a project now."""
    return may_work_in(person, project, member=member)


def admit_dashboard(project: Project) -> Decision:
    """Whether a session without a person may start: only of an open dashboard project."""
    if project.kind is not ProjectKind.DASHBOARD:
        return deny("session-without-person", project=project.slug)
    return is_open(project)


def may_run(session: Session) -> Decision:
    """Whether an opened session may be marked running."""
    if session.status is SessionStatus.STOPPED:
        return deny("session-stopped", session=session.session_id, why=session.reason)
    return ALLOW


def stop_reason(reason: str) -> str:
    """A reason as it is kept: one line, never empty."""
    return clean_line(reason)[:REASON_MAX] or "unknown"
