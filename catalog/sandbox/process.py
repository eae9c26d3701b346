"""Starts a sandbox and ends it: descriptors, limits, signals; knows nothing of what runs inside.

Start from a thread that lives as long as the sandbox: it dies with the thread that started it
(PR_SET_PDEATHSIG is bound to the thread, prctl(2)).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import resource
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog.sandbox import cgroups
from catalog.sandbox.bubblewrap import BLOCK_FD, ENV, INFO_FD, SETPRIV, command
from catalog.sandbox.errors import SandboxError
from catalog.sandbox.model import Isolation, Mode, Sandbox

_START_SECONDS = 20.0
_STEP = 0.002
_FIRST_FREE_FD = 200  # copies of the caller's descriptors sit above every number used inside


@dataclass(slots=True, kw_only=True)
class Running:
    """A started sandbox.

    Attributes
    ----------
    pid
        The process started: bubblewrap's outer one, or the command itself in mode none.
    init
        Descriptor of the first process inside; its end is the end of everything inside.
    """

    name: str
    pid: int
    init: int
    init_pid: int
    walled: bool
    group: cgroups.Group
    code: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while running. May be asked from several threads."""
        with self._lock:
            if self.code is None:
                done, status = os.waitpid(self.pid, os.WNOHANG)
                if done:
                    self._ended(os.waitstatus_to_exitcode(status))
            return self.code

    def wait(self, seconds: float) -> int | None:
        """Like `poll`, waiting up to `seconds`."""
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(_STEP)
        return self.code

    def terminate(self) -> None:
        """Ask the command to end (SIGTERM to it alone); does not wait."""
        if self.poll() is not None:
            return
        if not self.walled:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            return
        for child in _children(self.init_pid):
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGTERM)

    def kill(self) -> None:
        """End everything inside at once; does not wait."""
        if self.poll() is not None:
            return
        if self.walled:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.init, signal.SIGKILL)
        else:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)

    def stop(self, grace: float = 5.0) -> int:
        """Ask, wait up to `grace` seconds, then end everything; returns the exit code."""
        self.terminate()
        if self.wait(grace) is None:
            self.kill()
        code = self.wait(_START_SECONDS)
        if code is None:
            raise SandboxError(
                "sandbox-immortal",
                ko=f"샌드박스 {self.name}을(를) 끝낼 수 없습니다.",
                en=f"sandbox {self.name} cannot be ended",
            )
        return code

    def _ended(self, code: int) -> None:
        self.code = code
        if self.walled:
            # bubblewrap reports the command's end; what the command left behind ends with its first process
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.init, signal.SIGKILL)
            select.select([self.init], [], [], 5.0)
        else:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        if self.init >= 0:
            os.close(self.init)
            self.init = -1
        self.group.remove()


