"""Statements nobody wrote: random texts and random trees, and the engine's own plan as the judge of them.

Texts are grown from a small grammar that mixes granted and ungranted names, files, catalogue tables, functions
and off the list, and WITH queries that shadow any of them. Trees are those of admitted texts with parts
exchanged and names changed, as a parser that has been taken over might send them. The judge is an engine that
has every table, granted or not: a leaf of the plan that is no granted table and makes no rows by itself is a
leak. Knows nothing of the authoriser.
"""

# ruff: noqa: E501

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any, Final

import duckdb

GRANTED: Final = ("open_one", "open_two")
SECRET: Final = ("secret_one", "secret_two")
COLUMNS: Final = (("a", "INTEGER"), ("b", "VARCHAR"), ("c", "DATE"), ("l", "INTEGER[]"))
# leaves that make rows out of nothing but the statement, and inner operators that read no table
HARMLESS: Final = frozenset(
    [
        "DUMMY_SCAN",
        "EMPTY_RESULT",
        "COLUMN_DATA_SCAN",
        "CTE_SCAN",
        "DELIM_SCAN",
        "RECURSIVE_CTE_SCAN",
        "REC_CTE_SCAN",
        "CHUNK_SCAN",
        "RANGE",
        "GENERATE_SERIES",
        "UNNEST",
        "REPEAT",
        "REPEAT_ROW",
        "JSON_EACH",
        "JSON_TREE",
        "EXPRESSION_SCAN",
    ]
)
_SOURCES: Final = (
    *("open_one", "open_two", "OPEN_ONE", '"open_one"', "campus.open_two", "memory.campus.open_one") * 3,
    *("secret_one", "secret_two", "campus.secret_one", "memory.main.secret_two", "main.hidden", "hidden"),
    *("'x.parquet'", '"/etc/passwd"', "'https://example.org/x.csv'", "pg_class", "sqlite_master"),
    *("information_schema.tables", "information_schema.columns", "duckdb_tables()", "duckdb_columns()"),
    *("duckdb_views()", "duckdb_settings()", "read_parquet('x')", "read_text('/etc/passwd')", "glob('*')"),
    *("query_table('secret_one')", "query('FROM secret_one')", "seq_scan('secret_one')", "range(3)"),
    *(
        "generate_series(1, 2) g(a)",
        "unnest([1, 2]) u(a)",
        "json_each('{\"a\": 1}')",
        "repeat_row(1, num_rows := 2)",
    ),
    *("pragma_table_info('secret_one')", "secret_one AT (VERSION => 1)", "open_one AT (VERSION => 1)"),
)
_NAMES: Final = (*GRANTED, *SECRET, "hidden", "w", "x", "information_schema", "duckdb_tables", "pg_class")
_CALLS: Final = (
    *("abs({})", "length(b)", "coalesce({}, 1)", "upper(b)", "list_aggregate([1, 2], 'sum')", "year(c)"),
    *("getenv('HOME')", "current_setting('x')", "read_text('x')", "list_aggregate([1], {})", "main.abs({})"),
    *(
        "list_transform([{}], lambda q: q + 1)",
        "pg_get_viewdef(1)",
        "getvariable('x')",
        "stats(a)",
        "version()",
    ),
)
_AGGREGATES: Final = (
    "count(*)",
    "sum(a)",
    "max(b)",
    "list(a)",
    "arg_max(a, c)",
    "median(a)",
    "count(DISTINCT b)",
)


