"""Who may give and take back grants, and which can be given; pure. Knows no storage.

Staff and administrators give grants, never to a project of their own: whoever reads has been granted it by
somebody else. Custodians give by deciding about requests (`requests/`), and take back. Every grant ends and
names only parts that its dataset declares; where the data are not open, it never goes to the default project,
in which everybody is.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from access_control.decision import ALLOW, Decision, deny
from access_control.grants.model import Grant
from access_control.people.model import SYSTEM, Person, Role
from access_control.people.policy import must_hold
from access_control.projects.model import OPEN_DATA, Project, ProjectKind
from access_control.projects.policy import is_open
from access_control.text import has_letters
from catalog.descriptions import Dataset, Tier
from catalog.descriptions.published import described
from catalog.descriptions.scope import MOST_VALUES, Scope, fits

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


def check_scope(dataset: Dataset, variant: str, scope: Scope) -> Decision:
    """Whether the dataset's variant is declared, and has the partitions and values that a scope names."""
    try:
        known = {partition.name: partition for partition in described(dataset, variant).partitions}
    except KeyError:
        return deny("grant-variant-unknown", dataset=dataset.name, variant=variant[:64])
    for name, values in scope:
        if name not in known:
            return deny("grant-partition-unknown", dataset=dataset.name, partition=name[:64])
        if not values:
            return deny("grant-partition-empty", partition=name)
        if len(values) > MOST_VALUES:
            return deny("grant-partition-many", partition=name, limit=MOST_VALUES)
        for value in values:
            if not fits(known[name], value):
                return deny("grant-partition-value", partition=name, value=value[:40])
    return ALLOW


def may_hold(project: Project, tier: Tier) -> Decision:
    """Whether a project can be given data of this tier at all."""
    if project.kind is ProjectKind.DASHBOARD:
        return deny("grant-dashboard", project=project.slug)
    if project.slug == OPEN_DATA and tier is not Tier.OPEN:
        return deny("grant-default-project", project=project.slug)
    return is_open(project)


def may_give(actor: Person, project: Project, tier: Tier, *, member: bool) -> Decision:
    """Whether this person may give this project a grant; `member`: whether it is their own project.

    In the default project everybody is a member, so there it does not count.
    """
    if not (decision := must_hold(actor, Role.STAFF, Role.ADMINISTRATOR)):
        return decision
    if not (decision := may_hold(project, tier)):
        return decision
    if member and project.slug != OPEN_DATA:
        return deny("grant-own-project", project=project.slug)
    return ALLOW


def may_revoke(actor: Person, grant: Grant) -> Decision:
    """Whether this person may take a grant back; also from their own project.

    A custodian takes back any but those the installation keeps up.
    """
    if not (decision := must_hold(actor, Role.STAFF, Role.ADMINISTRATOR, Role.CUSTODIAN)):
        return decision
    if grant.given_by == SYSTEM and not (decision := must_hold(actor, Role.STAFF, Role.ADMINISTRATOR)):
        return decision
    return ALLOW if grant.revoked is None else deny("grant-revoked-already", id=grant.id)


def may_list(actor: Person) -> Decision:
    """Whether this person may read every project's grants."""
    return must_hold(actor, Role.CUSTODIAN, Role.STAFF, Role.ADMINISTRATOR)
