"""Reads literals from beside the log, one file in memory at a time. Knows the files, changes nothing."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from access_control.audit import segment
from access_control.audit.literals import Literals, parse
from access_control.audit.segment import Segment

SUFFIX: Final = ".literals"
ERASED: Final = b"#"  # what an erased line is made of
_HEAD: Final = b'{"event_id":"'


class SideLine(NamedTuple):
    """One line of a file: where it stands [bytes], and what it holds, if it is whole and not erased."""

    offset: int
    size: int
    event_id: bytes | None
    leaf: bytes


def side_files(folder: Path) -> list[Segment]:
    """The files of a side store, oldest first."""
    found = sorted(folder.glob(f"*{SUFFIX}"))
    return [Segment(path=file, first=int(file.stem)) for file in found if file.stem.isdigit()]


def lines_of(path: Path) -> Iterator[SideLine]:
    """Every line of a file up to the zeros that follow, with its place."""
    offset = 0
    for data in path.read_bytes().rstrip(b"\0").splitlines(keepends=True):
        event_id, leaf = None, b""
        try:
            leaf = segment.leaf_of(data)
            if not leaf.startswith(_HEAD):
                raise ValueError("not a line of literals")
            event_id = bytes.fromhex(leaf[len(_HEAD) : len(_HEAD) + 32].decode("ascii"))
        except ValueError:
            leaf = b""
        yield SideLine(offset, len(data), event_id, leaf)
        offset += len(data)


@dataclass(slots=True)
class _Loaded:
    path: Path
    state: tuple[int, int]
    lines: dict[bytes, SideLine]


class SideReader:
    """Literals by the number and identifier of their entry; made for numbers that come in order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = side_files(folder)
        self._loaded: _Loaded | None = None

    def find(self, seq: int, event_id: str) -> Literals | None:
        """The literals of an entry; None where they are not here, or not whole."""
        line = self.line(seq, event_id)
        if line is None:
            return None
        try:
            return parse(json.loads(line[1].leaf))
        except ValueError:
            return None

    def line(self, seq: int, event_id: str) -> tuple[Path, SideLine] | None:
        """The file and line of an entry's literals."""
        wanted = bytes.fromhex(event_id)
        for fresh in (False, True):
            if fresh:
                self._files = side_files(self._folder)
            place = bisect_right(self._files, seq, key=lambda each: each.first) - 1
            if place < 0:
                continue
            lines = self._lines(self._files[place].path)
            if wanted in lines:
                return self._files[place].path, lines[wanted]
        return None

    def _lines(self, path: Path) -> dict[bytes, SideLine]:
        stat = path.stat()
        state = (stat.st_mtime_ns, stat.st_size)
        if self._loaded is None or (self._loaded.path, self._loaded.state) != (path, state):
            lines = {line.event_id: line for line in lines_of(path) if line.event_id is not None}
            self._loaded = _Loaded(path, state, lines)
        return self._loaded.lines
