"""Long lists of values: they mean what they meant, whatever they are compared with, and stay small."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from catalog.gateway import refusals
from catalog.gateway.sql import functions
from catalog.gateway.sql.statement import MAX_BYTES, MOST_BYTES, Statement, prepare
from catalog.gateway.sql.values import LONG, MARK
from tests.catalog.gateway.test_tree import HereParser

FUNCTIONS = functions.load()
KINDS = {
    "ti": "TINYINT", "ut": "UTINYINT", "i": "INTEGER", "bi": "BIGINT", "ub": "UBIGINT", "h": "HUGEINT",
    "f": "FLOAT", "db": "DOUBLE", "fare": "DECIMAL(9,2)", "s": "VARCHAR", "padded": "VARCHAR", "d": "DATE",
    "ts": "TIMESTAMP", "tm": "TIME", "b": "BOOLEAN", "missing": "INTEGER",
}  # fmt: skip
MADE = {
    "fare": "(i / 4)::DECIMAL(9, 2)", "padded": "lpad(i::VARCHAR, 3, '0')", "d": "DATE '2026-01-01' + i::INT",
    "ts": "TIMESTAMP '2026-01-01' + to_hours(i::INT)", "tm": "TIME '01:00' + to_seconds(i::INT)",
    "b": "i % 2 = 0", "missing": "CASE WHEN i % 3 > 0 THEN i END",
}  # fmt: skip


class Counting(HereParser):
    """Knows how large the largest tree was."""

    largest = 0

    def serialise(self, text: str) -> str:
        tree = super().serialise(text)
        self.largest = max(self.largest, len(tree))
        return tree


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("CREATE SCHEMA campus")
    columns = ", ".join(f"CAST({MADE.get(name, 'i')} AS {kind}) AS {name}" for name, kind in KINDS.items())
    made.execute(f"CREATE TABLE campus.t AS SELECT {columns} FROM range(100) r(i)")
    made.execute("CREATE TABLE campus.u AS FROM campus.t WHERE i < 50")
    made.execute("USE campus")
    return made


def settled(text: str, parser: HereParser | None = None) -> Statement:
    columns = dict.fromkeys(("t", "u"), tuple(KINDS.items()))
    return prepare(text, ("t", "u"), FUNCTIONS, parser or HereParser(), columns=columns)


def cheap(statement: Statement) -> bool:
    return "string_split" in statement.text


def written(*values: str, times: int = LONG) -> str:
    """A long list of these and no others."""
    return ", ".join(values * (times // len(values) + 1))


def rows(engine: duckdb.DuckDBPyConnection, text: str) -> Any:
    try:
        return sorted(engine.execute(text).fetchall(), key=repr)
    except duckdb.Error as error:
        return type(error)


LISTS = {
    "numbers": written("1", "2", "-3"),
    "large numbers": written("1", "300", "3000000000"),
    "decimals": written("1.5", "2", "3.25"),
    "fine decimals": written("1.555", "2"),
    "texts": written("'1'", "'2'", "'99'"),
    "texts of numbers": written("'001'", "'2.0'"),
    "days": written("'2026-1-5'", "'2026-01-06'"),
    "moments": written("'2026-01-01 05:00'", "'2026-01-02'"),
    "times": written("'01:00:05'"),
    "odd texts": written("'it''s'", "'a,b'", "''", "'가'", "'x|y'"),
}


@pytest.mark.parametrize("column", KINDS)
@pytest.mark.parametrize("name", LISTS)
def test_a_long_list_is_what_it_was_beside_every_type(
    engine: duckdb.DuckDBPyConnection, name: str, column: str
) -> None:
    listed = LISTS[name]
    text = (
        f"SELECT i, {column} IN ({listed}) AS a, {column} NOT IN ({listed}) AS b FROM t "
        f"WHERE {column} IN ({listed}) OR i % 7 = 0"
    )
    statement = settled(text)
    there, here = rows(engine, text), rows(engine, statement.text)
    assert here == there
    if not cheap(statement):
        assert statement.text.count(f"{column} IN (") == 3  # as it was


@pytest.mark.parametrize("name, column", [("numbers", c) for c in ("i", "ti", "bi", "db", "fare", "missing")])
def test_a_list_of_numbers_beside_numbers_is_cheap(name: str, column: str) -> None:
    assert cheap(settled(f"SELECT i FROM t WHERE {column} IN ({LISTS[name]})"))


@pytest.mark.parametrize("name, column", [("texts", "s"), ("odd texts", "s"), ("days", "d"), ("texts", "i")])
def test_a_list_of_texts_is_cheap(name: str, column: str) -> None:
    assert cheap(settled(f"SELECT i FROM t WHERE {column} IN ({LISTS[name]})"))


NUMBERS, TEXTS = LISTS["numbers"], LISTS["texts"]
SURE = [
    f"SELECT count(*) FROM t x WHERE x.i IN ({NUMBERS})",
    f"SELECT count(*) FILTER (i IN ({NUMBERS})) FROM t",
    f"SELECT i IN ({NUMBERS}) AS k, count(*) FROM t GROUP BY i IN ({NUMBERS})",
    f"SELECT i, count(*) FROM t GROUP BY i HAVING i IN ({NUMBERS})",
    f"SELECT i, row_number() OVER (ORDER BY i) AS n FROM t QUALIFY i IN ({NUMBERS})",
    f"SELECT count(*) FROM t LEFT JOIN u ON t.i = u.i AND u.i IN ({NUMBERS})",
    f"SELECT count(*) FROM t WHERE i::VARCHAR IN ({TEXTS})",
    f"SELECT count(*) FROM (SELECT i FROM t WHERE NOT (i IN ({NUMBERS}))) x",
    f"WITH x AS (SELECT i FROM t WHERE s IN ({TEXTS})) SELECT count(*) FROM x",
    f"SELECT CASE WHEN i IN ({NUMBERS}) THEN 'a' ELSE 'b' END AS k, sum(db) FROM t GROUP BY k",
    f"SELECT count(*) FROM t WHERE i IN ({NUMBERS}) AND s IN ({TEXTS}) AND d in({LISTS['days']})",
    f"SELECT i FROM t WHERE i IN ({NUMBERS}) UNION ALL SELECT i FROM u WHERE i NOT IN ({NUMBERS})",
]
OPEN = [  # the name may mean something else, or a query may not stand there
    f"WITH t AS (SELECT i::VARCHAR AS i FROM u) SELECT count(*) FROM t WHERE i IN ({NUMBERS})",
    f"SELECT count(*) FROM (SELECT s AS i FROM u) t WHERE i IN ({NUMBERS})",
    f"SELECT s AS i FROM t ORDER BY i IN ({NUMBERS})",
    f"SELECT count(*) FROM t FULL JOIN (SELECT s AS i FROM u) x USING (i) WHERE i IN ({NUMBERS})",
    f"SELECT list_filter([1, 2, 300], i -> i IN ({NUMBERS})) AS l FROM t",
    f"SELECT count(*) FROM t WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS one) x WHERE i IN ({NUMBERS}))",
    f"SELECT count(*) FROM t x(a, i) WHERE i IN ({NUMBERS})",
    f"SELECT count(*) FROM t FULL JOIN u ON t.i = u.i AND u.i IN ({NUMBERS})",
    f"SELECT 'i IN ({NUMBERS})' AS said",
    f"SELECT count(*) /* i IN ({NUMBERS}) */ FROM t",
    f"SELECT count(*) FROM t WHERE i IN ({NUMBERS}, NULL)",
    f"SELECT count(*) FROM t WHERE i IN ({NUMBERS}, 1 + 1)",
]


@pytest.mark.parametrize("text", SURE)
def test_it_is_cheap_where_the_column_is_sure(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    statement = settled(text)
    assert statement.text.count("string_split") == text.lower().count(" in (") + text.count(" in(")
    assert rows(engine, statement.text) == rows(engine, text)


@pytest.mark.parametrize("text", OPEN)
def test_it_stays_where_it_is_not_sure(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    statement = settled(text)
    assert not cheap(statement)
    assert rows(engine, statement.text) == rows(engine, text)


def test_a_mark_in_the_text_is_nobodys_business(engine: duckdb.DuckDBPyConnection) -> None:
    text = f"SELECT count(*) FROM t WHERE s IN ('{MARK}0') OR i IN ({NUMBERS})"
    assert rows(engine, settled(text).text) == rows(engine, text)


def test_a_hundred_thousand_texts_make_a_small_tree() -> None:
    parser = Counting()
    statement = settled(
        f"SELECT count(*) FROM t WHERE s IN ({written(*map(repr, map(str, range(100_000))))})", parser
    )
    assert cheap(statement)
    assert parser.largest < 2_000_000


def test_without_its_lists_a_statement_may_be_as_long_as_ever() -> None:
    long = ", ".join(f"'{number:016}'" for number in range(100_000))
    assert MAX_BYTES < len(long) < MOST_BYTES
    assert cheap(settled(f"SELECT count(*) FROM t WHERE s IN ({long})"))
    for text in (
        f"SELECT count(*) FROM t WHERE s || s IN ({long})",  # it cannot be taken out
        f"SELECT count(*) FROM t WHERE s IN ({long}) AND s <> '{'x' * MAX_BYTES}'",
        f"SELECT count(*) FROM t WHERE s IN ({long}, {long})",
    ):
        with pytest.raises(refusals.QueryRefused) as refused:
            settled(text)
        assert refused.value.reason == "statement-too-long", text[:60]


def test_a_list_reads_no_table_of_its_own() -> None:
    statement = settled(f"SELECT i FROM t WHERE s IN ({TEXTS})")
    assert statement.tables == {"t"} and json.dumps(sorted(statement.named or ())) == '["i", "s"]'
