"""Refuses equality joins of columns whose codes belong to different code systems. Knows no table of codes.

Two columns of five digits may both name districts and mean different ones: 11110 is Nowon-gu to Statistics
Korea (KOSTAT) and Jongno-gu to the Ministry of the Interior (MOIS). Looked at are `a.x = b.y` (also in WHERE
and inside AND, OR, NOT), `USING` and `NATURAL`, through aliases, subqueries and WITH. A column inside any
expression is let pass: who writes `substr(code, 1, 5)` has thought about it. What cannot be resolved with
certainty is let pass too; this check protects from a mistake, not from a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from catalog.gateway import refusals
from catalog.gateway.sql.tree import fold

Node = dict[str, Any]
Systems = Mapping[str, Mapping[str, str]]
EQUAL: Final = frozenset({"COMPARE_EQUAL", "COMPARE_NOT_DISTINCT_FROM"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column with a code system (empty: none), and how a message names it."""

    system: str
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What stands in FROM; `columns` by folded name, None where not known; `node` is its reference."""

    node: int
    name: str
    columns: Mapping[str, Column] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Names that are visible: WITH queries, relations of this SELECT, and the SELECT around it."""

    named: Mapping[str, Mapping[str, Column] | None] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    outer: Scope | None = None


def check_joins(statement: Node, systems: Systems) -> None:
    """Read one authorised statement, whose tables already carry their full names.

    Parameters
    ----------
    systems
        Granted table → column → code system, empty where a column has none; every column is named.

    Raises
    ------
    QueryRefused
        `mixed-code-systems`, naming both columns and how to convert.
    """
    known = {
        fold(table): {fold(c): Column(system=s, shown=f"{table}.{c}") for c, s in columns.items()}
        for table, columns in systems.items()
    }
    if any(column.system for columns in known.values() for column in columns.values()):
        _Reader(known).query(statement["node"], Scope())


class _Reader:
    """One pass; every method returns what a query or a reference offers to the one around it."""

    def __init__(self, known: Mapping[str, Mapping[str, Column]]) -> None:
        self.known = known

    def query(self, node: Node, scope: Scope) -> Mapping[str, Column] | None:
        """Columns of a query's result."""
        scope = self._with(node, scope)
        match node["type"]:
            case "SELECT_NODE":
                return self._select(node, scope)
            case "SET_OPERATION_NODE":
                arms = [self.query(arm, scope) for arm in _arms(node)]
                if any(arm is None for arm in arms) or node["setop_type"] == "UNION_BY_NAME":
                    return None
                return _common([arm for arm in arms if arm is not None])
            case _:
                self.query(node["left"], scope)
                hidden = Scope(named={**scope.named, fold(str(node["cte_name"])): None}, outer=scope.outer)
                self.query(node["right"], hidden)
                return None

    def _with(self, node: Node, scope: Scope) -> Scope:
        named = dict(scope.named)
        for entry in node["cte_map"]["map"]:
            inner = Scope(named=named, outer=scope.outer)
            columns = self.query(entry["value"]["query_node"], inner)
            named = {**named, fold(str(entry["key"])): _renamed(columns, entry["value"]["aliases"])}
        return Scope(named=named, relations=scope.relations, outer=scope.outer)

    def _select(self, node: Node, scope: Scope) -> Mapping[str, Column] | None:
        outer = scope if scope.relations else scope.outer
        relations = tuple(self._relations(node["from_table"], Scope(named=scope.named, outer=outer)))
        here = Scope(named=scope.named, relations=relations, outer=outer)
        self._conditions(node["from_table"], here)
        for key in ("where_clause", "having", "qualify"):
            self._equalities(node[key], here)
        for key in ("select_list", "group_expressions", "modifiers"):
            self._nested(node[key], here)
        return self._offered(node["select_list"], here)

    # -- FROM

    def _relations(self, ref: Node, scope: Scope) -> Iterator[Relation]:
        match ref["type"]:
            case "EMPTY":
                return
            case "JOIN":
                yield from self._relations(ref["left"], scope)
                yield from self._relations(ref["right"], scope)
            case "BASE_TABLE":
                name = fold(str(ref["table_name"]))
                found = self.known.get(name) if ref["schema_name"] else scope.named.get(name)
                columns = _renamed(found, ref["column_name_alias"])
                yield Relation(
                    node=id(ref), name=fold(str(ref["alias"] or ref["table_name"])), columns=columns
                )
            case "SUBQUERY":
                columns = self.query(ref["subquery"]["node"], Scope(named=scope.named, outer=scope))
                columns = _renamed(columns, ref["column_name_alias"])
                yield Relation(node=id(ref), name=fold(str(ref["alias"])), columns=columns)
            case _:
                self._nested({k: v for k, v in ref.items() if k != "type"}, scope)
                yield Relation(node=id(ref), name=fold(str(ref["alias"])), columns=None)

    def _conditions(self, ref: Node, scope: Scope) -> None:
        """The joins of one FROM: conditions, USING and NATURAL."""
        if ref["type"] != "JOIN":
            return
        self._conditions(ref["left"], scope)
        self._conditions(ref["right"], scope)
        self._equalities(ref["condition"], scope)
        left, right = (tuple(self._names(ref[side], scope)) for side in ("left", "right"))
        shared: list[str] = [fold(str(name)) for name in ref["using_columns"]]
        if ref["ref_type"] == "NATURAL":
            shared = sorted(
                {n for r in left for n in r.columns or ()} & {n for r in right for n in r.columns or ()}
            )
        for name in shared:
            _demand_same(_find(left, name), _find(right, name))

    def _names(self, ref: Node, scope: Scope) -> Iterator[Relation]:
        """Relations of this scope that stand below one side of a join."""
        if ref["type"] == "JOIN":
            yield from self._names(ref["left"], scope)
            yield from self._names(ref["right"], scope)
        else:
            yield from (r for r in scope.relations if r.node == id(ref))

    # -- expressions

    def _equalities(self, node: Any, scope: Scope) -> None:
        if isinstance(node, dict) and node.get("class") == "COMPARISON" and node.get("type") in EQUAL:
            _demand_same(_column(node["left"], scope), _column(node["right"], scope))
        self._below(node, scope, self._equalities)

    def _nested(self, node: Any, scope: Scope) -> None:
        """Queries inside an expression, each read for itself."""
        self._below(node, scope, self._nested)

    def _below(self, node: Any, scope: Scope, visit: Any) -> None:
        if isinstance(node, list):
            for item in node:
                visit(item, scope)
        elif isinstance(node, dict):
            if isinstance(node.get("subquery"), dict):
                self._subquery(node, scope)
                node = {k: v for k, v in node.items() if k != "subquery"}
            for value in node.values():
                if isinstance(value, dict | list):
                    visit(value, scope)

    def _subquery(self, node: Node, scope: Scope) -> None:
        """`x IN (SELECT y …)` compares too."""
        columns = self.query(node["subquery"]["node"], Scope(named=scope.named, outer=scope))
        if node.get("subquery_type") == "ANY" and node.get("comparison_type") in EQUAL and columns:
            _demand_same(_column(node["child"], scope), next(iter(columns.values())))

    def _offered(self, select_list: list[Node], scope: Scope) -> Mapping[str, Column] | None:
        """Columns of a SELECT by name; None when a star hides some."""
        offered: dict[str, Column] = {}
        for index, item in enumerate(select_list):
            if item["class"] == "STAR":
                if item["columns"] or item["expr"] or item["replace_list"] or item["rename_list"]:
                    return None
                relations = [r for r in scope.relations if item["relation_name"] in ("", r.name)]
                if any(r.columns is None for r in relations):
                    return None
                left_out = {fold(str(name)) for name in item["exclude_list"]}
                for relation in relations:
                    found = (relation.columns or {}).items()
                    offered |= {n: c for n, c in found if n not in left_out and n not in offered}
                continue
            column = _column(item, scope) or Column(system="", shown="")
            name = item["alias"] or (item["column_names"][-1] if item["class"] == "COLUMN_REF" else "")
            offered[fold(str(name)) or f"\0{index}"] = column
        return offered


