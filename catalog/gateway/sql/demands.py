"""What a condition demands of columns, as far as that is certain. Pure; knows no table and reads nothing.

A file none of whose rows can fulfil a demand need not be read for it. Only what is sure counts: columns, and
what orders as they do, compared with constants and joined by AND and OR. All of it is false or unknown for a
missing value. Anything else demands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from catalog.gateway.parameters import Parameters
from catalog.gateway.sql.tree import fold

Node = Mapping[str, Any]
MOST: Final = 200  # comparisons that are looked at
ABOVE: Final = b"\xff"  # after a text: above every text that begins with it
_WHOLE: Final = frozenset({"INTEGER", "BIGINT"})
_EXACT: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,3})?")  # any other the engine compares as a double
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_COMPARISONS: Final = {  # with the constant on the right, and on the left
    "COMPARE_LESSTHAN": ("<", ">"),
    "COMPARE_LESSTHANOREQUALTO": ("<=", ">="),
    "COMPARE_GREATERTHAN": (">", "<"),
    "COMPARE_GREATERTHANOREQUALTO": (">=", "<="),
}
_FIRST: Final = frozenset({"left"})
_FROM: Final = frozenset({"substring", "substr"})
_BEGINS: Final = frozenset({"^@", "starts_with", "prefix"})
_TRUNC: Final = frozenset({"date_trunc", "datetrunc"})
_PART: Final = frozenset({"date_part", "datepart"})
_STEPS: Final = frozenset({"year", "quarter", "month", "day"})
_PARTS: Final = frozenset({"year", "quarter", "month"})
_FORMATS: Final = frozenset({"%Y", "%Y-%m", "%Y%m", "%Y-%m-%d", "%Y%m%d"})  # that order as time does


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A column, or what is made of it.

    Attributes
    ----------
    kind
        `VARCHAR`, `DATE`, `TIMESTAMP`, `MOMENT` (either of the two), `WHOLE` or `DOUBLE`.
    how, what
        `left` (so many characters), `trunc` (to a step), `part` (of a date), `format`; empty for the column.
    """

    column: str
    kind: str
    how: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The value of a parameter, by its name."""

    name: str


Value = bytes | datetime | Decimal
Given = Value | Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """The term is `<`, `<=`, `>` or `>=` a value."""

    how: str
    term: Term
    value: Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """The term is one of the values."""

    term: Term
    values: tuple[Given, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """All of them hold."""

    parts: tuple[Demand, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    """At least one of them holds."""

    parts: tuple[Demand, ...]


Demand = Compare | Among | Every | Some
Resolve = Callable[[Sequence[str]], tuple[str, str] | None]
"""(column, engine's type) that a name stands for; None where that is not certain."""


class _TooMany(Exception):
    """More comparisons than are looked at."""


def demand(conditions: Sequence[Node], resolve: Resolve) -> Demand | None:
    """What conditions that must all be true demand together; None for nothing."""
    left = [MOST]
    try:
        return _every([_demand(node, resolve, left) for node in conditions])
    except _TooMany:
        return None


def of_columns(table: str, columns: Sequence[tuple[str, str]]) -> Resolve:
    """Names where the table alone is read."""
    known = {fold(name): (name, kind) for name, kind in columns}

    def resolve(names: Sequence[str]) -> tuple[str, str] | None:
        folded = [fold(name) for name in names]
        if len(folded) == 2 and folded[0] == fold(table):
            folded = folded[1:]
        return known.get(folded[0]) if len(folded) == 1 else None

    return resolve


def value_of(asked: Asked, kind: str, parameters: Parameters) -> Value | None:
    """The value of a parameter where the engine compares it as the term's own kind; None for any other."""
    sort, content = parameters.values.get(asked.name, ("null", ""))
    try:
        match sort, kind:
            case "str", "VARCHAR":
                return str(content).encode()
            case "str", "DATE" if _DAY.fullmatch(content):  # as text or as a day: the same order
                return datetime.fromisoformat(content)
            case (("date" | "datetime"), ("DATE" | "TIMESTAMP" | "MOMENT")):
                found = datetime.fromisoformat(content)
                return found if found.tzinfo is None else None
            case "int", "WHOLE":
                return Decimal(content)
    except (ValueError, ArithmeticError):
        return None
    return None


# -- conditions


def _demand(node: Node, resolve: Resolve, left: list[int]) -> Demand | None:
    match node.get("class"):
        case "CONJUNCTION":
            parts = [_demand(child, resolve, left) for child in node["children"]]
            if node["type"] == "CONJUNCTION_AND":
                return _every(parts)
            sure = tuple(part for part in parts if part is not None)
            return Some(parts=sure) if len(sure) == len(parts) else None
        case "COMPARISON":
            _count(left)
            return _comparison(node["type"], node["left"], node["right"], resolve)
        case "BETWEEN":
            _count(left)
            lower = _compare(">=", node["input"], node["lower"], resolve)
            return _every([lower, _compare("<=", node["input"], node["upper"], resolve)])
        case "OPERATOR" if node["type"] == "COMPARE_IN":
            _count(left)
            column, *values = node["children"]
            return _among(column, values, resolve)
        case "FUNCTION":
            _count(left)
            return _begins(node, resolve)
    return None


def _count(left: list[int]) -> None:
    left[0] -= 1
    if left[0] < 0:
        raise _TooMany


def _every(parts: Sequence[Demand | None]) -> Demand | None:
    sure = tuple(part for part in parts if part is not None)
    return sure[0] if len(sure) == 1 else Every(parts=sure) if sure else None


def _comparison(kind: str, one: Node, other: Node, resolve: Resolve) -> Demand | None:
    if kind == "COMPARE_EQUAL":
        return _among(one, [other], resolve) or _among(other, [one], resolve)
    if kind not in _COMPARISONS:
        return None
    straight, mirrored = _COMPARISONS[kind]
    return _compare(straight, one, other, resolve) or _compare(mirrored, other, one, resolve)


def _compare(how: str, column: Node, constant: Node, resolve: Resolve) -> Demand | None:
    term = _term(column, resolve)
    value = None if term is None else _constant(constant, term)
    return None if term is None or value is None else Compare(how=how, term=term, value=value)


def _among(column: Node, constants: Sequence[Node], resolve: Resolve) -> Demand | None:
    term = _term(column, resolve)
    if term is None:
        return None
    values = tuple(value for node in constants if (value := _constant(node, term)) is not None)
    return Among(term=term, values=values) if len(values) == len(constants) else None


def _begins(node: Node, resolve: Resolve) -> Demand | None:
    """`LIKE 'text%'` and the like: from the text to the end of what begins with it."""
    name, arguments = fold(str(node["function_name"])), _arguments(node)
    if len(arguments) != 2 or name not in {"~~", *_BEGINS}:
        return None
    term, text = _term(arguments[0], resolve), _text(arguments[1])
    if name == "~~" and text is not None:
        text = re.split(r"[%_\\]", text, maxsplit=1)[0]
    if term is None or term.kind != "VARCHAR" or not text:
        return None
    lowest, beyond = text.encode(), text.encode() + ABOVE
    return Every(
        parts=(Compare(how=">=", term=term, value=lowest), Compare(how="<=", term=term, value=beyond))
    )


# -- terms and constants


def _term(node: Node, resolve: Resolve) -> Term | None:
    """A column, or one of the functions of it that order as it does."""
    match node.get("class"):
        case "COLUMN_REF":
            found = resolve(node["column_names"])
            if found is None:
                return None
            name, kind = found
            known = "WHOLE" if kind in _WHOLE else kind
            plain = known in {"VARCHAR", "DATE", "TIMESTAMP", "WHOLE", "DOUBLE"}
            return Term(column=name, kind=known) if plain else None
        case "CAST" if _type(node) == "DATE":
            return _made(node["child"], {"DATE", "TIMESTAMP"}, "MOMENT", "trunc", "day", resolve)
        case "FUNCTION":
            return _call(fold(str(node["function_name"])), _arguments(node), resolve)
    return None


def _call(name: str, arguments: Sequence[Node], resolve: Resolve) -> Term | None:
    dates = {"DATE", "TIMESTAMP"}
    match arguments:
        case [column] if name in _PARTS:
            return _made(column, dates, "WHOLE", "part", name, resolve)
        case [column, length] if name in _FIRST:
            return _made(column, {"VARCHAR"}, "VARCHAR", "left", _length(length), resolve)
        case [column, start, length] if name in _FROM and _length(start) == "1":
            return _made(column, {"VARCHAR"}, "VARCHAR", "left", _length(length), resolve)
        case [step, column] if name in _TRUNC and (what := _text(step)) and fold(what) in _STEPS:
            return _made(column, dates, "MOMENT", "trunc", fold(what), resolve)
        case [part, column] if name in _PART and (what := _text(part)) and fold(what) in _PARTS:
            return _made(column, dates, "WHOLE", "part", fold(what), resolve)
        case [column, form] if name == "strftime" and (what := _text(form)) in _FORMATS:
            return _made(column, dates, "VARCHAR", "format", what, resolve)
    return None


def _made(
    column: Node, kinds: set[str], kind: str, how: str, what: str | None, resolve: Resolve
) -> Term | None:
    term = _term(column, resolve) if column.get("class") == "COLUMN_REF" and what else None
    if term is None or term.kind not in kinds:
        return None
    return Term(column=term.column, kind=kind, how=how, what=str(what))


def _constant(node: Node, term: Term) -> Given | None:
    """The value of a constant that the engine compares as the term's own kind; None for any other."""
    if node.get("class") == "PARAMETER":
        return Asked(name=str(node["identifier"]))
    kind, dated = term.kind, False
    if node.get("class") == "CAST" and not node.get("try_cast") and kind in {"DATE", "TIMESTAMP", "MOMENT"}:
        named = _type(node)
        node, dated = (node["child"], True) if named in {"DATE", "TIMESTAMP"} else ({}, False)
        kind = named if dated else kind
    literal = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
    text, sort = str(literal.get("text", "")), literal.get("kind")
    try:
        if sort in {"INTEGER", "NUMERIC"} and kind == "WHOLE" and _EXACT.fullmatch(text):
            return Decimal(text)
        if sort in {"INTEGER", "NUMERIC"} and kind == "DOUBLE":
            return Decimal(float(text))
        if sort == "STRING" and kind == "VARCHAR":
            return text.encode()
        if sort == "STRING" and kind in {"DATE", "TIMESTAMP", "MOMENT"} and _DAY.fullmatch(text):
            return datetime.fromisoformat(text)
        if sort == "STRING" and kind == "TIMESTAMP" and _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
    except (ValueError, ArithmeticError):
        return None
    return None


def _arguments(node: Node) -> list[Node]:
    """Of a plain call; none of one with a filter, an order or DISTINCT."""
    arguments = node.get("arguments")
    if node.get("filter") or node.get("distinct") or not isinstance(arguments, list):
        return []
    return [a["expression"] for a in arguments if not a.get("name")]


def _type(node: Node) -> str:
    named = node["type_expr"] if isinstance(node.get("type_expr"), dict) else {}
    return "" if named.get("children") else str(named.get("type_name")).upper()


def _text(node: Node) -> str | None:
    literal = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
    return str(literal["text"]) if literal.get("kind") == "STRING" else None


def _length(node: Node) -> str | None:
    """A whole number of at least 1, as text."""
    literal = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
    text = str(literal.get("text", ""))
    return text if literal.get("kind") == "INTEGER" and re.fullmatch(r"[1-9][0-9]{0,5}", text) else None
