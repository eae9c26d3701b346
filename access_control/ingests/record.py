"""How a publication is recorded, the same by whoever records it. Knows no run and no page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from access_control.audit.event import Action, AuditEvent, EventId, new_event_id
from catalog.warehouse import AcceptedException


def publication_event(
    by: str,
    now: datetime,
    dataset: str,
    snapshot: int,
    rows: int,
    files: Sequence[tuple[str, str]],
    exceptions: Sequence[AcceptedException],
    event_id: str | None = None,
) -> AuditEvent:
    """The event of one published version: files as (name, SHA-256), and every accepted exception.

    The log takes an identifier once, so a publisher that died before it recorded can be stood in for.
    """
    return AuditEvent(
        event_id=new_event_id() if event_id is None else EventId(event_id),
        time=now,
        actor=by,
        action=Action.DATASET_PUBLISHED,
        object=f"dataset:{dataset}",
        detail={
            "snapshot": snapshot,
            "rows": rows,
            "files": [{"name": name, "sha256": sha256} for name, sha256 in files],
            "exceptions": [{"check": e.check, "reason": e.reason} for e in exceptions],
        },
    )
