"""A week by dong and hour as nested JSON lists. The week is in the file's name only."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.ingest.evidence import decode
from catalog.ingest.layouts import bad_value, unknown_layout
from catalog.ingest.model import Format, IngestError, Layout, Parsed, Piece, Reader, Recipe
from catalog.ingest.values import BadValue, convert

HOURS = 168
MONDAY = re.compile(r"(?<![0-9])(20[0-9]{6})\.json\Z", re.IGNORECASE)


def load_json(content: bytes, name: str) -> Any:
    """The JSON value.

    Raises
    ------
    IngestError
        `broken-json`: cut off or not JSON, with the line where reading stopped.
    """
    text, _ = decode(content, name)
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise IngestError(
            "broken-json",
            file=name,
            line=error.lineno,
            ko=f"JSON이 끊기거나 깨졌습니다. 내려받기가 끝까지 되었는지 확인하세요 ({error.msg})",
            en=f"is cut off or broken JSON; check whether the download was complete ({error.msg})",
        ) from error
    except (ValueError, RecursionError) as error:
        raise IngestError(
            "broken-json", file=name, line=None, ko=f"JSON이 아닙니다 ({error})", en=f"is not JSON ({error})"
        ) from error


def parse_weekly(content: bytes, name: str, recipe: Recipe) -> Parsed:
    """One row per dong and hour, Monday 00 h to Sunday 23 h.

    Raises
    ------
    IngestError
        The name says no Monday, the keys are unknown, or a series is not 168 whole numbers.
    """
    monday = _monday(name)
    records = load_json(content, name)
    if not isinstance(records, list) or not records or not all(isinstance(r, dict) for r in records):
        raise IngestError(
            "unknown-layout", file=name, line=None, ko="행정동 목록이 아닙니다", en="is not a list of dongs"
        )
    layout = _layout(records, name, recipe)
    columns: dict[str, list[Any]] = {f.column: [] for f in layout.fields if f.column}
    for number, record in enumerate(records, start=1):
        if set(record) != set(layout.headers):
            raise IngestError(
                "ragged-row",
                file=name,
                line=number,
                ko="다른 항목을 가진 레코드입니다",
                en="has other keys than the first",
            )
        for field in layout.fields:
            value = record[field.header]
            if field.read is Reader.SERIES:
                columns[field.column].extend(_series(value, name, number, field.header))
            elif field.column:
                columns[field.column].extend([str(value)] * HOURS)
    n = len(records)
    days = [monday + timedelta(days=i) for i in range(7) for _ in range(24)]
    arrays: dict[str, Any] = {
        "date": pa.array(days * n, pa.date32()),
        "hour": pa.array([i % 24 for i in range(HOURS)] * n, pa.int32()),
    }
    for field in layout.fields:
        if field.read is Reader.SERIES:
            arrays[field.column] = pa.array(columns[field.column], pa.float64())
        elif field.column:
            try:
                arrays[field.column] = convert(pa.array(columns[field.column], pa.string()), field.read)
            except BadValue as bad:
                raise bad_value(bad, name, bad.index // HOURS + 1, field.header) from bad
    piece = Piece(columns=arrays, lines=np.repeat(np.arange(1, n + 1), HOURS))
    return Parsed(file=name, layout=layout, piece=piece)


def _monday(name: str) -> date:
    found = MONDAY.search(name)
    try:
        day = date.fromisoformat(found[1]) if found else None
    except ValueError:
        day = None
    if day is None or day.weekday() != 0:
        raise IngestError(
            "no-week",
            file=name,
            line=None,
            ko="파일 이름이 그 주의 월요일로 끝나야 합니다. 예: …_20190304.json",
            en="the name must end in the week's Monday, such as …_20190304.json",
        )
    return day


def _layout(records: list[dict[str, Any]], name: str, recipe: Recipe) -> Layout:
    keys = set(records[0])
    for layout in recipe.layouts:
        if layout.format is Format.WEEKLY_JSON and set(layout.headers) == keys:
            return layout
    raise unknown_layout(sorted(keys), name, recipe, Format.WEEKLY_JSON)


def _series(value: Any, name: str, number: int, header: str) -> list[int]:
    if not isinstance(value, list) or len(value) != HOURS:
        given = len(value) if isinstance(value, list) else 0
        raise IngestError(
            "ragged-row",
            file=name,
            line=number,
            ko=f"'{header}' 값이 {given}개입니다. 일주일은 {HOURS}시간입니다",
            en=f"'{header}' has {given} values; a week has {HOURS} hours",
        )
    for item in value:
        if type(item) is not int:
            raise bad_value(BadValue(0, item, "정수", "a whole number"), name, number, header)
    return value


def _no_constant(text: str) -> None:
    raise ValueError(f"'{text}' is no JSON number")
