"""What was found, as files: JSON for pages, CSV for people. Knows no check and no person."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
from pathlib import Path
from typing import Any

from catalog.descriptions import Text
from catalog.ingest.findings import BadRow, Difference, FileSeen, Inspection, Outcome, Refusal, Status

HEADER = ("파일 file", "행 line", "열 column", "값 value", "규칙 rule")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_json(path: Path, content: object) -> None:
    """Replace a JSON file as a whole: a reader sees the old one or the new one."""
    write_whole(path, json.dumps(content, ensure_ascii=False).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file as a whole, durably."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The file's object; None where there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return content


def to_json(inspection: Inspection) -> dict[str, Any]:
    """As JSON values."""
    return dataclasses.asdict(inspection)


def of_json(content: dict[str, Any]) -> Inspection:
    """Back from what `to_json` gave."""
    difference = content["difference"]
    return Inspection(
        dataset=content["dataset"],
        recipe=content["recipe"],
        files=tuple(FileSeen(**(f | {"title": Text(**f["title"])})) for f in content["files"]),
        columns=tuple(content["columns"]),
        preview=tuple(tuple(row) for row in content["preview"]),
        outcomes=tuple(_outcome(o) for o in content["outcomes"]),
        refusals=tuple(Refusal(**(r | {"said": Text(**r["said"])})) for r in content["refusals"]),
        difference=None if difference is None else _difference(difference),
    )


def quarantine_csv(inspection: Inspection) -> bytes:
    """Every failing row with file, line, column, value and rule; opens in a spreadsheet as text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for row in inspection.quarantine:
        line = "" if row.line is None else str(row.line)
        writer.writerow([inert(v) for v in (row.file, line, row.column, row.value, row.rule)])
    return out.getvalue().encode("utf-8-sig")


def inert(value: str) -> str:
    """A value no spreadsheet takes for a formula (CWE-1236); numbers stay numbers."""
    if not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _outcome(content: dict[str, Any]) -> Outcome:
    said = content["said"]
    return Outcome(
        name=content["name"],
        title=Text(**content["title"]),
        status=Status(content["status"]),
        failing=content["failing"],
        said=None if said is None else Text(**said),
        rows=tuple(BadRow(**r) for r in content["rows"]),
    )


def _difference(content: dict[str, Any]) -> Difference:
    lists = ("added", "replaced", "columns_added", "columns_removed")
    return Difference(**(content | {name: tuple(content[name]) for name in lists}))
