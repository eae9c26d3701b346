"""Values for a statement's placeholders, as they travel: `[kind, text]`. They are bound, never pasted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from campus.errors import UsageError

Parameters = Sequence[Any] | Mapping[str, Any]


def wire(parameters: Parameters | None) -> Any:
    """All values of a statement: a list for `?`, an object for `$name`.

    Raises
    ------
    UsageError
        A value of a type that SQL has no counterpart for, or a single text where values were meant.
    """
    if parameters is None:
        return None
    if isinstance(parameters, Mapping):
        return {str(name): _value(str(name), value) for name, value in parameters.items()}
    if isinstance(parameters, (str, bytes)) or not isinstance(parameters, Sequence):
        raise _unusable("parameters", parameters)
    return [_value(f"?{number}", value) for number, value in enumerate(parameters, 1)]


def _value(name: str, value: Any) -> Any:
    if hasattr(value, "item") and not isinstance(value, (list, tuple)):
        value = value.item()  # numpy's numbers
    match value:
        case None:
            return ["null", ""]
        case bool():
            return ["bool", "true" if value else "false"]
        case int():
            return ["int", str(value)]
        case float():
            return ["float", repr(float(value))]
        case str():
            return ["str", value]
        case Decimal():
            return ["decimal", f"{value:f}"]
        case datetime():
            return ["datetime", value.isoformat()]
        case date():
            return ["date", value.isoformat()]
        case list() | tuple():
            return ["list", [_value(name, item) for item in value]]
    raise _unusable(name, value)


def _unusable(name: str, value: object) -> UsageError:
    kind = type(value).__name__
    return UsageError(
        "parameter-type",
        ko=f"매개변수 {name} 에 {kind} 형식은 쓸 수 없습니다. str, int, float, bool, None, date, datetime, "
        "Decimal 또는 이들의 list 를 campus.sql(질의, [값]) 나 campus.sql(질의, {'이름': 값}) 로 주세요.",
        en=f"Parameter {name} cannot be a {kind}. Give str, int, float, bool, None, date, datetime, "
        "Decimal, or "
        "lists of them: campus.sql(query, [value]) or campus.sql(query, {'name': value}).",
    )
