"""From a person's text to the canonical statement that may run. Knows the parser only as two questions."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

from catalog.gateway import refusals
from catalog.gateway.sql.functions import Functions
from catalog.gateway.sql.joins import Systems, check_joins
from catalog.gateway.sql.tree import authorise

MAX_BYTES: Final = 1 << 20  # one statement [bytes]
NO_CODES: Final[Systems] = MappingProxyType({})
_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*([A-Za-z]+)", re.S)
_PLACES = frozenset({"query_location", "query_location_length"})


class Parser(Protocol):
    """The engine's parser behind a wall; here so that a test can put a liar in its place."""

    def serialise(self, text: str) -> str:
        """`json_serialize_sql` of the text."""
        ...

    def deserialise(self, tree: str) -> tuple[str, str]:
        """The engine's text of the tree, and `json_serialize_sql` of that text again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement that may run: its canonical text and the granted tables it reads."""

    text: str
    tables: frozenset[str]


def prepare(
    text: str,
    granted: Collection[str],
    functions: Functions,
    parser: Parser,
    systems: Systems = NO_CODES,
    parameters: frozenset[str] = frozenset(),
) -> Statement:
    """Parse, authorise, rewrite, and prove that the rewritten text means the tree that was checked.

    Parameters
    ----------
    systems
        Granted table → column → code system; joins of different systems are refused.
    parameters
        Names of the values that come with it (`1`, `2`, … for `?`): the statement asks for exactly these.

    Raises
    ------
    QueryRefused
        With the offending thing and what to do.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise refusals.too_long(size, MAX_BYTES)
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise refusals.syntax_error("U+0000 or a lone surrogate")
    try:
        parsed = json.loads(parser.serialise(text))
        statements = _statements(parsed, text)
        found = authorise(statements[0], granted, functions)
        if found.parameters != parameters:
            raise refusals.parameters_mismatch(found.parameters, parameters)
        check_joins(statements[0], systems)
        canonical, again = parser.deserialise(json.dumps(parsed))
        if plain(json.loads(again)) != plain(parsed):
            raise refusals.canonical_mismatch()
    except RecursionError:
        raise refusals.too_deep() from None
    return Statement(text=canonical, tables=found.tables)


def plain(node: Any) -> Any:
    """The tree without places in the text, and with `(SELECT * FROM (VALUES …) v) v` as `(VALUES …) v`."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: plain(value) for key, value in node.items() if key not in _PLACES}
    if out.keys() == {"node", "named_param_map"}:  # a list of names that has no order
        out["named_param_map"] = sorted(str(entry["key"]) for entry in out["named_param_map"])
    if out.keys() == {"name", "expression"} and out["name"] and isinstance(out["expression"], dict):
        out["expression"].pop("alias", None)  # f(a := 1): the engine's text repeats the name as an alias
    inner = _values_of(out)
    return out if inner is None else inner


def _values_of(ref: dict[str, Any]) -> Any:
    """The VALUES list that a subquery merely wraps under the same name, or None."""
    if ref.get("type") != "SUBQUERY" or ref.get("column_name_alias") or ref.get("sample"):
        return None
    select = ref["subquery"].get("node", {}) if isinstance(ref.get("subquery"), dict) else {}
    values = select.get("from_table", {})
    if not isinstance(values, dict) or values.get("type") != "EXPRESSION_LIST":
        return None
    if values.get("alias") != ref.get("alias") or not _only_star(select):
        return None
    return values


def _only_star(select: dict[str, Any]) -> bool:
    empty = ("modifiers", "where_clause", "group_expressions", "group_sets", "having", "sample", "qualify")
    stars = select.get("select_list", [])
    if any(select.get(key) for key in empty) or select.get("cte_map") != {"map": []} or len(stars) != 1:
        return False
    star = stars[0]
    return star.get("class") == "STAR" and not any(
        value for key, value in star.items() if key not in {"class", "type"}
    )


def _statements(parsed: Any, text: str) -> list[dict[str, Any]]:
    if not isinstance(parsed, dict):
        raise refusals.parser_failed()
    if parsed.get("error"):
        if parsed.get("error_type") == "parser":
            raise refusals.syntax_error(str(parsed.get("error_message", "")))
        if parsed.get("error_type") != "not implemented":  # out of memory, say: no word on what it is
            raise refusals.parser_failed()
        raise _not_select(text)
    statements = parsed.get("statements")
    if not isinstance(statements, list) or len(statements) != 1:
        raise refusals.one_statement(len(statements) if isinstance(statements, list) else 0)
    return statements


def _not_select(text: str) -> refusals.QueryRefused:
    match = _WORD.match(text)
    word = match.group(1).lower() if match else ""
    if word == "explain":
        return refusals.explain_unsupported()
    if word == "pivot" or re.search(r"\bpivot\b", text, re.I):
        return refusals.pivot_needs_values()
    return refusals.not_select(word)
