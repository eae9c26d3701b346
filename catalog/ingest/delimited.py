"""CSV as publishers give it: layout by header, one line a record, nothing skipped. Knows no dataset."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from catalog.ingest.evidence import decode
from catalog.ingest.layouts import bad_value, unknown_layout
from catalog.ingest.model import Format, IngestError, Layout, Parsed, Reader, Recipe
from catalog.ingest.values import BadValue, convert, fits

CHUNK = 4096


def parse_csv(content: bytes, name: str, recipe: Recipe) -> Parsed:
    """Every record of the file in the layout its header and first record show.

    Raises
    ------
    IngestError
        The layout is unknown, or a line is cut, ragged, blank or holds a bad value.
    """
    text, encoding = decode(content, name)
    ended = text.endswith("\n")
    physical = text.count("\n") + (0 if ended else 1) - 1
    del text  # a month can be a hundred megabytes; from here the file is read line by line
    records = _records(content, encoding, name)
    header = tuple(next(records))
    first = next(records, None)
    layout = _layout(header, first, name, recipe)
    if first is None:
        raise IngestError(
            "empty", file=name, line=1, ko="제목 줄만 있고 자료가 없습니다", en="holds a header and no rows"
        )
    if layout.final_newline and not ended:
        raise _cut(name, physical + 1)
    width = len(layout.fields) + layout.trailing_empty
    chunks: dict[str, list[Any]] = {f.column: [] for f in layout.fields if f.column}
    rows = 0
    block = [first]
    for record in records:
        block.append(record)
        if len(block) == CHUNK:
            rows = _take(block, rows, name, layout, width, chunks)
            block = []
    rows = _take(block, rows, name, layout, width, chunks)
    if rows != physical:
        raise IngestError(
            "row-count",
            file=name,
            line=None,
            ko=f"줄 수 {physical:,}와 읽은 행 수 {rows:,}가 다릅니다",
            en=f"has {physical:,} lines but {rows:,} records",
        )
    columns = {c: pa.chunked_array(parts) for c, parts in chunks.items()}
    return Parsed(file=name, layout=layout, columns=columns, rows=rows, line=lambda i: i + 2)


def _records(content: bytes, encoding: str, name: str) -> Iterator[list[str]]:
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding, newline=""), strict=True)
    line = 0
    try:
        for record in reader:
            line += 1
            if reader.line_num != line:
                raise IngestError(
                    "broken-quote",
                    file=name,
                    line=line,
                    ko="따옴표가 닫히지 않아 다음 줄까지 이어집니다",
                    en="a quote is not closed and runs into the next line",
                )
            if not record:
                raise IngestError("blank-line", file=name, line=line, ko="빈 줄입니다", en="is a blank line")
            yield record
    except csv.Error as error:
        raise IngestError(
            "broken-quote",
            file=name,
            line=line + 1,
            ko=f"CSV 형식이 깨졌습니다. 파일이 잘렸는지 확인하세요 ({error})",
            en=f"is not well-formed CSV; check whether the file is cut off ({error})",
        ) from error


def _layout(header: tuple[str, ...], first: list[str] | None, name: str, recipe: Recipe) -> Layout:
    csv_layouts = [x for x in recipe.layouts if x.format is Format.CSV]
    same = [x for x in csv_layouts if _headers(x) == header]
    if not same:
        raise unknown_layout(header, name, recipe, Format.CSV)
    if first is None:
        return same[0]
    wide = [x for x in same if len(x.fields) + x.trailing_empty == len(first)]
    for layout in wide:
        if all(
            f.read is Reader.IGNORE or fits(pa.array([v], pa.string()), f.read)
            for f, v in zip(layout.fields, first, strict=False)
        ):
            return layout
    return (wide or same)[0]


def _headers(layout: Layout) -> tuple[str, ...]:
    return (layout.header_prefix + layout.headers[0], *layout.headers[1:])


def _cut(name: str, line: int) -> IngestError:
    return IngestError(
        "truncated",
        file=name,
        line=line,
        ko="마지막 줄이 줄바꿈 없이 끝났습니다. 내려받기가 중간에 끊겼는지 확인하세요",
        en="the last line has no line end; check whether the download was cut off",
    )


def _take(
    block: list[list[str]], before: int, name: str, layout: Layout, width: int, chunks: dict[str, list[Any]]
) -> int:
    for i, record in enumerate(block):
        if len(record) != width or any(record[len(layout.fields) :]):
            line = before + i + 2
            raise IngestError(
                "ragged-row",
                file=name,
                line=line,
                ko=f"값이 {len(record)}개입니다. '{layout.name}' 레이아웃은 {width}개입니다 (잘린 줄?)",
                en=f"has {len(record)} values where layout '{layout.name}' has {width}; is the line cut?",
            )
    for field, values in zip(layout.fields, zip(*block, strict=True), strict=False):
        if field.read is Reader.IGNORE:
            continue
        try:
            chunks[field.column].append(convert(pa.array(values, pa.string()), field.read))
        except BadValue as bad:
            raise bad_value(bad, name, before + bad.index + 2, field.header) from bad
    return before + len(block)
