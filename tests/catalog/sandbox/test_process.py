"""Starting, limiting and ending sandboxes, with the real walls."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from catalog.sandbox import cgroups, process
from catalog.sandbox.errors import SandboxError
from catalog.sandbox.isolation import Isolation, Mode, choose, probe
from catalog.sandbox.model import Limits, Mount, Sandbox
from tests.catalog.sandbox.walls import PERSON, PYTHON, Walls, alive, available, descendants, finish

REPO = Path(__file__).resolve().parents[3]
FAMILY = """
import subprocess, sys, time
for _ in range(3):
    subprocess.Popen([sys.executable, '-c', 'import os, time; os.setsid(); time.sleep(600)'])
print('ready', flush=True)
time.sleep(600)
"""


def sandbox(code: str, **rest: object) -> Sandbox:
    return Sandbox(
        name=f"test-{os.getpid()}-{time.monotonic_ns()}",
        argv=(PYTHON, "-I", "-c", code),
        uid=PERSON,
        **rest,  # type: ignore[arg-type]
    )


def started(code: str, isolation: Isolation, **rest: object) -> process.Running:
    """A sandbox that has printed its first line."""
    reader, writer = os.pipe()
    running = process.start(sandbox(code, **rest), isolation, output=writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.readline().strip() == b"ready"
    return running


def test_stop_lets_the_command_end_by_itself(walls: Walls, folder: Path) -> None:
    code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (open('/home/minji/bye', 'w').close(), sys.exit(3)))
print('ready', flush=True)
time.sleep(600)
"""

    def task() -> int:
        (folder / "own").mkdir()
        (folder / "own").chmod(0o777)
        mount = Mount(source=folder / "own", target="/home/minji", writable=True)
        return started(code, walls.isolation(), mounts=(mount,)).stop(10)

    assert walls.call(task) == 3
    assert (folder / "own" / "bye").exists()


def test_stop_ends_what_ignores_it_and_everything_it_started(walls: Walls) -> None:
    def task() -> tuple[int, list[int], float]:
        code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAMILY
        running = started(code, walls.isolation())
        everyone = [running.pid, *descendants(running.pid)]
        assert len(everyone) >= 6
        began = time.monotonic()
        code_ = running.stop(0.3)
        return code_, everyone, time.monotonic() - began

    code, everyone, seconds = walls.call(task)
    assert code != 0
    assert [pid for pid in everyone if alive(pid)] == []
    assert seconds < 20, "and not when what it started would have ended"


def test_what_the_command_leaves_behind_ends_with_it(walls: Walls) -> None:
    def task() -> list[int]:
        code = FAMILY.replace("time.sleep(600)\n", "sys.stdin.readline()\n") + "time.sleep(0.5)"
        running = started(code, walls.isolation())
        everyone = [running.pid, *descendants(running.pid)]
        assert running.wait(20) == 0
        return everyone

    assert [pid for pid in walls.call(task) if alive(pid)] == []


