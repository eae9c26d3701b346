"""Trees that SHOW and the engine's catalogue stand for: what is granted, as values. Knows no engine.

`information_schema.tables`, `duckdb_columns()` and the like never reach the engine: it knows views, files and
settings that are nobody's business. They are lists that the broker writes: what is granted, and what the
session saved. It is called a table, whatever the worker has in its place: drivers look for tables. A key is
said of a table where publishing looked whether it is one. Indexes and references to other tables there are
none of: those lists are there, without a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

CATALOG: Final = "memory"
SCHEMA: Final = "campus"
TABLE_TYPE: Final = "BASE TABLE"  # ISO 9075-11
ALL_TABLES: Final = "__show_tables_expanded"  # the parser's name of SHOW ALL TABLES
Columns = Mapping[str, Sequence[tuple[str, str]]]  # granted name → (column, engine's type), in order
Keys = Mapping[str, Sequence[str]]  # granted name → columns of its key, of those that have one
NO_KEYS: Final[Keys] = MappingProxyType({})
_NOWHERE = {"query_location": 0, "query_location_length": 0}


def list_of_tables(names: Sequence[str], alias: str) -> dict[str, Any]:
    """Names alone, as SHOW TABLES gives them."""
    return _listing(["name"], [[_constant("STRING", name)] for name in names], alias)


def catalogue_table(
    path: tuple[str, str, str], columns: Columns, alias: str, keys: Keys = NO_KEYS
) -> dict[str, Any] | None:
    """What stands for a table or a function of the engine's catalogue: rows of what is granted, no more.

    Parameters
    ----------
    path
        Catalogue, schema and name, folded; for a function the name alone, with its brackets.

    Returns
    -------
    dict or None
        The tree of a subquery; None where no such listing is offered.
    """
    catalog, schema, name = path
    if catalog not in ("", CATALOG) or (schema, name) not in _LISTINGS:
        return None
    heads, rows = _LISTINGS[schema, name]
    return _listing(heads, rows(columns, keys), alias or name.removesuffix("()"))


def _listing(heads: Sequence[str], rows: Sequence[list[Any]], alias: str) -> dict[str, Any]:
    """`(SELECT * FROM (VALUES …)) AS alias(heads)`; no row, of the right types, where there is none.

    A head ends in `#`, `?`, `[]` or `[#]` where it is of numbers, truths, or lists of texts or numbers; the
    others are of texts.
    """
    values = {
        "type": "EXPRESSION_LIST",
        "alias": "valueslist",
        "sample": None,
        **_NOWHERE,
        "expected_names": [],
        "expected_types": [],
        "values": rows or [[_SAMPLES.get(head.lstrip(_LETTERS), _constant("STRING", "")) for head in heads]],
    }
    node = _select(values, None if rows else _constant("BOOLEAN", "false"))
    return {
        "type": "SUBQUERY",
        "alias": alias,
        "sample": None,
        **_NOWHERE,
        "subquery": {"node": node, "named_param_map": []},
        "column_name_alias": [head.rstrip("#?[]") for head in heads],
    }


def _tables(columns: Columns, _keys: Keys) -> list[list[Any]]:
    return [_cells(CATALOG, SCHEMA, name, TABLE_TYPE, "NO", "NO") for name in sorted(columns)]


def _schemata(_columns: Columns, _keys: Keys) -> list[list[Any]]:
    return [_cells(CATALOG, SCHEMA)]


def _columns(columns: Columns, keys: Keys) -> list[list[Any]]:
    return [
        _cells(
            CATALOG,
            SCHEMA,
            table,
            column,
            place,
            None,
            "NO" if column in keys.get(table, ()) else "YES",
            kind,
        )
        for table in sorted(columns)
        for place, (column, kind) in enumerate(columns[table], 1)
    ]


def _duckdb_tables(columns: Columns, keys: Keys) -> list[list[Any]]:
    return [
        _cells(CATALOG, SCHEMA, name, None, False, False, name in keys, len(columns[name]), 0)
        for name in sorted(columns)
    ]


def _duckdb_columns(columns: Columns, keys: Keys) -> list[list[Any]]:
    return [
        _cells(CATALOG, SCHEMA, table, column, place, column not in keys.get(table, ()), kind)
        for table in sorted(columns)
        for place, (column, kind) in enumerate(columns[table], 1)
    ]


def _all_tables(columns: Columns, _keys: Keys) -> list[list[Any]]:
    return [
        [
            *_cells(CATALOG, SCHEMA, name),
            _array([column for column, _ in columns[name]]),
            _array([kind for _, kind in columns[name]]),
            *_cells(False),
        ]
        for name in sorted(columns)
    ]


def key_name(table: str, key: Sequence[str]) -> str:
    """What the engine would call it."""
    return f"{table}_{'_'.join(key)}_pkey"


def _table_constraints(columns: Columns, keys: Keys) -> list[list[Any]]:
    return [
        _cells(
            *(CATALOG, SCHEMA, key_name(table, keys[table])),
            *(CATALOG, SCHEMA, table, "PRIMARY KEY", "NO", "NO", "YES", "YES"),
        )
        for table in sorted(columns.keys() & keys.keys())
    ]


def _key_columns(columns: Columns, keys: Keys) -> list[list[Any]]:
    return [
        _cells(CATALOG, SCHEMA, key_name(table, keys[table]), CATALOG, SCHEMA, table, column, place, None)
        for table in sorted(columns.keys() & keys.keys())
        for place, column in enumerate(keys[table], 1)
    ]


def _duckdb_constraints(columns: Columns, keys: Keys) -> list[list[Any]]:
    found = []
    for table in sorted(columns.keys() & keys.keys()):
        key, names = keys[table], [column for column, _ in columns[table]]
        listed = ", ".join('"' + column.replace('"', '""') + '"' for column in key)
        found.append(
            [
                *_cells(CATALOG, 0, SCHEMA, 0, table, 0, 0, "PRIMARY KEY", f"PRIMARY KEY({listed})", None),
                *(_array([names.index(column) for column in key]), _array(key)),
                *(*_cells(key_name(table, key), None), _array([])),
            ]
        )
    return found


def _none(_columns: Columns, _keys: Keys) -> list[list[Any]]:
    return []


def _heads(names: str) -> list[str]:
    return names.split()


# (schema, name) → columns and rows; the names of information_schema are those of ISO 9075-11
_LISTINGS: Mapping[tuple[str, str], tuple[Sequence[str], Callable[[Columns, Keys], list[list[Any]]]]] = {
    ("information_schema", "tables"): (
        _heads("table_catalog table_schema table_name table_type is_insertable_into is_typed"),
        _tables,
    ),
    ("information_schema", "columns"): (
        _heads(
            "table_catalog table_schema table_name column_name ordinal_position# column_default "
            "is_nullable data_type"
        ),
        _columns,
    ),
    ("information_schema", "schemata"): (_heads("catalog_name schema_name"), _schemata),
    ("", "duckdb_tables()"): (
        _heads(
            "database_name schema_name table_name comment internal? temporary? has_primary_key? "
            "column_count# index_count#"
        ),
        _duckdb_tables,
    ),
    ("", "duckdb_columns()"): (
        _heads("database_name schema_name table_name column_name column_index# is_nullable? data_type"),
        _duckdb_columns,
    ),
    ("", ALL_TABLES): (
        _heads("database schema name column_names[] column_types[] temporary?"),
        _all_tables,
    ),
    ("information_schema", "views"): (
        _heads("table_catalog table_schema table_name view_definition"),
        _none,
    ),
    ("information_schema", "table_constraints"): (
        _heads(
            "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name "
            "constraint_type is_deferrable initially_deferred enforced nulls_distinct"
        ),
        _table_constraints,
    ),
    ("information_schema", "key_column_usage"): (
        _heads(
            "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name "
            "column_name ordinal_position# position_in_unique_constraint#"
        ),
        _key_columns,
    ),
    ("information_schema", "referential_constraints"): (
        _heads(
            "constraint_catalog constraint_schema constraint_name unique_constraint_catalog "
            "unique_constraint_schema unique_constraint_name match_option update_rule delete_rule"
        ),
        _none,
    ),
    ("", "duckdb_views()"): (
        _heads("database_name schema_name view_name comment internal? temporary? column_count# sql"),
        _none,
    ),
    ("", "duckdb_constraints()"): (
        _heads(
            "database_name database_oid# schema_name schema_oid# table_name table_oid# constraint_index# "
            "constraint_type constraint_text expression constraint_column_indexes[#] "
            "constraint_column_names[] constraint_name referenced_table referenced_column_names[]"
        ),
        _duckdb_constraints,
    ),
    ("", "duckdb_indexes()"): (
        _heads(
            "database_name database_oid# schema_name schema_oid# index_name index_oid# table_name table_oid# "
            "comment is_unique? is_primary? expressions sql"
        ),
        _none,
    ),
}


def describe(node: dict[str, Any]) -> None:
    """Turn `SHOW t`, which names a table by text, into `DESCRIBE (SELECT * FROM t)` in place."""
    path = list(node["qualified_name"]["path"])
    names = [str(part) for part in ["", "", *path][-3:]]
    table: dict[str, Any] = {
        "type": "BASE_TABLE",
        "alias": "",
        "sample": None,
        **_NOWHERE,
        "schema_name": names[1],
        "table_name": names[2],
        "column_name_alias": [],
        "catalog_name": names[0],
        "at_clause": None,
        "qualified_name": {"path": path},
    }
    node.update(table_name="", catalog_name="", schema_name="", show_type="DESCRIBE")
    node["qualified_name"] = {"path": []}
    node["query"] = _select(table, None)


def _select(source: dict[str, Any], where: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "type": "SELECT_NODE",
        "modifiers": [],
        "cte_map": {"map": []},
        "select_list": [_star()],
        "from_table": source,
        "where_clause": where,
        "group_expressions": [],
        "group_sets": [],
        "aggregate_handling": "STANDARD_HANDLING",
        "having": None,
        "sample": None,
        "qualify": None,
    }


def _cells(*values: str | int | bool | None) -> list[dict[str, Any]]:
    return [_cell(value) for value in values]


def _cell(value: str | int | bool | None) -> dict[str, Any]:
    match value:
        case None:
            return _constant("NULL_LITERAL", "")
        case bool():
            return _constant("BOOLEAN", str(value).lower())
        case int():
            return _constant("INTEGER", str(value))
        case _:
            return _constant("STRING", value)


def _array(values: Sequence[str | int]) -> dict[str, Any]:
    return {
        "class": "OPERATOR",
        "type": "ARRAY_CONSTRUCTOR",
        "alias": "",
        **_NOWHERE,
        "children": _cells(*values),
    }


def _constant(kind: str, text: str) -> dict[str, Any]:
    return {
        "class": "CONSTANT",
        "type": "VALUE_CONSTANT",
        "alias": "",
        **_NOWHERE,
        "literal": {"kind": kind, "text": text},
    }


def place(function: str) -> dict[str, Any] | None:
    """The name of the place where granted tables are, for `current_schema()` and the like; else None."""
    name = {"current_catalog": CATALOG, "current_database": CATALOG, "current_schema": SCHEMA}.get(function)
    return None if name is None else _constant("STRING", name)


def _star() -> dict[str, Any]:
    return {
        "class": "STAR",
        "type": "STAR",
        "alias": "",
        **_NOWHERE,
        "relation_name": "",
        "exclude_list": [],
        "replace_list": [],
        "columns": False,
        "expr": None,
        "qualified_exclude_list": [],
        "rename_list": [],
    }


_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz_"
_SAMPLES: Final[Mapping[str, dict[str, Any]]] = {
    "#": _constant("INTEGER", "0"),
    "?": _constant("BOOLEAN", "false"),
    "[]": _array([""]),
    "[#]": _array([0]),
}
