"""Every listing names the same tables with the same columns: granted ones, and those a session saved."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.gateway import refusals
from catalog.gateway.guard import QueryEventKind, QueryId
from catalog.gateway.messages import encode
from catalog.gateway.processes import WorkerProcess
from catalog.gateway.saved import SavedTables
from catalog.gateway.workspace import Table
from catalog.warehouse import Field, Publication, Snapshot, Warehouse
from tests.catalog.gateway.bounded import long_list
from tests.catalog.gateway.conftest import DESCRIPTIONS
from tests.catalog.gateway.simulator import Installation, info, reader, run, utc_now

MADE = (
    "SELECT line AS \"Line\", sum(boardings) AS n, 1.5 AS x, date, [1, 2] AS l, {'a': 1} AS s "
    "FROM subway_ridership GROUP BY ALL"
)
COLUMNS = {"Line": "VARCHAR", "n": "HUGEINT", "x": "DECIMAL(2,1)", "date": "DATE", "l": "INTEGER[]"} | {
    "s": "STRUCT(a INTEGER)"
}


@pytest.fixture
def client(gateway: Installation) -> Any:
    return flight.connect(gateway.open())


def save(client: Any, name: str, text: str) -> Any:
    order = json.dumps({"query": text, "save_as": name}).encode()
    return client.get_flight_info(flight.FlightDescriptor.for_command(b"campus.statement:" + order))


def listed(client: Any, name: str, **fields: Any) -> list[dict[str, Any]]:
    answer = client.get_flight_info(flight.FlightDescriptor.for_command(encode(name, **fields)))
    table = client.do_get(answer.endpoints[0].ticket).read_all()
    assert table.schema.equals(answer.schema), name
    return list(table.to_pylist())


BY_COLUMN = (
    "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'mine' ORDER BY column_index",
    "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'mine' "
    "ORDER BY ordinal_position",
    "SELECT unnest(column_names) AS a, unnest(column_types) AS b FROM (SHOW ALL TABLES) WHERE name = 'mine'",
    "SELECT column_name, column_type FROM (DESCRIBE mine)",
    "SELECT column_name, column_type FROM (SHOW mine)",
)


@pytest.mark.parametrize("text", BY_COLUMN)
def test_a_saved_table_has_its_columns_in_every_listing(client: Any, text: str) -> None:
    assert "mine" not in str(run(client, BY_COLUMN[2])) and not run(client, BY_COLUMN[0]).num_rows
    reader(save(client, "mine", MADE)).read_all()
    assert [tuple(row.values()) for row in run(client, text).to_pylist()] == list(COLUMNS.items())


def test_every_listing_names_the_same_tables(gateway: Installation, client: Any) -> None:
    reader(save(client, "mine", MADE)).read_all()
    names = sorted(["card_sales", "dong_codes", "gu_boundary", "mine", "subway_ridership"])
    counts = "SELECT table_name AS name, column_count AS n FROM duckdb_tables() ORDER BY 1"
    for text in (
        "SELECT name FROM (SHOW TABLES)",
        "SELECT name FROM (SHOW ALL TABLES)",
        "SELECT table_name AS name FROM information_schema.tables",
        "SELECT DISTINCT table_name AS name FROM information_schema.columns",
        "SELECT DISTINCT table_name AS name FROM duckdb_columns()",
        counts,
    ):
        assert sorted(map(str, run(client, text)["name"].to_pylist())) == names, text
    known = dict(zip(*run(client, counts).to_pydict().values(), strict=True))
    assert known["mine"] == len(COLUMNS)
    tables = {t["table_name"]: t for t in listed(client, "CommandGetTables", include_schema=True)}
    assert sorted(tables) == names
    schema = pa.ipc.read_schema(pa.py_buffer(tables["mine"]["table_schema"]))
    streamed = reader(info(client, "SELECT * FROM mine LIMIT 0")).schema
    assert schema.names == list(COLUMNS) and schema.equals(streamed)
    for table, wanted in known.items():
        shown = pa.ipc.read_schema(pa.py_buffer(tables[table]["table_schema"]))
        assert len(shown) == wanted, table


def test_what_is_not_made_yet_or_no_longer_there_has_no_columns(client: Any) -> None:
    """And a listing asked before says the new ones afterwards, not what it remembers."""
    open_one = save(client, "mine", MADE)
    assert run(client, BY_COLUMN[0]).num_rows == 0
    reader(open_one).read_all()
    assert run(client, BY_COLUMN[0])["column_name"].to_pylist() == list(COLUMNS)
    reader(save(client, "mine", "SELECT 1 AS other")).read_all()
    assert run(client, BY_COLUMN[0]).to_pylist() == [{"column_name": "other", "data_type": "INTEGER"}]
    list(client.do_action(flight.Action("campus.drop", b'{"name": "mine"}')))
    assert run(client, BY_COLUMN[0]).num_rows == 0


def test_of_another_session_nothing_is_listed(gateway: Installation, client: Any) -> None:
    reader(save(client, "mine", MADE)).read_all()
    other: Any = flight.connect(gateway.open("other"))
    assert run(other, BY_COLUMN[0]).num_rows == 0
    assert "mine" not in [t["table_name"] for t in listed(other, "CommandGetTables", include_schema=False)]


def test_the_worker_is_asked_once_for_a_table(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    inspect = WorkerProcess.inspect

    def counted(worker: WorkerProcess, sql: str, seconds: float) -> list[list[Any]]:
        asked.append(sql)
        return inspect(worker, sql, seconds)

    monkeypatch.setattr(WorkerProcess, "inspect", counted)
    reader(save(client, "mine", "SELECT 1 AS a")).read_all()
    for text in (*BY_COLUMN, "SELECT * FROM mine", "SELECT 2", "SELECT count(*) FROM mine"):
        run(client, text)
    assert len(asked) == 1
    reader(save(client, "more", "SELECT 1 AS b")).read_all()
    run(client, BY_COLUMN[0])
    assert len(asked) == 2 and "mine" not in asked[1]


def test_a_long_list_beside_a_saved_column_is_cheap_and_right(gateway: Installation, client: Any) -> None:
    """Its type is known now, so the list is put another way; no file of its sources is left out by it."""
    reader(save(client, "mine", "SELECT line, boardings FROM subway_ridership")).read_all()
    lines = long_list("'line-00'", "'line-01'")
    text = "SELECT count(*) AS n FROM {} WHERE line IN ({})"
    assert run(client, text.format("mine", lines)) == run(client, text.format("subway_ridership", lines))
    saved, read = [e for e in gateway.guard.events if e.kind is QueryEventKind.ADMITTED][-2:]
    assert "string_split" in saved.statement and saved.scans == () and read.scans[0].files


def test_what_a_worker_cannot_say_is_asked_again() -> None:
    tables = SavedTables(())
    tables.keep("mine", QueryId("1"), 1, ())
    answers: list[Any] = [
        refusals.worker_unavailable(),
        [],
        [["mine", "a", "INTEGER"], ["other", "b", "DATE"]],
    ]

    def ask(_sql: str) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert [dict(tables.columns(1, ask)) for _ in range(4)] == [
        {"mine": ()}, {"mine": ()}, {"mine": (("a", "INTEGER"),)}, {"mine": (("a", "INTEGER"),)}
    ]  # fmt: skip
    assert tables.columns(2, ask) == {} and not answers


# -- keys

KEYS = {"gu_boundary": ["gu_code"], "subway_ridership": ["date", "line", "station", "part"]}


def test_every_listing_says_the_same_keys_of_what_is_granted(client: Any) -> None:
    """Of another dataset with a key nothing is granted; a saved table has none."""
    reader(save(client, "mine", "SELECT DISTINCT gu_code FROM gu_boundary")).read_all()
    for text in (
        "SELECT table_name AS t, unnest(constraint_column_names) AS c FROM duckdb_constraints() "
        "WHERE constraint_type = 'PRIMARY KEY'",
        "SELECT table_name AS t, column_name AS c FROM information_schema.key_column_usage k "
        "JOIN information_schema.table_constraints USING (constraint_name, table_name) "
        "WHERE constraint_type = 'PRIMARY KEY' ORDER BY table_name, k.ordinal_position",
    ):
        found: dict[str, list[str]] = {}
        for row in run(client, text).to_pylist():
            found.setdefault(row["t"], []).append(row["c"])
        assert found == KEYS, text
    for text in (
        "SELECT table_name AS t, column_name AS c FROM duckdb_columns() WHERE NOT is_nullable",
        "SELECT table_name AS t, column_name AS c FROM information_schema.columns WHERE is_nullable = 'NO'",
    ):
        rows = run(client, text).to_pylist()
        assert sorted((r["t"], r["c"]) for r in rows) == sorted((t, c) for t in KEYS for c in KEYS[t]), text
    with_key = run(client, "SELECT table_name FROM duckdb_tables() WHERE has_primary_key")
    assert sorted(map(str, with_key["table_name"].to_pylist())) == sorted(KEYS)
    (one,) = run(client, "FROM duckdb_constraints() WHERE table_name = 'subway_ridership'").to_pylist()
    columns = [c.name for c in DESCRIPTIONS["subway_ridership"].columns]
    assert one["constraint_column_indexes"] == [columns.index(c) for c in KEYS["subway_ridership"]]
    assert one["constraint_text"] == 'PRIMARY KEY("date", "line", "station", "part")'
    assert (one["referenced_table"], one["referenced_column_names"]) == (None, [])
    for table in [*KEYS, "mine", "card_spending", "card_sales"]:
        listed_key = [row["column_name"] for row in listed(client, "CommandGetPrimaryKeys", table=table)]
        assert listed_key == KEYS.get(table, []), table


def test_a_key_that_is_not_granted_is_in_no_listing(gateway: Installation, warehouse: Warehouse) -> None:
    assert warehouse.snapshot("gu_boundary").publication.key == ("gu_code",)
    gateway.guard.grants = [g for g in gateway.guard.grants if g.dataset != "gu_boundary"]
    client: Any = flight.connect(gateway.open("another"))
    assert listed(client, "CommandGetPrimaryKeys", table="gu_boundary") == []
    assert "gu_boundary" not in str(run(client, "FROM duckdb_constraints()"))
    assert "gu_boundary" not in str(run(client, "FROM information_schema.key_column_usage"))


def test_what_is_said_to_be_a_key_is_one(client: Any) -> None:
    for table, key in KEYS.items():
        text = f"SELECT count(*) AS n, count(DISTINCT ({', '.join(key)})) AS d FROM {table}"
        (row,) = run(client, text).to_pylist()
        assert row["n"] == row["d"] > 0, table


def test_a_key_of_columns_that_are_called_otherwise_now_is_none() -> None:
    publication = Publication(
        now=utc_now(), by="x", synthetic=False, source="x", recipe="1", key=("before",)
    )  # fmt: skip
    for name, key in (("now", ()), ("before", ("before",))):
        fields = (Field(field_id=1, name=name, duckdb_type="DATE"),)
        snapshot = Snapshot(
            dataset="t", variant="main", snapshot_id=1, files=(), fields=fields, publication=publication
        )
        assert Table(name="t", grants=(), snapshot=snapshot).key == key
