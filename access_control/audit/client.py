"""Talks to the audit writer from any number of threads. Knows the wire, not the log.

It keeps trying for `patience` seconds when the writer is away. An event that is sent again keeps its
identifier, so it is recorded at most once however often the connection breaks.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from access_control.audit import protocol
from access_control.audit.event import AuditEvent, EventId
from access_control.errors import AuditError, AuditUnavailable

PATIENCE = 5.0  # [s]
ANSWER_SECONDS = 10.0  # longest wait for one answer of a writer that is there
AT_ONCE = 256  # events sent before answers are read
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5  # [s] between attempts


class Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(ANSWER_SECONDS)
            self._socket.connect(os.fspath(path))
            self._answers: BinaryIO = self._socket.makefile("rb")
        except BaseException:
            self._socket.close()
            raise
        self.born_in = os.getpid()

    def ask(self, requests: Sequence[bytes]) -> list[dict[str, Any]]:
        """Send lines numbered from 0 and return their answers in that order."""
        self._socket.sendall(b"".join(requests))
        answers: list[dict[str, Any]] = [{}] * len(requests)
        for _ in requests:
            line = self._answers.readline(protocol.LONGEST_LINE)
            if not line.endswith(b"\n"):
                raise ConnectionResetError("the audit writer hung up")
            values = protocol.parse(line)
            number = values.get("id")
            if type(number) is not int or not 0 <= number < len(requests):
                raise ConnectionResetError("the audit writer answered something else")
            answers[number] = values
        return answers

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._answers.close()
        self._socket.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the writer says of its log: entries recorded, entries signed, root over all."""

    size: int
    signed: int
    root: bytes


class AuditClient:
    """An `AuditSink` over the writer's socket; any number of threads share one."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self._path = path
        self._patience = patience
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    def append(self, event: AuditEvent) -> int:
        """Record one event; durable when it returns its sequence number.

        Raises
        ------
        AuditUnavailable
            The writer was away for `patience` seconds.
        AuditRefused
            The writer will not take it.
        """
        return self.append_all([event])[0]

    def append_all(self, events: Sequence[AuditEvent]) -> tuple[int, ...]:
        """Record events in order; durable when it returns their sequence numbers.

        Raises
        ------
        AuditUnavailable, AuditRefused
            As `append`; some of the events may be recorded, sending them again is safe.
        """
        requests = [protocol.recording(place % AT_ONCE, event) for place, event in enumerate(events)]
        numbers: list[int] = []
        for start in range(0, len(requests), AT_ONCE):
            numbers += [int(values["seq"]) for values in self._ask(requests[start : start + AT_ONCE])]
        return tuple(numbers)

    def erase(self, event: AuditEvent, events: Sequence[EventId]) -> int:
        """Record an erasure and overwrite the literals of these events; see `sink.Eraser`."""
        [values] = self._ask([protocol.erasing(0, event, events)])
        return int(values["seq"])

    def ping(self) -> None:
        """Return when the writer can take events.

        Raises
        ------
        AuditUnavailable, AuditRefused
            It cannot.
        """
        self.status()

    def status(self) -> Status:
        """How large the log is and how much of it is signed.

        Raises
        ------
        AuditUnavailable, AuditRefused
            As `ping`.
        """
        [values] = self._ask([protocol.request(0, do="ping")])
        return Status(size=values["size"], signed=values["signed"], root=bytes.fromhex(values["root"]))

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _ask(self, requests: Sequence[bytes]) -> list[dict[str, Any]]:
        deadline = time.monotonic() + self._patience
        for pause in _pauses():
            try:
                answers = self._once(requests)
            except (OSError, AuditError) as error:
                if time.monotonic() + pause > deadline:
                    raise AuditUnavailable("audit-unavailable", problem=str(error)) from error
                self.close()
                time.sleep(pause)
                continue
            for error_ in filter(None, map(protocol.raised, answers)):
                raise error_
            return answers
        raise AssertionError("unreachable")

    def _once(self, requests: Sequence[bytes]) -> list[dict[str, Any]]:
        connection = self._take()
        try:
            answers = connection.ask(requests)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return answers

    def _take(self) -> Connection:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.born_in == os.getpid():
                    return connection
        return Connection(self._path)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)
