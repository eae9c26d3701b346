"""The tree walk: everything analysts write passes, everything hostile is refused for the right reason."""

from __future__ import annotations

import json
import sys
from typing import Any

import duckdb
import pytest

from catalog.gateway import refusals
from catalog.gateway.sql import functions, statement
from catalog.gateway.sql.statement import plain, prepare
from catalog.workers import parser as engine
from tests.catalog.gateway.statements import LEGITIMATE, LISTINGS, hostile

GRANTED = ("subway_ridership", "dong_codes", "card_sales", "gu_boundary")
FUNCTIONS = functions.load()


class HereParser:
    """The parser program's own functions, in this process."""

    def __init__(self) -> None:
        self.connection = engine.connect()

    def serialise(self, text: str) -> str:
        answer = engine.answer(self.connection, {"op": "serialise", "text": text})
        return str(answer["tree"])

    def deserialise(self, tree: str) -> tuple[str, str]:
        answer = engine.answer(self.connection, {"op": "deserialise", "tree": tree})
        return str(answer["text"]), str(answer["tree"])

    def both(self, text: str) -> tuple[str, str, str]:
        """With whatever a class below this one says in its place."""
        tree = self.serialise(text)
        try:
            return (tree, "", "") if '"BASE_TABLE"' in tree else (tree, *self.deserialise(tree))
        except KeyError:  # an error, and no text
            return tree, "", ""


PARSER = HereParser()


COLUMNS = {"dong_codes": (("dong_code", "VARCHAR"), ("gu_name", "VARCHAR")), "gu_boundary": ()}


def prepared(text: str, parser: Any = PARSER) -> statement.Statement:
    return prepare(text, GRANTED, FUNCTIONS, parser, columns=COLUMNS)


def refused(text: str, parser: Any = PARSER) -> refusals.QueryRefused:
    with pytest.raises(refusals.QueryRefused) as caught:
        prepared(text, parser)
    return caught.value


def test_there_are_enough_of_both() -> None:
    assert len(hostile()) >= 200
    assert len(LEGITIMATE) >= 150


@pytest.mark.parametrize("text", [*LEGITIMATE, *LISTINGS])
def test_what_analysts_write_passes(text: str) -> None:
    once = prepared(text)
    again = prepared(once.text)  # what runs would pass, and means the same tables
    assert again.tables == once.tables
    assert once.tables <= set(GRANTED)


@pytest.mark.parametrize(("reason", "text"), hostile())
def test_hostile_statements_are_refused_for_their_reason(reason: str, text: str) -> None:
    error = refused(text)
    assert error.reason == reason
    assert error.ko and error.en and error.ko != error.en


def test_a_refusal_lists_what_is_granted() -> None:
    error = refused("SELECT * FROM living_population")
    for name in GRANTED:
        assert name in error.ko and name in error.en
    assert "이용 권한이 하나도 없습니다" in refusals.table_not_granted("x", ()).ko


@pytest.mark.parametrize(
    "form", ["FROM {}", "EXPLAIN FROM {}", "DESCRIBE {}", "PIVOT {} ON a", "FROM campus.{}"]
)
def test_a_refusal_does_not_tell_whether_the_table_exists(form: str) -> None:
    there, nowhere = refused(form.format("living_population")), refused(form.format("no_such_table_xyz"))
    assert there.reason == nowhere.reason == "table-not-granted"
    assert str(there).replace("living_population", "?") == str(nowhere).replace("no_such_table_xyz", "?")


def test_tables_run_under_their_full_names() -> None:
    text = "WITH dong_codes AS (SELECT * FROM DONG_CODES) SELECT * FROM dong_codes, campus.card_sales c"
    assert prepared(text).text == (
        "WITH dong_codes AS (SELECT * FROM memory.campus.dong_codes) "
        "SELECT * FROM dong_codes , memory.campus.card_sales AS c"
    )


def test_show_tables_lists_granted_names_and_nothing_of_the_engine() -> None:
    made = prepared("SHOW TABLES")
    assert made.tables == frozenset()
    with duckdb.connect() as connection:
        rows = connection.execute(made.text).fetchall()
        assert sorted(r[0] for r in rows) == sorted(GRANTED)
        empty = prepare("SELECT * FROM (SHOW TABLES)", (), FUNCTIONS, PARSER)
        assert connection.execute(empty.text).fetchall() == []


def rows_of(text: str) -> list[Any]:
    with duckdb.connect() as connection:
        return connection.execute(prepared(text).text).fetchall()


