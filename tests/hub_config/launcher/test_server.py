"""The launcher as a process: who it answers, what it starts, how everything ends with it."""

from __future__ import annotations

import json
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.sandbox.errors import LauncherError
from catalog.sandbox.isolation import Mode
from catalog.sandbox.launcher import GONE, Launcher
from hub_config.launcher import views
from tests.catalog.sandbox.walls import ORDINARY, PYTHON, alive, as_user, available, descendants
from tests.hub_config.launcher.places import PERSON_UID, REPO, SESSION, isolation, serving, settings_in

PREFIX = "/user/minji/open-data/"


@pytest.fixture
def state() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="campus-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def launcher(state: Path) -> Iterator[Launcher]:
    isolation()
    with serving(state) as client:
        yield client


def server_pid(client: Launcher) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(client.path))
        return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")


def get(path: Path, url: str, seconds: float = 60) -> bytes:
    """One HTTP answer over a local socket."""
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(max(1.0, deadline - time.monotonic()))
        connection.connect(str(path))
        identity = json.dumps({"name": "minji", "display": "민지"})
        connection.sendall(
            f"GET {url} HTTP/1.0\r\nHost: x\r\nX-Campus-User: {identity}\r\n\r\n".encode("utf-8", "replace")
        )
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def until(condition: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_session_from_start_to_stop(launcher: Launcher, state: Path) -> None:
    launcher.prepare_home("minji", "open-data", PERSON_UID)
    started = launcher.start_session(SESSION, "minji", "open-data", PERSON_UID, PREFIX)
    assert launcher.status(started.sandbox_id) is None
    assert launcher.list() == (started,)
    folder = settings_in(state).run / "sessions" / SESSION
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "http.sock").stat().st_mode & 0o077 == 0
    answer = get(folder / "http.sock", f"{PREFIX}api/status")
    assert answer.startswith(b"HTTP/1.1 200")
    everyone = [started.pid, *descendants(started.pid)]
    with pytest.raises(LauncherError) as refused:
        launcher.start_session(SESSION, "minji", "open-data", PERSON_UID, PREFIX)
    assert refused.value.reason == "already-running"
    launcher.stop(started.sandbox_id)
    assert [pid for pid in everyone if alive(pid)] == []
    assert isinstance(launcher.status(started.sandbox_id), int)
    assert not folder.exists()
    assert launcher.list() == ()
    assert launcher.status(f"session-{'f' * 20}") == GONE


def test_a_worker_and_a_parser_talk_over_their_control_sockets(launcher: Launcher, state: Path) -> None:
    card = state / "warehouse" / "card"
    card.mkdir()
    (card / "a.parquet").write_bytes(b"x")
    (card / "a.parquet").chmod(0o600)
    worker, control = launcher.start_worker(SESSION, 1, [("card/a.parquet", "/data/card/a.parquet")], 1 << 30)
    parser, other = launcher.start_parser(SESSION)
    with control, other:
        assert {worker.sandbox_id, parser.sandbox_id} == {f"worker-{SESSION}-1", f"parser-{SESSION}"}
        assert control.family == socket.AF_UNIX
        until(lambda: launcher.status(worker.sandbox_id) is None)
        assert len(list((state / "warehouse" / views.FOLDER).iterdir())) == 1
        other.settimeout(60)
        assert other.recv(4) != b""  # it says that it is ready
    until(lambda: launcher.status(parser.sandbox_id) is not None)  # its socket closed, it leaves
    launcher.stop(worker.sandbox_id, 0.2)
    assert list((state / "warehouse" / views.FOLDER).iterdir()) == []
    if isolation().mode is Mode.ROOT:
        assert (card / "a.parquet").stat().st_mode & 0o044 == 0o044  # readable to the engine's user


