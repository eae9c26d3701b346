"""Limits on a whole sandbox by control group, version 2 or 1, where one may be made; knows only numbers.

Where neither is writable there is no group: the caller then relies on per-process limits alone.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from catalog.sandbox.model import Limits

_PARENT = "campus"
_PERIOD = 100_000  # microseconds, the kernel's default
_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Folders of one sandbox's control group; several with version 1."""

    folders: tuple[Path, ...] = ()
    holds_memory: bool = False
    holds_processes: bool = False

    def join(self, pid: int) -> None:
        """Put one process, and all it starts from now on, under the limits."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def peak(self) -> int | None:
        """Most memory used so far [bytes], where known."""
        for folder in self.folders:
            for name in ("memory.peak", "memory.max_usage_in_bytes"):
                with contextlib.suppress(OSError, ValueError):
                    return int((folder / name).read_text())
        return None

    def killed_for_memory(self) -> bool:
        """Whether the kernel ended a process of this group for its memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    words = (folder / name).read_text().split()
                    counts = dict(zip(words[::2], words[1::2], strict=False))
                    if int(counts.get("oom_kill", "0")):
                        return True
        return False

    def remove(self) -> None:
        """Give the group back; quietly keeps one that still has processes."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()


def create(name: str, limits: Limits) -> Group:
    """A control group with `limits`, or an empty one where none may be made."""
    if limits.memory is None and limits.processes is None and limits.cpu is None:
        return Group()
    return _version_2(name, limits) or _version_1(name, limits)


def _version_2(name: str, limits: Limits) -> Group | None:
    for mount in (_ROOT, _ROOT / "unified"):
        if not (mount / "cgroup.controllers").exists():
            continue
        own = _own("")
        places = [mount / own, *(mount / own).parents]
        for place in places[: len(places) - len(mount.parents)]:
            folder = place / _PARENT / name
            try:
                (place / _PARENT).mkdir(exist_ok=True)
                for above in (place, place / _PARENT):
                    (above / "cgroup.subtree_control").write_text("+memory +pids +cpu")
                folder.mkdir(exist_ok=True)
                _write(folder, "memory.max", limits.memory)
                _write(folder, "memory.swap.max", None if limits.memory is None else 0)
                _write(folder, "pids.max", limits.processes)
                if limits.cpu is not None:
                    (folder / "cpu.max").write_text(f"{int(limits.cpu * _PERIOD)} {_PERIOD}")
            except OSError:
                for made in (folder, place / _PARENT):
                    with contextlib.suppress(OSError):
                        made.rmdir()
                continue
            return Group(folders=(folder,), holds_memory=True, holds_processes=True)
    return None


def _version_1(name: str, limits: Limits) -> Group:
    wanted: dict[str, dict[str, int | None]] = {
        "memory": {"memory.limit_in_bytes": limits.memory},
        "pids": {"pids.max": limits.processes},
        "cpu": {"cpu.cfs_quota_us": None if limits.cpu is None else int(limits.cpu * _PERIOD)},
    }
    made: dict[str, Path] = {}
    for controller, values in wanted.items():
        if all(value is None for value in values.values()):
            continue
        folder = _ROOT / controller / _own(controller) / _PARENT / name
        if not (_ROOT / controller / "cgroup.procs").exists():
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for file, value in values.items():
                _write(folder, file, value)
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        made[controller] = folder
    return Group(folders=tuple(made.values()), holds_memory="memory" in made, holds_processes="pids" in made)


def _own(controller: str) -> str:
    """This process's place in a hierarchy, relative to its mount (proc(5), /proc/pid/cgroup)."""
    for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
        _, controllers, place = line.split(":", 2)
        if controller in controllers.split(","):
            return place.lstrip("/")
    return ""


def _write(folder: Path, file: str, value: int | None) -> None:
    if value is not None:
        (folder / file).write_text(str(value))