@pytest.mark.parametrize("text", LISTINGS)
def test_the_engines_catalogue_is_never_asked(text: str) -> None:
    made = prepared(text)
    assert made.tables == frozenset()
    assert "information_schema" not in made.text.lower() and "duckdb_tables()" not in made.text
    if "FROM" not in text or "SELECT *" in text:
        empty = any(word in text for word in ("views", "constraint", "key_column"))
        assert "schemata" in text or ("dong_codes" in str(rows_of(text))) is not empty


def test_listings_say_what_is_granted_with_types() -> None:
    text = "SELECT column_name, data_type FROM information_schema.columns c WHERE c.table_name = 'dong_codes'"
    assert rows_of(text) == [("dong_code", "VARCHAR"), ("gu_name", "VARCHAR")]
    assert rows_of("SELECT n FROM information_schema.tables AS t(c, s, n) WHERE s = 'campus' ORDER BY n") == [
        (name,) for name in sorted(GRANTED)
    ]
    [found] = [row for row in rows_of("SHOW ALL TABLES") if row[2] == "dong_codes"]
    assert found[3:] == (["dong_code", "gu_name"], ["VARCHAR", "VARCHAR"], False)
    assert prepare("FROM information_schema.columns", (), FUNCTIONS, PARSER).tables == frozenset()


def test_a_pivot_without_values_asks_for_them_in_a_statement_of_its_own() -> None:
    made = prepared("PIVOT dong_codes ON gu_name, substr(dong_code, 1, 2) USING count(*)")
    assert [name for name, _ in made.lists] == ["campus_pivot_0", "campus_pivot_1"]
    assert made.lists[0][1] == (
        'SELECT DISTINCT CAST(gu_name AS VARCHAR) AS "value" FROM memory.campus.dong_codes '
        "WHERE (gu_name IS NOT NULL) ORDER BY 1"
    )
    assert made.shown.startswith("CREATE TEMP TYPE campus_pivot_0 AS ENUM (SELECT DISTINCT")
    assert made.tables == {"dong_codes"}
    bound = "WITH q AS (FROM dong_codes WHERE dong_code = ?) PIVOT q ON gu_name USING count(*)"
    found = prepare(bound, GRANTED, FUNCTIONS, PARSER, parameters=frozenset("1"))
    assert "(dong_code = $1)" in found.lists[0][1]
    for given in (frozenset[str](), frozenset("12")):  # neither fewer nor more values than it asks for
        with pytest.raises(refusals.QueryRefused) as mismatch:
            prepare(bound, GRANTED, FUNCTIONS, PARSER, parameters=given)
        assert mismatch.value.reason == "parameters-mismatch"


def test_explain_is_of_the_canonical_statement() -> None:
    made = prepared("/* a */ EXPLAIN (ANALYZE, FORMAT JSON) FROM dong_codes")
    assert (made.text, made.explain) == (
        "SELECT * FROM memory.campus.dong_codes",
        ("EXPLAIN", "ANALYZE", "JSON"),
    )
    assert made.shown == "EXPLAIN ANALYZE SELECT * FROM memory.campus.dong_codes"
    assert prepared("EXPLAIN (SELECT 1)").explain == ("EXPLAIN",)
    assert refused("EXPLAIN EXPLAIN SELECT 1").reason == "not-select"
    assert refused("EXPLAIN DROP TABLE dong_codes").reason == "not-select"


def test_comments_before_a_statement_cost_no_time() -> None:
    assert refused("/**/" * 5_000 + "EXPLAIN_").reason == "syntax-error"
    assert refused("CREATE TABLE x AS SELECT 1 " + "PIVOT " * 5_000).reason in {"syntax-error", "not-select"}


def _kinds(tree: Any) -> list[dict[str, Any]]:
    found = [tree] if isinstance(tree, dict) else []
    for value in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        found += _kinds(value)
    return found


RICH = (
    "WITH a AS (SELECT line, sum(boardings) FILTER (WHERE part > 1) AS s, "
    "max(part) OVER (ORDER BY line) AS w "
    "FROM subway_ridership s JOIN dong_codes d ON s.line = d.gu_name "
    "WHERE part BETWEEN 1 AND 2 GROUP BY ALL) "
    "SELECT CASE WHEN s > 1 THEN 1 ELSE CAST('2' AS INTEGER) END, [x FOR x IN [1]], (SELECT 1) "
    "FROM a, range(3) UNION ALL SELECT 1, NULL, 2 ORDER BY 1 LIMIT 5"
)


