"""A restricted dataset at a real gateway: totals as the engine's own, small groups merged, no subtraction."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.flight as flight
import pytest
from campus.local import LocalStream
from campus.result import Result

from catalog.descriptions import Dataset, load_all
from catalog.gateway.governed.compose import REMAINDER
from catalog.gateway.governed.releases import Releases
from catalog.warehouse import Publication, Warehouse
from tests.catalog.gateway.conftest import LIMITS
from tests.catalog.gateway.simulator import (
    REPO,
    Installation,
    info,
    installation,
    reader,
    run,
    until,
    utc_now,
)
from tests.catalog.gateway.test_local import near

DESCRIPTIONS = load_all(REPO / "datasets")
MINIMUM = 10
LINES = {"1": 300, "2": 200, "3": 150, "8": 12, "9": 4}  # cards of each line; nobody takes two lines
RIDES = 3  # of each card


def trips() -> pa.Table:
    """Rides of cards that keep to their line: line 9 has 4 cards, 3 cards of line 1 go by bus."""
    rows = []
    number = 0
    for line, cards in LINES.items():
        for card in range(cards):
            for ride in range(RIDES):
                number += 1
                day = date(2026, 1, 1) + timedelta(days=(card + ride * 20) % 59)
                start = datetime.combine(day, datetime.min.time()) + timedelta(
                    hours=6 + card % 12, minutes=card % 60
                )
                ends = (card + ride) % 7 != 0
                rows.append(
                    {
                        "date": day,
                        "trip_id": f"r{number}",
                        "card_hash": f"c{line}-{card}",
                        "user_type": ("일반", "경로")[card % 2],
                        "mode": "버스" if line == "1" and card < 3 else "지하철",
                        "boarding_line": line,
                        "boarding_stop": f"{line}{card % 5}",
                        "boarding_time": start,
                        "alighting_line": line if ends else None,
                        "alighting_stop": f"{line}{(card + 1) % 5}" if ends else None,
                        "alighting_time": start + timedelta(minutes=20) if ends else None,
                        "fare": (1550, 0)[card % 2] + ride,
                    }
                )
    types = {"date": pa.date32(), "fare": pa.int64()}
    times = dict.fromkeys(("boarding_time", "alighting_time"), pa.timestamp("us"))
    names = [c.name for c in DESCRIPTIONS["transit_trips"].columns]
    fields = [pa.field(n, {**types, **times}.get(n, pa.string())) for n in names]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


TRIPS = trips()


def plain(text: str) -> list[tuple[Any, ...]]:
    """The same statement in an engine of its own."""
    engine = duckdb.connect()
    engine.register("transit_trips", TRIPS)
    return engine.execute(text).fetchall()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("restricted")
    made = Warehouse(folder / "files", folder / "catalog.sqlite")
    publication = Publication(now=utc_now(), by="custodian", synthetic=True, source="made up", recipe="1")
    made.publish(DESCRIPTIONS["transit_trips"], "main", TRIPS, publication)
    return made


@contextlib.contextmanager
def opened(
    published: Warehouse, run_folder: Path, tmp_path: Path, dataset: Dataset = DESCRIPTIONS["transit_trips"]
) -> Iterator[Installation]:
    """An installation over the published rides, with nothing answered yet."""
    copy = tmp_path / "catalog.sqlite"
    copy.write_bytes(published.catalog.read_bytes())
    warehouse = Warehouse(published.root, copy)
    with installation(warehouse, {"transit_trips": dataset}, run_folder, LIMITS) as made:
        made.guard.grant("transit_trips")
        yield made


@pytest.fixture
def campus(published: Warehouse, run_folder: Path, tmp_path: Path) -> Iterator[Installation]:
    with opened(published, run_folder, tmp_path) as made:
        yield made


@contextlib.contextmanager
def session(made: Installation, project: str = "mobility") -> Iterator[Any]:
    connection = flight.connect(made.open(project=project))
    yield connection
    connection.close()


def ask(client: Any, text: str) -> tuple[list[tuple[Any, ...]], dict[str, Any]]:
    """Rows and what is said of them."""
    answer = info(client, text)
    rows = [tuple(row.values()) for row in reader(answer).read_all().to_pylist()]
    return rows, json.loads(answer.app_metadata)["governed"]


def refused(client: Any, text: str) -> str:
    with pytest.raises(flight.FlightUnauthorizedError) as caught:
        run(client, text)
    return str(json.loads(caught.value.extra_info)["reason"])


def releases(made: Installation) -> Releases:
    return Releases(made.warehouse.catalog.with_name("releases.sqlite"))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*), count(DISTINCT card_hash), sum(fare), avg(fare), count(fare) FROM transit_trips",
        "SELECT user_type, count(*) AS n, avg(fare) AS f FROM transit_trips GROUP BY user_type ORDER BY n, 1",
        "SELECT date_trunc('month', date) AS m, user_type, sum(fare) FROM transit_trips GROUP BY ALL "
        "ORDER BY ALL",
        "SELECT boarding_line, boarding_stop, count(*) FROM transit_trips "
        "WHERE boarding_line IN ('1', '2', '3') GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 7 OFFSET 2",
        "SELECT alighting_line, count(*) FROM transit_trips WHERE boarding_line BETWEEN '1' AND '3' "
        "GROUP BY 1 ORDER BY 1 NULLS FIRST",
        "SELECT hour(boarding_time) AS h, count(DISTINCT card_hash) FROM transit_trips GROUP BY h "
        "ORDER BY h DESC",
        "SELECT sum(fare) FROM transit_trips WHERE date BETWEEN '2026-01-03' AND DATE '2026-02-11'",
    ],
)
def test_where_no_group_is_small_the_answer_is_the_engines_own(campus: Installation, text: str) -> None:
    with session(campus) as client:
        rows, done = ask(client, text)
    expected = plain(text)
    assert rows == expected and expected
    assert done["merged"] == 0 and done["minimum"] == MINIMUM and not done["withheld"]


def test_a_small_group_goes_into_a_remainder_that_is_large_enough(campus: Installation) -> None:
    with session(campus) as client:
        rows, done = ask(
            client, "SELECT boarding_line, count(DISTINCT card_hash), count(*) FROM transit_trips GROUP BY 1"
        )
    # four cards of line 9 would be laid bare by the total, so line 8 goes with them
    assert {(REMAINDER, 16, 48), ("1", 300, 900), ("2", 200, 600), ("3", 150, 450)} == set(rows)
    assert done == {"minimum": 10, "groups": 4, "merged": 2, "withheld": False, "remainder": REMAINDER}


def test_small_groups_that_are_enough_together_need_no_other(campus: Installation) -> None:
    text = "SELECT boarding_stop, count(DISTINCT card_hash) FROM transit_trips "
    text += "WHERE boarding_line IN ('2', '8') GROUP BY 1"
    with session(campus) as client:
        rows, done = ask(client, text)
    assert set(rows) == {(REMAINDER, 12), *((f"2{i}", 40) for i in range(5))}
    assert done["merged"] == 5


def test_cells_rank_by_their_values_and_not_by_their_text(campus: Installation) -> None:
    """Line 9 is too small, and of line 1's equal hours the first joins it: 6 o'clock, not 10."""
    text = "SELECT boarding_line AS l, hour(boarding_time) AS h, count(*) AS n FROM transit_trips "
    text += "WHERE boarding_line IN ('1', '9') GROUP BY ALL"
    with session(campus) as client:
        answer = info(client, text)
        rows = reader(answer).read_all().to_pylist()
    query_id = json.loads(answer.app_metadata)["query_id"]
    kept = releases(campus).evidence(query_id)
    assert kept is not None
    told = {(row["l"], str(row["h"])): row["n"] for row in rows if row["l"] != REMAINDER}
    assert {g.keys: g.rows for g in kept.groups if g.keys} == told
    assert set(told) == {("1", str(hour)) for hour in range(7, 18)}


def test_a_result_of_too_few_units_gives_no_row_like_one_of_none(campus: Installation) -> None:
    with session(campus) as client:
        few, said = ask(client, "SELECT count(*), sum(fare) FROM transit_trips WHERE boarding_line = '9'")
        none, nothing = ask(
            client, "SELECT count(*), sum(fare) FROM transit_trips WHERE boarding_line = '77'"
        )
    assert few == none == [] and said == nothing and said["withheld"]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (  # nested conditions over the whole
            "SELECT count(*) FROM transit_trips WHERE boarding_line IN ('1', '2', '3', '8')",
            "SELECT count(*) FROM transit_trips WHERE boarding_line IN ('1', '2', '3', '8', '9')",
        ),
        (  # the same groups, one of which loses three cards
            "SELECT boarding_line, sum(fare) FROM transit_trips GROUP BY 1",
            "SELECT boarding_line, sum(fare) FROM transit_trips WHERE mode = '지하철' GROUP BY 1",
        ),
        (  # another grouping: one line against all lines
            "SELECT boarding_line, count(*) FROM transit_trips WHERE boarding_line IN ('1', '2') GROUP BY 1",
            "SELECT count(*) FROM transit_trips WHERE boarding_line = '1' AND mode = '지하철'",
        ),
        (  # two groups together against a condition on both
            "SELECT boarding_stop, count(*) FROM transit_trips WHERE boarding_line = '1' GROUP BY 1",
            "SELECT count(*) FROM transit_trips WHERE boarding_stop IN ('10', '11') AND mode = '지하철'",
        ),
        (  # the total that groups add up to
            "SELECT user_type, count(*) FROM transit_trips WHERE boarding_line IN ('2', '3') GROUP BY 1",
            "SELECT count(*) FROM transit_trips WHERE boarding_line IN ('2', '3', '9')",
        ),
    ],
)
def test_what_subtraction_would_lay_bare_is_refused(campus: Installation, first: str, then: str) -> None:
    with session(campus) as client, session(campus, "another") as other:
        run(client, first)
        assert refused(client, then) == "aggregates-differencing"
        run(client, first)  # the same again tells nothing new
        run(other, then)  # another project has nothing to subtract from
        assert refused(other, first) == "aggregates-differencing"
    assert [e.reason for e in campus.guard.events if e.kind == "refused"] == ["aggregates-differencing"] * 2


def test_differences_of_enough_units_may_be_asked(campus: Installation) -> None:
    with session(campus) as client:
        for lines in ("'1', '2', '3'", "'1', '2'", "'2'", "'1', '3'"):
            run(
                client,
                f"SELECT user_type, count(*) FROM transit_trips WHERE boarding_line IN ({lines}) GROUP BY 1",
            )


def test_the_ledger_outlives_the_gateway_and_spans_sessions(campus: Installation) -> None:
    with session(campus) as client:
        run(client, "SELECT count(*) FROM transit_trips WHERE boarding_line IN ('1', '2', '3', '8')")
    campus.restart()
    with session(campus) as client:
        assert refused(client, "SELECT count(*) FROM transit_trips") == "aggregates-differencing"


def test_groups_are_counted_until_the_budget_is_spent(
    published: Warehouse, run_folder: Path, tmp_path: Path
) -> None:
    dataset = DESCRIPTIONS["transit_trips"]
    assert dataset.aggregates is not None
    small = dataclasses.replace(dataset, aggregates=dataclasses.replace(dataset.aggregates, budget=5))
    by_type = "SELECT user_type, count(*) FROM transit_trips GROUP BY 1"
    by_month = "SELECT date_trunc('month', date), count(*) FROM transit_trips GROUP BY 1"
    with opened(published, run_folder, tmp_path, small) as made:
        with session(made) as client:
            run(client, by_type)
            run(client, by_type + " LIMIT 1")  # the same cells: not counted again
            run(client, by_month)
            assert (
                refused(client, "SELECT boarding_line, count(*) FROM transit_trips GROUP BY 1")
                == "aggregates-budget"
            )
            run(client, "SELECT count(*) FROM transit_trips")  # one more fits
            run(client, by_month)
        assert releases(made).used("mobility", "transit_trips") == 5
        with session(made, "another") as other:
            run(other, by_type)


def test_evidence_of_an_answer_is_kept_and_recorded(campus: Installation) -> None:
    text = "SELECT boarding_line, sum(fare) FROM transit_trips GROUP BY 1"
    with session(campus) as client:
        answer = info(client, text)
        table = reader(answer).read_all()
    query_id = json.loads(answer.app_metadata)["query_id"]
    until(lambda: campus.guard.kinds(query_id) == ["admitted", "finished"])
    admitted, finished = (e for e in campus.guard.events if e.query_id == query_id)
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    digest = hashlib.sha256(stream.getvalue()).hexdigest()
    assert finished.digest == digest and admitted.digest == ""
    assert admitted.evidence == finished.evidence
    assert finished.evidence is not None
    assert (finished.evidence.groups, finished.evidence.merged, finished.evidence.least_units) == (4, 2, 16)
    kept = releases(campus).evidence(query_id)
    assert kept is not None and kept.digest == digest
    assert finished.normal is not None and kept.statement == finished.normal.text
    assert kept.snapshot_id == finished.tables[0].snapshot_id == finished.evidence.snapshot_id
    assert {(g.keys, g.units, g.rows) for g in kept.groups} == {
        ((), 16, 48), (("1",), 300, 900), (("2",), 200, 600), (("3",), 150, 450)
    }  # fmt: skip


def test_a_kept_answer_is_a_table_like_any_other(campus: Installation) -> None:
    local = near(Path(campus.open(project="mobility").removeprefix("grpc+unix://")).with_name("local.sock"))

    def result(text: str, save_as: str | None = None) -> Result:
        stream = local.ask(op="query", text=text, parameters=None, save_as=save_as)
        assert isinstance(stream, LocalStream)
        return Result(stream)

    made = result("SELECT boarding_line AS l, sum(fare) AS f FROM transit_trips GROUP BY 1", "lines")
    assert made.arrow().to_pylist()[0]["rows"] == 4
    rest = result("SELECT l, f / sum(f) OVER () AS share FROM lines WHERE l <> '1' QUALIFY share > 0")
    assert rest.arrow().num_rows == 3 and rest.governed == {}
    shown = result("SELECT boarding_line AS l, count(*) AS n FROM transit_trips GROUP BY 1")
    assert REMAINDER in shown._repr_html_() and "2 small groups merged" in repr(shown)
    assert releases(campus).evidence(made.query_id) is not None
    local.close()


def test_rows_are_read_by_no_other_way(campus: Installation) -> None:
    (version,) = campus.warehouse.versions("transit_trips", "main")
    number = version.snapshot_id
    with session(campus) as client:
        assert refused(client, f'SELECT count(*) FROM "transit_trips@{number}"') == "aggregates-undeclared"
        for text in (
            "SELECT * FROM transit_trips",
            "EXPLAIN SELECT count(*) FROM transit_trips",
            "EXPLAIN ANALYZE SELECT count(*) FROM transit_trips",
            "EXPLAIN ANALYZE SELECT mode, count(*) FROM transit_trips GROUP BY mode",
            "PIVOT transit_trips ON mode USING count(*)",
            "PIVOT transit_trips ON card_hash USING count(*)",
            "SUMMARIZE transit_trips",
        ):
            assert refused(client, text) == "aggregates-only", text
        action = flight.Action("campus.partitions", json.dumps({"name": "transit_trips"}).encode())
        with pytest.raises(flight.FlightUnauthorizedError, match="aggregates-only"):
            list(client.do_action(action))
        names = run(client, "DESCRIBE transit_trips")
        assert names["column_name"].to_pylist() == TRIPS.column_names
    local = near(Path(campus.open().removeprefix("grpc+unix://")).with_name("local.sock"))
    for columns, where in ([], ""), (["card_hash"], "mode = 'x'"):
        with pytest.raises(Exception, match="제한 데이터"):
            local.ask(
                op="partition",
                name="transit_trips",
                snapshot=str(number),
                index=0,
                columns=columns,
                where=where,
            )
    local.close()
    assert not [e for e in campus.guard.events if e.kind == "admitted" and "DESCRIBE" not in e.statement]


def test_a_restricted_dataset_without_rules_answers_nothing(
    published: Warehouse, run_folder: Path, tmp_path: Path
) -> None:
    bare = dataclasses.replace(DESCRIPTIONS["transit_trips"], aggregates=None)
    with opened(published, run_folder, tmp_path, bare) as made, session(made) as client:
        assert refused(client, "SELECT count(*) FROM transit_trips") == "aggregates-undeclared"


def test_a_grant_of_other_parts_of_a_version_cannot_be_compared(campus: Installation) -> None:
    with session(campus) as client:
        run(client, "SELECT count(*) FROM transit_trips")
        campus.guard.grants.clear()
        campus.guard.grant("transit_trips", partitions=(("month", ("2026-01",)),))
        assert refused(client, "SELECT count(*) FROM transit_trips") == "aggregates-scope-changed"


def test_no_answer_without_its_record(campus: Installation) -> None:
    with session(campus) as client:
        campus.guard.recording = False
        with pytest.raises(flight.FlightServerError, match="record-unavailable"):
            run(client, "SELECT count(*) FROM transit_trips")
