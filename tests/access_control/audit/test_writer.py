"""The writer as a process: many clients, kills, a full disk, hostile bytes; what it acknowledged stays."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from access_control.audit import protocol
from access_control.audit import writer as module
from access_control.audit.client import AuditClient
from access_control.audit.event import LARGEST_EVENT, Action, AuditEvent, encode
from access_control.audit.literals import Literals
from access_control.audit.log import Log
from access_control.audit.reader import AuditReader
from access_control.audit.verify import verify
from access_control.errors import AuditRefused, AuditUnavailable
from tests.access_control.audit.builders import NOW, SIGNER, WriterProcess, event, eventually, writer


@pytest.fixture
def running(tmp_path: Path) -> Iterator[WriterProcess]:
    with writer(tmp_path, "--segment-bytes", "200000", "--checkpoint-events", "500") as process:
        yield process


def kept(process: WriterProcess) -> Counter[str]:
    return Counter(each.event.event_id for each in AuditReader(process.folder).everything())


def ping(process: WriterProcess) -> None:
    with contextlib.closing(AuditClient(process.socket)) as client:
        client.ping()


def raw(process: WriterProcess) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(10)
    made.connect(str(process.socket))
    return made


def test_what_is_acknowledged_is_in_the_log_under_its_number(running: WriterProcess) -> None:
    client = AuditClient(running.socket)
    events = [event(number) for number in range(600)]
    numbers = client.append_all(events)
    assert client.append_all(events[::-1]) == numbers[::-1]
    found = {each.seq: each.event for each in AuditReader(running.folder).everything()}
    assert [found[seq] for seq in numbers] == events
    assert list(numbers) == sorted(numbers)
    client.close()


def test_many_threads_share_a_client(running: WriterProcess) -> None:
    client = AuditClient(running.socket)
    events = [[event(number) for number in range(60)] for _ in range(12)]
    threads = [threading.Thread(target=lambda part=part: [client.append(e) for e in part]) for part in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    count = kept(running)
    assert all(count[each.event_id] == 1 for part in events for each in part)


def test_an_orderly_stop_signs_everything(running: WriterProcess) -> None:
    client = AuditClient(running.socket)
    client.append_all([event(number) for number in range(10)])
    client.close()
    code, errors = running.stop()
    assert (code, errors) == (0, "")
    found = verify(running.folder, running.public_key)
    assert found.ok
    assert found.covered == found.events == 12
    actions = [each.event.action for each in AuditReader(running.folder).everything()]
    assert (actions[0], actions[-1]) == (Action.AUDIT_STARTED, Action.AUDIT_STOPPED)
    assert not running.socket.exists()


def test_a_quiet_log_is_signed_after_a_while(tmp_path: Path) -> None:
    with writer(tmp_path, "--checkpoint-seconds", "0.1") as process:
        client = AuditClient(process.socket)
        client.append(event())
        eventually(lambda: client.status().signed == client.status().size)
        client.close()


def test_a_second_writer_on_the_same_folder_says_so_and_ends(running: WriterProcess, tmp_path: Path) -> None:
    second = WriterProcess(tmp_path)
    assert second.process.wait(timeout=20) == 1
    assert "Only one writer can run" in second.stop()[1]
    ping(running)


def test_a_damaged_log_is_not_served_and_the_place_is_named(running: WriterProcess) -> None:
    client = AuditClient(running.socket)
    client.append_all([event(number) for number in range(3)])
    client.close()
    running.stop()
    [file] = (running.folder / "segments").glob("*.jsonl")
    data = file.read_bytes().replace(b"query:1", b"query:7")
    file.write_bytes(data)
    running.start()
    assert running.process.wait(timeout=20) == 1
    message = running.stop()[1]
    assert "Line 3" in message
    assert "checksum" in message
    assert file.read_bytes() == data


def test_no_writer_is_unavailable_after_the_patience(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(AuditUnavailable) as refused:
        AuditClient(tmp_path / "none.sock", patience=0.3).append(event())
    assert refused.value.reason == "audit-unavailable"
    assert time.monotonic() - began < 3


def test_a_client_outlives_a_restart_of_the_writer(running: WriterProcess) -> None:
    client = AuditClient(running.socket, patience=20)
    client.append(event(0))
    running.stop(signal.SIGKILL)
    threading.Timer(0.3, running.start).start()
    late = event(1)
    seq = client.append(late)
    assert client.append(late) == seq
    assert kept(running)[late.event_id] == 1
    client.close()


def test_an_event_the_writer_refuses_does_not_stop_the_others(running: WriterProcess) -> None:
    good = encode(event(5))
    bad = good.replace(b'"v":1', b'"v":9')
    with raw(running) as peer:
        peer.sendall(b"".join(protocol.event_request(n, body) for n, body in enumerate([bad, good])))
        lines = peer.makefile("rb")
        answers = [json.loads(lines.readline()) for _ in range(2)]
    by_id = {each["id"]: each for each in answers}
    assert by_id[0]["error"] == "event-malformed"
    assert by_id[1]["seq"] >= 1


HOSTILE = [
    b"\n",
    b"\x00\xff\xfe\n",
    b"null\n",
    b"[]\n",
    b"{}\n",
    b'{"id":true,"do":"ping"}\n',
    b'{"id":-1,"do":"ping"}\n',
    b'{"id":1,"do":"stop"}\n',
    b'{"id":1,"do":["ping"]}\n',
    b'{"id":1,"event":null}\n',
    b'{"id":1,"event":{"v":1}}\n',
    b'{"id":1e400,"do":"ping"}\n',
    b'{"id":%b,"do":"ping"}\n' % (b"9" * 5000),
    b"[" * 100_000 + b"\n",
    b'{"a":' * 30_000 + b"\n",
    b"x" * (protocol.LONGEST_LINE + 10) + b"\n",
    b'{"id":1,"event":' + b" " * LARGEST_EVENT + b"{}}\n",
    encode(event()).replace(b'"detail":{', b'"detail":{"x":1e999,', 1) + b"\n",
]


@pytest.mark.parametrize("bytes_", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bytes_get_an_answer_and_nothing_else_happens(running: WriterProcess, bytes_: bytes) -> None:
    with raw(running) as peer:
        peer.sendall(bytes_ + protocol.request(7, do="ping"))
        answers = peer.makefile("rb")
        first, second = json.loads(answers.readline()), json.loads(answers.readline())
    assert first["error"] in ("event-malformed", "event-too-large")
    assert second["id"] == 7
    assert running.process.poll() is None


def test_random_bytes_never_end_the_writer(running: WriterProcess) -> None:
    dice = random.Random(5)
    for _ in range(60):
        with raw(running) as peer, contextlib.suppress(OSError):
            peer.sendall(dice.randbytes(dice.randrange(1, 5000)))
    ping(running)
    assert verify(running.folder, running.public_key).ok


def test_a_client_that_never_reads_holds_up_nobody(running: WriterProcess) -> None:
    body = encode(event(1))
    with raw(running) as deaf:
        deaf.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            for number in range(200_000):
                deaf.sendall(protocol.event_request(number % 1000, body))
        client = AuditClient(running.socket)
        client.append(event(2))
        client.close()


def test_a_full_disk_refuses_loses_nothing_and_recovers(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        client = AuditClient(process.socket)
        events = [event(number) for number in range(20)]
        client.append_all(events)
        [file] = (process.folder / "segments").glob("*.jsonl")
        room = file.stat().st_size + 300  # less than a batch, so the write stops in its middle
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        late = [event(100 + number) for number in range(5)]
        with pytest.raises(AuditRefused) as refused:
            client.append_all(late)
        assert refused.value.reason == "audit-full"
        with pytest.raises(AuditRefused):
            client.ping()
        # an answer may have been lost: what is recorded is said to be, in any company
        with raw(process) as peer, peer.makefile("rb") as lines:
            peer.sendall(
                b"".join(protocol.event_request(n, encode(e)) for n, e in enumerate([events[3], late[0]]))
            )
            answers = {each["id"]: each for each in (json.loads(lines.readline()) for _ in range(2))}
        assert (answers[0].get("seq"), answers[1].get("error")) == (4, "audit-full")
        assert AuditReader(process.folder).page(limit=1).entries[0].event == events[-1]
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        client.append_all(late)
        client.ping()
        client.close()
        count = kept(process)
        assert all(count[each.event_id] == 1 for each in events + late)
        code, _ = process.stop()
        assert code == 0
        assert verify(process.folder, process.public_key).ok


def _load_event(number: int) -> AuditEvent:
    return event(number, literals=Literals(values=(f"'{number}'", "minji")) if number % 2 else None)


class Load:
    """Threads that record without pause and remember what was acknowledged."""

    def __init__(self, path: Path, threads: int) -> None:
        self.acknowledged: list[tuple[AuditEvent, int]] = []
        self.sent: set[str] = set()
        self._client = AuditClient(path, patience=30)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            part = [_load_event(number) for number in range(random.randrange(1, 30))]
            self.sent.update(each.event_id for each in part)
            numbers = self._client.append_all(part)
            self.acknowledged.extend(zip(part, numbers, strict=True))

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
        self._client.close()


def kill_rounds(folder: Path, rounds: int) -> None:
    process = WriterProcess(
        folder, "--segment-bytes", "150000", "--checkpoint-events", "300", "--side-bytes", "40000"
    )
    process.wait_ready()
    load = Load(process.socket, threads=4)
    try:
        for _ in range(rounds):
            time.sleep(random.uniform(0.02, 0.25))
            process.stop(signal.SIGKILL)
            process.start()
            process.wait_ready()
        load.end()
    finally:
        load.end()
        code, errors = process.stop()
    assert code == 0, errors
    entries = {each.seq: each.event for each in AuditReader(process.folder).everything()}
    count = Counter(each.event_id for each in entries.values())
    assert set(count.values()) == {1}, "nothing is recorded twice"
    assert all(encode(entries[seq]) == encode(e) for e, seq in load.acknowledged), (
        "nothing acknowledged is lost"
    )
    assert len(load.acknowledged) > rounds
    found = verify(process.folder, process.public_key)
    assert found.ok and found.kept > rounds, found.problems


@pytest.mark.campaign(5, 300)
def test_killed_under_load_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path, rounds: int) -> None:
    kill_rounds(tmp_path, rounds)


def test_another_user_is_not_served(running: WriterProcess) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root to become another user")
    running.socket.chmod(0o666)
    for part in running.socket.parents:
        if part.is_relative_to(tempfile.gettempdir()) and not part.stat().st_mode & 0o001:
            part.chmod(0o711)
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            AuditClient(running.socket, patience=0.2).ping()
        except AuditUnavailable:
            os._exit(0)
        except BaseException:
            os._exit(2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Held(Log):
    """A log whose disk stands still until it is let go."""

    go = threading.Event()

    def append(self, *given: Any, **named: Any) -> list[int]:
        self.go.wait(20)
        return super().append(*given, **named)


async def test_while_the_disk_stands_still_bytes_gather_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events may be a thousand times larger than usual: their number alone is no bound."""
    monkeypatch.setattr(module, "MOST_BYTES", 2 << 20)
    large = [event(number, detail={"text": "x" * 200_000}) for number in range(60)]  # 12 MB
    sent = []
    with contextlib.closing(Held(tmp_path / "log", SIGNER, NOW)) as log:
        serving = asyncio.create_task(module.serve(log, tmp_path / "socket"))
        while not (tmp_path / "socket").exists():
            await asyncio.sleep(0.01)
        answers, out = await asyncio.open_unix_connection(str(tmp_path / "socket"))
        out.transport.set_write_buffer_limits(0)
        out.write(b"".join(protocol.event_request(n, encode(event(n))) for n in range(20)))  # for its thread
        with contextlib.suppress(TimeoutError):
            for number, each in enumerate(large):
                out.write(protocol.event_request(number, encode(each)))
                await asyncio.wait_for(out.drain(), 2.0)
                sent.append(each)
        assert 10 <= len(sent) < 25
        log.go.set()
        for each in large[len(sent) + 1 :]:
            out.write(protocol.event_request(7, encode(each)))
        lines = [json.loads(await asyncio.wait_for(answers.readline(), 20)) for _ in range(20 + len(large))]
        assert sorted(line["seq"] for line in lines) == list(range(20 + len(large)))
        out.close()
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
