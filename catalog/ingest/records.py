"""One block of delimited text to text columns: fast where its quoting is plainly strict, else one by one.

Knows delimiters, quotes and line ends (RFC 4180; one line a record unless a layout says otherwise).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from catalog.ingest.arrange import texts_of
from catalog.ingest.blocks import LONGEST_RECORD, QUOTE, line_ends, outside_quotes
from catalog.ingest.evidence import UTF8, UTF8_MARKED
from catalog.ingest.model import IngestError

RETURN = 0x0D
PARSED_AT_ONCE = 4 << 20  # [bytes]; far above the longest record


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How records of one file look; `width` is how many values each must hold, `layout` its name."""

    name: str
    encoding: str
    delimiter: str
    quoted_lines: bool
    width: int
    kept: int
    layout: str


def columns_of(block: bytes, before: int, shape: Shape) -> tuple[list[Any], np.ndarray]:
    """(text arrays, line numbers of the records) of whole records.

    Parameters
    ----------
    before
        Lines of the file before the block.

    Raises
    ------
    IngestError
        `broken-quote`, `blank-line`, `line-end`, `long-record` or `ragged-row`, with the line.
    """
    content = block if shape.encoding in {UTF8, UTF8_MARKED} else block.decode(shape.encoding).encode()
    starts = _starts(content, before, shape)
    if starts is not None:
        table = _fast(content, shape)
        if table is not None and table.num_rows == len(starts):
            texts = [column.combine_chunks() for column in table.columns]
            if all(_blank(texts[i]) for i in range(shape.kept, shape.width)):
                return texts, starts
    records = list(_strict(content.decode(UTF8), before, shape))
    return texts_of([r for _, r in records]), np.array([line for line, _ in records], np.int64)


def first_records(text: str, name: str, delimiter: str, *, quoted_lines: bool) -> Iterator[list[str]]:
    """Records of the beginning of a file, one by one, for recognising its layout.

    Raises
    ------
    IngestError
        `broken-quote` or `blank-line`.
    """
    yield from (record for _, record in _read(text, 0, name, delimiter, quoted_lines=quoted_lines))


def _starts(content: bytes, before: int, shape: Shape) -> np.ndarray | None:
    """Lines at which records begin; None where a closer look is needed."""
    bytes_ = np.frombuffer(content, np.uint8)
    ends = line_ends(content)
    _line_ends(bytes_, ends, before, shape.name)
    strict = b'"' not in content or _strictly_quoted(bytes_, shape.delimiter)
    outside = outside_quotes(content, ends) if b'"' in content else np.ones(len(ends), bool)
    if shape.quoted_lines and not strict:
        raise _broken(shape.name, before + _first_odd_line(bytes_, ends, shape.delimiter))
    if not strict or (not shape.quoted_lines and not outside.all()):
        return None
    borders = np.concatenate(([-1], ends[outside]))
    lines = np.concatenate(([0], np.flatnonzero(outside) + 1)) + before + 1
    if borders[-1] == len(content) - 1:
        lines = lines[:-1]
    else:
        borders = np.append(borders, len(content))  # the last record has no end
    lengths = np.diff(borders) - 1
    if (lengths > LONGEST_RECORD).any():
        raise _long(shape.name, int(lines[int(np.argmax(lengths > LONGEST_RECORD))]))
    first = bytes_[borders[:-1] + 1]
    blank = (lengths <= 0) | ((lengths == 1) & (first == RETURN))
    return None if blank.any() else lines


def _line_ends(content: np.ndarray, ends: np.ndarray, before: int, name: str) -> None:
    """A carriage return stands only before a line feed: anything else splits records in some readers."""
    returns = np.flatnonzero(content == RETURN)
    following = content[np.minimum(returns + 1, len(content) - 1)]
    lone = returns[following != 0x0A]
    if len(lone):
        line = before + int(np.searchsorted(ends, lone[0])) + 1
        raise IngestError(
            "line-end",
            file=name,
            line=line,
            ko="줄바꿈(LF) 없이 CR만 있습니다. 제공기관의 원본인지 확인하세요",
            en="holds a carriage return without a line feed; is it the publisher's original?",
        )


