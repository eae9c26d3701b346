"""The states of an export request and the steps between them, as one table. Pure; knows no storage.

`advance` is the only way from one state to another. A step is taken by the author, by a checker who is not
the author, or by the system; the table says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from access_control.audit.event import Action, AuditEvent
from access_control.decision import ALLOW, Decision, deny
from access_control.exports.model import ExportRequest, ExportStatus, digest_now
from access_control.people.model import SYSTEM, Handle


class Step(StrEnum):
    """What may happen to a request."""

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    RELEASE = "release"
    FAIL = "fail"


class By(StrEnum):
    """Who takes a step."""

    AUTHOR = "author"
    CHECKER = "checker"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Where a step leads, who takes it, and how it is recorded."""

    to: ExportStatus
    by: By
    action: Action


TABLE: Final[Mapping[tuple[ExportStatus, Step], Rule]] = {
    (ExportStatus.SUBMITTED, Step.APPROVE): Rule(
        to=ExportStatus.APPROVED, by=By.CHECKER, action=Action.EXPORT_APPROVED
    ),
    (ExportStatus.SUBMITTED, Step.REJECT): Rule(
        to=ExportStatus.REJECTED, by=By.CHECKER, action=Action.EXPORT_REJECTED
    ),
    (ExportStatus.SUBMITTED, Step.WITHDRAW): Rule(
        to=ExportStatus.WITHDRAWN, by=By.AUTHOR, action=Action.EXPORT_WITHDRAWN
    ),
    (ExportStatus.SUBMITTED, Step.FAIL): Rule(
        to=ExportStatus.RELEASE_FAILED, by=By.SYSTEM, action=Action.EXPORT_RELEASE_FAILED
    ),
    (ExportStatus.APPROVED, Step.RELEASE): Rule(
        to=ExportStatus.RELEASED, by=By.SYSTEM, action=Action.EXPORT_RELEASED
    ),
    (ExportStatus.APPROVED, Step.FAIL): Rule(
        to=ExportStatus.RELEASE_FAILED, by=By.SYSTEM, action=Action.EXPORT_RELEASE_FAILED
    ),
    (ExportStatus.RELEASED, Step.FAIL): Rule(
        to=ExportStatus.RELEASE_FAILED, by=By.SYSTEM, action=Action.EXPORT_RELEASE_FAILED
    ),
}


def may_advance(request: ExportRequest, step: Step, actor: str) -> Decision:
    """Whether the table has this step, for this actor, and the request is still what was submitted."""
    rule = TABLE.get((request.status, step))
    if rule is None:
        return deny("export-not-open", number=request.number, status=request.status)
    match rule.by:
        case By.AUTHOR:
            allowed = actor == request.person
        case By.CHECKER:
            allowed = actor not in {request.person, SYSTEM, ""}
        case By.SYSTEM:
            allowed = actor == SYSTEM
        case _:
            assert_never(rule.by)
    if not allowed:
        return deny("export-not-yours-to-decide", number=request.number)
    if step in {Step.APPROVE, Step.RELEASE} and digest_now(request) != request.digest:
        return deny("export-changed", number=request.number)
    return ALLOW


def advance(
    request: ExportRequest, step: Step, actor: str, now: datetime, *, note: str = ""
) -> tuple[ExportRequest, AuditEvent]:
    """The request after the step, and the event to record with it; `note` is a comment or a reason.

    Raises
    ------
    Denied
        As `may_advance` says.
    """
    may_advance(request, step, actor).require()
    rule = TABLE[request.status, step]
    after = replace(request, status=rule.to)
    match step:
        case Step.APPROVE:
            after = replace(after, decided_by=Handle(actor), decided=now, comment=note)
        case Step.REJECT:
            after = replace(after, decided_by=Handle(actor), decided=now, reason=note)
        case Step.WITHDRAW | Step.FAIL:
            after = replace(after, reason=note)
        case Step.RELEASE:
            pass
        case _:
            assert_never(step)
    return after, event(rule.action, request, actor, now, note=note)


def event(action: Action, request: ExportRequest, actor: str, now: datetime, **detail: object) -> AuditEvent:
    """What is recorded about a request: always which digest it was about."""
    return AuditEvent(
        time=now,
        actor=actor,
        action=action,
        project=request.project,
        object=f"export:{request.id}",
        detail={"number": request.number, "digest": request.digest, **detail},
    )
