"""PIVOT without its list of values: finds where the list belongs, and asks for the values in a statement.

The engine turns `PIVOT t ON c` into two statements, which its serialiser does not take. Here the same is done
in the open: the text gets `IN campus_pivot_0` after the column, which parses as one statement; what fills the
list is a statement of its own, `SELECT DISTINCT` of that column over that source, judged like any other and
on record. The places in the text need not be found safely: what comes back is a tree, and the tree is judged.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from catalog.gateway import refusals

Node = dict[str, Any]
MARK: Final = "campus_pivot_"
MOST: Final = 8  # lists of one statement
LONGEST: Final = 1 << 16  # characters of a text that is looked through
_TOKEN: Final = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/|(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)
    |[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\W\d]\w*|\d[\w.]*|.""",
    re.S | re.X,
)
_PIVOT: Final = frozenset({"pivot", "pivot_wider"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_ENDS: Final = frozenset({"using", "group", "order", "limit", "offset", "union", "intersect", "except", ";"})


def with_marks(text: str) -> str | None:
    """The text with a list named wherever a PIVOT … ON has none; None where there is nothing to name.

    Raises
    ------
    QueryRefused
        It speaks of such lists itself, or lacks too many.
    """
    if len(text) > LONGEST:
        return None
    tokens = [match[0] for match in _TOKEN.finditer(text)]
    pivots = [at for at in range(len(tokens)) if _word(tokens, at) in _PIVOT]
    found = [place for at in pivots[: MOST + 1] for place in _bare(tokens, at)]
    if not found:
        return None
    if MARK in text.lower() or len(found) > MOST:
        raise refusals.pivot_needs_values()
    for number, (start, end) in enumerate(found):
        tokens[start] = "(" + tokens[start]
        tokens[end - 1] += f") IN {MARK}{number} "
    return "".join(tokens)


def take_marks(tree: Any) -> list[tuple[Node, str, Node]]:
    """Empty the lists that are named, so that the rest can be judged: pivot, name, statement of its values.

    Parameters
    ----------
    tree
        One parsed statement; changed in place.

    Raises
    ------
    QueryRefused
        A list that stands where its values cannot be asked for.
    """
    found = []
    for ref, scope in _pivots(tree.get("node"), ()):
        for pivot in ref["pivots"]:
            name = pivot.get("pivot_enum")
            if not name:
                continue
            expressions = pivot.get("pivot_expressions")
            if not str(name).startswith(MARK) or not isinstance(expressions, list) or len(expressions) != 1:
                raise refusals.pivot_needs_values()
            found.append((pivot, str(name), _values(expressions[0], ref["source"], scope)))
    if len({name for _, name, _ in found}) != len(found):
        raise refusals.pivot_needs_values()
    for pivot, _, _ in found:
        pivot["pivot_enum"] = ""
    return found


def _word(tokens: list[str], at: int) -> str:
    return tokens[at].lower()


def _blank(token: str) -> bool:
    return token.isspace() or token.startswith(("--", "/*"))


def _bare(tokens: list[str], pivot: int) -> Iterator[tuple[int, int]]:
    """Token ranges of the columns after this PIVOT's ON that have no IN."""
    on = _next(tokens, pivot + 1, frozenset({"on"}) | _ENDS)
    if on is None or _word(tokens, on) != "on":
        return
    start = on + 1
    while True:
        end = _next(tokens, start, _ENDS | {","})
        stop = len(tokens) if end is None else end
        inside = _next(tokens[:stop], start, frozenset({"in"}))
        words = [at for at in range(start, stop) if not _blank(tokens[at])]
        if inside is None and words:
            yield words[0], words[-1] + 1
        if end is None or tokens[end] != ",":
            return
        start = end + 1


def _next(tokens: list[str], start: int, words: frozenset[str]) -> int | None:
    """The first of these words outside brackets; the bracket that closes around it ends the search too."""
    depth = 0
    for at in range(start, len(tokens)):
        here = _word(tokens, at)
        if depth == 0 and (here in words or (here == ")" and ";" in words)):
            return at
        depth += (here in _OPEN) - (here in _CLOSE)
        if depth < 0:
            return None
    return None


def _pivots(node: Any, scope: tuple[Node, ...]) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Every PIVOT and the WITH queries that it sees."""
    if isinstance(node, list):
        for item in node:
            yield from _pivots(item, scope)
    elif isinstance(node, dict):
        entries = node["cte_map"].get("map", []) if isinstance(node.get("cte_map"), dict) else []
        for entry in entries:
            yield from _pivots(entry, scope)
            scope = (*scope, entry)
        if node.get("type") == "PIVOT" and isinstance(node.get("pivots"), list):
            yield node, scope
        yield from _pivots([value for key, value in node.items() if key != "cte_map"], scope)


def _values(expression: Node, source: Node, scope: tuple[Node, ...]) -> Node:
    """`WITH … SELECT DISTINCT CAST(e AS VARCHAR) FROM source WHERE e IS NOT NULL ORDER BY 1` as a tree."""
    visible: Mapping[str, Node] = {str(entry.get("key")).lower(): entry for entry in scope}
    if len(visible) != len(scope):  # a name that means two things
        raise refusals.pivot_needs_values()
    nowhere = {"query_location": 0, "query_location_length": 0}
    text = {
        "class": "TYPE",
        "type": "TYPE",
        "alias": "",
        **nowhere,
        "catalog": "",
        "schema": "",
        "type_name": "VARCHAR",
        "qualified_name": {"path": ["VARCHAR"]},
        "children": [],
    }
    cast = {
        "class": "CAST",
        "type": "OPERATOR_CAST",
        "alias": "value",
        **nowhere,
        "child": copy.deepcopy(expression),
        "try_cast": False,
        "type_expr": text,
    }
    known = {
        "class": "OPERATOR",
        "type": "OPERATOR_IS_NOT_NULL",
        "alias": "",
        **nowhere,
        "children": [copy.deepcopy(expression)],
    }
    first = {
        "class": "CONSTANT",
        "type": "VALUE_CONSTANT",
        "alias": "",
        **nowhere,
        "literal": {"kind": "INTEGER", "text": "1"},
    }
    order = {"type": "ORDER_DEFAULT", "null_order": "ORDER_DEFAULT", "expression": first}
    return {
        "node": {
            "type": "SELECT_NODE",
            "modifiers": [
                {"type": "DISTINCT_MODIFIER", "distinct_on_targets": []},
                {"type": "ORDER_MODIFIER", "orders": [order]},
            ],
            "cte_map": {"map": [copy.deepcopy(entry) for entry in scope]},
            "select_list": [cast],
            "from_table": copy.deepcopy(source),
            "where_clause": known,
            "group_expressions": [],
            "group_sets": [],
            "aggregate_handling": "STANDARD_HANDLING",
            "having": None,
            "sample": None,
            "qualify": None,
        },
        "named_param_map": [],
    }
