"""Spreadsheets, one sheet or many; every cell as the text it shows. Knows no dataset."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.ingest.arrange import BadCell, arrange, texts_of
from catalog.ingest.layouts import bad_value, unknown_layout
from catalog.ingest.model import Format, IngestError, Parsed, Piece, Recipe
from catalog.ingest.packed import require_honest, trick
from catalog.ingest.plan import Plan, lay

UNPACKED = 256 << 20
"""Largest unpacked workbook taken [bytes]."""
PARTS = 2_000
"""Most files inside a workbook."""
CELLS = 20_000_000
"""Most cells taken, empty ones between filled ones included."""
ENTITY = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
HOSTILE = "hostile-workbook"
Rows = list[tuple[str, ...]]


def parse_xlsx(content: bytes, name: str, recipe: Recipe, geometry: str = "") -> Parsed:
    """The one sheet whose header rows are a known layout's, or all such sheets where the layout says so.

    Raises
    ------
    IngestError
        The workbook is damaged or far too large unpacked, no sheet is known, or a cell holds a bad value.
    """
    sheets = _sheets(content, name)
    for layout in recipe.layouts:
        if layout.format is not Format.XLSX:
            continue
        found = []
        for rows in sheets.values():
            plan = lay(layout, rows[0]) if rows else None
            seconds = layout.second_header
            if plan is not None and (not seconds or rows[1:2] == [seconds]):
                found.append((plan, rows))
        if found:
            return _parsed(found if layout.every_sheet else found[:1], name, geometry)
    first = next((rows[0] for rows in sheets.values() if rows), ())
    raise unknown_layout(first, name, recipe, Format.XLSX)


def _sheets(content: bytes, name: str) -> dict[str, Rows]:
    import openpyxl

    try:
        _safe(content, name)
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        try:
            cells = 0
            sheets: dict[str, Rows] = {}
            for sheet in book.worksheets:
                sheet.reset_dimensions()
                rows: Rows = []
                for row in sheet.iter_rows(values_only=True):
                    cells += len(row) + 1
                    if cells > CELLS:
                        raise _too_large(name, f"{CELLS:,}칸이 넘습니다", f"holds more than {CELLS:,} cells")
                    rows.append(_shown(row))
                sheets[sheet.title] = rows
            return sheets
        finally:
            book.close()
    except IngestError:
        raise
    except Exception as error:  # zipfile, XML and openpyxl raise many kinds
        raise IngestError(
            "broken-workbook",
            file=name,
            line=None,
            ko=f"엑셀 파일이 손상되었습니다 ({type(error).__name__})",
            en=f"the workbook is damaged ({type(error).__name__})",
        ) from error


def _safe(content: bytes, name: str) -> None:
    """Refuse an archive that is no honest workbook before anything in it is parsed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        require_honest(archive, name, unpacked=UNPACKED, parts=PARTS, reason=HOSTILE)
        parts = archive.infolist()
        if any(p.filename.lower().endswith("vbaproject.bin") for p in parts):
            raise trick(name, HOSTILE, "매크로가 들어 있습니다", "holds macros")
        for part in parts:
            if part.filename.lower().endswith((".xml", ".rels")):
                with archive.open(part) as stream:
                    tail = b""
                    while piece := stream.read(1 << 20):
                        if ENTITY.search(tail + piece):
                            raise trick(name, HOSTILE, "XML 개체 선언이 있습니다", "declares XML entities")
                        tail = piece[-32:]


def _too_large(name: str, ko: str, en: str) -> IngestError:
    return IngestError("too-large", file=name, line=None, ko=ko, en=en)


def _shown(row: tuple[Any, ...]) -> tuple[str, ...]:
    """The cells' texts up to the last one that is not empty."""
    texts = ["" if cell is None else str(cell) for cell in row]
    while texts and not texts[-1]:
        texts.pop()
    return tuple(texts)


def _parsed(sheets: list[tuple[Plan, Rows]], name: str, geometry: str) -> Parsed:
    chunks: dict[str, list[Any]] = {}
    lines: list[int] = []
    for plan, rows in sheets:
        start = 2 if plan.layout.second_header else 1
        body = rows[start:]
        while body and not any(body[-1]):
            body.pop()
        for i, row in enumerate(body):
            if len(row) > plan.width:
                raise IngestError(
                    "ragged-row",
                    file=name,
                    line=start + i + 1,
                    ko=f"값이 {plan.width}개가 아닙니다",
                    en=f"has not {plan.width} values",
                )
        padded = [(*row, *("",) * (plan.width - len(row))) for row in body]
        if not padded:
            continue
        try:
            columns = arrange(plan, texts_of(padded), geometry)
        except BadCell as bad:
            raise bad_value(bad.bad, name, start + bad.index + 1, bad.header) from bad
        for column, values in columns.items():
            chunks.setdefault(column, []).append(values)
        lines.extend(start + i + 1 for i in range(len(body)) for _ in plan.labels)
    plan, rows = sheets[0]
    if not lines:
        start = 2 if plan.layout.second_header else 1
        raise IngestError("empty", file=name, line=start, ko="자료 행이 없습니다", en="holds no rows")
    columns = {c: pa.chunked_array(parts) for c, parts in chunks.items()}
    piece = Piece(columns=columns, lines=np.array(lines, np.int64))
    return Parsed(file=name, layout=plan.layout, piece=piece)
