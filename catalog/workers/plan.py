"""A plan as a person may see it: which operators, over which columns. Knows no file.

The engine's own text of a plan names the files it reads. Here a plan is taken as JSON, what is known to be
harmless is kept, and the rest is left out; a value that names a file of the worker is left out as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import duckdb
import pyarrow as pa

SHOWN = (  # what may be said of an operator
    *("Function", "Table", "Projections", "Filters", "Groups", "Aggregates", "Join Type", "Conditions"),
    *("Order By", "Top", "Limit", "Offset", "Expression", "Expressions", "CTE Name", "Row Count"),
    *("Estimated Cardinality", "Total Files Read"),
)
SILENT = "?"
COUNTS = ("intermediate_rows", "rows_scanned", "row_groups_scanned", "total_row_groups_to_scan")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_COLUMN = re.compile(r"[\w@]+\.\w+")  # as the broker's views name columns
HIDDEN = {"RESULT_COLLECTOR", "EXPLAIN_ANALYZE"}  # of the question, not of the statement


def shown(plan: str, files: Collection[str]) -> list[dict[str, Any]]:
    """The operators of `EXPLAIN ([ANALYZE,] FORMAT json)`, without what may not leave.

    Parameters
    ----------
    files
        Paths that the worker may open.
    """
    tree = json.loads(plan)
    roots = tree if isinstance(tree, list) else tree["operator"]
    names = {part for path in files for part in (path, path.rpartition("/")[2], path.rpartition("/")[0])}
    return [made for root in roots for made in _operators(root, frozenset(names) - {""})]


def explained(
    cursor: duckdb.DuckDBPyConnection, sql: str, values: Any, how: Collection[str], files: Collection[str]
) -> pa.RecordBatchReader:
    """What `EXPLAIN [ANALYZE]` of a statement answers; `how` may hold `ANALYZE` and `JSON`."""
    analyze = "ANALYZE" in how
    asked = "ANALYZE, FORMAT json" if analyze else "FORMAT json"
    row = cursor.execute(f"EXPLAIN ({asked}) {sql}", values).fetchone()
    operators = shown(row[1], files) if row else []
    said = json.dumps(operators, ensure_ascii=False) if "JSON" in how else as_text(operators)
    key = "analyzed_plan" if analyze else "physical_plan"
    return pa.table({"explain_key": [key], "explain_value": [said]}).to_reader()


def columns(plan: str) -> list[str]:
    """Every `table.column` that the scans of an `EXPLAIN (FORMAT json)` read, for rows or for filters.

    `SILENT` is among them where a scan names no column of its rows: it needs none, as for `count(*)`, or all
    that it knows of, as beside a recursive query, and the engine (DuckDB 2.0) does not say which.
    """
    found: set[str] = set()
    waiting = list(json.loads(plan))
    while waiting:
        node = waiting.pop()
        waiting += node.get("children", ())
        said = node.get("extra_info")
        if isinstance(said, dict) and "Function" in said:
            if not said.get("Projections"):
                found.add(SILENT)
            for key in ("Projections", "Filters"):
                found.update(_COLUMN.findall(_TEXT.sub("", json.dumps(said.get(key), ensure_ascii=False))))
    return sorted(found)


def as_text(operators: list[dict[str, Any]]) -> str:
    """The same indented, an operator a line with its facts below."""
    return "\n".join(line for operator in operators for line in _lines(operator, ""))


def _operators(node: dict[str, Any], names: frozenset[str]) -> list[dict[str, Any]]:
    children = [made for child in node.get("children", ()) for made in _operators(child, names)]
    kind = str(node.get("name", node.get("type", ""))).strip()
    if kind in HIDDEN:
        return children
    said = node.get("extra_info")
    said = said if isinstance(said, dict) else {}
    facts = {key: said[key] for key in SHOWN if key in said and not _tells(said[key], names)}
    facts |= {key: node[key] for key in COUNTS if isinstance(node.get(key), int)}
    if isinstance(node.get("timing"), float):
        facts["seconds"] = round(node["timing"], 6)
    return [{"operator": kind, **facts, "children": children}]


def _tells(value: Any, names: frozenset[str]) -> bool:
    return any(name in str(value) for name in names)


def _lines(operator: dict[str, Any], indent: str) -> list[str]:
    lines = [indent + operator["operator"]]
    for key, value in operator.items():
        if key not in ("operator", "children"):
            value = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"{indent}  {key}: {value}")
    return lines + [line for child in operator["children"] for line in _lines(child, indent + "    ")]
