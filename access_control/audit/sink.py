"""What the rest asks of the audit log: is it there, and take these. Knows no transport."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from access_control.audit.event import AuditEvent, EventId


class AuditSink(Protocol):
    """Where events go: the writer process (`client.AuditClient`) or a log held here (`local.LocalSink`)."""

    def ping(self) -> None:
        """Return when the log can take events now.

        Raises
        ------
        AuditUnavailable
            It cannot be reached.
        """

    def append_all(self, events: Sequence[AuditEvent]) -> tuple[int, ...]:
        """Record events in order, each once whatever is sent how often; return their sequence numbers.

        Durable when it returns.

        Raises
        ------
        AuditUnavailable
            It cannot be reached; some of the events may have been recorded, sending again is safe.
        AuditRefused
            It will not take an event.
        """


class Eraser(Protocol):
    """Where literals are erased: the writer process, or a log held here."""

    def erase(self, event: AuditEvent, events: Sequence[EventId]) -> int:
        """Record the erasure, then overwrite the literals of these events; return its sequence number.

        Parameters
        ----------
        event
            `audit.literals_erased`; its detail names the entries (`erasing.ranges`) and their count.

        Raises
        ------
        AuditUnavailable
            It cannot be reached; sending the same again is safe.
        AuditRefused
            The event does not name what is to be erased, or names what is not in the log.
        """
