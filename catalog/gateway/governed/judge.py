"""From a statement's tree to a plan, or a refusal: one shape is allowed and everything else is not. Pure.

The tree has passed `sql.tree.authorise`, so every node has exactly its reviewed fields. What is read here
into the plan is all that will ever run; a field that is not looked at could not reach the engine either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from catalog.descriptions import ColumnType
from catalog.descriptions.model import PARTS, Step, Total
from catalog.gateway.governed import words
from catalog.gateway.governed.plan import (
    PART_WORDS,
    ROWS,
    UNITS,
    Choice,
    Figure,
    Level,
    Order,
    Output,
    Plan,
    Rules,
    Shape,
)
from catalog.gateway.parameters import NONE, Parameters
from catalog.gateway.sql.show import CATALOG, SCHEMA
from catalog.gateway.sql.tree import fold

Node = dict[str, Any]
MOST_VALUES: Final = 1000  # in one list
MOST_LIMIT: Final = 1_000_000
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PART_FUNCTIONS: Final = {"hour": Step.HOUR, "isodow": Step.WEEKDAY}
_WHOLES: Final = frozenset({ColumnType.INT, ColumnType.LONG})
_TIMES: Final = frozenset({ColumnType.DATE, ColumnType.TIMESTAMP})


def is_describe(node: Node, table: str) -> bool:
    """Whether a query is `DESCRIBE table`, which tells names and types and reads no row."""
    shown = node.get("from_table", {})
    if not _bare(node) or shown.get("type") != "SHOW_REF" or shown.get("show_type") != "DESCRIBE":
        return False
    query = shown.get("query")
    return (
        isinstance(query, dict)
        and query.get("type") == "SELECT_NODE"
        and _bare(query)
        and query["from_table"].get("type") == "BASE_TABLE"
        and query["from_table"].get("table_name") == table
        and not query["from_table"].get("sample")
        and not shown.get("sample")
    )


def judge(node: Node, table: str, rules: Rules, parameters: Parameters = NONE) -> Plan:
    """The plan of a query over one restricted table.

    Parameters
    ----------
    node
        The query's node of an authorised tree.
    table
        Its name in SQL.

    Raises
    ------
    QueryRefused
        `aggregates-only`, with the offending thing and the form that is allowed.
    """
    return _Judge(node, table, rules, parameters).plan()


class _Judge:
    def __init__(self, node: Node, table: str, rules: Rules, parameters: Parameters) -> None:
        self.node, self.table, self.rules, self.parameters = node, table, rules, parameters
        self.columns = {fold(level.column) for level in rules.levels}
        self.names: frozenset[str] = frozenset()

    def plan(self) -> Plan:
        node = self.node
        self.demand(node.get("type") == "SELECT_NODE", str(node.get("type")))
        self.demand(node["cte_map"] == {"map": []}, "WITH")
        for key in ("having", "sample", "qualify"):
            self.demand(not node[key], key.upper())
        self._source(node["from_table"])
        outputs = tuple(self._output(item) for item in node["select_list"])
        levels = self._groups(outputs)
        for output in outputs:
            self.demand(
                isinstance(output.value, Figure) or output.value in levels, f"{output.name}: GROUP BY"
            )
        choices = () if node["where_clause"] is None else self._choices(node["where_clause"])
        order, limit, offset = self._modifiers(outputs)
        shape = Shape(levels=tuple(sorted(levels)), choices=tuple(sorted(set(choices))))
        return Plan(table=self.table, shape=shape, outputs=outputs, order=order, limit=limit, offset=offset)

    def demand(self, holds: bool, what: str) -> None:
        if not holds:
            raise words.only_aggregates(what, self.rules)

    def _source(self, source: Node) -> None:
        self.demand(source.get("type") == "BASE_TABLE", f"FROM {source.get('type')}")
        path = [source["catalog_name"], source["schema_name"], source["table_name"]]
        self.demand(path == [CATALOG, SCHEMA, self.table], f"FROM {source['table_name']}")
        self.demand(not source["sample"] and not source["column_name_alias"], "TABLESAMPLE, alias(columns)")
        self.names = frozenset({fold(str(source["alias"] or self.table))})

    # -- what is selected

    def _output(self, node: Node) -> Output:
        level = self._level(node)
        if level is not None:
            default = level.sql.replace('"', "") if level.step else level.column
            return Output(name=node["alias"] or default, value=level)
        figure, default = self._figure(node)
        return Output(name=node["alias"] or default, value=figure)

    def _figure(self, node: Node) -> tuple[Figure, str]:
        self.demand(node.get("class") == "FUNCTION", _named(node))
        name, arguments = self._call(node)
        if name in ("count_star", "count") and not arguments:
            self.demand(not node["distinct"], "DISTINCT")
            return ROWS, "count_star()"
        self.demand(len(arguments) == 1, _named(node))
        column = self._column(arguments[0])
        self.demand(column is not None, f"{name}(…)")
        column = str(column)
        if node["distinct"]:
            self.demand(name == "count" and (column,) == self.rules.unit, f"{name}(DISTINCT {column})")
            return UNITS, f"count(DISTINCT {column})"
        if name == "sum" and column == self.rules.counted:
            return UNITS, f"sum({column})"
        allowed = self.rules.measures.get(column, frozenset())
        self.demand(name in {str(t) for t in allowed}, f"{name}({column})")
        return Figure(what=str(Total(name)), column=column), f"{name}({column})"

    def _call(self, node: Node) -> tuple[str, list[Node]]:
        name = fold(str(node["function_name"]))
        self.demand(not node["filter"], f"{name} FILTER")
        self.demand(not node["order_bys"]["orders"], f"{name} ORDER BY")
        self.demand(not any(a["name"] for a in node["arguments"]), f"{name}(name := …)")
        return name, [a["expression"] for a in node["arguments"]]

    def _column(self, node: Node) -> str | None:
        """The declared spelling of a column of the table; None for any other expression."""
        if node.get("class") != "COLUMN_REF":
            return None
        names = node["column_names"]
        if len(names) > 2 or (len(names) == 2 and fold(names[0]) not in self.names):
            return None
        known = [level.column for level in self.rules.levels]
        known += [*self.rules.measures, *self.rules.unit, self.rules.counted]
        return next((c for c in known if c and fold(c) == fold(names[-1])), None)

    def _level(self, node: Node) -> Level | None:
        """The level an expression is; None where it is none."""
        column, step = self._column(node), ""
        if column is None and node.get("class") == "FUNCTION" and not node["distinct"]:
            found = self._step(node)
            if found is None:
                return None
            column, step = found
        if column is None:
            return None
        level = Level(column=column, step=step)
        return level if level in self.rules.levels else None

    def _step(self, node: Node) -> tuple[str, str] | None:
        name, arguments = self._call(node)
        if name in _PART_FUNCTIONS and len(arguments) == 1:
            step: Step | None = _PART_FUNCTIONS[name]
        elif name in ("date_trunc", "date_part") and len(arguments) == 2:
            word = fold(_text_of(arguments.pop(0)))
            parts = {PART_WORDS[s]: s for s in PARTS}
            cuts = {str(s): s for s in Step if s not in PARTS}
            step = (cuts if name == "date_trunc" else parts).get(word)
        else:
            return None
        column = self._column(arguments[0])
        if column is None or step is None:
            return None
        whole_day = step is Step.DAY and self.rules.levels.get(Level(column=column)) is ColumnType.DATE
        return column, "" if whole_day else str(step)

    # -- how it is grouped

    def _groups(self, outputs: tuple[Output, ...]) -> frozenset[Level]:
        node, terms = self.node, self.node["group_expressions"]
        if node["aggregate_handling"] == "FORCE_AGGREGATES":  # GROUP BY ALL
            self.demand(not terms and not node["group_sets"], "GROUP BY ALL, …")
            return frozenset(o.value for o in outputs if isinstance(o.value, Level))
        self.demand(node["aggregate_handling"] == "STANDARD_HANDLING", "GROUP BY")
        whole = [list(range(len(terms)))] if terms else []
        self.demand(node["group_sets"] == whole, "ROLLUP, CUBE, GROUPING SETS")
        levels = [self._group(term, outputs) for term in terms]
        figures = any(isinstance(o.value, Figure) for o in outputs)
        self.demand(bool(figures or levels), "SELECT without GROUP BY")
        return frozenset(levels)

    def _group(self, term: Node, outputs: tuple[Output, ...]) -> Level:
        level = self._level(term)
        if level is None:
            place = self._place(term, outputs)
            found = outputs[place].value if place is not None else None
            level = found if isinstance(found, Level) else None
        if level is None:
            raise words.only_aggregates(f"GROUP BY {_named(term)}", self.rules)
        return level

    def _place(self, term: Node, outputs: tuple[Output, ...]) -> int | None:
        """The output a number or an alias means."""
        if term.get("class") == "CONSTANT" and term["literal"]["kind"] == "INTEGER":
            number = int(term["literal"]["text"])
            return number - 1 if 1 <= number <= len(outputs) else None
        if term.get("class") == "COLUMN_REF" and len(term["column_names"]) == 1:
            name = fold(term["column_names"][0])
            places = [i for i, o in enumerate(outputs) if fold(o.name) == name]
            return places[0] if len(places) == 1 else None
        return None

    # -- which rows

    def _choices(self, node: Node) -> tuple[Choice, ...]:
        kind = node.get("type")
        if node.get("class") == "CONJUNCTION" and kind == "CONJUNCTION_AND":
            return tuple(choice for child in node["children"] for choice in self._choices(child))
        if kind == "COMPARE_EQUAL":
            sides = node["left"], node["right"]
            level, value = sides if self._level(sides[0]) is not None else sides[::-1]
            return (self._chosen(level, [value]),)
        if node.get("class") == "BETWEEN":
            return (self._chosen(node["input"], [node["lower"], node["upper"]], between=True),)
        if node.get("class") == "OPERATOR" and kind == "COMPARE_IN":
            return (self._chosen(node["children"][0], node["children"][1:]),)
        raise words.only_aggregates(f"WHERE {_named(node)}", self.rules)

    def _chosen(self, node: Node, values: list[Node], between: bool = False) -> Choice:
        level = self._level(node)
        if level is None:
            raise words.only_aggregates(f"WHERE {_named(node)}", self.rules)
        self.demand(0 < len(values) <= MOST_VALUES, f"IN (… {len(values)})")
        found = [self._value(value, level) for value in values]
        return Choice(level=level, between=between, values=tuple(found if between else sorted(set(found))))

    def _value(self, node: Node, level: Level) -> str:
        """A literal of the level's type, written anew."""
        kind, text = self._literal(node)
        column = self.rules.levels[level]
        whole = column in _WHOLES or (level.step and Step(level.step) in PARTS)
        if whole:
            self.demand(kind == "INTEGER" and _WHOLE.fullmatch(text) is not None, f"{level.column} = {text}")
            return str(int(text))
        self.demand(kind in ("STRING", "DATE"), f"{level.column} = {text}")
        if column in _TIMES:
            try:
                day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
            except ValueError:
                day = None
            if day is None:
                raise words.only_aggregates(f"{level.column} = {text} (YYYY-MM-DD)", self.rules)
            return f"DATE '{day.isoformat()}'"
        self.demand(kind == "STRING" and "\0" not in text, f"{level.column} = {text}")
        return "'" + text.replace("'", "''") + "'"

    def _literal(self, node: Node) -> tuple[str, str]:
        """Kind and text of a constant, a date written as a cast, or a bound value."""
        kind = node.get("class")
        if kind == "CONSTANT":
            return node["literal"]["kind"], node["literal"]["text"]
        if kind == "CAST" and node["child"].get("class") == "CONSTANT" and not node["try_cast"]:
            wanted = node["type_expr"].get("type_name") == "DATE" and not node["type_expr"]["children"]
            if wanted and node["child"]["literal"]["kind"] == "STRING":
                return "DATE", node["child"]["literal"]["text"]
        if kind == "PARAMETER":
            given, content = self.parameters.values.get(str(node["identifier"]), ("", ""))
            return {"str": "STRING", "int": "INTEGER", "date": "DATE"}.get(given, ""), str(content)
        raise words.only_aggregates(f"WHERE … {_named(node)}", self.rules)

    # -- the answer's order and length

    def _modifiers(self, outputs: tuple[Output, ...]) -> tuple[tuple[Order, ...], int, int]:
        order: tuple[Order, ...] = ()
        limit, offset = -1, 0
        for modifier in self.node["modifiers"]:
            if modifier["type"] == "ORDER_MODIFIER":
                order = tuple(o for term in modifier["orders"] for o in self._order(term, outputs))
            elif modifier["type"] == "LIMIT_MODIFIER" and modifier["limit_type"] == "ROW_COUNT":
                limit = self._number(modifier["limit"], -1)
                offset = self._number(modifier["offset"], 0)
            else:
                raise words.only_aggregates(str(modifier["type"]).replace("_MODIFIER", ""), self.rules)
        return order, limit, offset

    def _order(self, term: Node, outputs: tuple[Output, ...]) -> tuple[Order, ...]:
        expression = term["expression"]
        descending, first = term["type"] == "DESCENDING", term["null_order"] == "NULLS FIRST"
        if expression.get("class") == "STAR" and expression["columns"] and not expression["expr"]:
            places = range(len(outputs))  # ORDER BY ALL
            return tuple(Order(output=i, descending=descending, nulls_first=first) for i in places)
        place = self._place(expression, outputs)
        if place is None:
            value = self._level(expression) or self._figure(expression)[0]
            place = next((i for i, o in enumerate(outputs) if o.value == value), None)
        if place is None:
            raise words.only_aggregates(f"ORDER BY {_named(expression)}", self.rules)
        return (Order(output=place, descending=descending, nulls_first=first),)

    def _number(self, node: Node | None, default: int) -> int:
        if node is None:
            return default
        kind, text = self._literal(node)
        self.demand(kind == "INTEGER" and text.isdecimal() and int(text) <= MOST_LIMIT, f"LIMIT {text}")
        return int(text)


def _bare(node: Mapping[str, Any]) -> bool:
    """Whether a query is `SELECT * FROM …` and nothing more."""
    empty = ("modifiers", "where_clause", "group_expressions", "group_sets", "having", "sample", "qualify")
    stars = node.get("select_list", [])
    return (
        node.get("type") == "SELECT_NODE"
        and not any(node.get(key) for key in empty)
        and node.get("cte_map") == {"map": []}
        and len(stars) == 1
        and stars[0].get("class") == "STAR"
        and not any(
            value
            for key, value in stars[0].items()
            if key not in {"class", "type", "query_location", "query_location_length"}
        )
    )


def _text_of(node: Node) -> str:
    literal = node["literal"] if node.get("class") == "CONSTANT" else {"kind": "", "text": ""}
    return str(literal["text"]) if literal["kind"] == "STRING" else ""


def _named(node: Node) -> str:
    """What an expression is, for a message."""
    for key in ("function_name", "column_names", "type", "class"):
        if node.get(key):
            value = node[key]
            return ".".join(value) if isinstance(value, list) else str(value)
    return "?"