def start(sandbox: Sandbox, isolation: Isolation, *, output: int | None = None) -> Running:
    """Build the walls, apply the limits, then let the command run.

    Parameters
    ----------
    output
        Descriptor that takes standard output and error; without it they go to the sandbox's log file,
        and without that nowhere.

    Raises
    ------
    SandboxError
        A wall could not be built; nothing is left running.
    """
    if output is None and sandbox.log is not None:
        try:
            log = os.open(
                sandbox.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise _failed(sandbox, str(error)) from error
        try:
            return start(sandbox, isolation, output=log)
        finally:
            os.close(log)
    if isolation.mode is Mode.NONE or not sandbox.walls:
        return _plain(sandbox, output)
    built = command(sandbox, isolation)
    ours: list[int] = []
    try:
        info, info_inside = _pipe(ours)
        block_inside, block = _pipe(ours)
        table = {INFO_FD: info_inside, BLOCK_FD: block_inside}
        table |= {number: _memory_file(content, ours) for number, content in built.data}
        pid = _spawn(built.argv, {"PATH": "/usr/bin:/bin"}, {**table, **sandbox.fds}, sandbox.umask, output)
        for copy in (info_inside, block_inside):
            os.close(copy)
            ours.remove(copy)
        return _release(sandbox, isolation, pid, info, block)
    except OSError as error:
        raise _failed(sandbox, str(error)) from error
    finally:
        for fd in ours:
            os.close(fd)


def _release(sandbox: Sandbox, isolation: Isolation, pid: int, info: int, block: int) -> Running:
    """Limit the first process inside while it waits, then let it go on and see it leave the gate."""
    init_pid = _first_process(info)
    if init_pid is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise _failed(sandbox, "bubblewrap ended before the sandbox existed")
    init, group = -1, cgroups.Group()
    try:
        init = os.pidfd_open(init_pid)
        group = cgroups.create(sandbox.name, sandbox.limits)
        group.join(init_pid)
        _limit(init_pid, sandbox, group, isolation)
    except OSError as error:
        # its number is its own until bubblewrap has collected it and ends; it may have ended by itself
        with contextlib.suppress(ProcessLookupError):
            os.kill(init_pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if init >= 0:
            os.close(init)
        group.remove()
        raise _failed(sandbox, str(error)) from error
    running = Running(name=sandbox.name, pid=pid, init=init, init_pid=init_pid, walled=True, group=group)
    with contextlib.suppress(BrokenPipeError):
        os.write(block, b"1")
    deadline = time.monotonic() + _START_SECONDS
    while _unread(block) and running.poll() is None:
        if time.monotonic() > deadline:
            running.kill()
            running.wait(_START_SECONDS)
            raise _failed(sandbox, "not ready in time")
        time.sleep(_STEP)
    if running.poll() is not None and _unread(block):
        raise _failed(sandbox, f"bubblewrap ended with {running.code}")
    return running


def _plain(sandbox: Sandbox, output: int | None) -> Running:
    """The command without walls, its inside paths replaced by those outside."""
    sources = {mount.target: str(mount.source) for mount in sandbox.mounts}
    targets = "|".join(re.escape(target) for target in sorted(sources, key=len, reverse=True))
    # a whole path at the start of a word or of an address's path, longest target first, each replaced once
    path = re.compile(rf"(?:(?<=://)|(?<![\w./-]))({targets})(?=[/:]|$)") if sources else re.compile(r"(?!)")

    def outside(text: str) -> str:
        return path.sub(lambda found: sources[found[1]], text)

    inner = (ENV, "-C", outside(sandbox.workdir), *map(outside, sandbox.argv))
    argv = (SETPRIV, "--pdeathsig", "KILL", *inner)
    env = {key: outside(value) for key, value in sandbox.env.items()}
    try:
        pid = _spawn(argv, env, sandbox.fds, sandbox.umask, output)
    except OSError as error:
        raise _failed(sandbox, str(error)) from error
    init = os.pidfd_open(pid)
    return Running(name=sandbox.name, pid=pid, init=init, init_pid=pid, walled=False, group=cgroups.Group())


def _spawn(
    argv: tuple[str, ...], env: Mapping[str, str], fds: Mapping[int, int], umask: int, output: int | None
) -> int:
    """Start `argv` with exactly descriptors 0, 1, 2 and `fds`; everything else is closed on exec."""
    actions: list[tuple[int, int, str, int, int] | tuple[int, int, int] | tuple[int, int]] = []
    copies: list[int] = []
    try:
        actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable()]
        actions.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
        if output is None:
            actions.append((os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0))
        else:
            actions.append((os.POSIX_SPAWN_DUP2, _copy(output, copies), 1))
        actions.append((os.POSIX_SPAWN_DUP2, 1, 2))
        for inside, outside in fds.items():
            actions.append((os.POSIX_SPAWN_DUP2, _copy(outside, copies), inside))
        before = os.umask(umask)
        try:
            return os.posix_spawn(
                argv[0],
                argv,
                env,
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXFSZ),
            )
        finally:
            os.umask(before)
    finally:
        for copy in copies:
            os.close(copy)


def _limit(pid: int, sandbox: Sandbox, group: cgroups.Group, isolation: Isolation) -> None:
    limits = sandbox.limits
    wanted: dict[int, int | None] = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: limits.file_size,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_DATA: None if group.holds_memory else limits.memory,
    }
    if not group.holds_processes and limits.processes is not None:
        # counted over a user's processes: a user namespace has its own count, a numeric user may be shared
        shared = isolation.mode is Mode.ROOT
        wanted[resource.RLIMIT_NPROC] = max(limits.processes, 4096) if shared else limits.processes
    for kind, value in wanted.items():
        if value is not None:
            _, hardest = resource.prlimit(pid, kind)
            bound = value if hardest == resource.RLIM_INFINITY else min(value, hardest)
            resource.prlimit(pid, kind, (bound, bound))


def _first_process(info: int) -> int | None:
    """Number of the sandbox's first process, as bubblewrap reports it."""
    text = b""
    deadline = time.monotonic() + _START_SECONDS
    while select.select([info], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(info, 4096)
        text += part
        with contextlib.suppress(ValueError):
            return int(json.loads(text)["child-pid"])
        if not part:
            break
    return None


def _children(pid: int) -> list[int]:
    """Direct children, as the kernel lists them (proc(5), /proc/pid/task/tid/children)."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _inheritable() -> list[int]:
    """Descriptors this process was started with and would pass on; Python's own are never inherited."""
    out: list[int] = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  numbers, not paths
        with contextlib.suppress(OSError):
            if int(name) > 2 and os.get_inheritable(int(name)):
                out.append(int(name))
    return out


def _unread(pipe: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"))[0])


def _pipe(ours: list[int]) -> tuple[int, int]:
    ends = os.pipe2(os.O_CLOEXEC)
    ours += ends
    return ends


def _memory_file(content: bytes, ours: list[int]) -> int:
    fd = os.memfd_create("campus", os.MFD_CLOEXEC)
    ours.append(fd)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _copy(fd: int, copies: list[int]) -> int:
    copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD)
    copies.append(copy)
    return copy


def _failed(sandbox: Sandbox, why: str) -> SandboxError:
    return SandboxError(
        "sandbox-not-started",
        ko=f"샌드박스 {sandbox.name}을(를) 시작하지 못했습니다: {why}. 로그를 확인하세요.",
        en=f"sandbox {sandbox.name} did not start: {why}; see its log",
    )
