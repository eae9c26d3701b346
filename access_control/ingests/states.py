"""The states of an ingest run and the steps between them, as one table. Pure; knows no storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from access_control.audit.event import Action, AuditEvent
from access_control.decision import ALLOW, Decision, deny
from access_control.ingests.model import IngestRun, IngestStatus
from access_control.people.model import SYSTEM


class Step(StrEnum):
    """What may happen to a run."""

    SHOW = "show"  # the inspection is there
    PUBLISH = "publish"
    PUBLISHED = "published"
    REFUSE = "refuse"  # publishing was refused: look again
    FAIL = "fail"  # the process died without a result
    AGAIN = "again"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Where a step leads, whether the system takes it rather than a steward, and how it is recorded."""

    to: IngestStatus
    system: bool
    action: Action


_S = IngestStatus
TABLE: Final[Mapping[tuple[IngestStatus, Step], Rule]] = {
    (_S.INSPECTING, Step.SHOW): Rule(to=_S.INSPECTED, system=True, action=Action.INGEST_INSPECTED),
    (_S.INSPECTING, Step.REFUSE): Rule(to=_S.FAILED, system=True, action=Action.INGEST_REFUSED),
    (_S.INSPECTING, Step.FAIL): Rule(to=_S.FAILED, system=True, action=Action.INGEST_FAILED),
    (_S.INSPECTED, Step.PUBLISH): Rule(
        to=_S.PUBLISHING, system=False, action=Action.INGEST_PUBLISH_REQUESTED
    ),
    (_S.INSPECTED, Step.AGAIN): Rule(to=_S.INSPECTING, system=False, action=Action.INGEST_REQUESTED),
    (_S.INSPECTED, Step.DISCARD): Rule(to=_S.DISCARDED, system=False, action=Action.INGEST_DISCARDED),
    (_S.PUBLISHING, Step.PUBLISHED): Rule(to=_S.PUBLISHED, system=True, action=Action.INGEST_PUBLISHED),
    (_S.PUBLISHING, Step.REFUSE): Rule(to=_S.INSPECTED, system=True, action=Action.INGEST_REFUSED),
    (_S.PUBLISHING, Step.FAIL): Rule(to=_S.FAILED, system=True, action=Action.INGEST_FAILED),
    (_S.FAILED, Step.AGAIN): Rule(to=_S.INSPECTING, system=False, action=Action.INGEST_REQUESTED),
    (_S.FAILED, Step.DISCARD): Rule(to=_S.DISCARDED, system=False, action=Action.INGEST_DISCARDED),
}


def may_advance(run: IngestRun, step: Step) -> Decision:
    """Whether the table has this step."""
    if (run.status, step) not in TABLE:
        return deny("ingest-not-open", number=run.number, status=run.status)
    return ALLOW


def advance(
    run: IngestRun, step: Step, actor: str, now: datetime, **detail: object
) -> tuple[IngestRun, AuditEvent]:
    """The run after the step, and the event to record with it.

    Raises
    ------
    Denied
        As `may_advance` says.
    """
    may_advance(run, step).require()
    rule = TABLE[run.status, step]
    after = replace(run, status=rule.to, changed=now)
    return after, event(rule.action, after, SYSTEM if rule.system else actor, now, **detail)


def event(action: Action, run: IngestRun, actor: str, now: datetime, **detail: object) -> AuditEvent:
    """What is recorded about a run: always which dataset and which attempt."""
    return AuditEvent(
        time=now,
        actor=actor,
        action=action,
        object=f"ingest:{run.id}",
        detail={"number": run.number, "dataset": run.dataset, "attempt": run.attempt, **detail},
    )
