"""Who may give and take back grants, and which can be given; pure. Knows no storage and no dataset.

Staff and administrators give grants, never to a project of their own: whoever reads has been granted it by
somebody else. Every grant ends. Custodians read the list of grants and give none in this release.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from access_control.decision import ALLOW, Decision, deny
from access_control.grants.model import Grant
from access_control.people.model import Person, Role
from access_control.people.policy import must_hold
from access_control.projects.model import Project, ProjectKind
from access_control.projects.policy import is_open
from access_control.text import has_letters

DATASET = re.compile(r"[a-z][a-z0-9_]{0,62}")
PURPOSE_MIN, PURPOSE_MAX = 5, 2000  # characters
LONGEST = timedelta(days=3 * 366)


def check_grant(dataset: str, variant: str, purpose: str, expires: datetime, now: datetime) -> Decision:
    """Whether such a grant can exist."""
    for name in (dataset, variant):
        if not DATASET.fullmatch(name):
            return deny("grant-dataset-malformed", name=name[:64])
    if not has_letters(purpose) or not PURPOSE_MIN <= len(purpose) <= PURPOSE_MAX:
        return deny("grant-purpose-length", minimum=PURPOSE_MIN, limit=PURPOSE_MAX)
    if expires <= now:
        return deny("grant-expired-already", expires=expires.date().isoformat())
    if expires - now > LONGEST:
        return deny("grant-too-long", days=LONGEST.days)
    return ALLOW


def may_give(actor: Person, project: Project, *, member: bool) -> Decision:
    """Whether this person may give this project a grant; `member`: whether it is their own project."""
    if not (decision := must_hold(actor, Role.STAFF, Role.ADMINISTRATOR)):
        return decision
    if project.kind is ProjectKind.DASHBOARD:
        return deny("grant-dashboard", project=project.slug)
    if member:
        return deny("grant-own-project", project=project.slug)
    return is_open(project)


def may_revoke(actor: Person, grant: Grant) -> Decision:
    """Whether this person may take a grant back; also from their own project."""
    if not (decision := must_hold(actor, Role.STAFF, Role.ADMINISTRATOR)):
        return decision
    return ALLOW if grant.revoked is None else deny("grant-revoked-already", id=grant.id)


def may_list(actor: Person) -> Decision:
    """Whether this person may read every project's grants."""
    return must_hold(actor, Role.CUSTODIAN, Role.STAFF, Role.ADMINISTRATOR)