def _column(node: Any, scope: Scope) -> Column | None:
    """The column a plain reference means, if that is certain."""
    if not isinstance(node, dict) or node.get("class") != "COLUMN_REF":
        return None
    names = [fold(str(name)) for name in node["column_names"]]
    seen: Scope | None = scope
    while seen is not None:
        if len(names) == 1:
            found = _find(seen.relations, names[0])
        else:
            found = _find([r for r in seen.relations if r.name == names[-2]], names[-1])
        if found is not None or any(r.columns is None for r in seen.relations):
            return found
        seen = seen.outer
    return None


def _find(relations: Any, name: str) -> Column | None:
    """The column of that name; None where it is not certain which one is meant."""
    found = [r.columns[name] for r in relations if r.columns is not None and name in r.columns]
    systems = {column.system for column in found}
    certain = len(systems) == 1 and all(r.columns is not None for r in relations)
    return found[0] if certain else None


def _renamed(columns: Mapping[str, Column] | None, names: list[str]) -> Mapping[str, Column] | None:
    if columns is None or not names:
        return columns
    given = [fold(str(name)) for name in names] + list(columns)[len(names) :]
    return dict(zip(given, columns.values(), strict=False))


def _arms(node: Node) -> list[Node]:
    return [arm for arm in (node["left"], node["right"], *node["children"]) if arm is not None]


def _common(arms: list[Mapping[str, Column]]) -> Mapping[str, Column]:
    """The first arm's columns; a system only where every arm has the same at that place."""
    columns: dict[str, Column] = {}
    for index, (name, column) in enumerate(arms[0].items()):
        at = [list(arm.values())[index] for arm in arms if index < len(arm)]
        same = {c.system for c in at} == {column.system}
        columns[name] = column if same else Column(system="", shown="")
    return columns


def _demand_same(one: Column | None, other: Column | None) -> None:
    if one is None or other is None or not one.system or not other.system:
        return
    if one.system != other.system:
        raise refusals.mixed_code_systems((one.shown, one.system), (other.shown, other.system))
