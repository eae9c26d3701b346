"""A grant on parts of a dataset is exactly these files; one that ends ends what runs by it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.descriptions import Dataset
from catalog.descriptions.scope import WHOLE, Scope, scope_of
from catalog.gateway import watch
from catalog.gateway.guard import GrantedTable, QueryEventKind
from catalog.gateway.metrics import Metrics
from catalog.gateway.queries import Ledger
from catalog.warehouse import Publication, Warehouse
from tests.catalog.gateway.conftest import DESCRIPTIONS, LIMITS
from tests.catalog.gateway.simulator import (
    GuardSimulator,
    Installation,
    info,
    installation,
    reader,
    run,
    until,
    utc_now,
)

SPENDING = DESCRIPTIONS["card_spending"]
GUS, MONTHS = ("11110", "11140", "11680"), (1, 2, 3)
EACH = 40  # rows of one gu in one month
JANUARY = scope_of({"gu": ["11110"], "month": ["2025-01"]})
ENDLESS = "SELECT sum(a.amount * b.amount) FROM " + ", ".join(f"card_spending {c}" for c in "abcdefg")  # 360⁷
MANY = "SELECT a.* FROM card_spending a, card_spending b, card_spending c"  # 46 million rows to stream


def spending(dataset: Dataset) -> pa.Table:
    """The same number of rows for every gu and month."""
    rows = [
        {
            "date": date(2025, month, 1 + n % 28),
            "hour": n,
            "dong_code": f"{gu}515",
            "industry": "음식",
            "holder": "개인",
            "sex": "F",
            "age": f"{n:02}",
            "amount": 1000 + n,
            "count": 1,
        }
        for gu in GUS
        for month in MONTHS
        for n in range(EACH)
    ]
    types: dict[str, pa.DataType] = {
        "int": pa.int32(),
        "long": pa.int64(),
        "date": pa.date32(),
        "string": pa.string(),
    }
    return pa.Table.from_pylist(rows, pa.schema([(c.name, types[str(c.type)]) for c in dataset.columns]))


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("parted")
    made = Warehouse(folder / "files", folder / "catalog.sqlite")
    publication = Publication(now=utc_now(), by="custodian", synthetic=True, source="made up", recipe="1")
    made.publish(SPENDING, "main", spending(SPENDING), publication)
    return made


@pytest.fixture
def gateway(parted: Warehouse, run_folder: Path) -> Iterator[Installation]:
    """An installation in which nothing is granted yet."""
    with installation(parted, DESCRIPTIONS, run_folder, LIMITS) as made:
        yield made


@pytest.fixture
def client(gateway: Installation) -> Iterator[Any]:
    connection = flight.connect(gateway.open())
    yield connection
    connection.close()


def grant(gateway: Installation, partitions: Scope, seconds: float = 3600) -> GrantedTable:
    return gateway.guard.grant("card_spending", utc_now() + timedelta(seconds=seconds), "main", partitions)


def parts(client: Any) -> list[tuple[str, str, int]]:
    """(gu, month, rows) of what can be read."""
    statement = (
        "SELECT dong_code[:5] AS gu, strftime(date, '%Y-%m') AS month, count(*) AS n FROM card_spending "
        "GROUP BY ALL ORDER BY ALL"
    )
    return [(r["gu"], r["month"], r["n"]) for r in run(client, statement).to_pylist()]


def mounted(gateway: Installation) -> set[tuple[str, str]]:
    """(gu, month) of every file the last worker was given."""
    of = {f.path: dict(f.partition) for f in gateway.warehouse.snapshot("card_spending").files}
    return {(of[path]["gu"], of[path]["month"]) for path, _ in gateway.starter.files[-1]}


def said(error: pytest.ExceptionInfo[Any]) -> dict[str, str]:
    """Reason and words of a Flight error."""
    found: dict[str, str] = json.loads(error.value.extra_info)
    return found


def test_a_worker_is_given_the_granted_parts_and_no_other_file(gateway: Installation, client: Any) -> None:
    grant(gateway, scope_of({"gu": ["11110", "11680"], "month": ["2025-01", "2025-03"]}))
    wanted = {(gu, month) for gu in ("11110", "11680") for month in ("2025-01", "2025-03")}
    assert parts(client) == sorted((gu, month, EACH) for gu, month in wanted)
    assert mounted(gateway) == wanted
    [table] = gateway.guard.events[0].tables
    assert table.partitions == scope_of({"gu": ["11110", "11680"], "month": ["2025-01", "2025-03"]})


def test_what_runs_can_be_stopped_while_a_worker_is_slow_to_start(
    gateway: Installation, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its person, and by who looks after the grants of all: nobody waits for the start of another one."""
    one = grant(gateway, JANUARY)
    answers = [info(client, ENDLESS), info(client, ENDLESS)]
    start, starting, go = gateway.starter.start_worker, threading.Event(), threading.Event()

    def slowly(*given: Any) -> Any:
        starting.set()
        go.wait(30)
        return start(*given)

    monkeypatch.setattr(gateway.starter, "start_worker", slowly)
    grant(gateway, scope_of({"month": ["2025-02"]}))
    [(session, *_)] = gateway.broker._open.values()
    threading.Thread(target=session.renew, daemon=True).start()
    first = gateway.guard.events[0].query_id
    assert starting.wait(30)
    try:
        threading.Thread(target=session.cancel, args=(first,), daemon=True).start()
        until(lambda: gateway.guard.kinds(first) == ["admitted", "cancelled"])
        gateway.guard.grants.remove(one)
        until(lambda: gateway.guard.kinds() == ["admitted"] * 2 + ["cancelled"] * 2)
        assert gateway.guard.events[-1].reason == "grant-ended"
    finally:
        go.set()
    del answers


