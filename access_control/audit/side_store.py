"""Where literals lie, beside the log: appended and synced before the entries that name them. Knows no event.

A file `N.literals` holds the literals of entries from number N on, one line each in the form of the log's own
lines. It is filled with zeros ahead, so that a sync need not write the file's size. An erased line is
overwritten where it stands; the line's length stays. A crash may leave lines that no entry names: they follow
the last one that an entry names, and are cut off when the store is opened.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from access_control.audit import erasing, segment
from access_control.audit.marks import sync_folder
from access_control.audit.side_reader import SUFFIX, lines_of, side_files

log = logging.getLogger(__name__)

FILE_BYTES: Final = 4 << 20  # a file is finished when it is this large; readers hold one in memory
AHEAD: Final = 256 << 10  # [bytes] of zeros


def side_of(folder: Path) -> Path:
    """The folder of the literals of a log: beside it, so that a copy of the log is one without them."""
    return folder.with_name(folder.name + "-literals")


class SideStore:
    """The literals of one log, held by its writer.

    Parameters
    ----------
    folder
        Made if it is not there.
    known
        Whether an event is in the log.
    size
        How many entries the log has.
    """

    def __init__(
        self, folder: Path, known: Callable[[bytes], bool], size: int, *, file_bytes: int = FILE_BYTES
    ) -> None:
        self.folder = folder
        self._file_bytes = file_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        erasing.finish(folder, known)
        found = side_files(folder)
        self._path = found[-1].path if found else folder / f"{size:012d}{SUFFIX}"
        self._offset = _end(self._path, known) if found else 0
        self._fd = self._open(self._path, self._offset)
        self._before = self._reserved = self._offset

    def append(self, records: list[bytes]) -> None:
        """Keep lines; durable when it returns. On failure the store is as it was.

        Raises
        ------
        OSError
            The disk is full, or worse.
        """
        data = b"".join(map(segment.line, records))
        end = self._offset + len(data)
        try:
            if end > self._reserved:
                _write(self._fd, bytes(AHEAD), end)
                self._reserved = end + AHEAD
            _write(self._fd, data, self._offset)
            os.fdatasync(self._fd)
        except OSError:
            self._before = self._offset
            self.take_back()
            raise
        self._before, self._offset = self._offset, end

    def take_back(self) -> None:
        """Drop what the last `append` wrote: its entries were not recorded.

        Raises
        ------
        OSError
            It may still be there; opening the store again drops it.
        """
        os.ftruncate(self._fd, self._before)
        self._offset = self._reserved = self._before
        os.fdatasync(self._fd)

    def tend(self, size: int) -> None:
        """Go on in a new file when this one is full; `size` entries are in the log.

        Raises
        ------
        OSError
            It stays with the old file.
        """
        if self._offset < self._file_bytes:
            return
        path = self.folder / f"{size:012d}{SUFFIX}"
        fd = self._open(path, 0)
        os.ftruncate(self._fd, self._offset)
        os.close(self._fd)
        self._fd, self._path = fd, path
        self._before = self._offset = self._reserved = 0

    def close(self) -> None:
        """Let the file go."""
        os.close(self._fd)

    def _open(self, path: Path, size: int) -> int:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, size)
            os.fsync(fd)
            sync_folder(self.folder)
        except OSError:
            os.close(fd)
            raise
        return fd


def _end(path: Path, known: Callable[[bytes], bool]) -> int:
    """Where the last line ends that an entry of the log names."""
    end = dropped = 0
    for line in lines_of(path):
        if line.event_id is not None and known(line.event_id):
            end, dropped = line.offset + line.size, 0
        else:
            dropped += 1
    if dropped:
        log.warning("%d lines of literals that no entry names are dropped", dropped)
    return end


def _write(fd: int, data: bytes, offset: int) -> None:
    view, done = memoryview(data), 0
    while done < len(data):
        done += os.pwrite(fd, view[done:], offset + done)
