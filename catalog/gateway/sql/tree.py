"""Walks a statement's tree against the allow-lists and gives tables their full names. Default is to refuse.

`authorise` knows the granted names only; it opens nothing and asks nobody. What it returns is what may run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from catalog.gateway import oversize, refusals
from catalog.gateway.sql.functions import Functions
from catalog.gateway.sql.shapes import (
    EXPRESSIONS,
    MODIFIERS_OF,
    OBJECTS,
    QUERIES_OF,
    REFS,
    Shape,
    Spec,
)
from catalog.gateway.sql.show import (
    ALL_TABLES,
    CATALOG,
    NO_KEYS,
    SCHEMA,
    Columns,
    Keys,
    catalogue_table,
    describe,
    list_of_tables,
    place,
)

Node = dict[str, Any]
Scope = frozenset[str]

MAX_DEPTH: Final = 600  # nested nodes; the engine's own limit on expressions is 1000
NO_COLUMNS: Final[Columns] = MappingProxyType({})
_NO_NUMBERS: Final = "WITHOUT_ORDINALITY"
_COLLATION = re.compile(r"[A-Za-z_]+(\.[A-Za-z_]+)*")
_PATH_LIKE = re.compile(r"[/\\:*?]|\.(parquet|csv|tsv|json|jsonl|ndjson|duckdb|db|gz|zst|arrow|txt)$", re.I)
_WINDOW_BOUND = re.compile(r"[A-Z_]+")
_AGGREGATE_BY_NAME: Final = frozenset(
    {"aggregate", "list_aggregate", "list_aggr", "array_aggregate", "array_aggr"}
)


def fold(name: str) -> str:
    """Case-fold as the engine does: ASCII letters only."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorised:
    """What a statement reads: granted names as they were declared; and the values it asks for, by name."""

    tables: frozenset[str]
    parameters: frozenset[str]


def authorise(
    statement: Node,
    granted: Collection[str],
    functions: Functions,
    columns: Columns = NO_COLUMNS,
    keys: Keys = NO_KEYS,
) -> Authorised:
    """Check one parsed statement and rewrite its table names in place.

    Parameters
    ----------
    statement
        An element of `statements` of the engine's serialised form; changed in place.
    granted
        Names that may be read, as they are called inside the worker.
    columns
        Their columns, for listings; a name without any is listed alone.
    keys
        Of those that have one, the columns of their key; for listings.

    Raises
    ------
    QueryRefused
        The first thing met that is not allowed.
    """
    listed = {name: columns.get(name, ()) for name in granted}
    walk = _Walk({fold(name): name for name in granted}, functions, listed, keys)
    walk.object("statement", statement, frozenset())
    return Authorised(tables=frozenset(walk.tables), parameters=frozenset(walk.parameters))


