"""Every scan of a granted table in a statement, and what it demands of the rows. Pure; reads nothing.

Conditions of the very SELECT that names the table count, and those of the joins it stands in. A demand is
never fulfilled by missing values (see `demands`), so it may be asked below an outer join too: a row that such
a join fills up with missing values fails it afterwards. What is sampled, or joined by place or by nearest
value, demands nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.gateway.sql.demands import Demand, demand
from catalog.gateway.sql.show import CATALOG, SCHEMA, Columns
from catalog.gateway.sql.tree import fold

Node = Mapping[str, Any]
Demands = Mapping[str, tuple[Demand | None, ...]]
"""Table → what each of its scans demands; None where that is nothing."""


def scans(statement: Node, columns: Columns) -> Demands:
    """Every scan of a granted table in an authorised statement, and what it demands.

    Parameters
    ----------
    statement
        As `tree.authorise` left it: granted tables have their full names.
    columns
        Table → its columns and types; a table that is not there demands nothing.
    """
    claimed: dict[int, Demand | None] = {}
    tables: list[Node] = []
    waiting: list[Any] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            if node.get("type") == "SELECT_NODE" and isinstance(node.get("from_table"), dict):
                _From(node, columns, claimed)
            elif _granted(node):
                tables.append(node)
    found: dict[str, list[Demand | None]] = {}
    for node in tables:
        found.setdefault(str(node["table_name"]), []).append(claimed.get(id(node)))
    return {table: tuple(demands) for table, demands in found.items()}


def merged(*found: Demands) -> Demands:
    """The scans of several statements that run one after the other."""
    tables = {table for demands in found for table in demands}
    return {table: tuple(asked for demands in found for asked in demands.get(table, ())) for table in tables}


def named(statement: Node) -> frozenset[str] | None:
    """Every name, folded, that may be a column's; None where a column need not be named to be read."""
    found: set[str] = set()
    waiting: list[Any] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            if node.get("class") == "STAR" or node.get("type") in ("PIVOT", "SHOW_REF"):
                return None
            if node.get("ref_type") == "NATURAL":
                return None
            for key in ("column_names", "using_columns"):
                found.update(fold(str(name)) for name in node.get(key) or ())
    return frozenset(found)


class _From:
    """The tables of one SELECT; puts what each demands into `claimed`, by the node's identity."""

    def __init__(self, select: Node, columns: Columns, claimed: dict[int, Demand | None]) -> None:
        self.columns, self.claimed = columns, claimed
        self.leaves: list[Node] = []
        self.merged = False  # some columns of two tables are one
        self._list(select["from_table"])
        where = select.get("where_clause")
        sampled = select.get("sample") is not None
        if not sampled:  # rows are drawn before WHERE looks at them
            self._ask(select["from_table"], (where,) if isinstance(where, dict) else ())

    def _list(self, ref: Node) -> None:
        if ref["type"] != "JOIN":
            self.leaves.append(ref)
            return
        self.merged |= bool(ref["using_columns"]) or ref["ref_type"] == "NATURAL"
        self._list(ref["left"])
        self._list(ref["right"])

    def _ask(self, ref: Node, wanted: tuple[Node, ...]) -> None:
        if ref.get("sample") is not None:
            return
        if _granted(ref) and not ref["column_name_alias"]:
            self.claimed[id(ref)] = demand(wanted, lambda names: self._resolve(ref, names))
        if ref["type"] != "JOIN" or ref["alias"] or ref["ref_type"] in ("ASOF", "POSITIONAL"):
            return
        on = (ref["condition"],) if isinstance(ref.get("condition"), dict) else ()
        left, right = {
            "INNER": (wanted + on, wanted + on),
            "LEFT": (wanted, wanted + on),
            "RIGHT": (wanted + on, wanted),
            "SEMI": (wanted + on, on),  # outside, nothing of the right side has a name
            "ANTI": (wanted, on),
        }.get(ref["join_type"], (wanted, wanted))
        self._ask(ref["left"], left)
        self._ask(ref["right"], right)

    def _resolve(self, leaf: Node, names: Sequence[str]) -> tuple[str, str] | None:
        known = _known(leaf, self.columns)
        folded = [fold(str(name)) for name in names]
        others = [other for other in self.leaves if other is not leaf]
        if known is None or not folded or folded[-1] not in known:
            return None
        if len(folded) == 2:
            alone = all(_alias(other) != folded[0] for other in others)
            return known[folded[-1]] if alone and folded[0] == _alias(leaf) else None
        if len(folded) != 1:
            return None
        if self.merged:  # the name may stand for the columns of two tables together
            beside = [_known(other, self.columns) for other in others]
            if any(columns is None or folded[0] in columns for columns in beside):
                return None
        return known[folded[0]]  # were it in another table as well, the engine would refuse it as ambiguous


def _granted(node: Node) -> bool:
    return (
        node.get("type") == "BASE_TABLE"
        and node.get("schema_name") == SCHEMA
        and node.get("catalog_name") == CATALOG
    )


def _alias(leaf: Node) -> str:
    return fold(str(leaf.get("alias") or leaf.get("table_name") or ""))


def _known(leaf: Node, columns: Columns) -> dict[str, tuple[str, str]] | None:
    found = columns.get(str(leaf.get("table_name"))) if _granted(leaf) else None
    if not found or leaf["column_name_alias"]:
        return None
    return {fold(name): (name, kind) for name, kind in found}