class Altered(HereParser):
    """A parser whose tree has one node changed."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    def serialise(self, text: str) -> str:
        tree = json.loads(super().serialise(text))
        self.change(tree)
        return json.dumps(tree)


def test_any_unknown_field_or_kind_anywhere_is_refused() -> None:
    count = len(_kinds(json.loads(PARSER.serialise(RICH))["statements"]))
    assert count > 60
    for index in range(count):

        def add(tree: Any, index: int = index) -> None:
            _kinds(tree["statements"])[index]["novelty"] = 1

        def rename(tree: Any, index: int = index) -> None:
            node = _kinds(tree["statements"])[index]
            key = "class" if "class" in node else "type" if "type" in node else ""
            if key:
                node[key] = "NOVELTY"
            else:
                node["novelty"] = 1

        assert refused(RICH, Altered(add)).reason
        assert refused(RICH, Altered(rename)).reason


def test_a_parser_that_lies_about_the_text_is_found_out() -> None:
    class Liar(HereParser):
        def deserialise(self, tree: str) -> tuple[str, str]:
            text = "SELECT * FROM living_population"
            return text, self.serialise(text)

    assert refused("SELECT 1", Liar()).reason == "canonical-mismatch"


def test_a_text_that_came_with_the_tree_must_mean_the_tree_that_was_judged() -> None:
    """One trip where nothing was rewritten: with the same proof, and never of another tree."""

    class OneTrip(HereParser):
        trips = 0

        def both(self, text: str) -> tuple[str, str, str]:
            answer = engine.answer(self.connection, {"op": "both", "text": text})
            return answer["tree"], answer.get("text", ""), answer.get("again", "")

        def deserialise(self, tree: str) -> tuple[str, str]:
            self.trips += 1
            return super().deserialise(tree)

    class Liar(OneTrip):
        def both(self, text: str) -> tuple[str, str, str]:
            other = "SELECT * FROM living_population"
            return self.serialise(text), other, self.serialise(other)

    class Eager(OneTrip):
        def both(self, text: str) -> tuple[str, str, str]:
            tree = self.serialise(text)
            return tree, *HereParser.deserialise(self, tree)

    once = OneTrip()
    for text in ("SELECT 41 + 1 AS a", "WITH r AS (SELECT * FROM range(3)) SELECT * FROM (VALUES (1)) v(a)"):
        assert prepared(text, once) == prepared(text)
    assert once.trips == 0
    text = "SELECT * FROM dong_codes"
    assert prepared(text, once) == prepared(text) == prepared(text, Eager())
    assert "campus" in prepared(text, Eager()).text
    assert once.trips == 1
    assert refused("SELECT 1", Liar()).reason == "canonical-mismatch"


@pytest.mark.parametrize("answer", ["[]", "{}", '{"error": false, "statements": []}', '"x"'])
def test_a_parser_that_talks_nonsense_admits_nothing(answer: str) -> None:
    class Broken(HereParser):
        def both(self, text: str) -> tuple[str, str, str]:
            return answer, "", ""

    assert refused("SELECT 1", Broken()).reason in {"parser-failed", "one-statement"}


def test_size_and_depth_are_bounded() -> None:
    assert refused("SELECT '" + "x" * (1 << 20) + "'").reason == "statement-too-long"
    deep = "SELECT " + "(" * 700 + "1" + ")" * 700
    nested = "SELECT " + "abs(" * 700 + "1" + ")" * 700
    assert refused(nested).reason in {"too-deep", "syntax-error", "parser-failed"}
    try:
        prepared(deep)
    except refusals.QueryRefused as error:
        assert error.reason in {"too-deep", "syntax-error"}
    assert prepared("SELECT " + " + ".join("1" for _ in range(90))).text
    assert prepared("SELECT 1 WHERE 1 IN (" + ",".join(map(str, range(20_000))) + ")").text
    assert sys.getrecursionlimit() >= 1000


@pytest.mark.parametrize("text", ["SELECT '\0'", "SELECT '\ud800'"])
def test_texts_that_are_no_text(text: str) -> None:
    assert refused(text).reason == "syntax-error"


def test_values_wrapped_by_the_engine_compare_equal_and_nothing_else_does() -> None:
    def tree(text: str) -> Any:
        return plain(json.loads(PARSER.serialise(text)))

    assert tree("VALUES (1)") == tree("SELECT * FROM (VALUES (1)) AS valueslist")
    assert tree("VALUES (1)") != tree("SELECT * FROM (VALUES (2)) AS valueslist")
    assert tree("VALUES (1)") != tree("SELECT * FROM (SELECT * FROM (VALUES (1)) AS valueslist LIMIT 1)")
