"""The record says which columns and partitions are read: no other file is opened, no other column matters."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.descriptions.scope import scope_of
from catalog.gateway.flight import PARTITION
from catalog.gateway.guard import QueryEvent, QueryEventKind, Scan
from catalog.gateway.processes import WorkerProcess
from catalog.warehouse import Publication, Snapshot, Warehouse, duckdb_relation_sql
from catalog.warehouse.schema import arrow_schema
from tests.catalog.gateway.bounded import long_list
from tests.catalog.gateway.conftest import DESCRIPTIONS, LIMITS, PUBLISHED
from tests.catalog.gateway.simulator import Installation, installation, reader, run, until, utc_now
from tests.catalog.gateway.statements import LEGITIMATE
from tests.catalog.gateway.test_broker import ERRORS, _comparable, _plainly
from tests.catalog.gateway.test_fuzz import TracedStarter, _tracing

GU = [f"{11110 + 30 * number}" for number in range(25)]
SPENDING = DESCRIPTIONS["card_spending"]
NARROW = (
    "SELECT industry, sum(amount) AS won FROM card_spending WHERE dong_code BETWEEN '11680' AND '116809' "
    "AND date BETWEEN '2025-05-01' AND '2025-05-31' GROUP BY 1"
)


RECURSIVE = (
    "WITH RECURSIVE days(d) AS (SELECT DATE '2025-01-01'"
    " UNION ALL SELECT d + 1 FROM days WHERE d < '2025-01-03') "
    "SELECT days.d, sum(s.amount) FROM days LEFT JOIN card_spending s ON s.date = days.d GROUP BY 1"
)


def year() -> pa.Table:
    """Two rows a gu and month of 2025: 300 partitions."""
    rows = [
        {"date": date(2025, month, day), "hour": month, "dong_code": f"{gu}51{day % 3}", "industry": "한식",
         "holder": "개인", "sex": "F", "age": "30", "amount": 1000 * day, "count": 3}
        for gu in GU for month in range(1, 13) for day in (1, 28)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, arrow_schema(SPENDING))


@pytest.fixture(scope="module")
def whole_year(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("year")
    made = Warehouse(folder / "files", folder / "catalog.sqlite")
    publication = Publication(now=utc_now(), by="custodian", synthetic=False, source="made up", recipe="1")
    snapshot = made.publish(SPENDING, "main", year(), publication)
    assert len(snapshot.files) == 300
    codes = DESCRIPTIONS["dong_codes"]
    rows = [
        {c.name: f"{GU[i]}510" if c.name == "dong_code" else f"{c.name}{i}" for c in codes.columns}
        for i in range(25)
    ]
    made.publish(codes, "main", pa.Table.from_pylist(rows, arrow_schema(codes)), publication)
    return made


@pytest.fixture
def parted(whole_year: Warehouse) -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="cg-"))
    with installation(whole_year, DESCRIPTIONS, folder, LIMITS) as made:
        made.guard.grant("card_spending")
        made.guard.grant("dong_codes")
        yield made
    shutil.rmtree(folder, ignore_errors=True)  # the sockets of ended workers go by themselves


@pytest.fixture
def session(parted: Installation) -> Any:
    return flight.connect(parted.open())


def ask(client: Any, text: str, parameters: Any = None, save_as: str | None = None) -> pa.Table:
    """A statement with values, or one whose result is kept."""
    request = {"query": text, "parameters": parameters} | ({"save_as": save_as} if save_as else {})
    command = b"campus.statement:" + json.dumps(request).encode()
    table: pa.Table = reader(client.get_flight_info(flight.FlightDescriptor.for_command(command))).read_all()
    return table


def admitted(made: Installation) -> QueryEvent:
    """The last admission."""
    with made.guard.lock:
        return [e for e in made.guard.events if e.kind is QueryEventKind.ADMITTED][-1]


def scans(made: Installation) -> dict[str, Scan]:
    return {scan.dataset: scan for scan in admitted(made).scans}


def files(snapshot: Snapshot, **wanted: str) -> set[str]:
    return {f.path for f in snapshot.files if wanted.items() <= dict(f.partition).items()}


# -- partitions


def test_one_gu_and_month_of_a_year_is_on_record_and_right(parted: Installation, session: Any) -> None:
    assert run(session, NARROW).to_pylist() == [{"industry": "한식", "won": 29_000}]
    assert scans(parted) == {
        "card_spending": Scan(
            dataset="card_spending",
            variant="main",
            snapshot_id=parted.warehouse.snapshot("card_spending").snapshot_id,
            columns=("date", "dong_code", "industry", "amount"),
            files=1,
            granted=300,
            partitions=scope_of({"gu": ["11680"], "month": ["2025-05"]}),
        )
    }


@pytest.mark.parametrize(
    ("where", "files", "partitions"),
    [
        ("true", 300, {}),
        ("hour = 5", 25, {"gu": GU, "month": ["2025-05"]}),  # by the files' own bounds
        ("hour + 0 = 5", 300, {}),
        (f"hour IN ({long_list('5', '-5', '99')})", 25, {"gu": GU, "month": ["2025-05"]}),
        (
            f"dong_code IN ({long_list(repr('11110511'), repr('11680511'), repr('x'))}) AND hour > -5",
            24,
            {"gu": ["11110", "11680"], "month": [f"2025-{m:02}" for m in range(1, 13)]},
        ),
        (
            f"date IN ({long_list(repr('2025-05-01'), repr('2025-06-28'))}) AND dong_code < '1112'",
            2,
            {"gu": ["11110"], "month": ["2025-05", "2025-06"]},
        ),
        (f"hour NOT IN ({long_list('5', '-5')})", 300, {}),
        (
            "left(dong_code, 5) = '11680'",
            12,
            {"gu": ["11680"], "month": [f"2025-{m:02}" for m in range(1, 13)]},
        ),
        (
            "dong_code LIKE '11680%' AND month(date) IN (1, 12)",
            2,
            {"gu": ["11680"], "month": ["2025-01", "2025-12"]},
        ),
        ("date_trunc('month', date) = DATE '2025-03-01'", 25, {"gu": GU, "month": ["2025-03"]}),
        (
            "strftime(date, '%Y-%m') = '2025-03' AND dong_code = '11110511'",
            1,
            {"gu": ["11110"], "month": ["2025-03"]},
        ),
        ("date >= DATE '2025-12-02' AND dong_code < '1112'", 1, {"gu": ["11110"], "month": ["2025-12"]}),
        ("dong_code = '11110511' OR hour + 0 = 5", 300, {}),
        (
            "dong_code = '11110511' OR hour = 5",
            36,
            {"gu": GU, "month": [f"2025-{m:02}" for m in range(1, 13)]},
        ),
        ("date = '2025-05-15' AND amount > 28000", 1, {"gu": ["11110"], "month": ["2025-01"]}),  # none has it
        ("NOT (dong_code = '11110511')", 300, {}),
        ("date = '2031-01-01'", 1, {"gu": ["11110"], "month": ["2025-01"]}),  # none: one is looked into
    ],
)
def test_partitions_of_the_files_that_are_read_are_on_record(
    parted: Installation, session: Any, where: str, files: int, partitions: Mapping[str, list[str]]
) -> None:
    run(session, f"SELECT sum(amount) FROM card_spending WHERE {where}")
    scan = scans(parted)["card_spending"]
    assert (scan.files, scan.granted, scan.partitions) == (files, 300, scope_of(partitions))


def test_values_that_are_bound_choose_files(parted: Installation, session: Any) -> None:
    text = "SELECT sum(amount) AS s FROM card_spending WHERE left(dong_code, 5) = ? AND date BETWEEN ? AND ?"
    for gu, month, name in (("11110", 1, "2025-01"), ("11680", 4, "2025-04")):
        values = [["str", gu], ["date", f"2025-{month:02}-01"], ["date", f"2025-{month:02}-28"]]
        assert ask(session, text, values).to_pylist() == [{"s": 29_000}]
        assert scans(parted)["card_spending"].partitions == scope_of({"gu": [gu], "month": [name]})
    ask(session, text, [["null", ""], ["date", "2025-01-01"], ["datetime", "2025-01-31T10:00:00"]])
    assert scans(parted)["card_spending"].files == 25, "nothing is known of a missing value"


def test_a_number_of_another_type_is_another_question(parted: Installation, session: Any) -> None:
    """5 as a whole number leaves files out, beside a double nothing is certain."""
    text = "SELECT sum(amount) AS s FROM card_spending WHERE hour = ?"
    for kind, number in (("int", 25), ("float", 300), ("decimal", 25)):
        assert ask(session, text, [[kind, "5"]]).to_pylist() == [{"s": 725_000}]
        assert scans(parted)["card_spending"].files == number


def test_a_table_read_twice_has_the_files_of_both(parted: Installation, session: Any) -> None:
    one, other = (
        f"(SELECT * FROM card_spending WHERE dong_code < '1112' AND month(date) = {m})" for m in (2, 3)
    )
    run(session, f"SELECT count(*) FROM {one} a JOIN {other} b USING (dong_code)")
    assert scans(parted)["card_spending"].partitions == scope_of(
        {"gu": ["11110"], "month": ["2025-02", "2025-03"]}
    )
    run(session, f"SELECT count(*) FROM {one} a JOIN card_spending b USING (dong_code)")
    assert scans(parted)["card_spending"].files == 300


def test_only_granted_files_are_chosen_from(whole_year: Warehouse, run_folder: Path) -> None:
    scope = scope_of({"gu": ["11110", "11680"], "month": ["2025-05", "2025-06"]})
    with installation(whole_year, DESCRIPTIONS, run_folder, LIMITS) as made:
        made.guard.grant("card_spending", partitions=scope)
        client = flight.connect(made.open())
        text = "SELECT count(*) AS n FROM card_spending WHERE date >= '2025-06-01'"
        assert run(client, text).to_pylist() == [{"n": 4}]
        [scan] = admitted(made).scans
        assert (scan.files, scan.granted) == (2, 4)
        assert scan.partitions == scope_of({"gu": ["11110", "11680"], "month": ["2025-06"]})
        assert admitted(made).tables[0].partitions == scope


def test_one_gu_and_month_of_a_year_opens_one_file(
    whole_year: Warehouse, run_folder: Path, tmp_path: Path
) -> None:
    """By the kernel's own account of what the worker opens."""
    _tracing()

    def opened() -> set[str]:
        names = {
            found[1]
            for trace in tmp_path.glob("trace.*[0-9]")
            for found in re.finditer(r'open(?:at2?)?\([^"]*"([^"]+)"', trace.read_text("utf-8", "replace"))
        }
        return {n.removeprefix(f"{whole_year.root}/") for n in names if n.startswith(str(whole_year.root))}

    with installation(whole_year, DESCRIPTIONS, run_folder, LIMITS) as made:
        made.broker.stop()
        made.starter = TracedStarter(tmp_path / "trace")
        made.restart()
        made.guard.grant("card_spending")
        client = flight.connect(made.open())
        run(client, "SELECT 1")
        before = opened()  # what making the view looked into
        run(client, NARROW)
        one = files(whole_year.snapshot("card_spending"), gu="11680", month="2025-05")
        assert len(before) <= 1 and opened() - before == one
        either = files(whole_year.snapshot("card_spending"), gu="11680")
        either |= files(whole_year.snapshot("card_spending"), month="2025-05")
        run(client, NARROW.replace("AND date", "OR date"))
        assert opened() - before == either - before and len(either) == 36
        listed = files(whole_year.snapshot("card_spending"), gu="11230", month="2025-07")
        days, dongs = (
            long_list(repr("2025-07-28"), repr("2031-01-01")),
            long_list(repr("11230511"), repr("a,b")),
        )
        run(
            client, f"SELECT sum(amount) FROM card_spending WHERE date IN ({days}) AND dong_code IN ({dongs})"
        )
        assert opened() - before - either == listed and len(listed) == 1
        made.starter.close()