def test_a_name_not_restricted_is_all_of_it(gateway: Installation, client: Any) -> None:
    grant(gateway, scope_of({"month": ["2025-02"]}))
    assert parts(client) == [(gu, "2025-02", EACH) for gu in GUS]


def test_grants_together_cover_what_each_covers_and_the_record_names_each(
    gateway: Installation, client: Any
) -> None:
    one = grant(gateway, JANUARY, 100)
    two = grant(gateway, scope_of({"gu": ["11110"], "month": ["2025-01", "2025-02"]}), 200)
    three = grant(gateway, scope_of({"gu": ["11140"], "month": ["2025-03"]}), 50)
    assert parts(client) == [
        ("11110", "2025-01", EACH),
        ("11110", "2025-02", EACH),
        ("11140", "2025-03", EACH),
    ]
    recorded = [(t.grant_id, t.partitions) for t in gateway.guard.events[0].tables]
    assert recorded == [(g.grant_id, g.partitions) for g in (two, three)], "the first adds no file"
    gateway.guard.grants.remove(two)
    assert parts(client) == [("11110", "2025-01", EACH), ("11140", "2025-03", EACH)]
    admitted = [event for event in gateway.guard.events if event.kind is QueryEventKind.ADMITTED]
    recorded = [(t.grant_id, t.partitions) for t in admitted[-1].tables]
    assert sorted(recorded) == sorted((g.grant_id, g.partitions) for g in (one, three))


def test_a_grant_beside_one_for_everything_takes_nothing_away(gateway: Installation, client: Any) -> None:
    grant(gateway, JANUARY, 1000)
    grant(gateway, WHOLE, 10)
    assert len(parts(client)) == len(GUS) * len(MONTHS)


def test_a_grant_that_covers_no_file_reads_as_an_empty_table(gateway: Installation, client: Any) -> None:
    made = grant(gateway, scope_of({"month": ["2031-01"]}))
    table = run(client, "SELECT * FROM card_spending")
    assert (table.num_rows, table.column_names) == (0, [c.name for c in SPENDING.columns])
    assert str(table.schema.field("date").type) == "date32[day]"
    assert mounted(gateway) == set()
    assert [t.grant_id for t in gateway.guard.events[0].tables] == [made.grant_id]


def test_listing_and_description_say_which_parts(gateway: Installation, client: Any) -> None:
    def act(action: str, **request: str) -> Any:
        [answer] = client.do_action(flight.Action(action, json.dumps(request).encode()))
        return json.loads(answer.body.to_pybytes())

    grant(gateway, JANUARY)
    entry = act("campus.datasets")["datasets"][0]
    assert (entry["name"], entry["rows"]) == ("card_spending", EACH)
    assert entry["partitions"] == [{"gu": ["11110"], "month": ["2025-01"]}]
    assert act("campus.describe", name="card_spending")["partitions"] == entry["partitions"]
    grant(gateway, WHOLE)
    assert act("campus.datasets")["datasets"][0]["partitions"] is None
    gateway.guard.grants.pop()
    parts = act("campus.partitions", name="card_spending")["parts"]
    assert [part["rows"] for part in parts] == [EACH]


