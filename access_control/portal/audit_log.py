"""The use cases of the auditor: read the record of everything and prove it whole. Knows no page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from access_control.audit.event import Action, AuditEvent
from access_control.audit.reader import AuditReader, Filter, Page
from access_control.audit.sink import AuditSink
from access_control.audit.verify import Verification, verify
from access_control.decision import Decision
from access_control.people.model import Person, Role
from access_control.people.policy import must_hold
from access_control.statements import Shown, Statements

AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The newest signed note as text, and the key that verifies it; empty where there is none yet."""

    note: str
    public_key: str


class AuditLog:
    """Reads and verifies the log; that it was read is itself recorded, before anything is shown.

    Parameters
    ----------
    folder
        The log's folder; only read here.
    sink
        Where the record of reading goes.
    """

    def __init__(self, folder: Path, sink: AuditSink) -> None:
        self._folder = folder
        self._reader = AuditReader(folder)
        self._statements = Statements(folder)
        self._sink = sink

    def page(self, actor: Person, wanted: Filter, before: str | None, now: datetime) -> Page:
        """The newest wanted events, or older ones.

        Raises
        ------
        Denied
            `role-missing`: only auditors read the log.
        AuditUnavailable
            That it is read cannot be recorded.
        """
        may_read(actor).require()
        asked = {
            "actor": wanted.actor,
            "actions": sorted(wanted.actions),
            "project": wanted.project,
            "since": wanted.since.isoformat() if wanted.since else "",
            "until": wanted.until.isoformat() if wanted.until else "",
            "text": wanted.text,
            "before": before or "",
        }
        self._record(actor, Action.AUDIT_READ, now, {key: value for key, value in asked.items() if value})
        return self._reader.page(wanted, before=before, limit=AT_ONCE)

    def statements(self, actor: Person, page: Page) -> Mapping[int, Shown]:
        """Statements of a page's queries by number of the entry, filled in while their literals exist."""
        may_read(actor).require()
        return self._statements.of(page.entries)

    def checkpoint(self, actor: Person) -> Checkpoint:
        """The newest signed note and the public key."""
        may_read(actor).require()
        return Checkpoint(note=self._text("checkpoint"), public_key=self._text("public_key").strip())

    def verify(self, actor: Person, now: datetime, held: Sequence[str] = ()) -> Verification:
        """Check the whole log now, also against checkpoints the auditor kept; record the outcome."""
        may_read(actor).require()
        found = verify(self._folder, self._text("public_key").strip(), held=held)
        detail = {"ok": found.ok, "events": found.events, "root": found.root.hex(), "held": len(held)} | {
            "literals": found.kept,
            "erased": found.erased,
        }
        self._record(actor, Action.AUDIT_VERIFIED, now, detail)
        return found

    def _record(self, actor: Person, action: Action, now: datetime, detail: dict[str, object]) -> None:
        event = AuditEvent(time=now, actor=actor.handle, action=action, object="audit-log", detail=detail)
        self._sink.append_all([event])

    def _text(self, name: str) -> str:
        try:
            return (self._folder / name).read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""


def may_read(actor: Person) -> Decision:
    """The log names everybody and everything: only those whose task it is read it."""
    return must_hold(actor, Role.AUDITOR)