def test_a_parser_is_replaced_and_helpers_end_with_their_session(launcher: Launcher) -> None:
    launcher.prepare_home("minji", "open-data", PERSON_UID)
    first, one = launcher.start_parser(SESSION)
    second, two = launcher.start_parser(SESSION)
    with one, two:
        assert first.sandbox_id == second.sandbox_id
        assert first.pid != second.pid
        assert not alive(first.pid)
        session = launcher.start_session(SESSION, "minji", "open-data", PERSON_UID, PREFIX)
        launcher.stop(session.sandbox_id, 0)
        until(lambda: launcher.list() == ())
    assert not alive(second.pid)


def test_outbox_files_arrive_as_descriptors(launcher: Launcher, state: Path) -> None:
    launcher.prepare_home("minji", "open-data", PERSON_UID)
    outbox = state / "homes" / "minji" / "open-data" / "outbox"
    for number in range(60):
        path = outbox / f"{number:02}.txt"
        path.write_text(f"content {number}")
        os.chown(path, outbox.stat().st_uid, outbox.stat().st_gid)
    names = [file.name for file in launcher.list_outbox("minji", "open-data")]
    assert len(names) == 60
    fds = launcher.open_outbox("minji", "open-data", names)
    for number, fd in enumerate(fds):
        with os.fdopen(fd) as file:
            assert file.read() == f"content {number}"
    with pytest.raises(LauncherError) as refused:
        launcher.open_outbox("minji", "open-data", ["../lessons"])
    assert refused.value.reason == "file-refused"
    with pytest.raises(LauncherError) as refused:
        launcher.list_outbox("minji", "other-project")
    assert refused.value.reason == "home-missing"


def test_another_user_is_refused_even_with_the_socket_open_to_all(launcher: Launcher, state: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    try:
        uid = pwd.getpwnam(ORDINARY).pw_uid
    except KeyError:
        pytest.skip(f"no ordinary user '{ORDINARY}'")
    for folder in (state, launcher.path.parent):
        folder.chmod(0o755)
    launcher.path.chmod(0o666)

    def ask() -> str:
        try:
            return str(launcher.ping())
        except LauncherError as error:
            return error.reason

    assert as_user(uid, ask) == "launcher-unreachable"
    assert as_user(200_000, ask) == str(launcher.ping())  # the services' own number
    assert as_user(PERSON_UID, ask) == "launcher-unreachable"


def test_the_socket_belongs_to_the_services(launcher: Launcher) -> None:
    status = launcher.path.stat()
    assert status.st_mode & 0o077 == 0
    assert status.st_uid == (200_000 if os.geteuid() == 0 else os.geteuid())


@pytest.mark.parametrize(
    "sent", [b"\n", b"{}\n", b"not json\n", b"[" * 100_000 + b"\n", b'{"call": "\xff"}\n', b"1\n", b'""\n']
)
def test_nonsense_is_refused_and_the_launcher_goes_on(launcher: Launcher, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(launcher.path))
        connection.sendall(sent)
        answer = json.loads(connection.makefile("rb").readline())
    assert answer["error"]["reason"] in {"parameter-malformed", "call-unknown"}
    assert launcher.ping()["mode"] in {"root", "userns"}


def test_silent_and_vanishing_clients_do_not_hold_it_up(launcher: Launcher) -> None:
    silent = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    for client in silent:
        client.connect(str(launcher.path))
        client.sendall(b'{"call": "pi')
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as gone:
            gone.connect(str(launcher.path))
            gone.sendall(b'{"call": "ping"}\n')
    began = time.monotonic()
    launcher.ping()
    assert time.monotonic() - began < 5
    for client in silent:
        client.close()


def test_a_shortage_of_descriptors_delays_a_client_and_ends_nothing(launcher: Launcher) -> None:
    assert launcher.ping()
    pid = server_pid(launcher)
    kept = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as waiting:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, kept[1]))  # no further one
        waiting.connect(str(launcher.path))
        waiting.sendall(b'{"call": "ping"}\n')
        waiting.settimeout(0.5)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, kept)
        waiting.settimeout(20)
        assert b"mode" in waiting.recv(65536)