def test_sandboxes_die_with_the_process_that_started_them(walls: Walls) -> None:
    def task() -> list[int]:
        isolation = walls.isolation()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            running = started(FAMILY, isolation)
            os.write(writer, " ".join(map(str, [running.pid, *descendants(running.pid)])).encode())
            time.sleep(600)
        os.close(writer)
        pids = [int(word) for word in os.read(reader, 4096).split()]
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        deadline = time.monotonic() + 30
        while any(map(alive, pids)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return pids

    pids = walls.call(task)
    assert len(pids) >= 6
    assert [pid for pid in pids if alive(pid)] == []


def test_memory_limit_ends_the_greedy_process_and_nobody_else(walls: Walls) -> None:
    code = """
import subprocess, sys
command = [sys.executable, '-c', 'b = bytearray(600 << 20); print(len(b))']
greedy = subprocess.run(command, capture_output=True)
print(greedy.returncode != 0, greedy.stdout)
small = bytearray(20 << 20)
print('still here')
"""
    ran = walls.python(code, limits=Limits(memory=256 << 20))
    assert ran.code == 0
    assert ran.text.splitlines() == ["True b''", "still here"]


def test_process_limit_holds_a_fork_bomb(walls: Walls) -> None:
    code = """
import os, time
made = 0
try:
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(600)
        made += 1
except OSError as error:
    print('held', made, error.errno)
"""

    def task() -> tuple[int | None, str, bool]:
        isolation = walls.isolation()
        group = cgroups.create(f"test-{os.getpid()}-try", Limits(processes=10))
        group.remove()
        ran = finish(sandbox(code, limits=Limits(processes=40)), isolation, 20)
        return ran.code, ran.text, group.holds_processes or walls.mode is Mode.USERNS

    code_, text, held = walls.call(task)
    if not held:
        pytest.skip("no control group here, and the process limit is shared by a numeric user")
    assert code_ == 0
    word, made, _ = text.split()
    assert word == "held"
    assert 20 <= int(made) <= 40


def test_control_groups_are_given_back(walls: Walls) -> None:
    def task() -> list[str]:
        running = process.start(sandbox("pass", limits=Limits(memory=1 << 28)), walls.isolation())
        folders = running.group.folders
        assert running.wait(20) == 0
        return [str(folder) for folder in folders if folder.exists()]

    assert walls.call(task) == []


@pytest.mark.parametrize("slow", ["", "_first_process", "_limit"])
def test_a_wall_that_cannot_be_built_starts_nothing(
    walls: Walls, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    """Nor leaves anything, whether that is seen early or when nothing of it is there any more."""
    step: Any = getattr(process, slow, None)

    def late(*given: Any) -> Any:
        said = step(*given) if slow == "_first_process" else None
        first = Path(f"/proc/{said or given[0]}")
        deadline = time.monotonic() + 2  # where it waits at the gate it is still there
        while first.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return said or step(*given)

    def task() -> tuple[str, int]:
        isolation, before = walls.isolation(), len(descendants(os.getpid()))
        broken = sandbox("print('ran')", mounts=(Mount(source=Path("/no/such/folder"), target="/data"),))
        if step is not None:
            monkeypatch.setattr(process, slow, late)
        try:
            finish(broken, isolation, 10)
        except SandboxError as error:
            return error.reason, len(descendants(os.getpid())) - before
        return "started", 0

    assert walls.call(task) == ("sandbox-not-started", 0)


def test_what_cannot_be_watched_does_not_run(
    walls: Walls, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Descriptors ran out just then: it must not go on without its limits, with nobody to end it."""

    def none_left(pid: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def task() -> tuple[str, int, bool]:
        own = folder / "own"
        own.mkdir()
        own.chmod(0o777)
        mount = Mount(source=own, target="/home/minji", writable=True)
        isolation, before = walls.isolation(), set(descendants(os.getpid()))
        monkeypatch.setattr(os, "pidfd_open", none_left)
        with pytest.raises(SandboxError) as refused:
            process.start(sandbox("open('/home/minji/ran', 'w')", mounts=(mount,)), isolation)
        left = set(descendants(os.getpid())) - before
        deadline = time.monotonic() + 30
        while any(map(alive, left)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return refused.value.reason, len(left), (own / "ran").exists()

    assert walls.call(task) == ("sandbox-not-started", 0, False)


def test_mode_root_needs_a_number_other_than_root() -> None:
    isolation = Isolation(mode=Mode.ROOT, reason="test")
    for uid in (None, 0, -1):
        with pytest.raises(SandboxError, match="사용자 번호"):
            process.start(Sandbox(name="x", argv=("/usr/bin/true",), uid=uid), isolation)


def test_output_goes_to_the_log_but_through_no_link(tmp_path: Path) -> None:
    none = Isolation(mode=Mode.NONE, reason="test")
    log = tmp_path / "x.log"
    speaking = Sandbox(name="x", argv=("/usr/bin/echo", "hello"), log=log)
    assert process.start(speaking, none).wait(30) == 0
    assert log.read_text() == "hello\n"
    assert log.stat().st_mode & 0o777 == 0o600
    (tmp_path / "y.log").symlink_to(log)
    with pytest.raises(SandboxError, match="시작하지 못했습니다"):
        process.start(Sandbox(name="y", argv=("/usr/bin/true",), log=tmp_path / "y.log"), none)


def test_mode_none_runs_outside_with_outside_paths(tmp_path: Path) -> None:
    home = tmp_path / "home" / "minji" / "home"
    home.mkdir(parents=True)
    mounts = (
        Mount(source=home, target="/home/minji", writable=True),
        Mount(source=tmp_path, target=str(tmp_path)),
        Mount(source=tmp_path / "run", target="/run/campus"),
    )
    env = {"A": "/home/minji/outbox:/home/minji", "B": "grpc+unix:///run/campus/b.sock", "C": f"{home}/x"}
    code = "import os; print(*(os.environ[k] for k in 'ABC'), os.getcwd())"
    ran = finish(
        sandbox(code, mounts=mounts, env=env, workdir="/home/minji"),
        Isolation(mode=Mode.NONE, reason="test"),
        20,
    )
    assert ran.text.split() == [
        f"{home}/outbox:{home}",
        f"grpc+unix://{tmp_path}/run/b.sock",
        f"{home}/x",
        str(home),
    ]


def test_mode_none_ends_the_process_group() -> None:
    running = started(FAMILY.replace("os.setsid(); ", ""), Isolation(mode=Mode.NONE, reason="test"))
    everyone = [running.pid, *descendants(running.pid)]
    assert running.stop(5) != 0
    deadline = time.monotonic() + 30
    while any(map(alive, everyone)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in everyone if alive(pid)] == []


def test_auto_never_means_no_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.sandbox.isolation.BWRAP", "/no/bwrap")
    assert probe().mode is Mode.NONE
    for wanted in ("auto", "root", "userns"):
        with pytest.raises(SandboxError) as refused:
            choose(wanted)
        assert refused.value.reason == "no-walls"
    assert choose("none").mode is Mode.NONE


def test_the_ordinary_user_gets_user_namespaces() -> None:
    ordinary = available("userns")
    assert ordinary.call(lambda: choose("auto").mode) is Mode.USERNS
    with pytest.raises(AssertionError, match="쓸 수 없습니다"):
        ordinary.call(lambda: choose("root"))


def test_importing_the_launchers_half_stays_small() -> None:
    code = """
    import catalog.sandbox.process, sys
    print(int(open('/proc/self/statm').read().split()[1]) * 4096, 'asyncio' in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=REPO, capture_output=True, text=True, check=True
    )
    size, heavy = done.stdout.split()
    assert int(size) < 25 << 20
    assert heavy == "False"
