"""The broker with real parser and worker processes: what is given, what is on record, what death does."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.gateway.guard import QueryEventKind
from catalog.gateway.messages import encode
from catalog.gateway.session import QueryLimits
from catalog.warehouse import Publication, Warehouse, duckdb_relation_sql
from tests.catalog.gateway.conftest import DESCRIPTIONS, LIMITS, PUBLISHED, ROWS, made_up
from tests.catalog.gateway.simulator import (
    SOON,
    Installation,
    info,
    installation,
    reader,
    run,
    until,
    utc_now,
)
from tests.catalog.gateway.statements import LEGITIMATE, hostile

SLOW = "SELECT sum(a.boardings * b.boardings) FROM subway_ridership a, subway_ridership b, subway_ridership c"
ERRORS = (flight.FlightError, pa.ArrowException)


def reason(error: pytest.ExceptionInfo[Any]) -> str:
    """The reason code that travels beside a Flight error."""
    return str(json.loads(error.value.extra_info)["reason"])


def test_rows_come_and_both_ends_are_on_record(gateway: Installation, client: Any) -> None:
    assert run(client, "SELECT count(*) AS n FROM subway_ridership").to_pylist() == [{"n": ROWS}]
    until(lambda: len(gateway.guard.events) == 2)
    admitted, finished = gateway.guard.events
    assert (admitted.kind, finished.kind) == (QueryEventKind.ADMITTED, QueryEventKind.FINISHED)
    assert admitted.query_id == finished.query_id
    assert admitted.statement == "SELECT count_star() AS n FROM memory.campus.subway_ridership"
    assert [t.dataset for t in admitted.tables] == ["subway_ridership"]
    assert admitted.tables[0].snapshot_id == gateway.warehouse.snapshot("subway_ridership").snapshot_id
    assert (admitted.purposes, admitted.identity.person) == (("study",), "minji")
    assert finished.rows == 1
    assert 8 <= finished.bytes <= 16
    assert finished.seconds > 0


def _comparable(table: pa.Table) -> tuple[list[str], list[list[Any]]]:
    rows = [list(row.values()) for row in table.to_pylist()]
    return table.column_names, [[_rounded(cell) for cell in row] for row in rows]


def _plainly(plain: duckdb.DuckDBPyConnection, text: str) -> pa.Table:
    relation: Any = plain.sql(text.rstrip(";"))
    table: pa.Table = relation.to_arrow_table()
    return table


def _rounded(cell: Any) -> Any:
    return float(f"{cell:.9g}") if isinstance(cell, float) else cell


def test_results_equal_plain_duckdb(gateway: Installation, client: Any) -> None:
    plain = duckdb.connect()
    plain.execute("CREATE SCHEMA campus")
    for name in PUBLISHED | {"gu_boundary": 25}:
        snapshot = gateway.warehouse.snapshot(name)
        relation = duckdb_relation_sql(
            snapshot, [str(gateway.warehouse.path(f.path)) for f in snapshot.files]
        )
        plain.execute(f"CREATE VIEW campus.{name} AS {relation}")
        plain.execute(f"CREATE VIEW main.{name} AS {relation}")
    different = []
    for text in LEGITIMATE:
        mine = _comparable(run(client, text))
        theirs = _comparable(_plainly(plain, text))
        if mine[1] != theirs[1] or (mine[0] != theirs[0] and "count" not in str(mine[0])):
            different.append((text, mine[1][:3], theirs[1][:3], mine[0], theirs[0]))
    assert different == []


def test_refusals_are_on_record_and_run_nothing(gateway: Installation, client: Any) -> None:
    some = hostile()[::12]
    for expected, text in some:
        with pytest.raises(flight.FlightUnauthorizedError) as refused:
            info(client, text)
        assert reason(refused) == expected
    assert gateway.guard.kinds() == ["refused"] * len(some)
    for event, (_, text) in zip(gateway.guard.events, some, strict=True):
        assert event.normal is not None
        assert (event.normal.text, event.normal.literals) == ("$1", (text,))
        assert event.reason


def test_only_granted_files_reach_the_worker(gateway: Installation, client: Any) -> None:
    run(client, "SELECT 1")
    mounted = {path for files in gateway.starter.files for path, _ in files}
    secret = {f.path for f in gateway.warehouse.snapshot("living_population").files}
    assert mounted and not mounted & secret
    assert all(target == f"/data/{path}" for files in gateway.starter.files for path, target in files)


def test_no_record_no_rows(gateway: Installation, client: Any) -> None:
    run(client, "SELECT 1")
    gateway.guard.recording = False
    with pytest.raises(flight.FlightServerError) as failed:
        info(client, "SELECT 2")
    assert reason(failed) == "record-unavailable"
    assert "기록" in str(failed.value)
    with pytest.raises(flight.FlightServerError) as refused:
        info(client, "SELECT * FROM living_population")
    assert reason(refused) == "record-unavailable"
    gateway.guard.recording = True
    assert run(client, "SELECT 3 AS n").to_pylist() == [{"n": 3}]


def test_an_end_that_cannot_be_recorded_is_recorded_later(gateway: Installation, client: Any) -> None:
    gateway.guard.failing = frozenset({QueryEventKind.FINISHED})
    run(client, "SELECT 1")
    until(lambda: gateway.broker.stats()["unrecorded_ends"] == 1)
    gateway.guard.failing = frozenset()
    until(lambda: gateway.guard.kinds() == ["admitted", "finished"])
    assert gateway.broker.stats()["unrecorded_ends"] == 0
    assert not list((gateway.run / "gateway" / "open").iterdir())


def test_a_ticket_is_good_once_and_only_as_given(gateway: Installation, client: Any) -> None:
    endpoint = info(client, "SELECT 1 AS a").endpoints[0]
    worker = flight.connect(endpoint.locations[0])
    ticket = endpoint.ticket.ticket
    for forged in (b"", b"x", bytes(len(ticket)), ticket[:-1], ticket + b"x", ticket[:-1] + b"\0"):
        with pytest.raises(ERRORS) as refused:
            worker.do_get(flight.Ticket(forged)).read_all()
        assert reason(refused) == "unknown-ticket"
    assert worker.do_get(endpoint.ticket).read_all().num_rows == 1
    with pytest.raises(ERRORS) as replayed:
        worker.do_get(endpoint.ticket).read_all()
    assert reason(replayed) == "unknown-ticket"


def test_a_ticket_is_no_good_in_another_session(gateway: Installation, client: Any) -> None:
    other = flight.connect(gateway.open(person="jihun"))
    elsewhere = flight.connect(info(other, "SELECT 1").endpoints[0].locations[0])
    endpoint = info(client, "SELECT 1").endpoints[0]
    with pytest.raises(ERRORS) as crossed:
        elsewhere.do_get(endpoint.ticket).read_all()
    assert reason(crossed) == "unknown-ticket"
    assert reader(info(client, "SELECT 1")).read_all().num_rows == 1


def test_a_worker_does_nothing_but_serve_tickets(gateway: Installation, client: Any) -> None:
    worker = flight.connect(info(client, "SELECT 1").endpoints[0].locations[0])
    command = encode("CommandStatementQuery", query="SELECT 1")
    for attempt in (
        lambda: worker.get_flight_info(flight.FlightDescriptor.for_command(command)),
        lambda: worker.do_get(flight.Ticket(command)).read_all(),
        lambda: list(worker.do_action(flight.Action("campus.cancel", b"{}"))),
        lambda: list(worker.list_flights()),
    ):
        with pytest.raises((*ERRORS, NotImplementedError)):
            attempt()


def test_a_killed_worker_fails_its_query_and_the_next_one_runs(gateway: Installation, client: Any) -> None:
    stream = reader(info(client, "SELECT * FROM subway_ridership a, dong_codes b"))
    stream.read_chunk()
    gateway.starter.kill("query_worker")
    with pytest.raises(ERRORS):
        stream.read_all()
    until(lambda: gateway.guard.kinds() == ["admitted", "failed"])
    assert gateway.guard.events[-1].reason == "worker-died"
    assert run(client, "SELECT 1 AS n").to_pylist() == [{"n": 1}]


def test_a_ticket_whose_worker_died_has_an_end_too(gateway: Installation, client: Any) -> None:
    answer = info(client, "SELECT 1")
    gateway.starter.kill("query_worker")
    until(lambda: gateway.guard.kinds() == ["admitted", "failed"])
    with pytest.raises(ERRORS):
        reader(answer).read_all()


def test_a_killed_parser_is_started_again(gateway: Installation, client: Any) -> None:
    run(client, "SELECT 1")
    gateway.starter.kill("parser")
    assert run(client, "SELECT 2 AS n").to_pylist() == [{"n": 2}]


def test_a_launcher_that_cannot_start_anything_is_said(gateway: Installation) -> None:
    gateway.starter.broken = True
    with pytest.raises(flight.FlightServerError) as failed:
        info(flight.connect(gateway.open()), "SELECT 1")
    assert reason(failed) == "worker-unavailable"
    assert "admitted" not in gateway.guard.kinds()


def test_cancelling_ends_what_runs(gateway: Installation, client: Any) -> None:
    answer = info(client, SLOW)
    endpoint = answer.endpoints[0]
    worker = flight.connect(endpoint.locations[0])

    def read() -> None:
        with pytest.raises(ERRORS):
            worker.do_get(endpoint.ticket).read_all()

    threading.Thread(target=read, daemon=True).start()
    until(lambda: gateway.broker.stats()["running"] == 1)
    query_id = json.loads(answer.app_metadata)["query_id"]
    body = json.dumps({"query_id": query_id}).encode()
    list(client.do_action(flight.Action("campus.cancel", body)))
    until(lambda: gateway.guard.kinds() == ["admitted", "cancelled"], SOON)


def test_a_reader_that_goes_away_cancels_its_query(gateway: Installation, client: Any) -> None:
    stream = reader(info(client, "SELECT * FROM subway_ridership a, dong_codes b"))
    stream.read_chunk()
    stream.cancel()
    until(lambda: gateway.guard.kinds() == ["admitted", "cancelled"], SOON)


def test_one_session_cannot_cancel_anothers_query(gateway: Installation, client: Any) -> None:
    query_id = json.loads(info(client, "SELECT 1").app_metadata)["query_id"]
    other = flight.connect(gateway.open(person="jihun"))
    body = json.dumps({"query_id": query_id}).encode()
    (answer,) = other.do_action(flight.Action("campus.cancel", body))
    assert json.loads(answer.body.to_pybytes()) == {"cancelled": False}
    assert gateway.guard.kinds() == ["admitted"]


@pytest.fixture
def tight(warehouse: Warehouse, run_folder: Path) -> Any:
    """A gateway with little time and memory."""
    limits = QueryLimits(memory=300 << 20, spill=64 << 20, seconds=1.0, threads=2)
    with installation(warehouse, DESCRIPTIONS, run_folder, limits) as made:
        made.guard.grant("subway_ridership")
        yield made


def test_time_is_limited(tight: Installation) -> None:
    client = flight.connect(tight.open())
    with pytest.raises(ERRORS) as late:
        run(client, SLOW)
    assert reason(late) == "time-limit"
    until(lambda: tight.guard.kinds() == ["admitted", "failed"])
    assert tight.guard.events[-1].reason == "time-limit"
    assert 1.0 <= tight.guard.events[-1].seconds < SOON


@pytest.mark.parametrize(
    "bomb",
    [
        "SELECT len(range(1000000000)) AS n",
        "SELECT string_agg(repeat('x', 1000000), '') FROM range(100000)",
        "SELECT list(a.boardings) FROM subway_ridership a, range(10000)",
    ],
)
def test_a_memory_bomb_hurts_only_itself(tight: Installation, bomb: str) -> None:
    client = flight.connect(tight.open())
    with pytest.raises(ERRORS):
        run(client, bomb)
    until(lambda: tight.guard.kinds() == ["admitted", "failed"])
    assert tight.guard.events[-1].reason in {"memory-limit", "time-limit", "worker-died", "query-error"}
    assert run(client, "SELECT 1 AS n").to_pylist() == [{"n": 1}]


def test_errors_of_the_engine_are_told_without_inner_names(gateway: Installation, client: Any) -> None:
    with pytest.raises(ERRORS) as failed:
        run(client, "SELECT no_such FROM dong_codes")
    assert reason(failed) == "query-error"
    assert "no_such" in str(failed.value) and "memory.campus" not in str(failed.value)
    until(lambda: gateway.guard.kinds() == ["admitted", "failed"])


def test_grants_are_asked_for_at_each_query(gateway: Installation, client: Any) -> None:
    assert run(client, "SELECT count(*) AS n FROM dong_codes").num_rows == 1
    gateway.guard.grants = [g for g in gateway.guard.grants if g.dataset != "dong_codes"]
    with pytest.raises(flight.FlightUnauthorizedError) as refused:
        info(client, "SELECT count(*) FROM dong_codes")
    assert reason(refused) == "table-not-granted"
    gateway.guard.grant("living_population")
    assert run(client, "SELECT count(*) AS n FROM living_population").num_rows == 1
    assert {path for path, _ in gateway.starter.files[-1]} != {path for path, _ in gateway.starter.files[0]}


def test_an_expired_grant_says_since_when(gateway: Installation, client: Any) -> None:
    gateway.guard.grant("living_population", expires=utc_now() - timedelta(days=1))
    with pytest.raises(flight.FlightUnauthorizedError) as refused:
        info(client, "SELECT count(*) FROM living_population")
    assert reason(refused) == "grant-expired"


def test_a_new_version_is_read_by_a_new_worker_while_the_old_one_drains(
    tmp_path: Path, run_folder: Path
) -> None:
    dataset = DESCRIPTIONS["dong_codes"]
    warehouse = Warehouse(tmp_path / "files", tmp_path / "catalog.sqlite")
    publication = Publication(now=utc_now(), by="custodian", synthetic=True, source="made up", recipe="1")
    warehouse.publish(dataset, "main", made_up(dataset, 200_000), publication)
    with installation(warehouse, DESCRIPTIONS, run_folder, LIMITS) as made:
        made.guard.grant("dong_codes")
        client = flight.connect(made.open())
        old = reader(info(client, "SELECT * FROM dong_codes"))
        old.read_chunk()
        warehouse.publish(dataset, "main", made_up(dataset, 7), publication)
        time.sleep(1.1)
        assert run(client, "SELECT count(*) AS n FROM dong_codes").to_pylist() == [{"n": 7}]
        assert old.read_all().num_rows > 0
        until(lambda: len(made.starter.pids("query_worker")) == 1)


def test_what_an_earlier_broker_left_open_is_recorded_as_failed(gateway: Installation, client: Any) -> None:
    info(client, "SELECT 1")
    assert gateway.guard.kinds() == ["admitted"]
    left = next((gateway.run / "gateway" / "open").iterdir()).read_bytes()
    gateway.broker.stop()  # records the end; put the journal back as a killed broker leaves it
    gateway.guard.events.pop()
    name = json.loads(left)["query_id"] + ".json"
    (gateway.run / "gateway" / "open" / name).write_bytes(left)
    (gateway.run / "gateway" / "open" / "torn.json").write_text('{"kind": "adm')
    gateway.restart()
    assert gateway.guard.kinds() == ["admitted", "failed"]
    assert gateway.guard.events[-1].reason == "gateway-restarted"
    assert gateway.guard.events[-1].tables == gateway.guard.events[0].tables


def test_a_session_may_not_open_queries_without_end(gateway: Installation, client: Any) -> None:
    for _ in range(16):
        info(client, "SELECT 1")
    with pytest.raises(flight.FlightUnauthorizedError) as refused:
        info(client, "SELECT 1")
    assert reason(refused) == "too-many-queries"


def test_queries_of_one_session_run_side_by_side(gateway: Installation, client: Any) -> None:
    answers = [info(client, f"SELECT {i} AS n, count(*) AS c FROM subway_ridership") for i in range(8)]
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda a=a: found.append(reader(a).read_all()["n"][0].as_py()))
        for a in answers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(8))