# -- columns


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT count(*) FROM card_spending", []),
        ("SELECT sum(amount) FROM card_spending WHERE sex = 'F'", ["sex", "amount"]),
        ("SELECT industry FROM card_spending WHERE industry <> 'card_spending.sex' LIMIT 1", ["industry"]),
        ("SELECT * FROM card_spending", [c.name for c in SPENDING.columns]),
        ("WITH c AS (SELECT * FROM card_spending) SELECT age FROM c WHERE hour > 3", ["hour", "age"]),
        ("SELECT a.age FROM card_spending a JOIN dong_codes d USING (dong_code)", ["dong_code", "age"]),
        ("SELECT hour FROM card_spending ORDER BY amount DESC LIMIT 2", ["hour", "amount"]),
        ("FROM card_spending SELECT age QUALIFY row_number() OVER (ORDER BY date) = 1", ["date", "age"]),
        ("PIVOT card_spending ON sex USING sum(count) GROUP BY age", ["sex", "age", "count"]),
        ("SUMMARIZE SELECT amount FROM card_spending", ["amount"]),
        ("EXPLAIN ANALYZE SELECT max(hour) FROM card_spending", ["hour"]),
        ("SELECT 1 FROM card_spending WHERE false AND amount = 1", []),
        (RECURSIVE, ["date", "amount"]),  # here the engine's plan keeps silent
        (f"SELECT count(*) FROM ({RECURSIVE})", ["date", "amount"]),
    ],
)
def test_columns_are_those_of_the_engines_plan(
    parted: Installation, session: Any, text: str, columns: list[str]
) -> None:
    run(session, text)
    assert scans(parted)["card_spending"].columns == tuple(columns)
    if "dong_codes" in text:
        assert scans(parted)["dong_codes"].columns == ("dong_code",)


