"""Typed rows of a file on their way to a version: a Parquet file a block, kept so that a killed run goes on.

A spool is a folder named by what it stands for: content, recipe, description. Its journal lists each block
with the digest of the Parquet file made of it; what does not verify is made again. Knows folders, not rules.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.ingest.blocks import Block
from catalog.ingest.model import IngestError

LINE, ROW, TOTAL = "_line", "_row", "_total"
ROW_GROUP = 65_536
KEPT = 3 * 24 * 3600
"""Longest that an unused spool is kept [s]."""
MOST_KEPT = 20 << 30
"""Most that unused spools may hold together [bytes]."""
JOURNAL, LOCK, SCRATCH = "journal", "lock", "scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One block as it was spooled: its CRC-32, rows with and without totals, and its file's digest."""

    number: int
    crc: int
    rows: int
    totals: int
    sha256: str


class Spool:
    """A folder of spooled blocks that this process alone holds.

    Parameters
    ----------
    folder
        Where spools are; made where it is missing.
    key
        What the rows stand for; the same key, the same rows.
    file
        The publisher file's name, for messages.
    """

    def __init__(self, folder: Path, key: str, file: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = file
        self.folder, handle = _held(folder, key, file)
        self._release = weakref.finalize(self, os.close, handle)
        self._parts: list[Part] = []
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()

    @property
    def scratch(self) -> Path:
        """Folder for what does not outlive the run."""
        return self.folder / SCRATCH

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is spooled, in order."""
        return tuple(self._parts)

    @property
    def files(self) -> tuple[Path, ...]:
        """The Parquet files, in order."""
        return tuple(self._path(p.number) for p in self._parts)

    def resume(self, blocks: Sequence[Block]) -> tuple[Part, ...]:
        """The parts that an earlier run made of these very blocks, if whole; the rest is forgotten."""
        known = {b.number: b.crc for b in blocks}
        for part in _journal(self.folder / JOURNAL):
            path = self._path(part.number)
            if known.get(part.number) != part.crc or _digest(path) != part.sha256:
                break
            self._parts.append(part)
        kept = set(self.files)
        for path in self.folder.glob("*.parquet*"):
            if path not in kept:
                path.unlink()
        lines = b"".join(_line(p) for p in self._parts)
        (self.folder / JOURNAL).write_bytes(lines)
        return self.parts

    def add(self, number: int, crc: int, table: pa.Table, totals: int) -> None:
        """Keep the rows of one block, durably.

        Raises
        ------
        IngestError
            `no-space`: the disk is full.
        """
        path = self._path(number)
        unfinished = path.with_suffix(".parquet.new")
        try:
            numbers = [LINE, ROW]
            texts: Any = [n for n in table.column_names if n not in numbers]
            with unfinished.open("wb") as file:
                pq.write_table(
                    table,
                    file,
                    row_group_size=ROW_GROUP,
                    compression="zstd",
                    compression_level=1,
                    use_dictionary=texts,
                    column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
                )
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            part = Part(
                number=number, crc=crc, rows=table.num_rows, totals=totals, sha256=_digest(path) or ""
            )
            with (self.folder / JOURNAL).open("ab") as journal:
                journal.write(_line(part))
                journal.flush()
                os.fsync(journal.fileno())
        except OSError as error:
            raise IngestError(
                "no-space",
                file=self._file,
                line=None,
                ko=f"작업 폴더에 쓸 수 없습니다 ({error.strerror or error}). 디스크를 비우고 다시 하세요",
                en=f"cannot write to the work folder ({error.strerror or error}); free some disk space",
            ) from error
        self._parts.append(part)

    def remove(self) -> None:
        """Give the disk space back; the rows are published, or never will be."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._release()

    def release(self) -> None:
        """Leave the rows for a later run."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self._release()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.parquet"


def sweep(folder: Path, *, kept: float = KEPT, most: int = MOST_KEPT) -> None:
    """Remove spools that nobody holds and that are old, and the oldest while all hold too much."""
    if not folder.is_dir():
        return
    now = time.time()
    total = 0
    unused: list[tuple[float, Path]] = [(_touched(p), p) for p in folder.iterdir() if p.is_dir()]
    for touched, path in sorted(unused, reverse=True):
        size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        if now - touched > kept or total + size > most:
            with contextlib.suppress(OSError), _locked(path) as free:
                if free:
                    shutil.rmtree(path, ignore_errors=True)
                    continue
        total += size


def _held(folder: Path, key: str, file: str) -> tuple[Path, int]:
    """The first folder of that key that nobody else holds, and its lock."""
    for number in range(1000):
        path = folder / f"{key}.{number}"
        path.mkdir(exist_ok=True)
        try:
            handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # swept at this very moment
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        if (path / LOCK).exists() and os.fstat(handle).st_nlink:
            os.utime(path)
            return path, handle
        os.close(handle)
    raise IngestError(
        "busy",
        file=file,
        line=None,
        ko="같은 파일을 너무 많은 작업이 적재하고 있습니다",
        en="too many processes load this very file",
    )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)


def _touched(path: Path) -> float:
    try:
        return max(f.stat().st_mtime for f in (path, path / JOURNAL) if f.exists())
    except (OSError, ValueError):
        return 0.0


def _journal(path: Path) -> Iterator[Part]:
    """The journal's entries up to one that was cut off."""
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                assert line.endswith(b"\n")
                yield Part(**json.loads(line))
            except (AssertionError, TypeError, ValueError):
                return


def _line(part: Part) -> bytes:
    return json.dumps(asdict(part)).encode() + b"\n"


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