def test_earlier_versions_and_parts_for_parallel_readers_are_cut_alike(
    gateway: Installation, client: Any
) -> None:
    grant(gateway, JANUARY)
    version = gateway.warehouse.snapshot("card_spending").snapshot_id
    counted = run(client, f'SELECT count(*) AS n FROM "card_spending@{version}"')
    assert counted.to_pylist() == [{"n": EACH}]
    for index, rows in ((0, EACH), (1, None)):
        asked = {"name": "card_spending", "snapshot": version, "index": index, "columns": ["amount"]}
        part = flight.FlightDescriptor.for_command(b"campus.partition:" + json.dumps(asked).encode())
        if rows is None:
            with pytest.raises(flight.FlightUnauthorizedError):
                client.get_flight_info(part)
        else:
            assert reader(client.get_flight_info(part)).read_all().num_rows == rows


def test_a_grant_cut_down_holds_from_the_next_statement(gateway: Installation, client: Any) -> None:
    made = grant(gateway, scope_of({"gu": ["11110"]}))
    assert len(parts(client)) == len(MONTHS)
    gateway.guard.grants[:] = [replace(made, grant_id="next", partitions=JANUARY)]
    assert parts(client) == [("11110", "2025-01", EACH)]
    assert mounted(gateway) == {("11110", "2025-01")}
    gateway.guard.grants.clear()
    with pytest.raises(flight.FlightUnauthorizedError) as refused:
        run(client, "SELECT * FROM card_spending")
    assert said(refused)["reason"] == "table-not-granted"


def ended(gateway: Installation) -> list[tuple[QueryEventKind, str]]:
    return [(e.kind, e.reason) for e in gateway.guard.events if e.kind is not QueryEventKind.ADMITTED]


def taken_back(gateway: Installation, made: GrantedTable) -> None:
    gateway.guard.grants.remove(made)


def cut(gateway: Installation, made: GrantedTable) -> None:
    gateway.guard.grants[:] = [replace(made, partitions=JANUARY)]


def run_out(gateway: Installation, made: GrantedTable) -> None:
    gateway.guard.grants[:] = [replace(made, expires=utc_now())]


