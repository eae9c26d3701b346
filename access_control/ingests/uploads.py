"""Uploads by content: written as they arrive, kept under their SHA-256, never executed. Knows no request.

A file gets its name by a rename after its content is durable, so a name always stands for whole content.
What was not kept is removed on leaving.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from access_control.accept import accept
from access_control.errors import AccessError
from access_control.ingests import policy
from access_control.ingests.model import Uploaded

INCOMING = ".incoming-"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
LEAST_FREE = 500 << 20  # [bytes] left on the disk whatever is uploaded


@dataclass(slots=True)
class _Open:
    """The file that is arriving now."""

    name: str
    path: Path
    file: BinaryIO
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


class Receiving:
    """The files of one upload, in the order they arrive."""

    def __init__(self, folder: Path, free: Callable[[Path], int]) -> None:
        self._folder = folder
        self._free = free
        self._now: _Open | None = None
        self._whole: list[tuple[Uploaded, Path]] = []
        self._total = 0

    def open(self, name: str) -> None:
        """A file begins.

        Raises
        ------
        Invalid
            `ingest-name-…` or `ingest-too-many-files`.
        """
        accept(policy.check_name(name))
        if len(self._whole) >= policy.FILES_MAX:
            accept(policy.check_files([u for u, _ in self._whole] * 2))
        path = self._folder / (INCOMING + secrets.token_hex(8))
        with _storage():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
            self._now = _Open(name, path, os.fdopen(made, "wb", buffering=0))

    def write(self, part: bytes) -> None:
        """More of it.

        Raises
        ------
        Invalid
            `ingest-file-too-large`, `ingest-too-large`.
        AccessError
            `ingest-disk-full`, `ingest-storage-failed`.
        """
        now = self._now
        assert now is not None
        now.size += len(part)
        self._total += len(part)
        accept(policy.check_size(now.name, now.size, self._total))
        with _storage():
            if self._free(self._folder) < LEAST_FREE:
                raise OSError(errno.ENOSPC, "kept free")
            rest = memoryview(part)
            while rest:
                rest = rest[now.file.write(rest) :]
        now.digest.update(part)

    def close(self) -> None:
        """The file is whole."""
        now, self._now = self._now, None
        assert now is not None
        with _storage():
            os.fsync(now.file.fileno())
            now.file.close()
        self._whole.append((Uploaded(name=now.name, sha256=now.digest.hexdigest(), size=now.size), now.path))

    @property
    def files(self) -> tuple[Uploaded, ...]:
        """The whole files."""
        return tuple(u for u, _ in self._whole)

    def keep(self) -> None:
        """Give the files their names; the same content again replaces itself."""
        with _storage():
            for uploaded, path in self._whole:
                path.replace(self._folder / uploaded.sha256)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def clear(self) -> None:
        """Remove what did not get its name."""
        if self._now is not None:
            self._now.file.close()
            self._now.path.unlink(missing_ok=True)
        for _, path in self._whole:
            path.unlink(missing_ok=True)


def sweep(folder: Path, kept: frozenset[str], older_than: float) -> None:
    """Remove what no open run names and was last changed before `older_than` [s since 1970]."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name not in kept and path.stat().st_mtime < older_than:
                path.unlink(missing_ok=True)


def free_space(folder: Path) -> int:
    """What a service may still write there [bytes]."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise AccessError("ingest-disk-full") from error
        problem = error.strerror or type(error).__name__
        raise AccessError("ingest-storage-failed", problem=problem) from error
