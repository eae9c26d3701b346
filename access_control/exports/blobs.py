"""Files by content: copied in while hashing, kept under their SHA-256, hashed again before they go out.

Knows no request and no person. A copy is durable before it gets its name, and gets its name by a rename, so
a name always stands for whole content. Two requests with the same content share one file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from access_control.errors import AccessError, Invalid
from access_control.exports.model import Incoming

CHUNK = 1 << 20  # [bytes]
INCOMING = ".incoming-"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A file copied in, not yet under its name; `size` [bytes]."""

    sha256: str
    size: int
    temporary: Path


class Blobs:
    """A folder of files named by their SHA-256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Where content with this hash is kept."""
        return self._folder / sha256

    @contextmanager
    def copy_in(
        self, files: Iterable[Incoming], check: Callable[[str, int, int], None]
    ) -> Iterator[list[Copied]]:
        """Copies of the files, removed again on leaving unless `publish` took them.

        Parameters
        ----------
        check
            Called with name, bytes of this file and of all so far while copying; raises to stop.

        Raises
        ------
        AccessError
            `export-disk-full`, or `export-storage-failed` with what the system said.
        Invalid
            `export-not-a-file`
        """
        copied: list[Copied] = []
        total = 0
        try:
            with _storage():
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for file in files:
                temporary = self._folder / (INCOMING + secrets.token_hex(8))
                try:
                    with _storage():
                        one = _copy(file, temporary, total, check)
                except BaseException:
                    temporary.unlink(missing_ok=True)
                    raise
                copied.append(one)
                total += one.size
            yield copied
        finally:
            for one in copied:
                one.temporary.unlink(missing_ok=True)

    def publish(self, copied: Iterable[Copied]) -> None:
        """Give copies their names, durably. The same content again replaces itself."""
        with _storage():
            for one in copied:
                one.temporary.replace(self.path(one.sha256))
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def holds(self, sha256: str, size: int) -> bool:
        """Whether the content is there and still has this hash and size [bytes]."""
        digest = hashlib.sha256()
        seen = 0
        try:
            with self.path(sha256).open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    seen += len(chunk)
        except OSError:
            return False
        return seen == size and digest.hexdigest() == sha256

    def sweep(self, kept: frozenset[str], older_than: float) -> int:
        """Remove what no request names and was last changed before `older_than` [s since 1970]; count it."""
        removed = 0
        if not self._folder.is_dir():
            return 0
        for path in self._folder.iterdir():
            if path.name not in kept and path.stat().st_mtime < older_than:
                path.unlink()
                removed += 1
        return removed


def _copy(file: Incoming, target: Path, before: int, check: Callable[[str, int, int], None]) -> Copied:
    digest = hashlib.sha256()
    size = 0
    made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    with os.fdopen(made, "wb", buffering=0) as out, _reading(file) as source:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            check(file.name, size, before + size)
            digest.update(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[out.write(rest) :]
        os.fsync(out.fileno())
    return Copied(sha256=digest.hexdigest(), size=size, temporary=target)


@contextmanager
def _reading(file: Incoming) -> Iterator[BinaryIO]:
    if not isinstance(file.source, int):
        yield file.source
        return
    if not stat.S_ISREG(os.fstat(file.source).st_mode):
        raise Invalid("export-not-a-file", name=file.name)
    with os.fdopen(file.source, "rb", closefd=False) as source:
        yield source


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise AccessError("export-disk-full") from error
        raise AccessError("export-storage-failed", problem=error.strerror or type(error).__name__) from error