class _Walk:
    """One pass over one tree; remembers the tables and parameters it met."""

    def __init__(
        self, granted: Mapping[str, str], functions: Functions, columns: Columns, keys: Keys
    ) -> None:
        self.granted = granted
        self.functions = functions
        self.columns, self.keys = columns, keys
        self.tables: set[str] = set()
        self.parameters: set[str] = set()
        self.depth = 0

    # -- the four families of nodes

    def query(self, node: Any, scope: Scope) -> None:
        kind, shape = _shape(node, "type", QUERIES_OF)
        if kind == "SELECT_NODE" and len(_list(node.get("select_list"), kind)) > oversize.MOST_COLUMNS:
            raise oversize.too_many_columns(len(node["select_list"]))
        scope = self._ctes(node.get("cte_map"), scope)
        if kind == "RECURSIVE_CTE_NODE":  # only the recursive arm sees its own name
            self._fields(node, shape, scope, skip=("cte_map", "right"))
            self.query(node["right"], scope | {fold(str(node["cte_name"]))})
            return
        self._fields(node, shape, scope, skip=("cte_map",))

    def ref(self, node: Any, scope: Scope) -> None:
        if isinstance(node, dict) and node.get("show_type") in ("SHOW_SPECIAL", "SHOW_FROM"):
            self._show(node)
        if isinstance(node, dict):
            self._catalogue(node)
        if isinstance(node, dict) and node.get("at_clause"):
            raise refusals.time_travel()
        if isinstance(node, dict) and node.get("type") == "PIVOT":
            _check_pivot(node)
        kind, shape = _shape(node, "type", REFS)
        if kind == "BASE_TABLE":
            self._table(node, scope)
        if (
            kind == "SHOW_REF" and node.get("query") is None
        ):  # SHOW t: by name, so make it a query of that name
            describe(node)
        self._fields(node, shape, scope)

    def expression(self, node: Any, scope: Scope) -> None:
        kind, shape = _shape(node, "class", EXPRESSIONS)
        if kind == "FUNCTION" and _placed(node):
            return
        match kind:
            case "FUNCTION":
                self._function(node, self.functions.scalar | self.functions.aggregate)
            case "WINDOW":
                if not str(node.get("type")).startswith("WINDOW_"):
                    raise refusals.syntax_not_allowed(str(node.get("type")))
                self._function(node, self.functions.window | self.functions.aggregate)
                for bound in ("start", "end", "exclude_clause"):
                    if not _WINDOW_BOUND.fullmatch(str(node.get(bound))):
                        raise refusals.syntax_not_allowed(f"WINDOW {bound}")
            case "TYPE":
                if fold(str(node.get("type_name"))).upper() not in self.functions.types:
                    raise refusals.type_not_allowed(str(node.get("type_name")))
                _same_path(node, str(node.get("type_name")))
            case "PARAMETER":
                self.parameters.add(str(node.get("identifier")))
            case "COLLATE":
                if not _COLLATION.fullmatch(str(node.get("collation"))):
                    raise refusals.syntax_not_allowed("COLLATE")
        self._fields(node, shape, scope)

    def object(self, name: str, node: Any, scope: Scope) -> None:
        if name == "table_function":
            self._table_function(node, scope)
            return
        if not isinstance(node, dict):
            raise refusals.syntax_not_allowed(name)
        self._fields(node, OBJECTS[name], scope)

    # -- fields

    def _fields(self, node: Node, shape: Shape, scope: Scope, skip: tuple[str, ...] = ()) -> None:
        if node.keys() != shape.keys():
            odd = sorted(node.keys() ^ shape.keys())
            raise refusals.syntax_not_allowed(", ".join(odd))
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise refusals.too_deep()
        for name, spec in shape.items():
            if name not in skip:
                self._field(name, spec, node[name], scope)
        self.depth -= 1

    def _field(self, name: str, spec: Spec, value: Any, scope: Scope) -> None:
        if isinstance(spec, frozenset):
            _demand(isinstance(value, str) and value in spec, name, value)
            return
        check = _PLAIN.get(spec)
        if check is not None:
            _demand(check(value), name, value)
            return
        if value is None:
            _demand(spec.endswith("?") or "?:" in spec, name, value)
            return
        visit = _VISITS.get(spec)
        if visit is not None:
            visit(self, value, scope)
            return
        how, _, kind = spec.partition(":")
        for item in _list(value, name) if how == "objects" else (value,):
            self.object(kind, item, scope)

    # -- the kinds with rules of their own

    def _ctes(self, cte_map: Any, scope: Scope) -> Scope:
        if not isinstance(cte_map, dict) or cte_map.keys() != {"map"}:
            raise refusals.syntax_not_allowed("WITH")
        for entry in _list(cte_map["map"], "WITH"):
            if not isinstance(entry, dict) or entry.keys() != {"key", "value"}:
                raise refusals.syntax_not_allowed("WITH")
            self.object("cte", entry["value"], scope)  # does not see its own name, as in the engine
            scope = scope | {fold(str(entry["key"]))}
        return scope

    def _table(self, node: Node, scope: Scope) -> None:
        parts = _written(node)
        path = node.get("qualified_name", {}).get("path")
        if path != [p for p in parts if p]:
            raise refusals.table_not_granted(".".join(map(str, path or ["?"])), self.granted.values())
        catalog, schema, name = (fold(p) for p in parts)
        if not catalog and not schema and name in scope:
            return
        if name in self.granted and catalog in ("", CATALOG) and schema in ("", SCHEMA):
            full = self.granted[name]
            node.update(catalog_name=CATALOG, schema_name=SCHEMA, table_name=full)
            node["qualified_name"]["path"] = [CATALOG, SCHEMA, full]
            self.tables.add(full)
            return
        written = ".".join(p for p in parts if p)
        if _PATH_LIKE.search(written):
            raise refusals.file_not_allowed(written)
        raise refusals.table_not_granted(written, self.granted.values())

    def _show(self, node: Node) -> None:
        special = node["show_type"] == "SHOW_SPECIAL"
        what = str(node.get("table_name")).strip('"') if special else "tables"
        place = (fold(str(node.get("catalog_name") or CATALOG)), fold(str(node.get("schema_name") or SCHEMA)))
        if what not in ("tables", ALL_TABLES) or node.get("sample") or place != (CATALOG, SCHEMA):
            raise refusals.show_not_allowed(what.strip("_"))
        alias = str(node.get("alias") or "tables")
        made = catalogue_table(("", "", what), self.columns, alias, self.keys)
        node.clear()
        node.update(made or list_of_tables(sorted(self.granted.values()), alias))

    def _catalogue(self, node: Node) -> None:
        """Put the broker's own list in the place of a table or function of the engine's catalogue."""
        call = node.get("function") if node.get("type") == "TABLE_FUNCTION" else None
        if (
            isinstance(call, dict)
            and call.get("arguments") == []
            and node.get("with_ordinality") == _NO_NUMBERS
        ):
            _same_path(call, str(call.get("function_name")))
            path = ("", "", fold(str(call["function_name"])) + "()")
        elif node.get("type") == "BASE_TABLE" and node.get("schema_name") and not node.get("at_clause"):
            written = _written(node)
            if node.get("qualified_name") != {"path": [part for part in written if part]}:
                return  # not what it says it is: refused as a table
            catalog, schema, name = map(fold, written)
            path = (catalog, schema, name)
        else:
            return
        made = catalogue_table(path, self.columns, str(node.get("alias") or ""), self.keys)
        if made is None:
            return
        given, sample = node.get("column_name_alias"), node.get("sample")
        own = made["column_name_alias"]
        node.clear()
        node.update(made, sample=sample)
        if isinstance(given, list):
            node["column_name_alias"] = [*given, *own[len(given) :]]

    def _table_function(self, node: Any, scope: Scope) -> None:
        kind, shape = _shape(node, "class", EXPRESSIONS)
        name = fold(str(node.get("function_name", "")))
        if kind != "FUNCTION" or name not in self.functions.table:
            raise refusals.table_function_not_allowed(name or kind)
        _same_path(node, str(node["function_name"]))
        self._fields(node, shape, scope)

    def _function(self, node: Node, allowed: frozenset[str]) -> None:
        written = str(node.get("function_name", ""))
        if fold(written) not in allowed:
            raise refusals.function_not_allowed(written)
        _same_path(node, written)
        if fold(written) in _AGGREGATE_BY_NAME:
            self._aggregate_by_name(node)

    def _aggregate_by_name(self, node: Node) -> None:
        """`list_aggregate(l, 'name')` calls an aggregate that is named by a string: it must be a constant."""
        arguments = node.get("arguments")
        name = arguments[1]["expression"] if isinstance(arguments, list) and len(arguments) > 1 else {}
        literal = (
            name.get("literal", {}) if isinstance(name, dict) and name.get("class") == "CONSTANT" else {}
        )
        if fold(str(literal.get("text"))) not in self.functions.aggregate:
            raise refusals.function_not_allowed(f"{node['function_name']}(…, {literal.get('text', '?')})")


