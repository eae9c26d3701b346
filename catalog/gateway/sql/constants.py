"""What constants are worth where the engine compares them as a column's kind. Pure; reads nothing.

Only what is certain has a value here: the engine must compare the constant as values of that kind, and must
come to the very same value. Whole numbers are not compared with doubles here: beside one, the engine takes
all of an IN or BETWEEN for doubles, and large whole numbers for the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from catalog.gateway.parameters import Parameters
from catalog.gateway.sql.tree import fold

Node = Mapping[str, Any]
_EXACT: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,3})?")  # any other the engine compares as a double
_WORD: Final = re.compile(r"-?[0-9]{1,18}")  # of at most 64 bits
_PLAIN: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_DATED: Final = frozenset({"DATE", "TIMESTAMP", "MOMENT"})
BETWEEN: Final = (",", "|", ";", "\t", "\x1f")  # what long lists are put together with: in no number
WHOLE_TYPES: Final = {  # type: bits, and 1 where it has no sign
    "TINYINT": (8, 0), "SMALLINT": (16, 0), "INTEGER": (32, 0), "BIGINT": (64, 0),
    "UTINYINT": (8, 1), "USMALLINT": (16, 1), "UINTEGER": (32, 1), "UBIGINT": (64, 1),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The value of a parameter, by its name."""

    name: str


Value = bytes | datetime | Decimal
Given = Value | Asked


def value_of(asked: Asked, kind: str, parameters: Parameters) -> Value | None:
    """The value of a parameter where the engine compares it as the kind's own; None for any other."""
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
            case "decimal", "WHOLE" if _EXACT.fullmatch(content):
                return Decimal(content)
            case (("int" | "decimal"), "DOUBLE") if _PLAIN.fullmatch(content):
                return Decimal(float(content))
            case "float", "DOUBLE" if math.isfinite(float(content)):
                return Decimal(float(content))
    except (ValueError, ArithmeticError):
        return None
    return None


def constant(node: Node, kind: str) -> Given | None:
    """The value of a constant that the engine compares as this kind of a term's; None for any other."""
    if node.get("class") == "PARAMETER":
        return Asked(name=str(node["identifier"]))
    if kind in ("WHOLE", "DOUBLE"):
        return _number(node, kind)
    if node.get("class") == "CAST" and not node.get("try_cast") and kind in _DATED:
        kind = type_of(node)
        node = node["child"] if kind in ("DATE", "TIMESTAMP") else {}
    text = text_of(node)
    return None if text is None else _written(text, kind)


def listed(node: Node, kind: str) -> tuple[Value, ...] | None:
    """Values of `SELECT unnest(CAST(string_split('1,2,…', ',') AS T[]))`, as long lists are written.

    Returns
    -------
    tuple or None
        In order, each once; None of any other query, and where one of the values is not certain.
    """
    given = _unnested(node)
    if given is None:
        return None
    named, text, between = given
    match kind:  # all of them at once: there may be a hundred thousand
        case "VARCHAR" if named == kind:
            return tuple(sorted(set(text.encode().split(between.encode()))))
        case "WHOLE" if named in WHOLE_TYPES and _all(_WORD, text, between):
            numbers = sorted(set(map(int, text.split(between))))
            return tuple(map(Decimal, numbers)) if _fit(numbers, named) else None
        case "DOUBLE" if named == kind and _all(_PLAIN, text, between):
            return tuple(map(Decimal, sorted(set(map(float, text.split(between))))))
        case "DATE" | "TIMESTAMP" | "MOMENT" if named in ("DATE", "TIMESTAMP") and kind in (named, "MOMENT"):
            days: Any = {_written(day, named) for day in set(text.split(between))}
            return None if None in days else tuple(sorted(days))
    return None


def _all(form: re.Pattern[str], text: str, between: str) -> bool:
    return re.fullmatch(f"(?:{form.pattern}{re.escape(between)})*{form.pattern}", text) is not None


# -- numbers, texts, days


