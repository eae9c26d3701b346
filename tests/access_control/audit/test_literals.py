"""Literals beside the log: durable first, held to the log's commitments, erased only on record."""

from __future__ import annotations

import contextlib
import errno
import hmac
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from access_control.audit import erasing, protocol, segment
from access_control.audit.client import AuditClient
from access_control.audit.event import AuditEvent, EventId, decode, encode
from access_control.audit.literals import Literals
from access_control.audit.local import LocalSink
from access_control.audit.log import Log
from access_control.audit.reader import AuditReader
from access_control.audit.side_reader import SideReader, lines_of, side_files
from access_control.audit.side_store import side_of
from access_control.audit.verify import verify
from access_control.errors import AuditDamaged, AuditError, AuditRefused, AuditUnavailable
from tests.access_control.audit.builders import (
    NOW,
    SECRET,
    checked,
    erasure,
    event,
    filled,
    names_only_what_is_there,
    open_log,
    secret_event,
    writer,
)


def everything(folder: Path) -> bytes:
    files = [file for root in (folder, side_of(folder)) for file in root.rglob("*") if file.is_file()]
    return b"".join(file.read_bytes() for file in files)


def test_the_log_holds_a_commitment_and_its_side_the_literals(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    events = filled(folder)
    assert SECRET.encode() not in b"".join(f.read_bytes() for f in folder.rglob("*") if f.is_file())
    reader = SideReader(side_of(folder))
    for seq, each in enumerate(events):
        assert reader.find(seq, each.event_id) == each.literals
    recorded = [entry.event for entry in AuditReader(folder).everything()]
    assert recorded[0].detail["literals"]["count"] == 2
    assert decode(json.loads(encode(recorded[0]))) == recorded[0], "sending on what was read changes nothing"
    found = checked(folder)
    assert (found.ok, found.kept, found.erased) == (True, 4, 0)


def test_an_event_that_comes_twice_in_a_batch_keeps_the_literals_it_was_recorded_with(tmp_path: Path) -> None:
    first = secret_event()
    again = replace(first, literals=Literals(values=("'m'",)))
    with writer(tmp_path) as running, contextlib.closing(AuditClient(running.socket)) as client:
        assert set(client.append_all([first, again] * 20)) == {1}, "after the start of the log"
        assert client.append(again) == 1
    assert SideReader(side_of(tmp_path / "log")).find(1, first.event_id) == first.literals
    _, recorded = AuditReader(tmp_path / "log").everything()
    assert first.literals is not None
    assert recorded.event.detail["literals"]["commitment"] == first.literals.commitment(first.event_id)


def test_the_same_literals_have_another_commitment_each_time() -> None:
    values = ("'m'",)
    first, second = Literals(values=values), Literals(values=values)
    assert first.commitment("0" * 32) != second.commitment("0" * 32)
    assert first.commitment("0" * 32) != first.commitment("1" * 32)
    assert first.commitment("0" * 32) != Literals(values=("'f'",), key=first.key).commitment("0" * 32)
    assert Literals(values=("a", "b"), key=first.key).commitment("0" * 32) != Literals(
        values=('a","b',), key=first.key
    ).commitment("0" * 32)
    assert first.key.hex() not in repr(first)


def test_the_commitment_is_what_the_documentation_says() -> None:
    literals = Literals(values=("'홍길동'", "3"), key=bytes(range(32)))
    text = json.dumps(["'홍길동'", "3"], ensure_ascii=False, separators=(",", ":"))
    message = b"campus literals v1\0" + bytes.fromhex("ab" * 16) + text.encode()
    assert literals.commitment("ab" * 16) == hmac.new(bytes(range(32)), message, "sha256").hexdigest()


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    before = os.umask(0)
    try:
        filled(folder)
    finally:
        os.umask(before)
    assert side_of(folder).stat().st_mode & 0o777 == 0o700
    assert {file.path.stat().st_mode & 0o777 for file in side_files(side_of(folder))} == {0o600}


def test_literals_are_synced_before_their_entry_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, str]] = []
    real: dict[str, Callable[..., Any]] = {"pwrite": os.pwrite, "fdatasync": os.fdatasync}

    def traced(call: str) -> Callable[..., Any]:
        def run(fd: int, *rest: Any) -> Any:
            name = Path(f"/proc/self/fd/{fd}").readlink().suffix
            if name in (".literals", ".jsonl"):
                steps.append((call, name))
            return real[call](fd, *rest)

        return run

    with contextlib.closing(open_log(tmp_path / "log")) as log:
        LocalSink(log).append(secret_event())  # makes room ahead
        for call in real:
            monkeypatch.setattr(os, call, traced(call))
        LocalSink(log).append_all([secret_event(n) for n in range(50)])
        monkeypatch.undo()
    assert steps == [
        ("pwrite", ".literals"),
        ("fdatasync", ".literals"),
        ("pwrite", ".jsonl"),
        ("fdatasync", ".jsonl"),
    ], "one sync each for the whole batch"


