"""Grants the installation itself keeps up: open data for everybody, and what a dashboard reads.

Each lasts a year and is renewed at a start when a month of it has passed, so an installation nobody looks
after stops reading by itself. What a person took back stays taken back until a person gives it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from access_control.audit.event import Action, AuditEvent
from access_control.database import Unit
from access_control.grants import store
from access_control.grants.model import Grant
from access_control.people.model import SYSTEM

LASTS = timedelta(days=365)
RENEWED_AFTER = timedelta(days=30)
NO_LONGER = "dataset no longer in the list"


def keep_up(unit: Unit, project: str, tables: Iterable[tuple[str, str]], purpose: str, now: datetime) -> None:
    """Let a project hold a standing grant on exactly these (dataset, variant)."""
    wanted = sorted(set(tables))
    held = {
        (grant.dataset, grant.variant): grant
        for grant in store.effective(unit.connection, project, now)
        if grant.given_by == SYSTEM and not grant.partitions
    }
    for dataset, variant in wanted:
        grant = held.pop((dataset, variant), None)
        if grant is None:
            if store.revoked_by(unit.connection, project, dataset, variant) in {None, SYSTEM}:
                _give(unit, project, dataset, variant, purpose, now)
        elif grant.expires - now <= LASTS - RENEWED_AFTER:
            store.extend(unit.connection, grant.id, now + LASTS)
            record_given(unit, grant, SYSTEM, now, expires=now + LASTS, renewed=True)
    for grant in held.values():
        store.revoke(unit.connection, grant.id, SYSTEM, NO_LONGER, now)
        record_revoked(unit, grant, SYSTEM, NO_LONGER, now)


def record_given(
    unit: Unit, grant: Grant, by: str, now: datetime, *, expires: datetime, renewed: bool = False
) -> None:
    """Record that a grant was given, or given for longer."""
    detail = {
        "dataset": grant.dataset,
        "variant": grant.variant,
        "partitions": {name: list(values) for name, values in grant.partitions},
        "purpose": grant.purpose,
        "expires": expires.isoformat(),
        "renewed": renewed,
    }
    unit.record(_event(Action.GRANT_GIVEN, grant, by, now, detail))


def record_revoked(unit: Unit, grant: Grant, by: str, reason: str, now: datetime) -> None:
    """Record that a grant was taken back."""
    detail = {"dataset": grant.dataset, "variant": grant.variant, "reason": reason}
    unit.record(_event(Action.GRANT_REVOKED, grant, by, now, detail))


def _give(unit: Unit, project: str, dataset: str, variant: str, purpose: str, now: datetime) -> None:
    grant = store.add(
        unit.connection,
        project=project,
        dataset=dataset,
        variant=variant,
        purpose=purpose,
        expires=now + LASTS,
        given_by=SYSTEM,
        now=now,
    )
    record_given(unit, grant, SYSTEM, now, expires=grant.expires)


def _event(action: Action, grant: Grant, by: str, now: datetime, detail: Mapping[str, object]) -> AuditEvent:
    return AuditEvent(
        time=now, actor=by, action=action, project=grant.project, object=f"grant:{grant.id}", detail=detail
    )
