"""A condition (`where`) over one table, as part of a whole statement. Knows the parser as two questions.

The text is put between brackets and parsed with the statement around it. What comes back must be the same
tree as the statement without it, but for the condition: whatever closes the bracket and goes on (`1=1) UNION
…`, `… GROUP BY`, a comment) makes another tree and is refused. Then the whole is judged like any statement.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.gateway import refusals
from catalog.gateway.sql.functions import Functions
from catalog.gateway.sql.joins import Systems
from catalog.gateway.sql.scans import Demands
from catalog.gateway.sql.statement import NO_CODES, Parser, plain, prepare
from catalog.gateway.workspace import quoted

Node = dict[str, Any]
PART = "part of campus"  # never a granted name: it has spaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A judged condition.

    Attributes
    ----------
    shown
        The canonical statement over the whole table, for the record.
    over_part
        The same over the relation `PART`, which the caller puts before it in a WITH.
    tables
        Granted tables that it reads: the table itself, and those of subqueries.
    tree
        The condition alone, as the parser gave it.
    demands
        Of the statement, table by table.
    """

    shown: str
    over_part: str
    tables: frozenset[str]
    tree: Node
    demands: Demands


def judge_condition(
    where: str,
    table: str,
    columns: Sequence[str],
    granted: Collection[str],
    functions: Functions,
    parser: Parser,
    systems: Systems = NO_CODES,
) -> Condition:
    """Judge `SELECT columns FROM table WHERE (where)`.

    Raises
    ------
    QueryRefused
        `not-a-condition`, or whatever a statement is refused for.
    """
    head = f"SELECT {', '.join(map(quoted, columns))} FROM {quoted(table)} WHERE "  # noqa: S608
    text = f"{head}(\n{where}\n)"
    statement = prepare(text, granted, functions, parser, systems)
    parsed = json.loads(parser.serialise(text))
    bare = json.loads(parser.serialise(head + "true"))
    tree = _where_of(parsed)
    if plain(_with(parsed, None)) != plain(_with(bare, None)):
        raise refusals.not_a_condition(where)
    moved = json.loads(parser.serialise(statement.text))
    source = moved["statements"][0]["node"]["from_table"]
    source.update(catalog_name="", schema_name="", table_name=PART, alias=table)
    source["qualified_name"] = {"path": [PART]}
    over_part, again = parser.deserialise(json.dumps(moved))
    if plain(json.loads(again)) != plain(moved):
        raise refusals.canonical_mismatch()
    return Condition(
        shown=statement.text,
        over_part=over_part,
        tables=statement.tables,
        tree=tree,
        demands=statement.demands,
    )


def _where_of(parsed: Node) -> Node:
    node = parsed["statements"][0]["node"]
    tree = node.get("where_clause") if node.get("type") == "SELECT_NODE" else None
    if not isinstance(tree, dict):
        raise refusals.not_a_condition("")
    return tree


def _with(parsed: Node, where: Node | None) -> Node:
    changed = copy.deepcopy(parsed)
    changed["statements"][0]["node"]["where_clause"] = where
    return changed