# -- erasing


@pytest.mark.parametrize("side_bytes", [1, 500, 1 << 20])
def test_what_is_erased_is_gone_and_the_log_still_holds(tmp_path: Path, side_bytes: int) -> None:
    folder = tmp_path / "log"
    with contextlib.closing(open_log(folder, side_bytes=side_bytes)) as log:
        sink = LocalSink(log)
        events = [secret_event(n, f"'person-{n}'") for n in range(20)]
        for each in events:
            sink.append(each)
        gone = [0, 1, 7, 19]
        sink.erase(erasure(gone), [events[n].event_id for n in gone])
        sink.append(secret_event(21, "'later'"))
        bytes_ = everything(folder)
        for n, each in enumerate(events):
            assert each.literals is not None
            assert (f"'person-{n}'".encode() in bytes_) == (n not in gone)
            assert (each.literals.key.hex().encode() in bytes_) == (n not in gone)
        found = checked(folder)
        assert (found.ok, found.kept, found.erased) == (True, 17, 4)
        sink.erase(erasure([7, 8]), [events[7].event_id, events[8].event_id])  # again, and one more
        assert (checked(folder).ok, checked(folder).erased) == (True, 5)
    with contextlib.closing(open_log(folder)):
        assert checked(folder).ok


def test_an_erasure_names_exactly_what_it_erases(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with contextlib.closing(open_log(folder)) as log:
        sink = LocalSink(log)
        events = [secret_event(n) for n in range(4)]
        sink.append_all(events)
        ids = [each.event_id for each in events]
        wrong: tuple[tuple[AuditEvent, list[EventId]], ...] = (
            (erasure([0]), ids[:2]),
            (erasure([0, 1]), ids[:1]),
            (erasure([0], count=2), ids[:1]),
            (erasure([0], entries="0-"), ids[:1]),
            (erasure([0], entries=None), ids[:1]),
            (erasure([]), []),
            (erasure([0, 0]), [ids[0], ids[0]]),
            (erasure([0]), [EventId("ab" * 16)]),
            (erasure([0]), [EventId("no identifier")]),
        )
        for told, given in wrong:
            with pytest.raises(AuditRefused):
                sink.erase(told, given)
        assert (log.size, checked(folder).kept) == (4, 4)


def test_ranges_name_the_same_numbers() -> None:
    some = random.Random(3)
    for _ in range(300):
        chosen = sorted(some.sample(range(60), some.randint(1, 40)))
        assert erasing.numbers(erasing.ranges(chosen)) == chosen
    for wrong in ("", "a", "1,1", "2,1", "3-2", "-1", "1--2", "0-99999999999", "1 ", "١"):
        with pytest.raises(ValueError, match="entries"):
            erasing.numbers(wrong)


# -- tampering


def rewrite(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the lines of literals, with checksums made anew."""
    [file] = side_files(side_of(folder))
    lines = [line.leaf for line in lines_of(file.path)]
    file.path.write_bytes(b"".join(map(segment.line, change(lines))))


TAMPERED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a literal": lambda lines: [lines[0].replace(SECRET.encode(), b"800101-1234567"), *lines[1:]],
    "a key": lambda lines: [lines[0].replace(b'"key":"', b'"key":"0')[:-1], *lines[1:]],
    "one taken out": lambda lines: lines[1:],
    "all taken out": lambda lines: [],
    "exchanged": lambda lines: [
        lines[0][:46] + lines[1][46:],
        lines[1][:46] + lines[0][46:],
        *lines[2:],
    ],
    "one fewer": lambda lines: [lines[0].replace(b',"0"]', b"]"), *lines[1:]],
}


@pytest.mark.parametrize("how", TAMPERED)
def test_changed_or_missing_literals_are_found(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "log"
    filled(folder)
    rewrite(folder, lambda lines: lines)
    assert checked(folder).ok
    rewrite(folder, TAMPERED[how])
    found = checked(folder)
    assert not found.ok and all("literal part" in str(problem) for problem in found.problems)
    assert checked(folder, literals=False).ok, "a copy of the log alone can be verified"
    with contextlib.closing(open_log(folder)):  # starting again does not make it good
        assert not checked(folder).ok


def test_a_store_that_is_not_there_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    filled(folder, 60)
    shutil.rmtree(side_of(folder))
    found = checked(folder)
    assert not found.ok and len(found.problems) == 21
    assert "20 more entries" in str(found.problems[-1])


def test_overwriting_without_a_record_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    events = filled(folder)
    erasing.carry_out(side_of(folder), erasing.spans(side_of(folder), {1: events[1].event_id}))
    found = checked(folder)
    assert [p for p in found.problems if "entry 1 is not here" in str(p)]


def test_an_erasure_that_was_not_done_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    events = filled(folder)
    with contextlib.closing(open_log(folder)) as log:
        told = erasure([0])
        log.append([(bytes.fromhex(told.event_id), encode(told))], NOW)  # as a writer that lies would
        assert events[0].literals is not None
    found = checked(folder)
    assert [p for p in found.problems if "entry 0 is still here" in str(p)]


def test_an_intent_that_cannot_be_read_halts(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    filled(folder)
    for wrong in (b"", b"{}", b'{"event_id":"zz","spans":[]}', b'{"event_id":"00","spans":[[1,2,3]]}'):
        (side_of(folder) / erasing.INTENT).write_bytes(wrong)
        with pytest.raises(AuditDamaged):
            open_log(folder)
    outside = tmp_path / "other.literals"
    outside.write_bytes(b"x" * 50)
    event_id = next(iter(AuditReader(folder).everything())).event.event_id
    erasing.intend(side_of(folder), event_id, [("../other.literals", 0, 50), (str(outside), 0, 50)])
    with contextlib.closing(open_log(folder)):
        assert outside.read_bytes() == b"x" * 50


# -- a disk that fails


@pytest.mark.parametrize("suffix", [".literals", ".jsonl"])
@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_keeps_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, call: str, code: int
) -> None:
    folder = tmp_path / "log"
    log: Log = open_log(folder)
    sink = LocalSink(log)
    sink.append(secret_event(0, "'kept'"))
    real, failing = getattr(os, call), [True]

    def fail(fd: int, *rest: Any) -> Any:
        if failing and Path(f"/proc/self/fd/{fd}").readlink().suffix == suffix:
            failing.clear()
            raise OSError(code, "no")
        return real(fd, *rest)

    monkeypatch.setattr(os, call, fail)
    late = secret_event(1, "'late'")
    with pytest.raises((AuditRefused, AuditUnavailable)) as refused:
        sink.append(late)
    assert not failing
    monkeypatch.undo()
    if code == errno.ENOSPC:
        assert refused.value.reason == "audit-full"
        assert b"late" not in everything(folder)
        assert sink.append(late) == 1
    else:
        with pytest.raises(AuditUnavailable):
            sink.append(late)
    log.close()
    with contextlib.closing(open_log(folder)) as again:
        assert LocalSink(again).append(late) == 1
        names_only_what_is_there(folder)
        assert checked(folder).kept == 2


# -- through the writer


def test_the_writer_takes_both_or_neither(tmp_path: Path) -> None:
    with writer(tmp_path) as process, contextlib.closing(AuditClient(process.socket)) as client:
        good = secret_event(1)
        assert good.literals is not None
        body, wire = encode(good), good.literals.wire
        other = Literals(values=good.literals.values).wire
        for lines in (
            protocol.event_request(0, body),
            protocol.event_request(0, body, other),
            protocol.event_request(0, body, wire.replace(SECRET.encode(), b"other")),
            protocol.event_request(0, body, b"[]"),
            protocol.event_request(0, body, b'{"key":"zz","values":["a"]}'),
            protocol.event_request(0, body, b'{"key":"%b","values":[1]}' % (b"0" * 64)),
            protocol.event_request(0, encode(event(1)), wire),
            protocol.event_request(0, encode(erasure([0]))),
            b'{"id":0,"do":"erase","event":%b,"events":[]}\n' % encode(event(1)),
            b'{"id":0,"do":"erase","event":%b,"events":{}}\n' % encode(erasure([0])),
            b'{"id":0,"do":"erase","event":%b,"events":["ab"]}\n' % encode(erasure([0])),
            b'{"id":0,"do":"erase","event":null,"events":[]}\n',
            b'{"id":0,"do":"erase"}\n',
        ):
            with pytest.raises(AuditRefused) as refused:
                client._ask([lines])
            assert refused.value.reason == "event-malformed"
        large = secret_event(2, *["x" * 1000] * 4400)
        with pytest.raises(AuditError):
            client.append(large)
        many = [secret_event(n) for n in range(600)]
        numbers = client.append_all(many)
        assert client.append_all(many) == numbers
        told = erasure(numbers[:500])
        seq = client.erase(told, [each.event_id for each in many[:500]])
        assert client.erase(told, [each.event_id for each in many[:500]]) == seq
        found = verify(process.folder, process.public_key)
        assert (found.ok, found.kept, found.erased) == (True, 100, 500)
