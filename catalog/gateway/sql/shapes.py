"""Every node the parser may produce that has been reviewed: its fields and what may stand in each.

The table is the engine's own serialised grammar (DuckDB 2.0, `json_serialize_sql(…, skip_default := false)`).
A kind, field or word that is not here is refused. Knows no names of tables or functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# What may stand in a field. A frozenset is an enumeration; "object:X" is the record X below.
TEXT: Final = "text"  # any string: identifiers, literals
FLAG: Final = "flag"
NUMBER: Final = "number"
NAMES: Final = "names"  # list of strings
SETS: Final = "sets"  # list of lists of integers
EMPTY: Final = "empty"  # null, "", [] or false
EXPR: Final = "expr"
EXPR_: Final = "expr?"
EXPRS: Final = "exprs"
ROWS: Final = "rows"  # list of lists of expressions
REF: Final = "ref"
QUERY: Final = "query"
QUERY_: Final = "query?"
QUERIES: Final = "queries"
MODIFIERS: Final = "modifiers"
ORDERS: Final = "orders"
SAMPLE_: Final = "object?:sample"

Spec = str | frozenset[str]
Shape = Mapping[str, Spec]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PLACE: Shape = {"query_location": NUMBER, "query_location_length": NUMBER}
_EXPR: Shape = {"class": TEXT, "type": TEXT, "alias": TEXT, **_PLACE}
_REF: Shape = {"type": TEXT, "alias": TEXT, "sample": SAMPLE_, **_PLACE}
_NODE: Shape = {"type": TEXT, "modifiers": MODIFIERS, "cte_map": "object:cte_map"}

_COMPARISONS = _words(
    "COMPARE_EQUAL COMPARE_NOTEQUAL COMPARE_LESSTHAN COMPARE_GREATERTHAN COMPARE_LESSTHANOREQUALTO "
    "COMPARE_GREATERTHANOREQUALTO COMPARE_DISTINCT_FROM COMPARE_NOT_DISTINCT_FROM"
)

QUERIES_OF: Mapping[str, Shape] = MappingProxyType(
    {
        "SELECT_NODE": {
            **_NODE,
            "select_list": EXPRS,
            "from_table": REF,
            "where_clause": EXPR_,
            "group_expressions": EXPRS,
            "group_sets": SETS,
            "aggregate_handling": _words("STANDARD_HANDLING FORCE_AGGREGATES NO_AGGREGATES_ALLOWED"),
            "having": EXPR_,
            "sample": SAMPLE_,
            "qualify": EXPR_,
        },
        "SET_OPERATION_NODE": {
            **_NODE,
            "setop_type": _words("UNION UNION_BY_NAME EXCEPT INTERSECT"),
            "left": QUERY_,
            "right": QUERY_,
            "setop_all": FLAG,
            "children": QUERIES,
        },
        "RECURSIVE_CTE_NODE": {
            **_NODE,
            "cte_name": TEXT,
            "union_all": FLAG,
            "left": QUERY,
            "right": QUERY,
            "aliases": NAMES,
            "key_targets": EXPRS,
        },
    }
)

REFS: Mapping[str, Shape] = MappingProxyType(
    {
        "EMPTY": _REF,
        "BASE_TABLE": {
            **_REF,
            "catalog_name": TEXT,
            "schema_name": TEXT,
            "table_name": TEXT,
            "qualified_name": "object:path",
            "column_name_alias": NAMES,
            "at_clause": EMPTY,
        },
        "SUBQUERY": {**_REF, "subquery": "object:select", "column_name_alias": NAMES},
        "JOIN": {
            **_REF,
            "left": REF,
            "right": REF,
            "condition": EXPR_,
            "join_type": _words("INNER LEFT RIGHT OUTER FULL SEMI ANTI"),
            "ref_type": _words("REGULAR NATURAL CROSS POSITIONAL ASOF"),
            "using_columns": NAMES,
            "delim_flipped": FLAG,
            "duplicate_eliminated_columns": EMPTY,
            "is_implicit": FLAG,
            "ranking_expression": EMPTY,
            "nearest_count": NUMBER,
            "nearest_order_type": _words("ASCENDING"),
            "nearest_approx": EMPTY,
        },
        "TABLE_FUNCTION": {
            **_REF,
            "function": "object:table_function",
            "column_name_alias": NAMES,
            "with_ordinality": _words("WITHOUT_ORDINALITY WITH_ORDINALITY"),
        },
        "EXPRESSION_LIST": {**_REF, "expected_names": NAMES, "expected_types": EMPTY, "values": ROWS},
        "PIVOT": {
            **_REF,
            "source": REF,
            "aggregates": EXPRS,
            "unpivot_names": NAMES,
            "pivots": "objects:pivot",
            "groups": NAMES,
            "column_name_alias": NAMES,
            "include_nulls": FLAG,
        },
        "SHOW_REF": {
            **_REF,
            "table_name": TEXT,
            "query": QUERY_,
            "show_type": _words("DESCRIBE SUMMARY SHOW"),
            "catalog_name": EMPTY,
            "schema_name": EMPTY,
            "qualified_name": "object:path",
        },
    }
)

_CALL: Shape = {
    "function_name": TEXT,
    "schema": EMPTY,
    "catalog": EMPTY,
    "qualified_name": "object:path",
    "arguments": "objects:argument",
}

EXPRESSIONS: Mapping[str, Shape] = MappingProxyType(
    {
        "CONSTANT": {**_EXPR, "type": _words("VALUE_CONSTANT"), "literal": "object:literal"},
        "COLUMN_REF": {**_EXPR, "column_names": NAMES},
        "PARAMETER": {**_EXPR, "type": _words("VALUE_PARAMETER"), "identifier": TEXT},
        "POSITIONAL_REFERENCE": {**_EXPR, "index": NUMBER},
        "STAR": {
            **_EXPR,
            "relation_name": TEXT,
            "exclude_list": NAMES,
            "replace_list": "objects:named",
            "columns": FLAG,
            "expr": EXPR_,
            "qualified_exclude_list": "objects:qualified_column",
            "rename_list": "objects:rename",
        },
        "COMPARISON": {**_EXPR, "type": _COMPARISONS, "left": EXPR, "right": EXPR},
        "BETWEEN": {**_EXPR, "input": EXPR, "lower": EXPR, "upper": EXPR},
        "CONJUNCTION": {**_EXPR, "type": _words("CONJUNCTION_AND CONJUNCTION_OR"), "children": EXPRS},
        "OPERATOR": {
            **_EXPR,
            "type": _words(
                "ARRAY_EXTRACT ARRAY_SLICE STRUCT_EXTRACT COMPARE_IN COMPARE_NOT_IN GROUPING_FUNCTION "
                "OPERATOR_COALESCE OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_NOT OPERATOR_TRY "
                "OPERATOR_NULLIF ARRAY_CONSTRUCTOR OPERATOR_UNPACK"
            ),
            "children": EXPRS,
        },
        "CASE": {**_EXPR, "case_checks": "objects:case_check", "else_expr": EXPR_},
        "CAST": {**_EXPR, "child": EXPR, "try_cast": FLAG, "type_expr": EXPR},
        "TYPE": {
            **_EXPR,
            "catalog": EMPTY,
            "schema": EMPTY,
            "type_name": TEXT,
            "qualified_name": "object:path",
            "children": EXPRS,
        },
        "COLLATE": {**_EXPR, "child": EXPR, "collation": TEXT},
        "LAMBDA": {
            **_EXPR,
            "lhs": EXPR,
            "expr": EXPR,
            "syntax_type": _words("LAMBDA_KEYWORD SINGLE_ARROW SINGLE_ARROW_STORAGE"),
        },
        "SUBQUERY": {
            **_EXPR,
            "subquery_type": _words("SCALAR EXISTS NOT_EXISTS ANY"),
            "subquery": "object:select",
            "child": EXPR_,
            "comparison_type": _COMPARISONS | {"INVALID"},
        },
        "FUNCTION": {
            **_EXPR,
            **_CALL,
            "filter": EXPR_,
            "order_bys": "object:order_modifier",
            "distinct": FLAG,
            "is_operator": FLAG,
            "export_state": EMPTY,
        },
        "WINDOW": {
            **_EXPR,
            **_CALL,
            "partitions": EXPRS,
            "orders": ORDERS,
            "start": TEXT,
            "end": TEXT,
            "start_expr": EXPR_,
            "end_expr": EXPR_,
            "offset_expr": EXPR_,
            "default_expr": EXPR_,
            "ignore_nulls": FLAG,
            "has_ignore_nulls": FLAG,
            "filter_expr": EXPR_,
            "exclude_clause": TEXT,
            "distinct": FLAG,
            "arg_orders": ORDERS,
        },
    }
)

MODIFIERS_OF: Mapping[str, Shape] = MappingProxyType(
    {
        "ORDER_MODIFIER": {"type": TEXT, "orders": ORDERS},
        "DISTINCT_MODIFIER": {"type": TEXT, "distinct_on_targets": EXPRS},
        "LIMIT_MODIFIER": {
            "type": TEXT,
            "limit": EXPR_,
            "offset": EXPR_,
            "limit_type": _words("ROW_COUNT PERCENTAGE"),
        },
    }
)

OBJECTS: Mapping[str, Shape] = MappingProxyType(
    {
        "statement": {"node": QUERY, "named_param_map": "objects:parameter"},
        "parameter": {"key": TEXT, "value": NUMBER},
        "select": {"node": QUERY, "named_param_map": EMPTY},
        "path": {"path": NAMES},
        "literal": {
            "kind": _words("INTEGER NUMERIC STRING BOOLEAN NULL_LITERAL HEX"),
            "text": TEXT,
        },
        "argument": {"name": TEXT, "expression": EXPR},
        "named": {"key": TEXT, "value": EXPR},
        "qualified_column": {"catalog": TEXT, "schema": TEXT, "table": TEXT, "column": TEXT},
        "rename": {"key": "object:qualified_column", "value": TEXT},
        "case_check": {"when_expr": EXPR, "then_expr": EXPR},
        "order": {
            "type": _words("ORDER_DEFAULT ASCENDING DESCENDING"),
            "null_order": frozenset({"ORDER_DEFAULT", "NULLS FIRST", "NULLS LAST"}),
            "expression": EXPR,
        },
        "order_modifier": {"type": _words("ORDER_MODIFIER"), "orders": ORDERS},
        "cte": {
            "aliases": NAMES,
            "materialized": _words("CTE_MATERIALIZE_DEFAULT CTE_MATERIALIZE_ALWAYS CTE_MATERIALIZE_NEVER"),
            "key_targets": EXPRS,
            "payload_aggregates": EXPRS,
            "query_node": QUERY,
        },
        "pivot": {
            "pivot_expressions": EXPRS,
            "unpivot_names": NAMES,
            "entries": "objects:pivot_entry",
            "pivot_enum": EMPTY,
        },
        "pivot_entry": {"values": "objects:value", "star_expr": EXPR_, "alias": TEXT},
        "sample": {
            "sample_size": "object:value",
            "is_percentage": FLAG,
            "method": TEXT,
            "seed": NUMBER,
            "repeatable": FLAG,
            "sample_rate": NUMBER,
        },
        "value": {"type": "object:value_type", "is_null": FLAG, "value": "scalar"},
        "value_type": {"id": TEXT, "type_info": EMPTY},
    }
)
