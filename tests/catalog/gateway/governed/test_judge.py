"""The governed shape: what fits it is read whole, and everything else is refused with the form that fits."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from catalog.descriptions import load_all
from catalog.gateway import refusals
from catalog.gateway.governed import compose
from catalog.gateway.governed.judge import is_describe, judge
from catalog.gateway.governed.plan import Level, Plan, Rules, rules_of
from catalog.gateway.parameters import NONE, Parameters, of_python
from catalog.gateway.sql import functions
from catalog.gateway.sql.statement import prepare
from tests.catalog.gateway.simulator import REPO
from tests.catalog.gateway.test_tree import PARSER

TRIPS = load_all(REPO / "datasets")["transit_trips"]
FOUND = rules_of(TRIPS)
assert FOUND is not None
RULES: Rules = FOUND
READABLE = ("transit_trips", "transit_trips_twin", "dong_codes")

ALLOWED = """
SELECT count(*) FROM transit_trips
SELECT count() AS n FROM transit_trips
SELECT boarding_line, count(*) FROM transit_trips GROUP BY boarding_line
SELECT boarding_line FROM transit_trips GROUP BY boarding_line
SELECT BOARDING_LINE AS l, count(DISTINCT Card_Hash) FROM campus.transit_trips AS t GROUP BY t.boarding_line
SELECT count(*) FROM transit_trips GROUP BY mode
SELECT boarding_line, boarding_stop, sum(fare), avg(fare), count(fare) FROM transit_trips GROUP BY ALL
SELECT date, user_type, count(*) FROM transit_trips GROUP BY 1, 2 ORDER BY 1, 2
SELECT date_trunc('month', date) AS m, count(*) FROM transit_trips GROUP BY m ORDER BY m DESC LIMIT 3 OFFSET 1
SELECT date_trunc('day', date), count(*) FROM transit_trips GROUP BY ALL
SELECT date_part('isodow', date) AS w, count(*) FROM transit_trips GROUP BY w
SELECT extract(hour FROM boarding_time) AS h, count(*) AS n FROM transit_trips GROUP BY h ORDER BY n DESC
SELECT hour(boarding_time), sum(fare) FROM transit_trips WHERE hour(boarding_time) BETWEEN 7 AND 9 GROUP BY 1
SELECT mode, count(*) FROM transit_trips WHERE boarding_line = '2' AND user_type IN ('일반') GROUP BY 1
SELECT mode, count(*) FROM transit_trips WHERE '2' = boarding_line GROUP BY mode
SELECT mode, count(*) FROM transit_trips WHERE date BETWEEN DATE '2026-01-01' AND '2026-01-07' GROUP BY mode
SELECT mode, count(*) FROM transit_trips WHERE (date = '2026-01-01' AND (mode = 'x')) GROUP BY mode
SELECT count(*) FROM transit_trips WHERE date_trunc('month', date) = DATE '2026-01-01'
SELECT mode, count(*) FROM transit_trips GROUP BY GROUPING SETS ((mode))
SELECT mode, count(*) FROM transit_trips GROUP BY mode ORDER BY count(*) DESC NULLS LAST, mode
SELECT mode, count(*) FROM transit_trips GROUP BY mode ORDER BY ALL
""".strip().splitlines()

HOSTILE = """
SELECT * FROM transit_trips
SELECT fare FROM transit_trips
SELECT card_hash, count(*) FROM transit_trips GROUP BY card_hash
SELECT trip_id, count(*) FROM transit_trips GROUP BY 1
SELECT boarding_time, count(*) FROM transit_trips GROUP BY boarding_time
SELECT date_trunc('minute', boarding_time), count(*) FROM transit_trips GROUP BY 1
SELECT date_trunc('hour', boarding_time), count(*) FROM transit_trips GROUP BY 1
SELECT minute(boarding_time), count(*) FROM transit_trips GROUP BY 1
SELECT hour(alighting_time), count(*) FROM transit_trips GROUP BY 1
SELECT date_trunc(mode, date), count(*) FROM transit_trips GROUP BY ALL
SELECT fare, count(*) FROM transit_trips GROUP BY fare
SELECT min(fare) FROM transit_trips
SELECT max(fare) FROM transit_trips
SELECT mode, max(card_hash) FROM transit_trips GROUP BY mode
SELECT median(fare) FROM transit_trips
SELECT quantile_cont(fare, 0.999) FROM transit_trips
SELECT stddev(fare) FROM transit_trips
SELECT any_value(card_hash) FROM transit_trips
SELECT first(fare) FROM transit_trips
SELECT list(fare) FROM transit_trips
SELECT string_agg(card_hash, ',') FROM transit_trips
SELECT arg_max(card_hash, fare) FROM transit_trips
SELECT histogram(fare) FROM transit_trips
SELECT sum(DISTINCT fare) FROM transit_trips
SELECT count(DISTINCT fare) FROM transit_trips
SELECT count(DISTINCT trip_id) FROM transit_trips
SELECT count(card_hash) FROM transit_trips
SELECT sum(fare * fare) FROM transit_trips
SELECT sum(fare + 1) FROM transit_trips
SELECT sum(CASE WHEN card_hash = 'x' THEN fare ELSE 0 END) FROM transit_trips
SELECT sum(fare) FILTER (WHERE card_hash = 'x') FROM transit_trips
SELECT count(*) FILTER (WHERE fare > 1000) FROM transit_trips
SELECT count(CASE WHEN fare > 1 THEN 1 END) FROM transit_trips
SELECT sum(fare ORDER BY card_hash) FROM transit_trips
SELECT sum(fare) / count(*) FROM transit_trips
SELECT mode || boarding_line, count(*) FROM transit_trips GROUP BY 1
SELECT substr(boarding_stop, 1, 2), count(*) FROM transit_trips GROUP BY 1
SELECT mode, count(*) FROM transit_trips
SELECT mode, boarding_line, count(*) FROM transit_trips GROUP BY mode
SELECT mode, count(*) FROM transit_trips GROUP BY ROLLUP (mode)
SELECT mode, user_type, count(*) FROM transit_trips GROUP BY CUBE (mode, user_type)
SELECT mode, user_type, count(*) FROM transit_trips GROUP BY GROUPING SETS ((mode), (user_type))
SELECT mode, count(*) FROM transit_trips GROUP BY GROUPING SETS ((mode), ())
SELECT mode, count(*) FROM transit_trips GROUP BY mode HAVING count(*) = 1
SELECT mode, count(*) FROM transit_trips GROUP BY mode HAVING min(fare) > 0
SELECT mode, count(*) FROM transit_trips GROUP BY mode QUALIFY row_number() OVER (ORDER BY mode) = 1
SELECT mode, count(*) OVER (PARTITION BY card_hash) FROM transit_trips
SELECT row_number() OVER (), fare FROM transit_trips
SELECT count(*) FROM transit_trips TABLESAMPLE 1 ROWS
SELECT count(*) FROM transit_trips USING SAMPLE 1
SELECT DISTINCT card_hash FROM transit_trips
SELECT DISTINCT mode, count(*) FROM transit_trips GROUP BY mode
SELECT DISTINCT ON (mode) mode, count(*) FROM transit_trips GROUP BY mode
SELECT count(*) FROM transit_trips WHERE card_hash = 'x'
SELECT count(*) FROM transit_trips WHERE fare = 1550
SELECT count(*) FROM transit_trips WHERE fare BETWEEN 1 AND 2
SELECT count(*) FROM transit_trips WHERE trip_id IN ('1')
SELECT count(*) FROM transit_trips WHERE boarding_time = TIMESTAMP '2026-01-01 03:40:00'
SELECT count(*) FROM transit_trips WHERE boarding_line <> '2'
SELECT count(*) FROM transit_trips WHERE boarding_line > '2'
SELECT count(*) FROM transit_trips WHERE NOT (boarding_line = '2')
SELECT count(*) FROM transit_trips WHERE boarding_line NOT IN ('2')
SELECT count(*) FROM transit_trips WHERE boarding_line = '2' OR mode = 'x'
SELECT count(*) FROM transit_trips WHERE boarding_line LIKE '2%'
SELECT count(*) FROM transit_trips WHERE boarding_line IS NULL
SELECT count(*) FROM transit_trips WHERE boarding_line IS DISTINCT FROM '2'
SELECT count(*) FROM transit_trips WHERE boarding_line = alighting_line
SELECT count(*) FROM transit_trips WHERE boarding_line = lower('2')
SELECT count(*) FROM transit_trips WHERE lower(boarding_line) = '2'
SELECT count(*) FROM transit_trips WHERE boarding_line IN (SELECT boarding_line FROM transit_trips)
SELECT count(*) FROM transit_trips WHERE boarding_line = (SELECT max(boarding_line) FROM transit_trips_twin)
SELECT count(*) FROM transit_trips WHERE EXISTS (SELECT 1 FROM transit_trips_twin)
SELECT count(*) FROM transit_trips WHERE date = DATE '2026-01-01' + 1
SELECT count(*) FROM transit_trips WHERE date = '2026-01-01 03:00:00'
SELECT count(*) FROM transit_trips WHERE date = 'today'
SELECT count(*) FROM transit_trips WHERE date = CAST('2026-01-01' AS TIMESTAMP)
SELECT count(*) FROM transit_trips WHERE date = TRY_CAST('2026-01-01' AS DATE)
SELECT count(*) FROM transit_trips WHERE hour(boarding_time) = '3'
SELECT count(*) FROM transit_trips WHERE hour(boarding_time) = 3.5
SELECT count(*) FROM transit_trips WHERE boarding_line = 2
SELECT count(*) FROM transit_trips WHERE boarding_line = NULL
SELECT count(*) FROM transit_trips WHERE true
SELECT count(*) FROM transit_trips t JOIN transit_trips_twin w USING (card_hash)
SELECT count(*) FROM transit_trips a, transit_trips b WHERE a.mode = 'x'
SELECT count(*) FROM transit_trips CROSS JOIN dong_codes
SELECT count(*) FROM (SELECT * FROM transit_trips)
SELECT count(*) FROM (SELECT mode, count(*) FROM transit_trips GROUP BY mode)
WITH x AS (SELECT * FROM transit_trips) SELECT count(*) FROM x
WITH x AS (SELECT mode, count(*) AS n FROM transit_trips GROUP BY mode) SELECT * FROM x WHERE n = 1
WITH x AS (SELECT 1) SELECT count(*) FROM transit_trips
SELECT count(*) FROM transit_trips AS t(a, b, c)
SELECT count(*) FROM transit_trips UNION ALL SELECT 1
SELECT mode, count(*) FROM transit_trips GROUP BY mode EXCEPT SELECT 'x', 1
(SELECT mode FROM transit_trips GROUP BY mode) INTERSECT (SELECT mode FROM transit_trips GROUP BY mode)
SELECT (SELECT card_hash FROM transit_trips LIMIT 1)
SELECT 1 WHERE EXISTS (SELECT 1 FROM transit_trips WHERE card_hash = 'x')
SELECT name FROM dong_codes WHERE name IN (SELECT card_hash FROM transit_trips)
SUMMARIZE transit_trips
SUMMARIZE SELECT fare FROM transit_trips
DESCRIBE SELECT count(*) FROM transit_trips WHERE fare = 1
SELECT * FROM (DESCRIBE transit_trips), transit_trips
PIVOT transit_trips ON mode IN ('x') USING max(card_hash)
SELECT * FROM transit_trips UNPIVOT (v FOR c IN (card_hash, trip_id))
SELECT COLUMNS(*) FROM transit_trips
SELECT transit_trips FROM transit_trips
SELECT count(*) FROM transit_trips LIMIT (SELECT max(fare) FROM transit_trips)
SELECT count(*) FROM transit_trips LIMIT 50%
SELECT mode, count(*) FROM transit_trips GROUP BY mode ORDER BY max(fare)
SELECT mode, count(*) FROM transit_trips GROUP BY mode ORDER BY sum(fare)
SELECT mode, count(*) FROM transit_trips GROUP BY mode, fare
SELECT mode, count(*) FROM transit_trips GROUP BY mode, card_hash
SELECT mode, count(*) AS n FROM transit_trips GROUP BY mode, length(card_hash)
SELECT other.mode, count(*) FROM transit_trips GROUP BY other.mode
FROM transit_trips
VALUES ((SELECT min(card_hash) FROM transit_trips))
""".strip().splitlines()


def parsed(text: str, parameters: Parameters = NONE) -> dict[str, Any]:
    """The node the gateway judges: of the canonical statement."""
    statement = prepare(text, READABLE, functions.load(), PARSER, parameters=parameters.names)
    assert "transit_trips" in statement.tables
    node: dict[str, Any] = json.loads(PARSER.serialise(statement.text))["statements"][0]["node"]
    return node


def plan(text: str, parameters: Parameters = NONE, rules: Rules = RULES) -> Plan:
    return judge(parsed(text, parameters), "transit_trips", rules, parameters)


def test_there_are_enough_of_both() -> None:
    assert len(set(HOSTILE)) >= 100 and len(set(ALLOWED)) >= 20


@pytest.mark.parametrize("text", ALLOWED)
def test_the_governed_shape_passes(text: str) -> None:
    made = plan(text)
    runs = compose.answer(made, 2, RULES)
    again = prepare(runs, READABLE, functions.load(), PARSER)  # what is composed names that table alone
    assert again.tables == {"transit_trips"}


@pytest.mark.parametrize("text", HOSTILE)
def test_any_other_shape_is_refused_with_the_form_that_fits(text: str) -> None:
    node = parsed(text)
    assert not is_describe(node, "transit_trips")
    with pytest.raises(refusals.QueryRefused) as caught:
        judge(node, "transit_trips", RULES)
    assert caught.value.reason == "aggregates-only"
    for words in (caught.value.ko, caught.value.en):
        assert "GROUP BY" in words and "count(DISTINCT card_hash)" in words and "campus.save" in words


@pytest.mark.parametrize("text", ["DESCRIBE transit_trips", "DESCRIBE SELECT * FROM transit_trips"])
def test_names_and_types_may_be_read(text: str) -> None:
    assert is_describe(parsed(text), "transit_trips")
    assert not is_describe(parsed(text), "dong_codes")


def test_conditions_have_one_canonical_form() -> None:
    one = plan("SELECT count(*) FROM transit_trips WHERE mode IN ('b', 'a', 'b') AND boarding_line = '2'")
    other = plan("SELECT count(*) FROM transit_trips t WHERE '2' = t.boarding_line AND t.mode IN ('a', 'b')")
    assert one.shape == other.shape
    assert [choice.values for choice in one.shape.choices] == [("'2'",), ("'a'", "'b'")]
    by = plan("SELECT count(*) FROM transit_trips GROUP BY mode, boarding_line").shape
    assert by == plan("SELECT boarding_line, mode FROM transit_trips GROUP BY 2, 1").shape
    assert by.levels == (Level(column="boarding_line"), Level(column="mode"))


def test_literals_are_written_anew() -> None:
    made = plan("SELECT count(*) FROM transit_trips WHERE mode = 'a'' OR ''1''=''1' AND date = '2026-01-31'")
    assert "\"mode\" IN ('a'' OR ''1''=''1')" in compose.answer(made, 0, RULES)
    assert "\"date\" IN (DATE '2026-01-31')" in compose.answer(made, 0, RULES)
    named = plan("""SELECT count(*) AS "x"", fare" FROM transit_trips""")
    assert 'AS "x"", fare" FROM a' in compose.answer(named, 0, RULES)


def test_bound_values_are_literals_too() -> None:
    values = of_python(["2", 7])
    text = "SELECT count(*) FROM transit_trips WHERE boarding_line = ? AND hour(boarding_time) = ?"
    assert [c.values for c in plan(text, values).shape.choices] == [("'2'",), ("7",)]
    for bad in (["2", "7"], ["2", 7.5], ["2", None], [["2"], 7]):
        with pytest.raises(refusals.QueryRefused, match="집계"):
            plan(text, of_python(bad))


def test_units_may_be_a_column_that_counts() -> None:
    counted = dataclasses.replace(RULES, unit=(), counted="fare", measures={})
    made = plan("SELECT mode, sum(fare) AS people FROM transit_trips GROUP BY mode", rules=counted)
    assert 'coalesce(sum("fare"), 0)::BIGINT AS f0' in compose.answer(made, 0, counted)
    with pytest.raises(refusals.QueryRefused):
        plan("SELECT avg(fare) FROM transit_trips", rules=counted)
