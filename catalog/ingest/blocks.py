"""A text file in blocks of whole records: hash, encoding, borders in one pass. Knows bytes, not columns."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog.ingest.evidence import Evidence, empty, regular, unreadable
from catalog.ingest.model import IngestError

BLOCK = 16 << 20
"""Size of a block [bytes]; the last record of one may be cut off and begins the next."""
LONGEST_RECORD = 1 << 17
"""Longest record taken [bytes]."""
HEAD = 1 << 18
"""How much of a file's beginning its layout is recognised by [bytes]."""
QUOTE, LINE_END = 0x22, 0x0A
Declared = Callable[[bytes], tuple[str, bytes] | None]
"""First line → a one-byte encoding that a layout declares, and the header bytes that prove it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Whole records: `start` and `size` [bytes], lines before the block and its CRC-32."""

    number: int
    start: int
    size: int
    lines_before: int
    crc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one pass over a file says.

    Parameters
    ----------
    lines
        Physical lines, an unended last one included.
    ended
        Whether the last line has its end.
    """

    path: Path
    name: str
    sha256: str
    size: int
    encoding: str
    lines: int
    ended: bool
    blocks: tuple[Block, ...]

    def read(self, block: Block) -> bytes:
        """The block's bytes, exactly as surveyed.

        Raises
        ------
        IngestError
            `changed-while-reading`
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(block.start)
                content = _exactly(file.read, block.size)
        except OSError as error:
            raise unreadable(self.name, error) from error
        if zlib.crc32(content) != block.crc or len(content) != block.size:
            raise IngestError(
                "changed-while-reading",
                file=self.name,
                line=block.lines_before + 1,
                ko="읽는 동안 내용이 바뀌었습니다. 내려받기가 끝난 뒤 다시 올리세요",
                en="changed while it was read; give it again once the download is complete",
            )
        return content

    def head(self) -> bytes:
        """Whole lines of the beginning."""
        with self.path.open("rb") as file:
            start = file.read(HEAD)
        return start if len(start) == self.size else start[: start.rfind(b"\n") + 1]


def survey(
    path: Path,
    declared: Declared,
    *,
    quoted_lines: bool,
    seen: Callable[[int, int], None] = lambda done, size: None,
    size: int = BLOCK,
) -> Survey:
    """Read the file once.

    Parameters
    ----------
    quoted_lines
        Whether a line end inside quotes belongs to a value; elsewhere every line is a record.
    seen
        Told bytes read and bytes in all after each block.
    size
        Block size [bytes]; any size gives the same rows.

    Raises
    ------
    IngestError
        No regular file, nothing in it, no text, an encoding without evidence, or a record beyond all measure.
    """
    whole, name = regular(path), path.name
    digest = hashlib.sha256()
    blocks: list[Block] = []
    evidence: Evidence | None = None
    offset = lines = 0
    blank, last = True, b""
    try:
        for content in _records(path, size, name, quoted_lines=quoted_lines):
            digest.update(content)
            if evidence is None:
                first = content.split(b"\n", 1)[0].rstrip(b"\r")
                evidence = Evidence(name, first, lambda at: _again(path, at), declared(first))
            evidence.see(content)
            blank = blank and not content.strip()
            crc = zlib.crc32(content)
            made = Block(number=len(blocks), start=offset, size=len(content), lines_before=lines, crc=crc)
            blocks.append(made)
            offset += len(content)
            lines += content.count(b"\n")
            last = content[-1:]
            seen(offset, max(whole, offset))
    except OSError as error:
        raise unreadable(name, error) from error
    if evidence is None or blank:
        raise empty(name)
    return Survey(
        path=path,
        name=name,
        sha256=digest.hexdigest(),
        size=offset,
        encoding=evidence.settle(),
        lines=lines + (last != b"\n"),
        ended=last == b"\n",
        blocks=tuple(blocks),
    )


def line_ends(block: bytes) -> np.ndarray:
    """Offsets of the line ends."""
    return np.flatnonzero(np.frombuffer(block, np.uint8) == LINE_END)


def outside_quotes(block: bytes, ends: np.ndarray) -> np.ndarray:
    """Which of these offsets lie outside quotes, in a block that begins outside."""
    quotes = np.flatnonzero(np.frombuffer(block, np.uint8) == QUOTE)
    return np.asarray(np.searchsorted(quotes, ends) % 2 == 0)


def _records(path: Path, size: int, name: str, *, quoted_lines: bool) -> Iterator[bytes]:
    """The file in pieces that end with a record."""
    rest, lines = b"", 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(size):
            buffer = rest + piece if rest else piece
            cut = _cut(buffer, quoted_lines=quoted_lines)
            if len(buffer) - cut > LONGEST_RECORD:
                raise IngestError(
                    "long-record",
                    file=name,
                    line=lines + buffer.count(b"\n", 0, cut) + 1,
                    ko=f"한 줄이 {LONGEST_RECORD:,}바이트를 넘습니다. 줄바꿈이나 따옴표를 확인하세요",
                    en=f"a record is longer than {LONGEST_RECORD:,} bytes; is a line end or quote missing?",
                )
            if cut:
                yield buffer[:cut]
                lines += buffer.count(b"\n", 0, cut)
            rest = buffer[cut:]
    if rest:
        yield rest


def _cut(buffer: bytes, *, quoted_lines: bool) -> int:
    """Where the last whole record ends."""
    if not quoted_lines or b'"' not in buffer:
        return buffer.rfind(b"\n") + 1
    ends = line_ends(buffer)
    outside = ends[outside_quotes(buffer, ends)]
    return int(outside[-1]) + 1 if len(outside) else 0


def _again(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        rest = b""
        while piece := file.read(BLOCK):
            buffer = rest + piece
            cut = buffer.rfind(b"\n") + 1
            yield buffer[:cut]
            rest = buffer[cut:]
        yield rest


def _exactly(read: Callable[[int], bytes | None], size: int) -> bytes:
    """As many bytes as asked for, unless the file ends."""
    parts: list[bytes] = []
    while size and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
