"""The writer killed before each change of a file, while it records literals and while it erases them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from access_control.audit import segment
from access_control.audit.event import AuditEvent
from access_control.audit.literals import Literals
from access_control.audit.local import LocalSink
from access_control.audit.reader import AuditReader
from access_control.audit.side_reader import side_files
from access_control.audit.side_store import side_of
from tests.access_control.audit.builders import (
    checked,
    erasure,
    filled,
    names_only_what_is_there,
    open_log,
    secret_event,
)


def crash_at(step: int, what: Callable[[], object]) -> bool:
    """Run in a child that is killed just before its step-th change of a file; False if it came to its end."""
    child = os.fork()
    if child == 0:
        left = [step]

        def before(real: Callable[..., Any]) -> Callable[..., Any]:
            def run(*given: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*given, **named)

            return run

        for name in ("pwrite", "fdatasync", "fsync", "ftruncate", "replace", "unlink"):
            setattr(os, name, before(getattr(os, name)))
        try:
            what()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_kill_at_any_step_of_recording_leaves_no_entry_without_its_literals(tmp_path: Path) -> None:
    for step in range(100):
        folder = tmp_path / str(step) / "log"
        first = filled(folder, 4)
        late = [secret_event(100 + n) for n in range(3)]

        def record(folder: Path = folder, late: list[AuditEvent] = late) -> None:
            log = open_log(folder, side_bytes=200, segment_bytes=200)
            LocalSink(log).append_all(late)

        killed = crash_at(step, record)
        with contextlib.closing(open_log(folder)) as log:
            LocalSink(log).append_all(late)  # what its client does
            names_only_what_is_there(folder)
            assert log.size == len(first) + len(late)
        if not killed:
            assert step > 8
            return
        shutil.rmtree(folder.parent)
    raise AssertionError("it never came to its end")


def test_a_kill_at_any_step_of_erasing_erases_on_record_or_not_at_all(tmp_path: Path) -> None:
    outcomes, gone = set(), [0, 3, 6]
    for step in range(100):
        folder = tmp_path / str(step) / "log"
        events = filled(folder, 8, side_bytes=400)
        told = erasure(gone)

        def erase(folder: Path = folder, told: AuditEvent = told, events: list[AuditEvent] = events) -> None:
            LocalSink(open_log(folder)).erase(told, [events[n].event_id for n in gone])

        killed = crash_at(step, erase)
        with contextlib.closing(open_log(folder)):
            names_only_what_is_there(folder)
            found = checked(folder)
            recorded = any(e.event.event_id == told.event_id for e in AuditReader(folder).everything())
            assert (found.erased, found.kept) == ((3, 3) if recorded else (0, 6))
            outcomes.add(recorded)
        shutil.rmtree(folder.parent)
        if not killed:
            assert outcomes == {True, False}
            return
    raise AssertionError("it never came to its end")


def test_lines_that_a_power_cut_left_half_written_are_cut_off(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    filled(folder)
    [file] = side_files(side_of(folder))
    whole = file.path.read_bytes().rstrip(b"\0")
    orphan = segment.line(Literals(values=("x",)).record("ab" * 16))
    for torn in (orphan, orphan[:-20], b"\0" * 50 + orphan, b"\xff\n\n" + orphan, orphan + b"\0" * 9000):
        file.path.write_bytes(whole + torn)
        with contextlib.closing(open_log(folder)):
            assert file.path.read_bytes().rstrip(b"\0") == whole
            names_only_what_is_there(folder)
