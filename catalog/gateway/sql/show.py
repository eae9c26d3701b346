"""Trees that SHOW stands for: granted names as values, DESCRIBE of a query. Knows no engine catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_NOWHERE = {"query_location": 0, "query_location_length": 0}


def list_of_tables(names: Sequence[str], alias: str) -> dict[str, Any]:
    """`(SELECT * FROM (VALUES …)) AS alias(name)`; no row where nothing is granted."""
    rows = [[_constant("STRING", name)] for name in names] or [[_constant("NULL_LITERAL", "")]]
    values = {
        "type": "EXPRESSION_LIST",
        "alias": "valueslist",
        "sample": None,
        **_NOWHERE,
        "expected_names": [],
        "expected_types": [],
        "values": rows,
    }
    node = _select(values, None if names else _constant("BOOLEAN", "false"))
    return {
        "type": "SUBQUERY",
        "alias": alias,
        "sample": None,
        **_NOWHERE,
        "subquery": {"node": node, "named_param_map": []},
        "column_name_alias": ["name"],
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


def _constant(kind: str, text: str) -> dict[str, Any]:
    return {
        "class": "CONSTANT",
        "type": "VALUE_CONSTANT",
        "alias": "",
        **_NOWHERE,
        "literal": {"kind": kind, "text": text},
    }


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
