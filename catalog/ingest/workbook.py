"""Spreadsheets with two header rows; every cell as the text it shows. Knows no dataset."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pyarrow as pa

from catalog.ingest.layouts import bad_value, unknown_layout
from catalog.ingest.model import Format, IngestError, Layout, Parsed, Reader, Recipe
from catalog.ingest.values import BadValue, convert

UNPACKED = 256 << 20
"""Largest unpacked workbook taken [bytes]."""


def parse_xlsx(content: bytes, name: str, recipe: Recipe) -> Parsed:
    """The one sheet whose header rows are a known layout's.

    Raises
    ------
    IngestError
        The workbook is damaged or far too large unpacked, no sheet is known, or a cell holds a bad value.
    """
    sheets = _sheets(content, name)
    layouts = [x for x in recipe.layouts if x.format is Format.XLSX]
    for rows in sheets.values():
        for layout in layouts:
            if rows[:1] == [layout.headers] and (
                not layout.second_header or rows[1:2] == [layout.second_header]
            ):
                return _parsed(rows, layout, name)
    first = next((rows[0] for rows in sheets.values() if rows), ())
    raise unknown_layout(first, name, recipe, Format.XLSX)


def _sheets(content: bytes, name: str) -> dict[str, list[tuple[str, ...]]]:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(i.file_size for i in archive.infolist())
        if unpacked > UNPACKED:
            raise IngestError(
                "too-large",
                file=name,
                line=None,
                ko=f"풀면 {unpacked:,}바이트가 되어 한도를 넘습니다",
                en=f"unpacks to {unpacked:,} bytes, over the limit",
            )
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        try:
            return {
                s.title: [tuple(map(_text, row)) for row in s.iter_rows(values_only=True)]
                for s in book.worksheets
            }
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


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _parsed(rows: list[tuple[str, ...]], layout: Layout, name: str) -> Parsed:
    start = 2 if layout.second_header else 1
    body = rows[start:]
    while body and not any(body[-1]):
        body.pop()
    if not body:
        raise IngestError("empty", file=name, line=start, ko="자료 행이 없습니다", en="holds no rows")
    width = len(layout.fields)
    for i, row in enumerate(body):
        if len(row) < width or any(row[width:]):
            raise IngestError(
                "ragged-row",
                file=name,
                line=start + i + 1,
                ko=f"값이 {width}개가 아닙니다",
                en=f"has not {width} values",
            )
    columns: dict[str, Any] = {}
    for at, field in enumerate(layout.fields):
        if field.read is Reader.IGNORE:
            continue
        try:
            columns[field.column] = convert(pa.array([r[at] for r in body], pa.string()), field.read)
        except BadValue as bad:
            raise bad_value(bad, name, start + bad.index + 1, field.header) from bad
    return Parsed(file=name, layout=layout, columns=columns, rows=len(body), line=lambda i: start + i + 1)
