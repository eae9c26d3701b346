"""The states of a request and the steps between them, as one table. Pure; knows no storage.

`advance` is the only way from one state to another. A step is taken by the person who asks, or by somebody
who decides and is not that person; `policy` says who decides at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from access_control.audit.event import Action, AuditEvent
from access_control.decision import ALLOW, Decision, deny
from access_control.grants.model import GrantId
from access_control.people.model import Handle
from access_control.requests.model import GrantRequest, RequestStatus


class Step(StrEnum):
    """What may happen to a request."""

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Where a step leads, whether the person who asks takes it, and how it is recorded."""

    to: RequestStatus
    by_applicant: bool
    action: Action


_S = RequestStatus
TABLE: Final[Mapping[tuple[RequestStatus, Step], Rule]] = {
    (_S.SUBMITTED, Step.APPROVE): Rule(
        to=_S.APPROVED, by_applicant=False, action=Action.GRANT_REQUEST_APPROVED
    ),
    (_S.SUBMITTED, Step.REJECT): Rule(
        to=_S.REJECTED, by_applicant=False, action=Action.GRANT_REQUEST_REJECTED
    ),
    (_S.SUBMITTED, Step.WITHDRAW): Rule(
        to=_S.WITHDRAWN, by_applicant=True, action=Action.GRANT_REQUEST_WITHDRAWN
    ),
}


def may_advance(request: GrantRequest, step: Step, actor: str) -> Decision:
    """Whether the table has this step for this actor."""
    rule = TABLE.get((request.status, step))
    if rule is None:
        return deny("request-not-open", id=request.id)
    if rule.by_applicant and actor != request.person:
        return deny("request-not-yours", id=request.id)
    if not rule.by_applicant and actor == request.person:
        return deny("request-own", id=request.id)
    return ALLOW


def advance(
    request: GrantRequest,
    step: Step,
    actor: str,
    now: datetime,
    *,
    reason: str = "",
    granted: GrantId | None = None,
    **detail: object,
) -> tuple[GrantRequest, AuditEvent]:
    """The request after the step, and the event to record with it.

    Raises
    ------
    Denied
        As `may_advance` says.
    """
    may_advance(request, step, actor).require()
    rule = TABLE[request.status, step]
    after = replace(
        request, status=rule.to, decided_by=Handle(actor), decided=now, reason=reason, granted=granted
    )
    return after, event(rule.action, request, actor, now, reason=reason, grant=granted, **detail)


def event(action: Action, request: GrantRequest, actor: str, now: datetime, **detail: object) -> AuditEvent:
    """What is recorded about a request: always which data it was about."""
    about = {
        "dataset": request.dataset,
        "variant": request.variant,
        "partitions": {name: list(values) for name, values in request.partitions},
        "expires": request.expires.isoformat(),
    }
    return AuditEvent(
        time=now,
        actor=actor,
        action=action,
        project=request.project,
        object=f"request:{request.id}",
        detail=about | detail,
    )
