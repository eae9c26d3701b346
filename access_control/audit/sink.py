"""What the rest asks of the audit log: is it there, and take these. Knows no transport."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from access_control.audit.event import AuditEvent


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
