"""Processes of a benchmark: what they hold at most, and those below them. Starts none."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path


def below(pids: Iterable[int]) -> set[int]:
    """The processes and all their descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it has just ended
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def peak(pid: int) -> int:
    """The most a process has held (VmHWM, proc(5)) [bytes]; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), 0)


def largest(pids: Iterable[int]) -> int:
    """The peak of the largest process of these and all below them [bytes]."""
    return max((peak(pid) for pid in below(pids)), default=0)


def end(process: subprocess.Popen[bytes], seconds: float = 20.0) -> None:
    """Ask it to end with all below it, and kill what does not."""
    known = below([process.pid])
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in known - {process.pid}:
        deadline = time.monotonic() + 5.0
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
