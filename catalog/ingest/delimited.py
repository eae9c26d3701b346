"""CSV as publishers give it: layout by header, one line a record, nothing skipped. Knows no dataset."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from catalog.ingest.arrange import BadCell, arrange
from catalog.ingest.evidence import decode, decode_declared
from catalog.ingest.layouts import bad_value, spreadsheet_damage, unknown_layout
from catalog.ingest.model import Format, IngestError, Parsed, Reader, Recipe
from catalog.ingest.plan import Plan, lay
from catalog.ingest.totals import set_aside
from catalog.ingest.values import fits

CHUNK = 4096
EXPONENT = re.compile(r"-?[0-9](\.[0-9]+)?[eE][+-]?[0-9]{1,3}")


def parse_csv(content: bytes, name: str, recipe: Recipe, geometry: str = "") -> Parsed:
    """Every record of the file in the layout its header and first record show.

    Raises
    ------
    IngestError
        The layout is unknown, or a line is cut, ragged, blank or holds a bad value.
    """
    text, encoding = _declared(content, name, recipe) or decode(content, name)
    ended = text.endswith("\n")
    lines = text.count("\n") + (0 if ended else 1)
    del text  # a month can be a hundred megabytes; from here the file is read line by line
    records = _records(content, encoding, name)
    header = tuple(next(records))
    second = next(records, None)
    plan = _plan(header, second, name, recipe)
    heads = 1
    if plan.layout.second_header:
        _second_header(plan, header, second, name, recipe)
        heads, second = 2, next(records, None)
    if second is None:
        raise IngestError(
            "empty",
            file=name,
            line=heads,
            ko="제목 줄만 있고 자료가 없습니다",
            en="holds headers and no rows",
        )
    if plan.layout.final_newline and not ended:
        raise _cut(name, lines)
    chunks: dict[str, list[Any]] = {}
    rows = 0
    block = [second]
    try:
        for record in records:
            block.append(record)
            if len(block) == CHUNK:
                rows = _take(block, rows, name, heads, plan, chunks, geometry)
                block = []
        if block:
            rows = _take(block, rows, name, heads, plan, chunks, geometry)
    except BadCell as bad:
        refusal = bad_value(bad.bad, name, bad.index, bad.header)
        raise _damage(content, encoding, name, heads, plan, refusal) or refusal from bad
    if rows != lines - heads:
        raise IngestError(
            "row-count",
            file=name,
            line=None,
            ko=f"줄 수 {lines - heads:,}와 읽은 행 수 {rows:,}가 다릅니다",
            en=f"has {lines - heads:,} lines but {rows:,} records",
        )
    wide = len(plan.labels)
    parsed = Parsed(
        file=name,
        layout=plan.layout,
        columns={c: pa.chunked_array(parts) for c, parts in chunks.items()},
        rows=rows * wide,
        line=lambda i: i // wide + heads + 1,
    )
    return set_aside(parsed)


def _declared(content: bytes, name: str, recipe: Recipe) -> tuple[str, str] | None:
    """The text in an encoding that a layout declares, where the header's bytes are that layout's in it."""
    first = content.split(b"\n", 1)[0].rstrip(b"\r")
    for layout in recipe.layouts:
        if layout.format is Format.CSV and layout.encoding:
            expected = [h.encode(layout.encoding) for h in layout.headers]
            if [h.strip(b'"') for h in first.split(b",")] == expected:
                return decode_declared(content, name, layout.encoding, b"".join(expected))
    return None


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


def _plan(header: tuple[str, ...], first: Sequence[str] | None, name: str, recipe: Recipe) -> Plan:
    plans = [lay(x, header) for x in recipe.layouts if x.format is Format.CSV]
    same = [p for p in plans if p is not None]
    if not same:
        raise unknown_layout(header, name, recipe, Format.CSV)
    if first is None:
        return same[0]
    wide = [p for p in same if p.width == len(first)]
    for plan in wide:
        if all(
            first[at] in field.missing or fits(pa.array([first[at]], pa.string()), field.read)
            for at, field in plan.fixed
        ):
            return plan
    return (wide or same)[0]


def _second_header(
    plan: Plan, header: tuple[str, ...], second: Sequence[str] | None, name: str, recipe: Recipe
) -> None:
    """The second header row is the declared one; its last entry stands for all further columns."""
    wanted = plan.layout.second_header
    padded = (*wanted, *wanted[-1:] * (len(header) - len(wanted)))
    if tuple(second or ()) != padded:
        raise unknown_layout(tuple(second or ()), name, recipe, Format.CSV)


def _cut(name: str, line: int) -> IngestError:
    return IngestError(
        "truncated",
        file=name,
        line=line,
        ko="마지막 줄이 줄바꿈 없이 끝났습니다. 내려받기가 중간에 끊겼는지 확인하세요",
        en="the last line has no line end; check whether the download was cut off",
    )


def _take(
    block: list[list[str]],
    before: int,
    name: str,
    heads: int,
    plan: Plan,
    chunks: dict[str, list[Any]],
    geometry: str,
) -> int:
    width, kept = plan.width, plan.width - plan.layout.trailing_empty
    for i, record in enumerate(block):
        if len(record) != width or any(record[kept:]):
            line = before + i + heads + 1
            raise IngestError(
                "ragged-row",
                file=name,
                line=line,
                ko=f"값이 {len(record)}개입니다. '{plan.layout.name}' 레이아웃은 {width}개입니다 (잘린 줄?)",
                en=f"has {len(record)} values where layout '{plan.layout.name}' has {width}; cut?",
            )
    try:
        columns = arrange(plan, block, geometry)
    except BadCell as bad:
        raise BadCell(before + bad.index + heads + 1, bad.header, bad.bad) from bad
    for column, values in columns.items():
        chunks.setdefault(column, []).append(values)
    return before + len(block)


def _damage(
    content: bytes, encoding: str, name: str, heads: int, plan: Plan, refusal: IngestError
) -> IngestError | None:
    """The refusal that counts cells a spreadsheet turned into powers of ten, where there are any."""
    fields = [*plan.fixed, *(cell for row in plan.cells for cell in row)]
    watched = [(at, f.header) for at, f in fields if f.read is not Reader.TEXT]
    found = [
        (line, header, record[at])
        for line, record in enumerate(_records(content, encoding, name), start=1)
        for at, header in watched
        if line > heads and at < len(record) and EXPONENT.fullmatch(record[at])
    ]
    return spreadsheet_damage(found, name, refusal) if found else None
