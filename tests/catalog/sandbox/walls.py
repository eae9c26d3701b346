"""Runs sandboxes for the tests, as root and as an ordinary user; the real bubblewrap in both."""

from __future__ import annotations

import os
import pickle
import pwd
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from catalog.sandbox import process
from catalog.sandbox.bubblewrap import BWRAP
from catalog.sandbox.isolation import Isolation, Mode, probe
from catalog.sandbox.model import Limits, Mount, Sandbox

T = TypeVar("T")

PYTHON = "/usr/bin/python3"  # the machine's own: readable to every user, visible in every sandbox
PERSON = 201_007
ORDINARY = "tester"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended and what it printed."""

    code: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls:
    """A way to build sandboxes here: in this process, or as the ordinary user."""

    mode: Mode
    uid: int

    def call(self, task: Callable[[], T]) -> T:
        """Run `task` under the user that builds the sandboxes."""
        return task() if os.geteuid() == self.uid else as_user(self.uid, task)

    def folder(self) -> Path:
        """A fresh folder of that user's, to be given back with `shutil.rmtree`."""
        path = Path(tempfile.mkdtemp(prefix="campus-test-"))
        path.chmod(0o755)
        os.chown(path, self.uid, self.uid)
        return path

    def inside_uid(self) -> int:
        """Numeric user the command runs as."""
        return PERSON if self.mode is Mode.ROOT else self.uid

    def python(
        self,
        code: str,
        *mounts: Mount,
        env: dict[str, str] | None = None,
        limits: Limits | None = None,
        seconds: float = 60,
        **rest: object,
    ) -> Ran:
        """Run a Python program in a sandbox."""
        return self.run((PYTHON, "-I", "-c", code), *mounts, env=env, limits=limits, seconds=seconds, **rest)

    def run(
        self,
        argv: tuple[str, ...],
        *mounts: Mount,
        env: dict[str, str] | None = None,
        limits: Limits | None = None,
        seconds: float = 60,
        **rest: object,
    ) -> Ran:
        """Run a command in a sandbox until it ends."""
        sandbox = Sandbox(
            name=f"test-{os.getpid()}-{time.monotonic_ns()}",
            argv=argv,
            mounts=mounts,
            env={"PATH": "/usr/bin:/bin"} if env is None else env,
            uid=PERSON,
            limits=limits or Limits(),
            **rest,  # type: ignore[arg-type]
        )
        return self.call(lambda: finish(sandbox, self.isolation(), seconds))

    def isolation(self) -> Isolation:
        """The isolation as probed by that user; called inside `call`."""
        found = probe()
        assert found.mode is self.mode, found.reason
        return found


def finish(sandbox: Sandbox, isolation: Isolation, seconds: float) -> Ran:
    """Start, wait, read: output goes through a file, so nothing waits for a reader."""
    with tempfile.TemporaryFile() as output:
        running = process.start(sandbox, isolation, output=output.fileno())
        code = running.wait(seconds)
        if code is None:
            running.kill()
            running.wait(10)
        output.seek(0)
        return Ran(code=code, text=output.read().decode("utf-8", "replace"))


def as_user(uid: int, task: Callable[[], T]) -> T:
    """Run `task` in a forked process under another user; its result or exception comes back."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.chdir("/")
            try:
                answer: tuple[bool, object] = (True, task())
            except BaseException as error:
                answer = (False, f"{type(error).__name__}: {error}")
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(answer, pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    good, value = pickle.loads(data)
    if not good:
        raise AssertionError(value)
    return value  # type: ignore[no-any-return]


def available(name: str) -> Walls:
    """Walls by parameter name; skips with the reason where this machine cannot build them."""
    if not Path(BWRAP).exists():
        pytest.skip("bubblewrap is not installed")
    if not Path(PYTHON).exists():
        pytest.skip(f"{PYTHON} is not installed")
    if name == "root":
        if os.geteuid() != 0:
            pytest.skip("mode root needs root")
        return Walls(mode=Mode.ROOT, uid=0)
    if os.geteuid() != 0:
        return Walls(mode=Mode.USERNS, uid=os.geteuid())
    try:
        uid = pwd.getpwnam(ORDINARY).pw_uid
    except KeyError:
        pytest.skip(f"no ordinary user '{ORDINARY}' to try user namespaces with")
    if as_user(uid, lambda: probe().mode) is not Mode.USERNS:
        pytest.skip("user namespaces are switched off here")
    return Walls(mode=Mode.USERNS, uid=uid)


@contextmanager
def scratch(walls: Walls) -> Iterator[Path]:
    """A folder that user owns, removed afterwards."""
    path = walls.folder()
    try:
        yield path
    finally:
        shutil.rmtree(path)


def alive(pid: int) -> bool:
    """Whether a process exists and is not just waiting to be collected."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def descendants(pid: int) -> list[int]:
    """Every process below one, as seen from outside."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found += [int(entry.name), *descendants(int(entry.name))]
    return found
