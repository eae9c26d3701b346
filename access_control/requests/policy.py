"""Who may ask for data, who decides, and how far an approval may go; pure. Knows no storage.

- A member asks for their own project; the default project, in which everybody is, gets no private data.
- Open data are not asked for: every session of a person reads them.
- Custodians decide, and administrators. Descriptions name a custodian's organisation, but people belong to
  none here, so any custodian decides about any private dataset.
- Nobody decides about their own request or about one of their own project.
- An approval gives what was asked for or less: fewer parts, an earlier end, never more.
"""

from __future__ import annotations

from datetime import datetime

from access_control.decision import ALLOW, Decision, deny
from access_control.grants.policy import may_hold
from access_control.people.model import Person, Role
from access_control.people.policy import REASON_MAX, may_act, must_hold
from access_control.projects.model import Project
from access_control.projects.policy import may_work_in
from access_control.requests.model import GrantRequest
from catalog.descriptions import Tier
from catalog.descriptions.scope import Scope, within

WAITING_MAX = 20  # requests of one person


def may_ask(person: Person, project: Project, tier: Tier, *, member: bool, waiting: int) -> Decision:
    """Whether a person may ask for such data for this project; `waiting` counts their open requests."""
    if not (decision := may_work_in(person, project, member=member)):
        return decision
    if tier is Tier.OPEN:
        return deny("request-open")
    if not (decision := may_hold(project, tier)):
        return decision
    return ALLOW if waiting < WAITING_MAX else deny("request-too-many", limit=WAITING_MAX)


def may_queue(actor: Person) -> Decision:
    """Whether this person decides about requests at all."""
    return must_hold(actor, Role.CUSTODIAN, Role.ADMINISTRATOR)


def may_decide(actor: Person, request: GrantRequest, *, member: bool) -> Decision:
    """Whether this person may decide about this request; `member`: whether its project is theirs."""
    if not (decision := may_queue(actor)):
        return decision
    if actor.handle == request.person:
        return deny("request-own", id=request.id)
    return deny("request-own-project", id=request.id, project=request.project) if member else ALLOW


def may_read(actor: Person, request: GrantRequest, *, member: bool) -> Decision:
    """Whether this person may see a request: who asked, its project's members and those who decide."""
    if member or actor.handle == request.person:
        return may_act(actor)
    return may_queue(actor)


def check_narrowed(request: GrantRequest, given: Scope, expires: datetime) -> Decision:
    """Whether an approval gives what was asked for or less."""
    if not within(given, request.partitions):
        return deny("request-widened", id=request.id)
    return ALLOW if expires <= request.expires else deny("request-lengthened", id=request.id)


def check_comment(comment: str) -> Decision:
    """Whether a cleaned comment is not too long; an approval needs none."""
    return ALLOW if len(comment) <= REASON_MAX else deny("request-comment-long", limit=REASON_MAX)
