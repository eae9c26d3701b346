"""A disk that is full or fails at its worst moment: what the log then says and what it leaves behind."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from access_control.audit.log import Log
from access_control.audit.reader import AuditReader
from access_control.audit.verify import verify
from access_control.errors import AuditRefused, AuditUnavailable
from tests.access_control.audit.builders import NOW, SIGNER, event, open_log, pairs

real_sync = os.fdatasync


def entries(log: Log) -> int:
    return len(list(AuditReader(log.folder).everything()))


def size(log: Log) -> int:
    return sum(file.stat().st_size for file in (log.folder / "segments").glob("*.jsonl"))


def test_nothing_is_acknowledged_before_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(open_log(tmp_path)) as log:
        synced: list[int] = []

        def sync(fd: int) -> None:
            real_sync(fd)
            synced.append(os.fstat(fd).st_size)

        monkeypatch.setattr(os, "fdatasync", sync)
        for number in range(3):
            log.append(pairs([event(number)]), NOW)
            assert synced.pop() == size(log)
            assert synced == []


def test_what_a_killed_writer_left_is_synced_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(open_log(tmp_path)) as log:
        log.append(pairs([event(1)]), NOW)
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(os.fstat(fd).st_size))
    with contextlib.closing(open_log(tmp_path)) as log:
        assert synced == [size(log)]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["fdatasync", "pwrite"])
def test_a_full_disk_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    with contextlib.closing(open_log(tmp_path)) as log:
        log.append(pairs([event(1)]), NOW)
        before, root = size(log), log.root
        real = getattr(os, call)
        failures = iter([True])

        def fail(fd: int, *rest: Any) -> object:
            if not next(failures, False):
                return real(fd, *rest)
            if rest:  # half of the batch fits
                real(fd, bytes(rest[0])[:40], rest[1])
            raise OSError(code, "no space")

        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            with pytest.raises(AuditRefused) as refused:
                log.append(pairs([event(2), event(3)]), NOW)
        assert refused.value.reason == "audit-full"
        assert (size(log), log.root, log.size) == (before, root, 1)
        assert log.append(pairs([event(4)]), NOW) == [1]
    assert verify(tmp_path, SIGNER.public.text()).ok


def test_a_failed_sync_closes_the_log_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an I/O error nobody knows what the disk holds: only opening the log again can tell."""
    with contextlib.closing(open_log(tmp_path)) as log:
        log.append(pairs([event(1)]), NOW)

        def fail(_fd: int) -> None:
            raise OSError(errno.EIO, "the disk failed")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            with pytest.raises(AuditUnavailable):
                log.append(pairs([event(2)]), NOW)
        with pytest.raises(AuditUnavailable):
            log.append(pairs([event(3)]), NOW)
    with contextlib.closing(open_log(tmp_path)) as log:
        assert entries(log) == log.size
        log.append(pairs([event(4)]), NOW)
    assert verify(tmp_path, SIGNER.public.text()).ok


def test_no_room_for_a_checkpoint_loses_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(open_log(tmp_path, checkpoint_events=1, segment_bytes=1)) as log:

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, "no space")

        with monkeypatch.context() as patch:
            patch.setattr("access_control.audit.marks.NotesFile.append", fail)
            assert log.append(pairs([event(1)]), NOW) == [0]
        with monkeypatch.context() as patch:
            patch.setattr("access_control.audit.log.marks.sync_folder", fail)
            assert log.append(pairs([event(2)]), NOW) == [1]
        assert log.append(pairs([event(3)]), NOW) == [2]
        assert log.signed == 3
    with contextlib.closing(open_log(tmp_path)) as log:
        assert log.size == 3
    assert verify(tmp_path, SIGNER.public.text()).ok
