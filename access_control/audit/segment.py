"""How entries lie on disk: one line each, in segment files named by their first sequence number.

A line is `{"event":…,"received":"…","seq":N} TAB crc32 LF`: canonical JSON, then its CRC-32 as eight
hexadecimal digits. The bytes before the TAB are the leaf of the Merkle tree. Knows no tree and no writer.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from access_control.errors import AuditDamaged

SEGMENTS = "segments"
TAIL = 10  # [bytes] TAB, eight digits, LF


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file of entries."""

    path: Path
    first: int

    @property
    def ids(self) -> Path:
        """Where the sorted identifiers of a finished segment are."""
        return self.path.with_suffix(".ids")


def name(first: int) -> str:
    """File name of the segment that starts with this sequence number."""
    return f"{first:012d}.jsonl"


def segments(folder: Path) -> list[Segment]:
    """The segments of a log, oldest first."""
    files = sorted((folder / SEGMENTS).glob("*.jsonl"))
    return [Segment(path=file, first=int(file.stem)) for file in files if file.stem.isdigit()]


def body(event: bytes, received: bytes, seq: int) -> bytes:
    """The canonical JSON of one entry: the leaf."""
    return b'{"event":%b,"received":"%b","seq":%d}' % (event, received, seq)


def line(leaf: bytes) -> bytes:
    """One line of a segment file."""
    return b"%b\t%08x\n" % (leaf, zlib.crc32(leaf))


def leaf_of(data: bytes) -> bytes:
    """The leaf in a whole line.

    Raises
    ------
    ValueError
        The line is not what was written.
    """
    if data[-TAIL : -TAIL + 1] != b"\t" or data[-1:] != b"\n":
        raise ValueError("not a whole line")
    leaf = data[:-TAIL]
    if data[-TAIL + 1 : -1] != b"%08x" % zlib.crc32(leaf):
        raise ValueError("the checksum does not match")
    return leaf


def entry_of(leaf: bytes) -> dict[str, Any]:
    """The parsed entry.

    Raises
    ------
    ValueError
        It is no JSON object.
    """
    values = json.loads(leaf)
    if not isinstance(values, dict):
        raise ValueError("not an object")
    return values


class Line(NamedTuple):
    """A good line: where it starts, its number in the file, its leaf and its size with the line end."""

    offset: int
    number: int
    leaf: bytes
    size: int


def read_segment(segment: Segment) -> Iterator[Line]:
    """The good lines of a segment, in order.

    Raises
    ------
    AuditDamaged
        At the first line that is not what was written. `params["offset"]` says where it starts.
    """
    offset, seq = 0, segment.first
    with segment.path.open("rb", buffering=1 << 20) as file:
        for number, data in enumerate(file, start=1):
            try:
                leaf = leaf_of(data)
                if not leaf.endswith(b',"seq":%d}' % seq):
                    raise ValueError(f"the sequence number is not {seq}")
            except ValueError as error:
                raise damaged(segment, number, offset, str(error)) from None
            yield Line(offset, number, leaf, len(data))
            offset += len(data)
            seq += 1


def damaged(segment: Segment, number: int, offset: int, problem: str) -> AuditDamaged:
    """The error for one line."""
    return AuditDamaged("audit-damaged", file=segment.path.name, line=number, offset=offset, problem=problem)
