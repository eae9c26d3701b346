"""A file that asks to leave, made safe to look at: a table, lines of text, or a known image. Runs nothing.

What is shown is text that the page escapes, or the very bytes of an image whose first bytes are an image's,
served apart with headers under which nothing in it can run.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READ: Final = 256 << 10  # [bytes] looked at
MOST_ROWS, MOST_COLUMNS, MOST_LINES = 50, 30, 400
LONGEST_CELL, LONGEST_LINE = 200, 500  # characters
LARGEST_IMAGE: Final = 20 << 20  # [bytes]
TABLES: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the page shows of a file.

    Parameters
    ----------
    kind
        table, text, image or none.
    cut
        Whether there is more than is shown.
    """

    kind: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    cut: bool = False


def preview(name: str, path: Path) -> Preview:
    """What can be shown of a file; of a kind this does not know, nothing."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(READ)
    if image_type(start):
        return Preview(kind="image") if size <= LARGEST_IMAGE else Preview(kind="none", cut=True)
    text = _text(start)
    if text is None:
        return Preview(kind="none")
    more = size > READ
    separator = TABLES.get(Path(name).suffix.lower())
    if separator and (table := _table(text, separator, more)):
        return table
    lines = text.splitlines()
    shown = "\n".join(_cut(line, LONGEST_LINE) for line in lines[:MOST_LINES])
    return Preview(kind="text", text=shown, cut=more or len(lines) > MOST_LINES)


def image_type(start: bytes) -> str:
    """The media type of an image by its first bytes; empty when it is none we show."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in IMAGES if start.startswith(magic)), "")


def _text(start: bytes) -> str | None:
    """Text in UTF-8 or in Korean Windows' code page; the last character may have been cut."""
    if b"\0" in start:
        return None
    for encoding in ("utf-8-sig", "cp949"):
        for end in range(4):
            try:
                return start[: len(start) - end].decode(encoding)
            except UnicodeDecodeError as error:
                if error.start < len(start) - 4:
                    break
    return None


def _table(text: str, separator: str, more: bool) -> Preview | None:
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=separator))
    except csv.Error:
        return None
    if more:
        rows = rows[:-1]
    if len(rows) < 2:
        return None
    wide = min(max(len(row) for row in rows[: MOST_ROWS + 1]), MOST_COLUMNS)
    cells = [tuple(_cut(row[i], LONGEST_CELL) if i < len(row) else "" for i in range(wide)) for row in rows]
    cut = more or len(rows) > MOST_ROWS + 1 or any(len(row) > wide for row in rows)
    return Preview(kind="table", head=cells[0], rows=tuple(cells[1 : MOST_ROWS + 1]), cut=cut)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
