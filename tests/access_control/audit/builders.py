"""Events, logs and writer processes for the tests of the audit log."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from access_control.audit import erasing
from access_control.audit.checkpoint import Signer
from access_control.audit.client import AuditClient
from access_control.audit.event import Action, AuditEvent, encode
from access_control.audit.literals import Literals
from access_control.audit.local import LocalSink
from access_control.audit.log import Log
from access_control.audit.reader import AuditReader
from access_control.audit.side_reader import lines_of, side_files
from access_control.audit.side_store import side_of
from access_control.audit.verify import Verification, verify
from access_control.errors import AuditError

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SIGNER = Signer("campus-audit-test", bytes(range(32)))
REPO = Path(__file__).resolve().parents[3]
SECRET = "900101-1234567"


def event(number: int = 0, **values: Any) -> AuditEvent:
    given: dict[str, Any] = {
        "time": NOW,
        "actor": "minji",
        "action": Action.QUERY_ADMITTED,
        "project": "open-data",
        "object": f"query:{number}",
        "detail": {"rows": number, "질의": "카드 매출"},
    }
    return AuditEvent(**given | values)


def open_log(folder: Path, **options: Any) -> Log:
    return Log(folder, SIGNER, NOW, **options)


def pairs(events: Sequence[AuditEvent]) -> list[tuple[bytes, bytes]]:
    return [(bytes.fromhex(each.event_id), encode(each)) for each in events]


def fill(folder: Path, batches: Sequence[int], **options: Any) -> list[AuditEvent]:
    """A closed log of batches of these sizes; returns its events."""
    events: list[AuditEvent] = []
    with contextlib.closing(open_log(folder, **options)) as log:
        for size in batches:
            batch = [event(len(events) + number) for number in range(size)]
            log.append(pairs(batch), NOW)
            events += batch
    return events


def secret_event(number: int = 0, *values: str) -> AuditEvent:
    return event(number, literals=Literals(values=values or (f"'{SECRET}'", str(number))))


def erasure(seqs: Sequence[int], **changes: Any) -> AuditEvent:
    detail = {"reason": "정보주체의 요구", "entries": erasing.ranges(seqs), "count": len(seqs)} | changes
    return event(action=Action.AUDIT_LITERALS_ERASED, actor="officer", object="audit-log", detail=detail)


def checked(folder: Path, **options: Any) -> Verification:
    return verify(folder, SIGNER.public.text(), **options)


def filled(folder: Path, count: int = 6, **options: Any) -> list[AuditEvent]:
    """A closed log with so many events, every third of them without literals."""
    with contextlib.closing(open_log(folder, **options)) as log:
        events = [event(n) if n % 3 == 2 else secret_event(n) for n in range(count)]
        LocalSink(log).append_all(events)
    return events


def names_only_what_is_there(folder: Path) -> None:
    """Every line beside the log belongs to an entry, and every commitment is met."""
    found = checked(folder)
    assert found.ok, found.problems
    known = {bytes.fromhex(e.event.event_id) for e in AuditReader(folder).everything()}
    lines = [line for file in side_files(side_of(folder)) for line in lines_of(file.path)]
    assert all(line.event_id is None or line.event_id in known for line in lines)


class WriterProcess:
    """The real writer in its own process, which a test may kill."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder / "log"
        self.socket = folder / "audit.sock"
        self.key = folder / "audit.key"
        self._options = options
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        paths = {"--socket": self.socket, "--folder": self.folder, "--key": self.key}
        arguments = [text for name, path in paths.items() for text in (name, str(path))]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "access_control.audit.writer", *arguments, *self._options],
            cwd=REPO,
            stderr=subprocess.PIPE,
        )
        return self.process

    def wait_ready(self) -> None:
        with contextlib.closing(AuditClient(self.socket, patience=20)) as client:
            client.ping()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors.decode()

    @property
    def public_key(self) -> str:
        return (self.folder / "public_key").read_text("utf-8")


@contextlib.contextmanager
def writer(folder: Path, *options: str) -> Iterator[WriterProcess]:
    running = WriterProcess(folder, *options)
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop(signal.SIGKILL)


def eventually(what: Any, seconds: float = 10) -> None:
    """Wait until a call stops raising or returning something false."""
    end = time.monotonic() + seconds
    while True:
        try:
            if what() is not False:
                return
        except (AuditError, AssertionError, OSError):
            if time.monotonic() > end:
                raise
        if time.monotonic() > end:
            raise AssertionError("it never happened")
        time.sleep(0.02)