class Texts:
    """Grows statements; the same seed grows the same."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.harmless = False  # whether to stay with what is granted, so that deeper shapes are admitted

    def statement(self) -> str:
        """One text."""
        self.harmless = self.random.random() < 0.6
        text = self.query(4)
        lead = self.random.random()
        if lead < 0.08:
            return (
                self.pick("EXPLAIN ", "explain analyze ", "EXPLAIN (FORMAT json) ", "/* x */ EXPLAIN ") + text
            )
        if lead < 0.12:
            return self.pick("DESCRIBE ", "SUMMARIZE ") + text
        if lead < 0.14:
            return text + self.pick("; SELECT 1", ";", "; FROM secret_one", " -- ;", "/* */")
        return text

    def query(self, depth: int) -> str:
        """A query, with WITH or without."""
        body = self.body(depth)
        if depth > 0 and self.chance(0.3):
            entries = []
            for _ in range(self.random.randint(1, 2)):
                name = self.pick(*_NAMES)  # and now and then one that reads its own name
                inner = f"SELECT * FROM {name}" if self.chance(0.2) else self.query(depth - 2)
                how = self.pick("", "", "MATERIALIZED ", "NOT MATERIALIZED ")
                entries.append(f"{name} AS {how}({inner})")
            return f"WITH {self.pick('', '', 'RECURSIVE ')}{', '.join(entries)} {body}"
        return body

    def body(self, depth: int) -> str:
        """A query without its WITH."""
        if depth <= 0:
            return self.pick(
                f"FROM {self.source(0)}", f"SELECT a FROM {self.source(0)}", "SELECT 1 AS a, 'x' AS b"
            )
        match self.random.randint(0, 13):
            case 0:
                how = self.pick("UNION", "UNION ALL", "EXCEPT", "INTERSECT", "UNION BY NAME")
                return f"({self.query(depth - 1)}) {how} ({self.query(depth - 1)})"
            case 1:
                return f"PIVOT {self.source(depth - 1)} ON {self.pick('a', 'b', 'b IN (1, 2)', 'year(c)')} USING count(*)"
            case 2:
                return f"UNPIVOT {self.source(depth - 1)} ON a INTO NAME n VALUE v"
            case 3:
                return f"SELECT * FROM {self.source(depth - 1)} PIVOT (sum(a) FOR b IN ('x', 'y'))"
            case 4:
                return self.pick(
                    f"TABLE {self.pick(*_NAMES)}",
                    f"SHOW {self.pick(*_NAMES)}",
                    "SHOW TABLES",
                    "SHOW ALL TABLES",
                )
            case 5:
                return f"SELECT * FROM (DESCRIBE {self.query(depth - 1)})"
            case 6:
                return (f"WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM {self.pick('r', self.source(0))} "
                        f"WHERE a < 3) SELECT r.a FROM r, {self.source(depth - 1)} s")  # fmt: skip
            case _:
                return self.select(depth)

    def select(self, depth: int) -> str:
        """A SELECT with some of its clauses."""
        parts = [
            f"SELECT {self.pick('', '', 'DISTINCT ')}{self.columns(depth)}",
            f"FROM {self.source(depth - 1)}",
        ]
        if self.chance(0.4):
            parts.append(f"WHERE {self.condition(depth - 1)}")
        if self.chance(0.2):
            parts = [f"SELECT {self.pick(*_AGGREGATES)}, a FROM {self.source(depth - 1)}"]
            parts += [
                f"GROUP BY {self.pick('a', 'ALL', 'ROLLUP (a)')} HAVING {self.pick('true', 'count(*) > 0')}"
            ]
        if self.chance(0.1):
            parts.append("QUALIFY row_number() OVER (ORDER BY 1) = 1")
        if self.chance(0.2):
            parts.append(f"ORDER BY {self.pick('ALL', '1', self.scalar(depth - 2))}")
        if self.chance(0.1):
            parts.append(f"LIMIT {self.pick('3', '(SELECT 1)', f'(SELECT max(a) FROM {self.source(0)})')}")
        return " ".join(parts)

    def columns(self, depth: int) -> str:
        """A select list."""
        return self.pick("*", "*", "a", f"{self.scalar(depth - 1)} AS a", f"{self.pick(*_AGGREGATES)} OVER () AS a, b",
                         "COLUMNS('a|b')", "* EXCLUDE (c)", "* REPLACE (1 AS a)")  # fmt: skip

    def source(self, depth: int) -> str:
        """Something in FROM."""
        if depth <= 0 or self.chance(0.45):
            place = self.pick(*(_SOURCES[:6] if self.harmless and self.chance(0.9) else _SOURCES))
            return self.pick(*_NAMES) if self.chance(0.15) else place
        match self.random.randint(0, 4):
            case 0:
                return f"({self.query(depth - 1)}) AS {self.pick(*_NAMES)}"
            case 1:
                how = self.pick("JOIN", "LEFT JOIN", "SEMI JOIN", "ANTI JOIN", "FULL JOIN")
                return f"{self.source(depth - 1)} {how} {self.source(depth - 1)} {self.pick('USING (a)', 'ON true')}"
            case 2:
                return f"{self.source(depth - 1)}, LATERAL ({self.query(depth - 1)}) z"
            case 3:
                return f"{self.source(0)} TABLESAMPLE 50%"
            case _:
                return f"{self.source(0)}, {self.source(0)} q"

    def condition(self, depth: int) -> str:
        """Something true or false."""
        value = self.scalar(depth)
        if depth <= 0:
            return self.pick("a > 1", "b = 'x'", f"{value} IS NULL")
        return self.pick(f"EXISTS ({self.query(depth - 1)})", f"a IN (SELECT a FROM {self.source(depth - 1)})",
                         f"{value} > 0", "a BETWEEN 0 AND 9", f"NOT (a = {value})", "a > ALL (SELECT 1)")  # fmt: skip

    def scalar(self, depth: int) -> str:
        """A value."""
        if depth <= 0:
            return self.pick("a", "1", "'secret_one'", "NULL", "length(b)")
        calls = _CALLS[:6] if self.harmless else _CALLS
        return self.pick(f"(SELECT max(a) FROM {self.source(depth - 1)})", self.pick(*calls).format(self.scalar(depth - 1)),
                         f"CASE WHEN {self.condition(depth - 1)} THEN 1 ELSE {self.scalar(depth - 1)} END",
                         f"CAST({self.scalar(depth - 1)} AS {self.pick('BIGINT', 'VARCHAR', 'regclass')})", "l[1]",
                         f"list_transform([1], lambda q: {self.scalar(depth - 1)})")  # fmt: skip

    def pick(self, *of: str) -> str:
        """One of them."""
        return self.random.choice(of)

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.random.random() < share


def altered(tree: Any, other: Any, draw: random.Random) -> Any:
    """A copy of a tree with parts of another put in, or names changed."""
    made = copy.deepcopy(tree)
    places = list(_places(made))
    donors = [node for node, _, _ in _places(other)]
    for _ in range(draw.randint(1, 3)):
        node, holder, key = draw.choice(places)
        how = draw.randint(0, 3)
        if how == 0 and donors:
            kind = "class" if "class" in node else "type"
            fitting = [
                d
                for d in donors
                if (kind in d) and (draw.random() < 0.2 or d.get("class") == node.get("class"))
            ]
            if fitting and holder is not None:
                holder[key] = copy.deepcopy(draw.choice(fitting))
        elif how == 1:
            texts = [name for name, value in node.items() if isinstance(value, str)]
            if texts:
                node[draw.choice(texts)] = draw.choice(
                    (*SECRET, *GRANTED, "hidden", "main", "campus", "read_text", "", "NOVELTY")
                )
        elif how == 2 and "table_name" in node:
            secret = draw.choice((*SECRET, "hidden"))
            schema = draw.choice(("", "", "campus", "main"))
            node.update(
                table_name=secret,
                schema_name=schema,
                qualified_name={"path": [p for p in (schema, secret) if p]},
            )
        elif how == 3:
            lists = [value for value in node.values() if isinstance(value, list) and value]
            if lists:
                chosen = draw.choice(lists)
                chosen.append(copy.deepcopy(draw.choice(chosen)))
    return made


def _places(node: Any, holder: Any = None, key: Any = None) -> Iterator[tuple[dict[str, Any], Any, Any]]:
    if isinstance(node, dict):
        yield node, holder, key
        for name, value in node.items():
            yield from _places(value, node, name)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _places(value, node, index)


class Judge:
    """An engine with every table; says what a statement would read."""

    def __init__(self) -> None:
        self.engine = duckdb.connect()
        self.engine.execute("CREATE SCHEMA campus")
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS)
        for name in (*GRANTED, *SECRET):
            self.engine.execute(f"CREATE TABLE campus.{name} ({columns})")
        for name in (*SECRET, "hidden"):
            self.engine.execute(f"CREATE TABLE main.{name} ({columns})")
        for place in (*(f"campus.{name}" for name in (*GRANTED, *SECRET)), "main.hidden", "main.secret_two"):
            self.engine.execute(
                f"INSERT INTO {place} VALUES (1, 'x', DATE '2026-01-01', [1]), (2, 'y', NULL, [])"
            )
        self.engine.execute("PRAGMA disable_optimizer")  # nothing is left out of the plan

    def reads(self, text: str, lists: tuple[tuple[str, str], ...] = ()) -> set[str] | None:
        """Tables, and operators that may read something else; None where it does not bind."""
        found: set[str] = set()
        try:
            for name, values in lists:
                found |= self._plan(values)
                self.engine.execute(f"CREATE OR REPLACE TEMP TYPE {name} AS ENUM ({values})")
            return found | self._plan(text)
        except duckdb.Error:
            return None

    def _plan(self, text: str) -> set[str]:
        row = self.engine.execute(f"EXPLAIN (FORMAT json) {text}").fetchone()
        assert row is not None
        return {leaf for root in json.loads(row[1]) for leaf in _leaves(root)}


def _leaves(node: dict[str, Any]) -> Iterator[str]:
    name = str(node["name"]).strip()
    table = node.get("extra_info", {}).get("Table")
    if table is not None:
        yield str(table).rpartition(".")[2] if str(table).startswith("memory.campus.") else str(table)
    elif (not node["children"] or name.endswith("_SCAN")) and name not in HARMLESS:
        yield name
    for child in node["children"]:
        yield from _leaves(child)
