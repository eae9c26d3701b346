"""Columns that no file carries, as far as one row tells them: sums, code prefixes, constants. Pure."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.descriptions import Dataset
from catalog.ingest.layouts import bad_value
from catalog.ingest.model import Derived, IngestError, Piece, Recipe, Rule
from catalog.ingest.values import BadValue
from catalog.warehouse.schema import arrow_schema


def complete(piece: Piece, recipe: Recipe, dataset: Dataset, name: str) -> pa.Table:
    """Every described column; those the file does not carry are derived or missing.

    A column that counts occurrences is 1 everywhere until the whole file is known.

    Raises
    ------
    IngestError
        `bad-value`: a number is too large for its column.
    """
    columns = dict(piece.columns)
    for rule in applied(recipe, tuple(columns)):
        match rule.rule:
            case Rule.SUM:
                columns[rule.column] = _sum([columns[i] for i in rule.inputs])
            case Rule.PREFIX:
                columns[rule.column] = pc.utf8_slice_codeunits(columns[rule.inputs[0]], 0, rule.number)
            case Rule.CONSTANT:
                columns[rule.column] = pa.repeat(pa.scalar(rule.value), piece.rows)
            case Rule.OCCURRENCE:
                columns[rule.column] = pa.repeat(pa.scalar(1, pa.int32()), piece.rows)
    made = {}
    for field in arrow_schema(dataset):
        if field.name not in columns:
            made[field.name] = pa.nulls(piece.rows, field.type)
            continue
        try:
            made[field.name] = pc.cast(columns[field.name], field.type)
        except pa.ArrowInvalid as error:
            raise _too_large(columns[field.name], field, piece, name) from error
    return pa.table(made)


def applied(recipe: Recipe, carried: tuple[str, ...]) -> tuple[Derived, ...]:
    """The rules that a file carrying these columns needs and can have, in order."""
    there = set(carried)
    out = []
    for rule in recipe.derive:
        if rule.column not in there and there.issuperset(rule.inputs):
            out.append(rule)
            there.add(rule.column)
    return tuple(out)


def _sum(parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = pc.add(total, part)
    return total


def _too_large(values: Any, field: Any, piece: Piece, name: str) -> IngestError:
    for index, value in enumerate(values):
        try:
            pc.cast(value, field.type)
        except pa.ArrowInvalid:
            bad = BadValue(
                index, value.as_py(), f"{field.type} 범위의 값", f"within the range of {field.type}"
            )
            return bad_value(bad, name, int(piece.lines[index]), field.name)
    raise AssertionError(field.name)
