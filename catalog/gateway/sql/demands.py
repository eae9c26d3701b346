"""What a condition demands of columns, as far as that is certain. Pure; knows no table and reads nothing.

A file none of whose rows can fulfil a demand need not be read for it. Only what is sure counts: columns, and
what orders as they do, compared with constants and joined by AND and OR. All of it is false or unknown for a
missing value. Anything else demands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.gateway.sql.constants import (
    Asked,
    Given,
    arguments_of,
    constant,
    listed,
    text_of,
    type_of,
)
from catalog.gateway.sql.tree import fold

Node = Mapping[str, Any]
MOST: Final = 200  # comparisons that are looked at
ABOVE: Final = b"\xff"  # after a text: above every text that begins with it
_WHOLE: Final = frozenset({"INTEGER", "BIGINT"})
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
            upper = _compare("<=", node["input"], node["upper"], resolve)
            return _every([lower, upper]) if _alike(lower, upper) else None
        case "OPERATOR" if node["type"] == "COMPARE_IN":
            _count(left)
            column, *values = node["children"]
            return _among(column, values, resolve)
        case "FUNCTION":
            _count(left)
            return _begins(node, resolve)
        case "SUBQUERY" if node["subquery_type"] == "ANY" and node["comparison_type"] == "COMPARE_EQUAL":
            _count(left)
            return _among_listed(node, resolve)
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


def _compare(how: str, column: Node, other: Node, resolve: Resolve) -> Compare | None:
    term = _term(column, resolve)
    value = None if term is None else constant(other, term.kind)
    return None if term is None or value is None else Compare(how=how, term=term, value=value)


def _alike(lower: Compare | None, upper: Compare | None) -> bool:
    """Whether what is known of one end of a BETWEEN holds beside the other: all three become of one type.

    A bound whole number may be larger than any literal that is known, and beside a double be another.
    """
    if lower is not None and upper is not None:
        return True
    known = lower or upper
    return known is None or known.term.kind != "WHOLE" or not isinstance(known.value, Asked)


def _among(column: Node, constants: Sequence[Node], resolve: Resolve) -> Demand | None:
    term = _term(column, resolve)
    if term is None:
        return None
    values = tuple(value for node in constants if (value := constant(node, term.kind)) is not None)
    return Among(term=term, values=values) if len(values) == len(constants) else None


def _among_listed(node: Node, resolve: Resolve) -> Demand | None:
    """`x IN (SELECT …)` of a long list of values, see `sql.values`."""
    term = _term(node["child"], resolve) if isinstance(node.get("child"), dict) else None
    values = None if term is None else listed(node["subquery"]["node"], term.kind)
    return None if term is None or values is None else Among(term=term, values=values)


def _begins(node: Node, resolve: Resolve) -> Demand | None:
    """`LIKE 'text%'` and the like: from the text to the end of what begins with it."""
    name, arguments = fold(str(node["function_name"])), arguments_of(node)
    if len(arguments) != 2 or name not in {"~~", *_BEGINS}:
        return None
    term, text = _term(arguments[0], resolve), text_of(arguments[1])
    if name == "~~" and text is not None:
        text = re.split(r"[%_\\]", text, maxsplit=1)[0]
    if term is None or term.kind != "VARCHAR" or not text:
        return None
    lowest, beyond = text.encode(), text.encode() + ABOVE
    return Every(
        parts=(Compare(how=">=", term=term, value=lowest), Compare(how="<=", term=term, value=beyond))
    )


# -- terms


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
        case "CAST" if type_of(node) == "DATE":
            return _made(node["child"], {"DATE", "TIMESTAMP"}, "MOMENT", "trunc", "day", resolve)
        case "FUNCTION":
            return _call(fold(str(node["function_name"])), arguments_of(node), resolve)
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
        case [step, column] if name in _TRUNC and (what := text_of(step)) and fold(what) in _STEPS:
            return _made(column, dates, "MOMENT", "trunc", fold(what), resolve)
        case [part, column] if name in _PART and (what := text_of(part)) and fold(what) in _PARTS:
            return _made(column, dates, "WHOLE", "part", fold(what), resolve)
        case [column, form] if name == "strftime" and (what := text_of(form)) in _FORMATS:
            return _made(column, dates, "VARCHAR", "format", what, resolve)
    return None


def _made(
    column: Node, kinds: set[str], kind: str, how: str, what: str | None, resolve: Resolve
) -> Term | None:
    term = _term(column, resolve) if column.get("class") == "COLUMN_REF" and what else None
    if term is None or term.kind not in kinds:
        return None
    return Term(column=term.column, kind=kind, how=how, what=str(what))


def _length(node: Node) -> str | None:
    """A whole number of at least 1, as text."""
    literal = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
    text = str(literal.get("text", ""))
    return text if literal.get("kind") == "INTEGER" and re.fullmatch(r"[1-9][0-9]{0,5}", text) else None