def _odd_quotes(content: np.ndarray, delimiter: str) -> np.ndarray:
    """Offsets of quotes that neither open, close nor double within a strictly quoted text."""
    quotes = np.flatnonzero(content == QUOTE)
    border = np.zeros(256, bool)
    border[[ord(delimiter), 0x0A]] = True
    earlier = content[np.maximum(quotes - 1, 0)]
    later = content[np.minimum(quotes + 1, len(content) - 1)]
    opens = (quotes == 0) | border[earlier] | (earlier == QUOTE)
    closes = (quotes == len(content) - 1) | border[later] | (later == RETURN) | (later == QUOTE)
    even = np.arange(len(quotes)) % 2 == 0
    if len(quotes) % 2:
        closes[-1] = False
        even[-1] = False  # the last quote has no partner
    return np.asarray(quotes[~np.where(even, opens, closes)])


def _strictly_quoted(content: np.ndarray, delimiter: str) -> bool:
    return not len(_odd_quotes(content, delimiter))


def _first_odd_line(content: np.ndarray, ends: np.ndarray, delimiter: str) -> int:
    return int(np.searchsorted(ends, _odd_quotes(content, delimiter)[0])) + 1


def _fast(content: bytes, shape: Shape) -> pa.Table | None:
    names = [str(i) for i in range(shape.width)]
    source: Any = pa.BufferReader(content)
    try:
        return pyarrow.csv.read_csv(
            source,
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=PARSED_AT_ONCE),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=shape.delimiter,
                newlines_in_values=shape.quoted_lines,
                ignore_empty_lines=False,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None


def _blank(values: Any) -> bool:
    return not any(values.unique().to_pylist())


def _strict(text: str, before: int, shape: Shape) -> Iterator[tuple[int, list[str]]]:
    """(line, record) by Python's strict reader: the exact place and reason where one is not as it must be."""
    pairs = _read(text, before, shape.name, shape.delimiter, quoted_lines=shape.quoted_lines)
    for line, record in pairs:
        if len(record) != shape.width or any(record[shape.kept :]):
            raise ragged(shape.name, line, record, shape.layout, shape.width)
        yield line, record


def _read(
    text: str, before: int, name: str, delimiter: str, *, quoted_lines: bool
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 0
    try:
        for record in reader:
            start, line = line + 1, reader.line_num
            if line != start and not quoted_lines:
                raise _broken(name, before + start)
            if not record:
                raise IngestError(
                    "blank-line", file=name, line=before + start, ko="빈 줄입니다", en="is a blank line"
                )
            yield before + start, record
    except csv.Error as error:
        raise IngestError(
            "broken-quote",
            file=name,
            line=before + line + 1,
            ko=f"CSV 형식이 깨졌습니다. 파일이 잘렸는지 확인하세요 ({error})",
            en=f"is not well-formed CSV; check whether the file is cut off ({error})",
        ) from error


def ragged(name: str, line: int, record: Sequence[str], layout: str, width: int) -> IngestError:
    """A refusal for a record of another width."""
    return IngestError(
        "ragged-row",
        file=name,
        line=line,
        ko=f"값이 {len(record)}개입니다. '{layout}' 레이아웃은 {width}개입니다 (잘린 줄?)",
        en=f"has {len(record)} values where layout '{layout}' has {width}; cut?",
    )


def _broken(name: str, line: int) -> IngestError:
    return IngestError(
        "broken-quote",
        file=name,
        line=line,
        ko="따옴표가 제대로 닫히지 않았습니다 (다음 줄까지 이어지거나 뒤에 글자가 있음)",
        en="a quote is not closed, and runs into the next line or has text after it",
    )


def _long(name: str, line: int) -> IngestError:
    return IngestError(
        "long-record",
        file=name,
        line=line,
        ko=f"한 줄이 {LONGEST_RECORD:,}바이트를 넘습니다",
        en=f"is longer than {LONGEST_RECORD:,} bytes",
    )
