"""Values of a prepared statement: checked as they come, written as literals for the record. Runs nothing.

On the wire a value is `[kind, text]` (a list: `["list", [values]]`); the worker binds it in the engine, so no
value ever becomes part of a statement's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from catalog.gateway.refusals import QueryRefused, short

MOST: Final = 1000  # values of one statement, those inside lists among them
LONGEST: Final = 1 << 16  # all texts together [characters]
DEEPEST: Final = 4  # lists in lists
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_WHOLE: Final = re.compile(r"-?[0-9]{1,38}")
_POINT: Final = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,37})?")
_FORMS: Final[Mapping[str, Callable[[str], object]]] = {
    "null": lambda text: _demand(text == ""),
    "bool": lambda text: _demand(text in {"true", "false"}),
    "int": lambda text: _demand(_WHOLE.fullmatch(text) is not None),
    "float": float,
    "decimal": lambda text: _demand(_POINT.fullmatch(text) is not None and len(text) <= 38),
    "str": lambda text: _demand("\0" not in text and text.encode("utf-8") is not None),
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}

Value = tuple[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Checked values by name: `1`, `2`, … where they are positional."""

    values: Mapping[str, Value]
    named: bool

    @property
    def names(self) -> frozenset[str]:
        """What the statement must ask for, neither more nor less."""
        return frozenset(self.values)

    @property
    def literals(self) -> tuple[tuple[str, str], ...]:
        """Name and SQL literal of every value, for the record."""
        return tuple((name, literal(value)) for name, value in self.values.items())

    @property
    def wire(self) -> Any:
        """For the worker: a list, or an object where they are named."""
        return dict(self.values) if self.named else list(self.values.values())


NONE: Final = Parameters(values={}, named=False)


def parameters(given: Any) -> Parameters:
    """Values as a client sends them: nothing, a list, or an object of names.

    Raises
    ------
    QueryRefused
        `parameter-malformed`.
    """
    if given is None:
        return NONE
    if isinstance(given, dict):
        if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in given):
            raise _malformed("$name")
        found, named = given, True
    elif isinstance(given, list):
        found, named = {str(number): value for number, value in enumerate(given, 1)}, False
    else:
        raise _malformed("parameters")
    left = [MOST, LONGEST]
    return Parameters(values={n: _checked(n, v, left, 0) for n, v in found.items()}, named=named)


def of_python(values: Sequence[object] | Mapping[str, object]) -> Parameters:
    """The same from values of Python, as a driver binds them."""
    if isinstance(values, Mapping):
        return parameters({name: _wire(value) for name, value in values.items()})
    return parameters([_wire(value) for value in values])


def literal(value: Value) -> str:
    """A value as it would stand in SQL."""
    kind, content = value
    match kind:
        case "null":
            return "NULL"
        case "str":
            return "'" + str(content).replace("'", "''") + "'"
        case "date":
            return f"DATE '{content}'"
        case "datetime":
            return f"TIMESTAMP{'TZ' if datetime.fromisoformat(content).tzinfo else ''} '{content}'"
        case "list":
            return "[" + ", ".join(literal(item) for item in content) + "]"
        case _:
            return str(content)


def _checked(name: str, value: Any, left: list[int], depth: int) -> Value:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or depth > DEEPEST:
        raise _malformed(name)
    kind, content = value
    left[0] -= 1
    if kind == "list" and isinstance(content, list):
        return kind, [_checked(name, item, left, depth + 1) for item in content]
    if kind not in _FORMS or not isinstance(content, str):
        raise _malformed(name)
    left[1] -= len(content)
    if min(left) < 0:
        raise _malformed(f"{name}: > {MOST} / {LONGEST}")
    try:
        _FORMS[kind](content)
    except ValueError:
        raise _malformed(name) from None
    return kind, content


def _wire(value: object) -> Any:
    match value:
        case None:
            return ["null", ""]
        case bool():
            return ["bool", "true" if value else "false"]
        case int():
            return ["int", str(value)]
        case float():
            return ["float", repr(value)]
        case str():
            return ["str", value]
        case Decimal():
            return ["decimal", f"{value:f}"]
        case datetime():
            return ["datetime", value.isoformat()]
        case date():
            return ["date", value.isoformat()]
        case list():
            return ["list", [_wire(item) for item in value]]
        case _:
            raise _malformed(type(value).__name__)


def _demand(holds: bool) -> None:
    if not holds:
        raise ValueError


def _malformed(name: str) -> QueryRefused:
    """A value of no known type, or out of form."""
    return QueryRefused(
        "parameter-malformed",
        ko=f"매개변수 값을 쓸 수 없습니다: {short(name)}. 쓸 수 있는 형식: str, int, float, bool, None, "
        "date, datetime, Decimal, 그리고 이들의 list.",
        en=f"This parameter cannot be used: {short(name)}. Types: str, int, float, bool, None, date, "
        "datetime, Decimal, and lists of them.",
    )
