"""Which parts of a version a condition leaves out for certain, from lowest and highest values. Reads nothing.

Only what is sure counts: a column compared with constants of its own kind, joined by AND and OR. Anything
else (functions, casts, subqueries, NOT) leaves every part in; the part's own query then decides row by row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from catalog.gateway.partitions import Partition
from catalog.gateway.sql.tree import fold
from catalog.warehouse import Bounds, Snapshot

Node = Mapping[str, Any]
_WHOLE: Final = frozenset({"INTEGER", "BIGINT"})
_EXACT: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,3})?")  # any other the engine compares as a double
_MIRRORED: Final = {
    "COMPARE_EQUAL": "COMPARE_EQUAL",
    "COMPARE_LESSTHAN": "COMPARE_GREATERTHAN",
    "COMPARE_LESSTHANOREQUALTO": "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_GREATERTHAN": "COMPARE_LESSTHAN",
    "COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
}
# (lowest, highest, constant) → no value can fulfil it
_NONE: Final[Mapping[str, Callable[[Any, Any, Any], bool]]] = {
    "COMPARE_EQUAL": lambda low, high, c: c < low or c > high,
    "COMPARE_LESSTHAN": lambda low, high, c: low >= c,
    "COMPARE_LESSTHANOREQUALTO": lambda low, high, c: low > c,
    "COMPARE_GREATERTHAN": lambda low, high, c: high <= c,
    "COMPARE_GREATERTHANOREQUALTO": lambda low, high, c: high < c,
}
_ABOVE: Final = frozenset({"COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO"})


def remaining(
    snapshot: Snapshot,
    table: str,
    parts: Sequence[Partition],
    where: Node,
    bounds: Sequence[Sequence[Mapping[int, Bounds]]],
) -> tuple[int, ...]:
    """Numbers of the parts that may hold a row the condition wants.

    Parameters
    ----------
    bounds
        For each file of the version, for each of its row groups: field id → lowest and highest value.
    """
    columns = {fold(f.name): (f.field_id, f.duckdb_type) for f in snapshot.fields}
    kept = []
    for number, part in enumerate(parts):
        first, groups = 0, []
        for rows, found in zip(snapshot.files[part.file].row_groups, bounds[part.file], strict=True):
            if part.first <= first < part.first + part.rows:
                groups.append(found)
            first += rows
        if not groups or not all(_excluded(where, fold(table), columns, group) for group in groups):
            kept.append(number)
    return tuple(kept)


def _excluded(
    node: Node, table: str, columns: Mapping[str, tuple[int, str]], group: Mapping[int, Bounds]
) -> bool:
    """Whether no row of a row group can make the condition true."""

    def none(comparison: str, column: Node, constant: Node) -> bool:
        field_id, kind = _column(column, table, columns)
        value, found = _constant(constant, kind), group.get(field_id)
        if value is None or found is None or (kind == "DOUBLE" and comparison in _ABOVE):
            return False  # NaN is above every number, and in no bounds
        return _NONE[comparison](_comparable(found.low), _comparable(found.high), value)

    match node.get("class"):
        case "CONJUNCTION":
            inner = (_excluded(child, table, columns, group) for child in node["children"])
            return any(inner) if node["type"] == "CONJUNCTION_AND" else all(inner)
        case "COMPARISON" if node["type"] in _MIRRORED:
            return none(node["type"], node["left"], node["right"]) or none(
                _MIRRORED[node["type"]], node["right"], node["left"]
            )
        case "BETWEEN":
            return none("COMPARE_GREATERTHANOREQUALTO", node["input"], node["lower"]) or none(
                "COMPARE_LESSTHANOREQUALTO", node["input"], node["upper"]
            )
        case "OPERATOR" if node["type"] == "COMPARE_IN":
            column, *values = node["children"]
            return all(none("COMPARE_EQUAL", column, value) for value in values)
    return False


def _column(node: Node, table: str, columns: Mapping[str, tuple[int, str]]) -> tuple[int, str]:
    names = [fold(n) for n in node["column_names"]] if node.get("class") == "COLUMN_REF" else []
    if len(names) == 2 and names[0] == table:
        names = names[1:]
    return columns.get(names[0], (-1, "")) if len(names) == 1 else (-1, "")


def _constant(node: Node, kind: str) -> Any:
    """The value of a constant that the engine compares as the column's own type; None for any other."""
    if node.get("class") == "CAST" and not node.get("try_cast") and kind in {"DATE", "TIMESTAMP"}:
        named = node["type_expr"].get("type_name") if isinstance(node.get("type_expr"), dict) else None
        node = node["child"] if named == kind else {}
    literal = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
    text, sort = str(literal.get("text", "")), literal.get("kind")
    try:
        if sort in {"INTEGER", "NUMERIC"} and kind in _WHOLE and _EXACT.fullmatch(text):
            return Decimal(text)
        if sort in {"INTEGER", "NUMERIC"} and kind == "DOUBLE":
            return Decimal(float(text))
        if sort == "STRING" and kind == "VARCHAR":
            return text.encode()
        if sort == "STRING" and kind == "DATE" and len(text) == 10:
            return date.fromisoformat(text)
        if sort == "STRING" and kind == "TIMESTAMP" and len(text) in {10, 19}:
            return datetime.fromisoformat(text)
    except (ValueError, ArithmeticError):
        return None
    return None


def _comparable(bound: Any) -> Any:
    """Texts by their bytes, as the engine orders them; numbers exactly."""
    if isinstance(bound, str):
        return bound.encode()
    return Decimal(bound) if isinstance(bound, (int, float)) else bound