def test_stopping_one_that_resists_does_not_hold_up_others(launcher: Launcher) -> None:
    launcher.prepare_home("minji", "open-data", PERSON_UID)
    started = launcher.start_session(SESSION, "minji", "open-data", PERSON_UID, PREFIX)
    for pid in descendants(started.pid):
        os.kill(pid, signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(launcher.path))
        asking.sendall(
            json.dumps({"call": "stop", "sandbox_id": started.sandbox_id, "grace": 4}).encode() + b"\n"
        )
        assert launcher.ping()
        asking.setblocking(False)
        with pytest.raises(BlockingIOError):
            asking.recv(1, socket.MSG_PEEK)
        asking.settimeout(30)
        assert json.loads(asking.makefile("rb").readline()) == {}
    assert not alive(started.pid)


def test_everything_ends_with_the_launcher(state: Path) -> None:
    isolation()
    for number in (signal.SIGTERM, signal.SIGKILL):
        everyone = []
        try:
            with serving(state) as launcher:
                launcher.prepare_home("minji", "open-data", PERSON_UID)
                started = launcher.start_session(SESSION, "minji", "open-data", PERSON_UID, PREFIX)
                everyone = [started.pid, *descendants(started.pid)]
                assert len(everyone) >= 2
                pid = server_pid(launcher)
                os.kill(pid, number)
                until(lambda pid=pid: not alive(pid))
        except AssertionError as error:
            assert "ready" in str(error)  # the fixture notices that it is gone
        until(lambda everyone=everyone: not any(map(alive, everyone)))


def test_an_ordinary_user_has_the_same_launcher(state: Path) -> None:
    walls = available("userns")
    if not walls.call(lambda: os.access(REPO / "hub_config" / "settings.py", os.R_OK)):
        pytest.skip("this checkout is closed to other users")
    env = (
        state / "env"
    )  # an environment of the machine's own Python: the server's program starts and misses its parts
    (env / "bin").mkdir(parents=True)
    (env / "bin" / "python").symlink_to(PYTHON)
    (env / "pyvenv.cfg").write_text("home = /usr/bin\n")
    user = walls.uid if os.geteuid() == 0 else None
    with serving(state, python=PYTHON, user=user, CAMPUS_SESSION_ENV=str(env)) as launcher:
        log = state / "logs" / f"session-{SESSION}.log"

        def use() -> tuple[str, int, list[str], str, object]:
            launcher.prepare_home("minji", "open-data", PERSON_UID)
            home = state / "homes" / "minji" / "open-data"
            (home / "outbox" / "a").write_text("mine")
            (home / "outbox" / "link").symlink_to("/etc/passwd")
            (fd,) = launcher.open_outbox("minji", "open-data", ["a"])
            with os.fdopen(fd) as file:
                text = file.read()
            started = launcher.start_session(SESSION, "minji", "open-data", PERSON_UID, PREFIX)
            until(lambda: launcher.status(started.sandbox_id) is not None)
            names = [file.name for file in launcher.list_outbox("minji", "open-data")]
            mode = launcher.ping()["mode"]
            return mode, home.stat().st_uid, names, text, launcher.status(started.sandbox_id)

        assert walls.call(use) == ("userns", walls.uid, ["a"], "mine", 1)
        assert "No module named 'jupyter_core'" in log.read_text()
        if user is not None:
            with pytest.raises(LauncherError):
                launcher.ping()  # root is not its user


def test_it_is_small(launcher: Launcher) -> None:
    pid = server_pid(launcher)
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    assert resident < 25 << 20


def test_its_client_says_what_to_do_when_it_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match="campus up"):
        Launcher(tmp_path / "launcher.sock").ping()


def test_a_socket_folder_that_somebody_made_first_is_refused(state: Path) -> None:
    isolation()
    run = settings_in(state).run
    shutil.rmtree(run)
    (state / "elsewhere").mkdir()
    run.symlink_to(state / "elsewhere")
    command = [sys.executable, "-m", "hub_config.launcher", "--state", str(state)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "belongs to somebody else" in done.stderr
    assert list((state / "elsewhere").iterdir()) == []