def test_what_reads_nothing_says_so(parted: Installation, session: Any) -> None:
    for text in ("SELECT 1", "SHOW TABLES", "EXPLAIN SELECT * FROM card_spending"):
        run(session, text)
        assert admitted(parted).scans == ()
    ask(session, "SELECT age, sex FROM card_spending", save_as="mine")
    assert scans(parted)["card_spending"].columns == ("sex", "age")
    ask(session, "SELECT age FROM mine")
    assert [t.dataset for t in admitted(parted).tables] == ["card_spending"]
    assert admitted(parted).scans == (), "saved rows came from it; now it is not read"
    ask(session, "SELECT count(hour) FROM mine JOIN card_spending USING (age)")
    assert scans(parted)["card_spending"].columns == ("hour", "age")


def test_a_statement_that_cannot_be_planned_is_on_record_and_fails_as_ever(
    parted: Installation, session: Any
) -> None:
    with pytest.raises(ERRORS, match="no_such"):
        run(session, "SELECT no_such FROM card_spending")
    assert scans(parted)["card_spending"].columns is None
    until(lambda: parted.guard.kinds()[-1] == "failed")


def test_a_part_says_its_file_and_columns(parted: Installation, session: Any) -> None:
    snapshot = parted.warehouse.snapshot("card_spending")

    def read(where: str) -> Scan:
        request = {"name": "card_spending", "snapshot": snapshot.snapshot_id, "index": 7,
                   "columns": ["amount"], "where": where}  # fmt: skip
        command = PARTITION + json.dumps(request).encode()
        assert (
            reader(session.get_flight_info(flight.FlightDescriptor.for_command(command))).read_all().num_rows
        )
        return scans(parted)["card_spending"]

    partition = scope_of((name, (value,)) for name, value in snapshot.files[7].partition)
    for where, columns in (("", ("amount",)), ("hour > 0", ("hour", "amount"))):
        scan = read(where)
        assert (scan.columns, scan.files, scan.granted, scan.partitions) == (columns, 1, 300, partition)
    assert read("amount > 0 AND hour < (SELECT 9 + max(hour) FROM card_spending)").files == 300


