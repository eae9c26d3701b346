"""Which event has which sequence number, so that nothing is recorded twice. Knows identifiers only.

The segment being written keeps its identifiers in memory. A finished segment has them sorted in a file
beside it, 20 bytes each: identifier, then position in the segment. Identifiers sort by birth, so almost
every question about a new event is answered by the newest identifier of the older files.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Mapping
from pathlib import Path

RECORD = struct.Struct(">16sI")


class SortedIds:
    """The identifiers of one finished segment, looked up in the file itself."""

    def __init__(self, file: Path, first: int) -> None:
        self._first = first
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            if not size or size % RECORD.size:
                raise ValueError(f"{file.name} is not a list of identifiers")
            self._map = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
        self.count = size // RECORD.size
        self._least, self._greatest = self._id(0), self._id(self.count - 1)

    def find(self, event_id: bytes) -> int | None:
        """The sequence number of an event, if it is here."""
        if not self._least <= event_id <= self._greatest:
            return None
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self._id(middle) < event_id:
                low = middle + 1
            else:
                high = middle
        if low == self.count or self._id(low) != event_id:
            return None
        position: int = RECORD.unpack_from(self._map, low * RECORD.size)[1]
        return self._first + position

    def close(self) -> None:
        """Let the file go."""
        self._map.close()

    def _id(self, number: int) -> bytes:
        return self._map[number * RECORD.size : number * RECORD.size + 16]


class Ids:
    """Every identifier of the log."""

    def __init__(self) -> None:
        self.finished: list[SortedIds] = []
        self.current: dict[bytes, int] = {}

    def find(self, event_id: bytes) -> int | None:
        """The sequence number of an event, if it was recorded."""
        seq = self.current.get(event_id)
        if seq is not None:
            return seq
        for part in reversed(self.finished):
            seq = part.find(event_id)
            if seq is not None:
                return seq
        return None

    def close(self) -> None:
        """Let every file go."""
        for part in self.finished:
            part.close()


def write_sorted(file: Path, first: int, ids: Mapping[bytes, int]) -> None:
    """Write the identifiers of a finished segment; the file appears whole or not at all."""
    draft = file.with_suffix(".draft")
    with draft.open("wb") as out:
        out.writelines(RECORD.pack(each, ids[each] - first) for each in sorted(ids))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
