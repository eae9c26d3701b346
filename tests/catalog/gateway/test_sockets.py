"""The broker's sockets: who may open sessions, who may connect, what nonsense gets."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.gateway import watch, workers
from catalog.gateway.control import receive, send
from catalog.gateway.guard import SessionId, SessionIdentity
from catalog.gateway.messages import encode
from tests.catalog.gateway.simulator import Installation, info, reader, run, until
from tests.catalog.gateway.test_broker import SLOW, reason


def ask(path: Path, *requests: object) -> list[dict[str, Any]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        stream = connection.makefile("rwb")
        answers = []
        for request in requests:
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            answers.append(json.loads(stream.readline()))
        return answers


def test_the_admin_socket_opens_and_closes_sessions(gateway: Installation) -> None:
    path = gateway.run / "gateway.sock"
    session_id = secrets.token_hex(10)
    wanted = {"op": "open", "session_id": session_id, "person": "minji", "project": "open-data"}
    answers = ask(path, {"op": "ping"}, wanted, wanted, {"op": "stats"})
    assert [a["ok"] for a in answers] == [True] * 4
    assert answers[3]["sessions"] == 1
    address = gateway.run / "gateway" / session_id / "broker.sock"
    assert run(flight.connect(f"grpc+unix://{address}"), "SELECT 1 AS a").num_rows == 1
    assert ask(path, {"op": "close", "session_id": session_id}) == [{"ok": True}]
    assert not address.exists()
    bad = ask(path, {"op": "open", "session_id": "../x", "person": "a", "project": "b"}, {"op": "x"}, [], 1)
    assert [a["error"] for a in bad] == ["malformed-request"] * 4
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_newest_session_of_a_persons_project_takes_the_others_place(gateway: Installation) -> None:
    """Wherever the older one ran: its worker goes, and its socket."""
    path = gateway.run / "gateway.sock"
    one, two, other = (secrets.token_hex(10) for _ in range(3))
    for session_id, project in ((one, "open-data"), (other, "shops"), (two, "open-data")):
        wanted = {"op": "open", "session_id": session_id, "person": "minji", "project": project}
        assert ask(path, {**wanted, "elsewhere": True}) == [{"ok": True, "open": []}]
    assert gateway.guard.mounted == [], "nothing is mounted elsewhere"
    open_now = {s.name for s in (gateway.run / "gateway").iterdir() if (s / "broker.sock").exists()}
    assert open_now == {two, other}


def test_only_the_worker_may_write_sockets_and_others_only_connect(gateway: Installation) -> None:
    identity = SessionIdentity(session_id=SessionId(secrets.token_hex(10)), person="minji", project="p")
    gateway.broker.open(identity)
    folder = gateway.run / "gateway" / identity.session_id
    assert (folder / "broker.sock").stat().st_mode & 0o777 == 0o666
    assert folder.stat().st_mode & 0o022 == 0
    run(flight.connect(f"grpc+unix://{folder}/broker.sock"), "SELECT 1")
    assert (folder / "data" / "worker-1.sock").stat().st_mode & 0o777 == 0o777


def test_the_socket_of_a_worker_that_has_gone_does_not_stay(gateway: Installation, client: Any) -> None:
    run(client, "SELECT 1")
    (folder,) = (gateway.run / "gateway").glob("[0-9a-f]*/data")
    gateway.starter.kill("query_worker")
    until(lambda: not list(folder.glob("worker-1.sock")))
    run(client, "SELECT 1")
    assert [file.name for file in folder.glob("worker-*.sock")] == ["worker-2.sock"]
    (folder / "worker-7.sock").touch()  # of a broker that was killed
    gateway.restart()
    assert not (folder / "worker-7.sock").exists()


def test_a_worker_leaves_when_its_broker_does(gateway: Installation, client: Any) -> None:
    run(client, "SELECT 1")
    (pid,) = gateway.starter.pids("query_worker")
    for session, *_ in gateway.broker._open.values():
        (worker,) = session._workers._every()
        worker._control.shutdown(socket.SHUT_RDWR)
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_worker_that_hangs_is_ended_with_what_runs_in_it(
    gateway: Installation, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by the machine, say: it neither reports an end nor dies."""
    monkeypatch.setattr(watch, "EVERY", 0.1)
    monkeypatch.setattr(watch, "PULSE", 5)
    running, waiting = info(client, SLOW), info(client, SLOW)
    said: list[Exception] = []

    def read() -> None:
        try:
            reader(running).read_all()
        except flight.FlightError as error:
            said.append(error)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    (pid,) = gateway.starter.pids("query_worker")
    [(session, *_)] = gateway.broker._open.values()
    [worker] = session._workers._every()
    assert worker.answers(20), "while it runs one and keeps one"
    monkeypatch.setattr(workers, "SILENT", 0.5)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: sorted(gateway.guard.kinds()) == ["admitted"] * 2 + ["failed"] * 2)
    monkeypatch.setattr(workers, "SILENT", 30.0)  # the next one may be slow
    assert {event.reason for event in gateway.guard.events} == {"", "worker-died"}
    assert run(client, "SELECT 7 AS n").to_pylist() == [{"n": 7}]
    reading.join(30)
    assert len(said) == 1
    del waiting


@pytest.mark.parametrize(
    "command", [b"", b"x", b"\x0a\x03abc", encode("CommandGetCatalogs")[:-3], b"campus.partition:["]
)
def test_nonsense_is_refused_politely(gateway: Installation, client: Any, command: bytes) -> None:
    with pytest.raises(flight.FlightUnauthorizedError) as refused:
        client.get_flight_info(flight.FlightDescriptor.for_command(command))
    assert reason(refused) == "malformed-request"


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Not one more may be opened by this process, the gateway's own: others may have taken them all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 20, hard))
        with contextlib.suppress(OSError):
            while True:
                stack.callback(os.close, os.dup(0))
        yield


def test_who_connects_while_descriptors_are_short_is_served_later(gateway: Installation) -> None:
    folder = Path(gateway.open().removeprefix("grpc+unix://")).parent
    statement = {"op": "query", "text": "SELECT 1", "parameters": None, "save_as": None}
    with contextlib.ExitStack() as stack:
        held, *others = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(5))
        for connection in (held, *others):
            connection.settimeout(20)
        held.connect(str(folder / "local.sock"))
        send(held, statement)
        assert "facts" in receive(held)  # so parser and worker are there
        until(lambda: "cancelled" in gateway.guard.kinds())  # nobody took the rows
        with no_descriptors():
            send(held, statement)
            said = receive(held)["error"]
            for connection in others[:2]:  # the first has the one that was set aside for it
                connection.connect(str(folder / "local.sock"))
            for connection in others[2:]:
                connection.connect(str(gateway.run / "gateway.sock"))
            time.sleep(0.3)
        assert (said["kind"], said["reason"]) == ("failed", "internal")
        for connection in (held, *others[:2]):
            send(connection, statement)
            assert "facts" in receive(connection)
        for connection in others[2:]:
            connection.sendall(b'{"op": "ping"}\n')
            assert json.loads(connection.recv(1000)) == {"ok": True}