@pytest.mark.parametrize("change", [taken_back, cut, run_out])
def test_a_grant_that_ends_ends_the_query_that_runs_by_it_and_the_session_goes_on(
    gateway: Installation, client: Any, change: Any
) -> None:
    made = grant(gateway, scope_of({"gu": list(GUS)}))
    answer = info(client, ENDLESS)
    until(lambda: gateway.guard.kinds() == ["admitted"])
    change(gateway, made)
    with pytest.raises(flight.FlightServerError) as stopped:
        reader(answer).read_all()
    told = said(stopped)
    assert told["reason"] == "grant-ended"
    assert "'card_spending' 데이터셋의 이용 권한이" in told["ko"] and "session goes on" in told["en"]
    until(lambda: ended(gateway) == [(QueryEventKind.CANCELLED, "grant-ended")])
    until(
        lambda: (
            len(gateway.starter.pids("query_worker")) == 1 and ("11140", "2025-01") not in mounted(gateway)
        )
    )
    assert run(client, "SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_query_whose_reader_has_not_come_yet_says_so_too(gateway: Installation, client: Any) -> None:
    made = grant(gateway, WHOLE)
    answer = info(client, "SELECT * FROM card_spending")
    taken_back(gateway, made)
    until(lambda: ended(gateway) == [(QueryEventKind.CANCELLED, "grant-ended")])
    for reason in ("grant-ended", "unknown-ticket"):
        with pytest.raises(flight.FlightServerError) as stopped:
            reader(answer).read_all()
        assert said(stopped)["reason"] == reason


def test_other_queries_and_a_renewed_end_go_on(gateway: Installation, client: Any) -> None:
    made = grant(gateway, WHOLE, 60)
    answer = info(client, MANY)
    rows = reader(answer)
    rows.read_chunk()
    looks: list[datetime] = []
    asked = gateway.guard.granted

    def granted(identity: Any, now: datetime) -> Any:
        looks.append(now)
        return asked(identity, now)

    gateway.guard.granted = granted  # type: ignore[method-assign]
    gateway.guard.grants[:] = [replace(made, expires=utc_now() + timedelta(days=1))]
    until(lambda: len(looks) >= 3)
    assert ended(gateway) == []
    assert rows.read_chunk().data.num_rows > 0
    rows.cancel()


def test_a_reader_that_takes_no_rows_keeps_no_query_alive(
    gateway: Installation, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 0.5)
    made = grant(gateway, WHOLE)
    rows = reader(info(client, MANY))
    rows.read_chunk()  # and then no more
    [serving] = gateway.starter.pids("query_worker")
    taken_back(gateway, made)
    until(lambda: ended(gateway) == [(QueryEventKind.CANCELLED, "grant-ended")], 20)
    until(lambda: serving not in gateway.starter.pids("query_worker"), 20)
    assert run(client, "SELECT 1 AS one").num_rows == 1
    with suppress(flight.FlightError, OSError, StopIteration):
        while True:
            rows.read_chunk()
    assert ended(gateway)[0] == (QueryEventKind.CANCELLED, "grant-ended")


def test_a_guard_that_cannot_be_asked_grants_nothing_after_a_while(
    gateway: Installation, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "UNANSWERED", 2)
    grant(gateway, WHOLE)
    answer = info(client, ENDLESS)
    asked = gateway.guard.granted

    def away(identity: Any, now: datetime) -> Any:
        raise OSError("no database")

    gateway.guard.granted = away  # type: ignore[method-assign]
    with pytest.raises(flight.FlightServerError) as stopped:
        reader(answer).read_all()
    assert said(stopped)["reason"] == "grant-ended"
    gateway.guard.granted = asked  # type: ignore[method-assign]
    assert run(client, "SELECT count(*) AS n FROM card_spending").to_pylist() == [
        {"n": len(GUS) * len(MONTHS) * EACH}
    ]


def test_a_worker_is_ready_for_what_is_granted_before_it_is_asked_for(
    gateway: Installation, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "IDLE", 1)
    run(client, "SELECT 1")
    started = len(gateway.starter.files)
    grant(gateway, WHOLE)
    until(lambda: len(gateway.starter.files) == started + 1)
    assert mounted(gateway)
    until(lambda: len(gateway.starter.pids("query_worker")) == 1)
    parts(client)
    time.sleep(2 * watch.EVERY)
    assert len(gateway.starter.files) == started + 1, "neither the statement nor the watch makes another"


def test_a_session_that_runs_nothing_gives_up_files_that_are_no_longer_granted(
    gateway: Installation, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "IDLE", 1)
    made = grant(gateway, WHOLE)
    parts(client)
    assert len(mounted(gateway)) == len(GUS) * len(MONTHS)
    cut(gateway, made)
    until(lambda: mounted(gateway) == {("11110", "2025-01")})
    until(lambda: len(gateway.starter.pids("query_worker")) == 1)


def test_what_a_killed_broker_left_open_is_recorded_with_its_parts(
    gateway: Installation, client: Any, tmp_path: Path
) -> None:
    grant(gateway, JANUARY)
    info(client, ENDLESS)
    [file] = (gateway.run / "gateway" / "open").glob("*.json")
    entry = json.loads(file.read_text("utf-8"))
    (tmp_path / "new.json").write_text(json.dumps(entry), "utf-8")
    for table in entry["tables"]:
        del table["partitions"]  # as an earlier release wrote it
    entry["query_id"] = "0" * 16
    (tmp_path / "old.json").write_text(json.dumps(entry), "utf-8")
    guard = GuardSimulator()
    ledger = Ledger(guard, tmp_path, Metrics())
    assert ledger.recover() == 2
    ledger.close()
    found = {(e.kind, t.partitions) for e in guard.events for t in e.tables}
    assert found == set(product((QueryEventKind.ADMITTED, QueryEventKind.FAILED), (JANUARY, WHOLE)))
    assert len(guard.events) == 4