def _placed(node: Node) -> bool:
    """Whether a node asked for the current schema or catalogue, and is now its name."""
    bare = node.get("arguments") == [] and not node.get("filter") and not node.get("distinct")
    constant = place(fold(str(node.get("function_name")))) if bare else None
    if constant is None or node.get("order_bys") != {"type": "ORDER_MODIFIER", "orders": []}:
        return False
    _same_path(node, str(node["function_name"]))
    alias = node.get("alias")
    node.clear()
    node.update(constant, alias=alias)
    return True


def _written(node: Node) -> list[str]:
    return [str(node.get(k) or "") for k in ("catalog_name", "schema_name", "table_name")]


def _shape(node: Any, key: str, shapes: Mapping[str, Shape]) -> tuple[str, Shape]:
    kind = node.get(key) if isinstance(node, dict) else None
    if not isinstance(kind, str) or kind not in shapes:
        raise refusals.syntax_not_allowed(str(kind))
    return kind, shapes[kind]


def _check_pivot(node: Node) -> None:
    for pivot in _list(node.get("pivots"), "PIVOT"):
        if isinstance(pivot, dict) and pivot.get("pivot_enum"):
            raise refusals.pivot_needs_values()


def _same_path(node: Node, name: str) -> None:
    path = node.get("qualified_name", {}).get("path")
    if path != [name]:
        raise refusals.function_not_allowed(".".join(map(str, path or ["?"])))


def _demand(holds: bool, name: str, value: object) -> None:
    if not holds:
        raise refusals.syntax_not_allowed(f"{name} {value}" if isinstance(value, str) else name)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise refusals.syntax_not_allowed(name)
    return value


def _all(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(v, kind) for v in value)


_PLAIN: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda v: isinstance(v, str),
    "flag": lambda v: isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "scalar": lambda v: isinstance(v, (str, int, float, bool)),
    "names": _all(str),
    "sets": lambda v: isinstance(v, list) and all(_all(int)(s) for s in v),
    "empty": lambda v: v is None or v is False or v in ("", []),
}


def _each(visit: Callable[[_Walk, Any, Scope], None]) -> Callable[[_Walk, Any, Scope], None]:
    def over(walk: _Walk, value: Any, scope: Scope) -> None:
        for item in _list(value, "list"):
            visit(walk, item, scope)

    return over


def _modifier(walk: _Walk, node: Any, scope: Scope) -> None:
    _, shape = _shape(node, "type", MODIFIERS_OF)
    walk._fields(node, shape, scope)


def _order(walk: _Walk, node: Any, scope: Scope) -> None:
    walk.object("order", node, scope)


_VISITS: Mapping[str, Callable[[_Walk, Any, Scope], None]] = {
    "expr": _Walk.expression,
    "expr?": _Walk.expression,
    "exprs": _each(_Walk.expression),
    "rows": _each(_each(_Walk.expression)),
    "ref": _Walk.ref,
    "query": _Walk.query,
    "query?": _Walk.query,
    "queries": _each(_Walk.query),
    "modifiers": _each(_modifier),
    "orders": _each(_order),
}
