"""The log held by this very process, for one-off commands and tests; services talk to the writer instead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from access_control.audit.event import AuditEvent, EventId, encode
from access_control.audit.log import Log


def system_clock() -> datetime:
    """The moment, for records of when something was received."""
    return datetime.now(UTC)


class LocalSink:
    """An `AuditSink` over an open log; any number of threads."""

    def __init__(self, log: Log, clock: Callable[[], datetime] = system_clock) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()

    def ping(self) -> None:
        """The log is open, so it can take events."""

    def append_all(self, events: Sequence[AuditEvent]) -> tuple[int, ...]:
        """Record events, each once; durable when it returns."""
        batch = [(bytes.fromhex(event.event_id), encode(event)) for event in events]
        records = {
            bytes.fromhex(event.event_id): event.literals.record(event.event_id)
            for event in events
            if event.literals
        }
        with self._lock:
            return tuple(self._log.append(batch, self._clock(), records))

    def append(self, event: AuditEvent) -> int:
        """Record one event."""
        return self.append_all([event])[0]

    def erase(self, event: AuditEvent, events: Sequence[EventId]) -> int:
        """Record an erasure and overwrite the literals of these events; see `sink.Eraser`."""
        with self._lock:
            return self._log.erase(event.event_id, encode(event), event.detail, events, self._clock())