def test_a_statement_is_planned_once(
    parted: Installation, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plan = WorkerProcess.plan

    def counted(worker: WorkerProcess, order: Mapping[str, Any], seconds: float) -> Any:
        asked.append(order["sql"])
        return plan(worker, order, seconds)

    monkeypatch.setattr(WorkerProcess, "plan", counted)
    for _ in range(3):
        run(session, NARROW)
        run(session, "SELECT 1")
    assert len(asked) == 1
    first = admitted(parted).scans
    publication = Publication(now=utc_now(), by="custodian", synthetic=False, source="again", recipe="1")
    parted.warehouse.publish(SPENDING, "main", year().slice(0, 100), publication)
    until(lambda: run(session, NARROW).num_rows == 0)
    assert len(asked) == 2 and parted.warehouse.snapshot("card_spending").snapshot_id not in {
        s.snapshot_id for s in first
    }


def test_a_column_that_is_not_on_record_has_no_say(gateway: Installation, client: Any) -> None:
    """Over a table without the values of all other columns the answer is the same."""
    plain = duckdb.connect()
    plain.execute("CREATE SCHEMA campus")
    names = [*PUBLISHED, "gu_boundary"]
    unknown, wrong = [], []
    for text in LEGITIMATE[::3]:
        mine = _comparable(run(client, text))
        read = scans(gateway)
        for name in names:
            snapshot = gateway.warehouse.snapshot(name)
            paths = [str(gateway.warehouse.path(f.path)) for f in snapshot.files]
            known = read[name].columns if name in read else ()
            if known is None:
                unknown.append(text)
                known = tuple(f.name for f in snapshot.fields)
            kept = ", ".join(
                f'"{f.name}"' if f.name in known else f'NULL::{f.duckdb_type} AS "{f.name}"'
                for f in snapshot.fields
            )
            select = f"SELECT {kept} FROM ({duckdb_relation_sql(snapshot, paths)})"
            plain.execute(f"CREATE OR REPLACE VIEW campus.{name} AS {select}")
            plain.execute(f"CREATE OR REPLACE VIEW main.{name} AS {select}")
        whole = all(
            s.columns is None or len(s.columns) == len(gateway.warehouse.snapshot(n).fields)
            for n, s in read.items()
        )
        if not whole and mine[1] != _comparable(_plainly(plain, text))[1]:
            wrong.append((text, {name: scan.columns for name, scan in read.items()}))
    assert wrong == []
    assert all("PIVOT" in text for text in unknown)  # that name columns which only its values make
