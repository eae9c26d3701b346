"""EXPLAIN, PIVOT without values and listings through the gateway: what is shown, what is on record."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow.flight as flight
import pytest

from catalog.gateway.guard import QueryEventKind
from tests.catalog.gateway.conftest import PUBLISHED
from tests.catalog.gateway.simulator import Installation, reader, run
from tests.catalog.gateway.test_broker import reason


def test_a_pivot_without_values_is_recorded_with_the_statement_that_finds_them(
    gateway: Installation, client: Any
) -> None:
    run(client, "PIVOT dong_codes ON gu_name USING count(*) GROUP BY sido_name")
    recorded = gateway.guard.events[0].statement
    assert recorded.startswith("CREATE TEMP TYPE campus_pivot_0 AS ENUM (SELECT DISTINCT CAST(gu_name AS")
    assert [t.dataset for t in gateway.guard.events[0].tables] == ["dong_codes"]
    assert run(client, "SELECT 1 AS a").num_rows == 1


PIVOTS = [  # with bound values, the same with them written out, and the values
    (
        "PIVOT (FROM subway_ridership WHERE part = ?) ON line USING sum(boardings) GROUP BY date",
        "PIVOT (FROM subway_ridership WHERE part = 3) ON line USING sum(boardings) GROUP BY date",
        [["int", "3"]],
    ),
    (
        "WITH s AS (FROM subway_ridership WHERE line < $line) "
        "PIVOT (FROM s WHERE part > $part) ON part, line USING sum(boardings) AS b, count(*) AS n",
        "WITH s AS (FROM subway_ridership WHERE line < 'line-05') "
        "PIVOT (FROM s WHERE part > 5) ON part, line USING sum(boardings) AS b, count(*) AS n",
        {"part": ["int", "5"], "line": ["str", "line-05"]},
    ),
    (
        "SELECT *, ? AS said FROM (PIVOT (FROM subway_ridership WHERE station = ? AND part > ?) "
        "ON line USING max(alightings) GROUP BY part) ORDER BY part",
        "SELECT *, 'it''s' AS said FROM (PIVOT (FROM subway_ridership WHERE station = 'station-07' "
        "AND part > 2) "
        "ON line USING max(alightings) GROUP BY part) ORDER BY part",
        [["str", "it's"], ["str", "station-07"], ["int", "2"]],
    ),
    (
        "PIVOT (SELECT CASE WHEN part > ? THEN 'it''s, much' ELSE line END AS k FROM subway_ridership) "
        "ON k USING count(*)",
        "PIVOT (SELECT CASE WHEN part > 20 THEN 'it''s, much' ELSE line END AS k FROM subway_ridership) "
        "ON k USING count(*)",
        [["int", "20"]],
    ),
]


@pytest.mark.parametrize("number", range(len(PIVOTS)))
def test_the_values_of_a_pivot_may_hang_on_bound_values(
    gateway: Installation, client: Any, number: int
) -> None:
    """Plain DuckDB takes no bound value there, so it is given the same written out."""
    bound, written, values = PIVOTS[number]
    subway_ridership = run(client, "FROM subway_ridership")
    with duckdb.connect() as engine:
        engine.register("subway_ridership", subway_ridership)
        plain: Any = engine.sql(written).to_arrow_table()
    order = json.dumps({"query": bound, "parameters": values}).encode()
    asked = flight.FlightDescriptor.for_command(b"campus.statement:" + order)
    rows = reader(client.get_flight_info(asked)).read_all()
    assert rows.schema.names == plain.schema.names
    assert sorted(map(str, rows.to_pylist())) == sorted(map(str, plain.to_pylist()))
    admitted = [e for e in gateway.guard.events if e.kind == QueryEventKind.ADMITTED][-1]
    assert admitted.statement.startswith("CREATE TEMP TYPE campus_pivot_0 AS ENUM (")
    assert len(admitted.parameters) == len(values)
    [scan] = admitted.scans
    assert scan.columns and "line" in scan.columns


EXPLAINED = (
    "SELECT line, sum(boardings) AS s FROM subway_ridership s JOIN dong_codes d ON s.line = d.gu_name "
    "WHERE part > 2 GROUP BY line ORDER BY s LIMIT 3",
    "SELECT * FROM card_sales c WHERE EXISTS (FROM dong_codes d WHERE d.dong_code = c.dong_code)",
    "PIVOT subway_ridership ON part USING sum(boardings) GROUP BY line",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) FROM t, gu_boundary",
)


@pytest.mark.parametrize(
    "how", ["EXPLAIN", "EXPLAIN ANALYZE", "EXPLAIN (FORMAT JSON)", "EXPLAIN (ANALYZE, FORMAT JSON)"]
)
def test_explain_shows_the_plan_and_no_file(gateway: Installation, client: Any, how: str) -> None:
    files = {f.path for name in PUBLISHED for f in gateway.warehouse.snapshot(name).files}
    assert files
    names = {part for path in files for part in path.split("/") if part not in PUBLISHED}
    for text in EXPLAINED:
        [row] = run(client, f"{how} {text}").to_pylist()
        plan = row["explain_value"]
        assert row["explain_key"] == ("analyzed_plan" if "ANALYZE" in how else "physical_plan")
        assert "READ_PARQUET" in plan and "Projections" in plan
        assert ("rows_scanned" in plan) == ("ANALYZE" in how)
        assert str(gateway.warehouse.root) not in plan
        assert not {name for name in names if name in plan}
        assert "Filename" not in plan and ".parquet" not in plan and "living" not in plan
        if "JSON" in how:
            assert json.loads(plan)[0]["children"]
    assert gateway.guard.events[0].statement.startswith("EXPLAIN")


def test_a_pivot_is_saved_and_a_plan_is_not(gateway: Installation, client: Any) -> None:
    def save(name: str, text: str) -> Any:
        asked = json.dumps({"query": text, "save_as": name}).encode()
        return client.get_flight_info(flight.FlightDescriptor.for_command(b"campus.statement:" + asked))

    reader(save("wide", "PIVOT dong_codes ON gu_name USING count(*) GROUP BY sido_name")).read_all()
    assert run(client, "SELECT count(*) AS n FROM wide").to_pylist()[0]["n"] > 0
    assert "wide" in str(run(client, "SHOW TABLES"))
    with pytest.raises(flight.FlightUnauthorizedError) as refused:
        save("plan", "EXPLAIN SELECT 1")
    assert reason(refused) == "explain-unsupported"


def test_listings_have_the_columns_of_what_is_granted(gateway: Installation, client: Any) -> None:
    text = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'gu_boundary'"
    assert {(r["column_name"], r["data_type"]) for r in run(client, text).to_pylist()} == {
        *(("gu_code", "VARCHAR"), ("gu_name", "VARCHAR"), ("gu_name_en", "VARCHAR"), ("geometry", "BLOB"))
    }
    everything = str(run(client, "FROM information_schema.columns")) + str(run(client, "SHOW ALL TABLES"))
    assert "living_population" not in everything and "card_spending" not in everything
