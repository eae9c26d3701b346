"""Columns that no file carries: sums, code prefixes, the n-th row of a repeated key. Pure."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.descriptions import Dataset
from catalog.ingest.model import Derived, IngestError, Parsed, Recipe, Rule
from catalog.warehouse.schema import arrow_schema


def complete(parsed: Parsed, recipe: Recipe, dataset: Dataset) -> pa.Table:
    """Every described column; those a file does not carry are derived or missing.

    Raises
    ------
    IngestError
        `duplicate-key`: a key occurs twice, or an identical row is repeated.
    """
    columns = dict(parsed.columns)
    for rule in recipe.derive:
        if rule.column in columns or any(i not in columns for i in rule.inputs):
            continue
        match rule.rule:
            case Rule.SUM:
                columns[rule.column] = _sum([columns[i] for i in rule.inputs])
            case Rule.PREFIX:
                columns[rule.column] = pc.utf8_slice_codeunits(columns[rule.inputs[0]], 0, rule.number)
            case Rule.CONSTANT:
                columns[rule.column] = pa.repeat(pa.scalar(rule.value), parsed.rows)
            case Rule.OCCURRENCE:
                columns[rule.column] = _occurrence(columns, rule, parsed)
    schema = arrow_schema(dataset)
    table = pa.table(
        {
            field.name: pc.cast(columns[field.name], field.type)
            if field.name in columns
            else pa.nulls(parsed.rows, field.type)
            for field in schema
        }
    )
    _unique(table, dataset.key, parsed)
    return table


def _sum(parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = pc.add(total, part)
    return total


def _occurrence(columns: dict[str, Any], rule: Derived, parsed: Parsed) -> Any:
    """1 for the first row of a key, 2 for the next different one; more, or an equal one, is refused."""
    keys = list(zip(*(columns[i].to_pylist() for i in rule.inputs), strict=True))
    numbers: list[int] = []
    seen: dict[Any, list[int]] = {}
    for index, key in enumerate(keys):
        earlier = seen.setdefault(key, [])
        same = any(all(c[i] == c[index] for c in columns.values()) for i in earlier)
        if same or len(earlier) == rule.number:
            raise _duplicate(parsed, index, earlier[0], " ".join(map(str, key)))
        earlier.append(index)
        numbers.append(len(earlier))
    return pa.array(numbers, pa.int32())


def _unique(table: pa.Table, key: tuple[str, ...], parsed: Parsed) -> None:
    if table.select(list(key)).group_by(list(key)).aggregate([]).num_rows == table.num_rows:
        return
    seen: dict[Any, int] = {}
    for index, value in enumerate(zip(*(table[k].to_pylist() for k in key), strict=True)):
        if value in seen:
            raise _duplicate(parsed, index, seen[value], " ".join(map(str, value)))
        seen[value] = index


def _duplicate(parsed: Parsed, index: int, earlier: int, key: str) -> IngestError:
    first = parsed.line(earlier)
    return IngestError(
        "duplicate-key",
        file=parsed.file,
        line=parsed.line(index),
        ko=f"{first}행과 같은 키 '{key}'입니다. 같은 자료를 두 번 붙였는지 확인하세요",
        en=f"repeats the key '{key}' of line {first}; check whether rows were pasted twice",
    )
