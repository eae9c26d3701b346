"""What a sandbox is: command, folders, limits, identity; knows nothing of how walls are built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from catalog.sandbox.errors import SandboxError

_NAME = re.compile(r"[a-z][a-z0-9-]{0,80}")
FIRST_RESERVED_FD = 60  # descriptors from here on carry arguments to bubblewrap itself


class Mode(StrEnum):
    """How walls are built on this machine."""

    ROOT = "root"  # namespaces made as root, then a numeric user per person
    USERNS = "userns"  # user namespaces: same walls, one user
    NONE = "none"  # plain processes: development only


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The mode in use, why, and which optional switches the installed bubblewrap knows."""

    mode: Mode
    reason: str
    switches: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One file or folder of the machine, seen at `target` inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds; None leaves the machine's own.

    Attributes
    ----------
    memory
        Memory of all processes together where cgroups are writable, else of each process [bytes].
    processes
        Processes and threads.
    cpu
        Processor time [cores]; only where cgroups are writable.
    file_size
        Largest file a process may write [bytes].
    open_files
        Open files of each process.
    """

    memory: int | None = None
    processes: int | None = None
    cpu: float | None = None
    file_size: int | None = 8 << 30
    open_files: int | None = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """One command and everything it can see and use.

    Attributes
    ----------
    name
        Names the sandbox in logs and cgroups; lowercase letters, digits, hyphens.
    argv
        Command with absolute path, as seen inside.
    env
        The whole environment; nothing is inherited.
    uid, gid
        Numeric identity in mode root, otherwise ignored. `gid` defaults to `uid`.
    user, home
        Names given in the sandbox's own /etc/passwd.
    fds
        Descriptor inside → descriptor of the caller.
    tmp_size
        Size of /tmp [bytes]; /dev/shm gets half of it.
    umask
        File mode mask the command starts with.
    walls
        False for the product's own launcher, which builds walls and has none.
    log
        File that takes the output where the caller of `start` gives no descriptor.
    """

    name: str
    argv: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    uid: int | None = None
    gid: int | None = None
    user: str = "campus"
    home: str = "/tmp"  # noqa: S108  the sandbox's own
    network: bool = False
    limits: Limits = Limits()
    workdir: str = "/"
    fds: Mapping[int, int] = field(default_factory=dict)
    tmp_size: int = 512 << 20
    umask: int = 0o077
    walls: bool = True
    log: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what no wall can be built from.

        Raises
        ------
        SandboxError
            A name, path, variable or descriptor out of form.
        """
        if not _NAME.fullmatch(self.name):
            raise _malformed("name", self.name)
        if not self.argv or not self.argv[0].startswith("/"):
            raise _malformed("argv", " ".join(self.argv))
        for path in (self.workdir, self.home, *(mount.target for mount in self.mounts)):
            if not _clean(path):
                raise _malformed("path", path)
        for key, value in self.env.items():
            if not key or "=" in key or "\0" in key + value:
                raise _malformed("env", key)
        for inside in self.fds:
            if not 3 <= inside < FIRST_RESERVED_FD:
                raise _malformed("fds", str(inside))
        if "\0" in "".join(self.argv):
            raise _malformed("argv", "NUL")


def _clean(path: str) -> bool:
    return path.startswith("/") and "\0" not in path and str(PurePosixPath(path)) == path and ".." not in path


def _malformed(part: str, value: str) -> SandboxError:
    return SandboxError(
        "sandbox-malformed",
        ko=f"샌드박스의 {part} 값이 올바르지 않습니다: {value!r}",
        en=f"the sandbox's {part} is out of form: {value!r}",
    )
