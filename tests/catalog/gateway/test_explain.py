"""EXPLAIN, PIVOT without values and listings through the gateway: what is shown, what is on record."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.flight as flight
import pytest

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
