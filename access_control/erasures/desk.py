"""The use cases of erasing literals: look what there is, then erase it, both on record. Knows no page."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Protocol

from access_control.audit import erasing
from access_control.audit.event import Action, AuditEvent
from access_control.audit.sink import AuditSink, Eraser
from access_control.erasures import policy, store
from access_control.erasures.model import Entry, Found, Selection
from access_control.people.model import Person
from access_control.text import clean_block

OBJECT = "audit-log"


class Recorder(AuditSink, Eraser, Protocol):
    """Where erasures are recorded and carried out."""


class ErasuresDesk:
    """Erases literals; the log keeps that, why and of which entries.

    Parameters
    ----------
    folder
        Of the log; only read here.
    recorder
        The writer, which alone changes log and literals.
    """

    def __init__(self, folder: Path, recorder: Recorder) -> None:
        self._folder = folder
        self._recorder = recorder

    def find(self, actor: Person, selection: Selection, now: datetime) -> Found:
        """What a selection would erase. That it was looked for is recorded first: it says who asked when.

        Raises
        ------
        Denied
            `only-privacy`, or the selection is none.
        AuditUnavailable
            It cannot be recorded.
        """
        policy.may_erase(actor).require()
        policy.check_selection(selection, now).require()
        detail = {"for": "erasure", **selection.recorded}
        event = AuditEvent(
            time=now, actor=actor.handle, action=Action.AUDIT_READ, object=OBJECT, detail=detail
        )
        self._recorder.append_all([event])
        return self._found(actor, selection)

    def erase(self, actor: Person, selection: Selection, reason: str, seen: int, now: datetime) -> Found:
        """Erase what a selection finds; `seen` is how many the person was shown.

        Returns
        -------
        Found
            What was erased; `more` says that the same has to be done again for older ones.

        Raises
        ------
        Denied
            `only-privacy`, no reason, nothing found, or not as many as were shown.
        AuditUnavailable, AuditRefused
            It could not be recorded, or not be finished: the writer finishes it when it starts again.
        """
        policy.may_erase(actor).require()
        policy.check_selection(selection, now).require()
        reason, found = clean_block(reason), self._found(actor, selection)
        policy.check_erasure(selection, reason, seen, len(found.entries), now).require()
        event = AuditEvent(
            time=now,
            actor=actor.handle,
            action=Action.AUDIT_LITERALS_ERASED,
            object=OBJECT,
            detail={
                "reason": reason,
                "selection": dict(selection.recorded),
                "entries": erasing.ranges(entry.seq for entry in found.entries),
                "count": len(found.entries),
            },
        )
        self._recorder.erase(event, [entry.event_id for entry in found.entries])
        return found

    def _found(self, actor: Person, selection: Selection) -> Found:
        theirs: list[Entry] = []
        own = 0
        found = store.entries(self._folder, selection)
        for entry in islice(found, erasing.MOST):
            if entry.actor == actor.handle:
                own += 1
            else:
                theirs.append(entry)
        more = next(found, None) is not None
        return Found(entries=tuple(theirs), own=own, more=more)
