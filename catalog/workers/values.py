"""Values of placeholders as the engine binds them, from `[kind, text]`. Knows no statement."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

KINDS: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": "true".__eq__,
    "int": int,
    "float": float,
    "str": str,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}


def values(given: Any) -> Any:
    """All values of a statement: a list, or a dict by name; None where there are none."""
    if isinstance(given, dict):
        return {name: _value(*value) for name, value in given.items()} or None
    return [_value(*value) for value in given] or None


def _value(kind: str, content: Any) -> Any:
    if kind == "list":
        return [_value(*item) for item in content]
    return KINDS[kind](content)
