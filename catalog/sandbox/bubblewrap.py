"""A sandbox written as a bubblewrap command; pure but for looking at /, and knows nothing of starting it.

Options and mounts travel over a descriptor, so `ps` shows none of them. The order of the options is the
order bubblewrap builds in: folders above before folders below, then the root read-only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from catalog.sandbox.errors import SandboxError
from catalog.sandbox.model import FIRST_RESERVED_FD, Isolation, Mode, Sandbox
from catalog.sandbox.seccomp import compile_filter

BWRAP: Final = "/usr/bin/bwrap"
SETPRIV: Final = "/usr/bin/setpriv"
ENV: Final = "/usr/bin/env"
HOSTNAME: Final = "campus"

INFO_FD: Final = FIRST_RESERVED_FD
BLOCK_FD: Final = FIRST_RESERVED_FD + 1
ARGUMENTS_FD: Final = FIRST_RESERVED_FD + 2
_FIRST_DATA_FD: Final = FIRST_RESERVED_FD + 3

_MERGED_USR = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/mime.types",
    "/etc/magic",
)
_SYSTEM = ("/", "/usr", "/etc", "/proc", "/dev", "/tmp")  # noqa: S108  the sandbox's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to execute, and what its descriptors must hold."""

    argv: tuple[str, ...]
    data: tuple[tuple[int, bytes], ...]


def command(sandbox: Sandbox, isolation: Isolation) -> Command:
    """The bubblewrap command that builds `sandbox`.

    Raises
    ------
    SandboxError
        Mode none has no walls; mode root needs a numeric user other than 0.
    """
    if isolation.mode is Mode.NONE:
        raise SandboxError("no-walls", ko="격리 없는 모드에는 벽이 없습니다.", en="mode none has no walls")
    uid, gid = identity(sandbox, isolation)
    data: list[tuple[int, bytes]] = []

    def attach(content: bytes) -> str:
        number = _FIRST_DATA_FD + len(data)
        data.append((number, content))
        return str(number)

    options: list[str] = []
    options += _namespaces(sandbox, isolation, uid, gid)
    options += _system(sandbox, isolation)
    for path, content in _identity_files(sandbox, uid, gid):
        options += ["--perms", "0444", "--ro-bind-data", attach(content.encode()), path]
    options += _localtime(sandbox)
    options += _mounts(sandbox)
    options += ["--remount-ro", "/dev", "--remount-ro", "/"]
    options += ["--clearenv"]
    for key, value in sandbox.env.items():
        options += ["--setenv", key, value]
    options += ["--seccomp", attach(compile_filter())]
    options += ["--info-fd", str(INFO_FD), "--block-fd", str(BLOCK_FD), "--chdir", "/"]
    inner = [ENV, "-C", sandbox.workdir, *sandbox.argv]
    options += ["--cap-drop", "ALL"]
    if isolation.mode is Mode.ROOT:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            options += ["--cap-add", capability]
        inner = [*_drop(uid, gid), *inner]
    data.append((ARGUMENTS_FD, b"".join(os.fsencode(option) + b"\0" for option in options)))
    return Command(argv=(BWRAP, "--args", str(ARGUMENTS_FD), "--", *inner), data=tuple(data))


def identity(sandbox: Sandbox, isolation: Isolation) -> tuple[int, int]:
    """Numeric user and group the command runs as, the same inside and outside.

    Raises
    ------
    SandboxError
        Mode root without a numeric user other than 0.
    """
    if isolation.mode is not Mode.ROOT:
        return os.getuid(), os.getgid()
    uid = sandbox.uid
    gid = uid if sandbox.gid is None else sandbox.gid
    if not uid or not gid or uid < 0 or gid < 0:
        raise SandboxError(
            "uid-missing",
            ko=f"root 모드에서는 0이 아닌 사용자 번호가 필요합니다: {uid}:{gid}",
            en=f"mode root needs a numeric user other than 0: {uid}:{gid}",
        )
    return uid, gid


def _namespaces(sandbox: Sandbox, isolation: Isolation, uid: int, gid: int) -> list[str]:
    out = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    out += ["--hostname", HOSTNAME, "--new-session", "--die-with-parent"]
    if not sandbox.network:
        out += ["--unshare-net"]
    if isolation.mode is Mode.USERNS:
        out += ["--unshare-user", "--uid", str(uid), "--gid", str(gid)]
        if "--disable-userns" in isolation.switches:
            out += ["--disable-userns"]
    return out


def _system(sandbox: Sandbox, isolation: Isolation) -> list[str]:
    out = ["--ro-bind", "/usr", "/usr"]
    for name in _MERGED_USR:
        path = Path("/", name)
        if path.is_symlink():
            out += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            out += ["--ro-bind", str(path), str(path)]
    out += ["--proc", "/proc", "--dev", "/dev"]
    out += _tmpfs("/dev/shm", sandbox.tmp_size // 2, isolation)  # noqa: S108  the sandbox's own
    out += _tmpfs("/tmp", sandbox.tmp_size, isolation)  # noqa: S108
    out += ["--perms", "0755", "--dir", "/etc"]
    for path in map(Path, _ETC):
        if path.exists():
            out += ["--ro-bind", str(path), str(path)]
    return out


def _tmpfs(path: str, size: int, isolation: Isolation) -> list[str]:
    bound = ["--size", str(size)] if "--size" in isolation.switches else []
    return ["--perms", "1777", *bound, "--tmpfs", path]


def _identity_files(sandbox: Sandbox, uid: int, gid: int) -> Iterator[tuple[str, str]]:
    name, home = sandbox.user, sandbox.home
    nologin = "/usr/sbin/nologin"
    people = f"root:x:0:0:root:/nonexistent:{nologin}\n{name}:x:{uid}:{gid}:{name}:{home}:/bin/bash\n"
    yield "/etc/passwd", f"{people}nobody:x:65534:65534:nobody:/nonexistent:{nologin}\n"
    yield "/etc/group", f"root:x:0:\n{name}:x:{gid}:\nnogroup:x:65534:\n"
    yield "/etc/hosts", f"127.0.0.1 localhost {HOSTNAME}\n::1 localhost {HOSTNAME}\n"
    yield "/etc/hostname", f"{HOSTNAME}\n"
    yield "/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"
    yield "/etc/resolv.conf", ""


def _localtime(sandbox: Sandbox) -> list[str]:
    zone = f"/usr/share/zoneinfo/{sandbox.env.get('TZ', 'UTC')}"
    return ["--symlink", zone, "/etc/localtime"]


def _mounts(sandbox: Sandbox) -> list[str]:
    out: list[str] = []
    mounted: set[str] = set()
    made = set(_SYSTEM)
    for mount in sorted(sandbox.mounts, key=lambda mount: PurePosixPath(mount.target).parts):
        for parent in _parents(PurePosixPath(mount.target), mounted, made):
            out += ["--perms", "0755", "--dir", parent]
            made.add(parent)
        out += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
        mounted.add(mount.target)
    return out


def _parents(target: PurePosixPath, mounted: Iterable[str], made: Iterable[str]) -> list[str]:
    """Folders to make above `target`; bubblewrap would copy the mode of a source kept at 0700."""
    parents = [str(parent) for parent in reversed(target.parents)]
    if any(parent in mounted for parent in parents):
        return []
    return [parent for parent in parents if parent not in made]


def _drop(uid: int, gid: int) -> list[str]:
    return [
        SETPRIV,
        f"--reuid={uid}",
        f"--regid={gid}",
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--ambient-caps=-all",
        "--no-new-privs",
    ]