def _number(node: Node, kind: str) -> Decimal | None:
    """A number, perhaps cast to a type that holds it as it is, perhaps with a sign before that."""
    negative = False
    if node.get("class") == "FUNCTION":  # the engine reads -5 as a number, but -5::INTEGER as -(5::INTEGER)
        name, arguments = str(node["function_name"]), arguments_of(node)
        if name not in ("+", "-") or len(arguments) != 1:
            return None
        negative, node = name == "-", arguments[0]
    named = ""
    if node.get("class") == "CAST" and not node.get("try_cast"):
        named, node = type_of(node), node["child"]
    literal = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
    text, whole = str(literal.get("text", "")), literal.get("kind") == "INTEGER"
    if not whole and literal.get("kind") != "NUMERIC":
        return None
    if named in WHOLE_TYPES:
        if not whole or not _WORD.fullmatch(text) or not _fit([int(text)], named):
            return None
        if negative and (WHOLE_TYPES[named][1] or text.startswith("-")):
            return None  # there may be no such number
    elif named not in ("", kind):
        return None
    if whole and not _WORD.fullmatch(text):
        return None  # of more than 64 bits: the engine rounds some to the double next to Python's
    if kind == "WHOLE" and not _EXACT.fullmatch(text):
        return None
    found = Decimal(text) if kind == "WHOLE" else Decimal(float(text))
    return found.copy_negate() if negative else found  # arithmetic would round it


def _fit(numbers: Collection[int], kind: str) -> bool:
    bits, unsigned = WHOLE_TYPES[kind]
    least, most = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return least <= min(numbers) and max(numbers) <= most


def _written(text: str, kind: str) -> Value | None:
    """A text where it is compared with texts, days or moments."""
    if kind == "VARCHAR":
        return text.encode()
    dated = (kind in _DATED and _DAY.fullmatch(text)) or (kind == "TIMESTAMP" and _MOMENT.fullmatch(text))
    try:
        return datetime.fromisoformat(text) if dated else None
    except ValueError:
        return None


# -- the tree


def arguments_of(node: Node) -> list[Node]:
    """Of a plain call; none of one with a filter, an order or DISTINCT."""
    arguments = node.get("arguments")
    if node.get("filter") or node.get("distinct") or not isinstance(arguments, list):
        return []
    return [a["expression"] for a in arguments if not a.get("name")]


def type_of(node: Node) -> str:
    """The type that a cast names, without anything in brackets."""
    named = node["type_expr"] if isinstance(node.get("type_expr"), dict) else {}
    return "" if named.get("children") else str(named.get("type_name")).upper()


def text_of(node: Node) -> str | None:
    """A text's characters; None of anything else."""
    literal = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
    return str(literal["text"]) if literal.get("kind") == "STRING" else None


def _unnested(node: Node) -> tuple[str, str, str] | None:
    """Type, text and separator of a list that is taken apart, where a SELECT does nothing else."""
    said = {"type", "select_list", "from_table", "cte_map", "aggregate_handling"}
    more = any(value for key, value in node.items() if key not in said) or node["cte_map"].get("map")
    if node.get("type") != "SELECT_NODE" or more or node.get("aggregate_handling") != "STANDARD_HANDLING":
        return None
    items, table = node["select_list"], node["from_table"]
    if len(items) != 1 or not isinstance(table, dict) or table.get("type") != "EMPTY" or table.get("sample"):
        return None
    [made] = _call(items[0], "unnest", 1) or [{}]
    named = "VARCHAR"
    if made.get("class") == "CAST" and not made.get("try_cast"):
        named, made = _listed_type(made["type_expr"]), made["child"]
    split = [text_of(part) for part in _call(made, "string_split", 2)]
    if len(split) != 2 or split[0] is None or split[1] not in BETWEEN:
        return None  # one that may be part of a number would have the looking take for ever
    return named, split[0], split[1]


def _listed_type(named: Node) -> str:
    inner = named.get("children") or []
    plain = str(named.get("type_name")).upper() == "LIST" and len(inner) == 1
    return str(inner[0].get("type_name")).upper() if plain and not inner[0].get("children") else ""


def _call(node: Node, name: str, number: int) -> list[Node]:
    """The arguments of a call of this function with so many; none of anything else."""
    called = node.get("class") == "FUNCTION" and fold(str(node["function_name"])) == name
    arguments = arguments_of(node) if called else []
    return arguments if len(arguments) == number else []
