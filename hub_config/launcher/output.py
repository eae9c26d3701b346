"""Keeps what a sandbox prints, never more than a file's cap and a steady rate; knows no words of it."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

CAP = 1 << 20  # bytes of one file; one older file is kept beside it
RATE = 64 << 10  # bytes a second taken once the first burst is spent
BURST = 1 << 20
CHUNK = 64 << 10
KEPT = 200  # logs of ended sandboxes
_OF_SANDBOX = re.compile(r"(session|worker|parser|dashboard|ingest)-[0-9a-f]{20}(-[0-9]+)?\.log")


@dataclass(slots=True, kw_only=True)
class Output:
    """One sandbox's log: a pipe the launcher drains, so a flood waits in the sandbox and not on the disk."""

    path: Path
    reader: int
    file: int = -1
    size: int = 0
    allowance: float = field(default=BURST)
    filled: float = 0.0
    ended: bool = False

    @classmethod
    def open(cls, path: Path, now: float) -> tuple[Output, int]:
        """A log and the descriptor the sandbox writes to; the caller closes that one."""
        file = _open(path)
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        return cls(path=path, reader=reader, file=file, size=os.fstat(file).st_size, filled=now), writer

    def drain(self, now: float) -> bool:
        """Take what there is and may be taken; False at the end of the pipe."""
        self.allowance = min(BURST, self.allowance + (now - self.filled) * RATE)
        self.filled = now
        if self.allowance < 1:
            return True
        try:
            part = os.read(self.reader, min(CHUNK, int(self.allowance)))
        except BlockingIOError:
            return True
        if not part:
            self.ended = True
            return False
        self.allowance -= len(part)
        with contextlib.suppress(OSError):  # a full disk loses log lines, never a session
            if self.size + len(part) > CAP:
                self._rotate()
            self.size += os.write(self.file, part)
        return True

    def wants(self, now: float) -> bool:
        """Whether the pipe may be read now."""
        return not self.ended and self.allowance + (now - self.filled) * RATE >= 4096

    def close(self) -> None:
        """Give both ends back; an empty log is not kept."""
        if self.file >= 0 and not os.fstat(self.file).st_size:
            self.path.unlink(missing_ok=True)
        for fd in (self.reader, self.file):
            if fd >= 0:
                os.close(fd)
        self.reader = self.file = -1

    def _rotate(self) -> None:
        self.path.replace(self.path.with_suffix(".log.1"))
        fresh = _open(self.path)
        os.close(self.file)
        self.file, self.size = fresh, 0


def prune(folder: Path, keep: int = KEPT) -> None:
    """Delete the oldest logs of sandboxes beyond `keep`, and with them their older halves."""
    logs = [path for path in folder.glob("*.log") if _OF_SANDBOX.fullmatch(path.name)]
    if len(logs) <= keep:
        return
    aged = sorted(logs, key=_changed)
    for path in aged[: len(aged) - keep]:
        for file in (path, path.with_suffix(".log.1")):
            file.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.lstat().st_mtime
    return 0.0


def _open(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)
