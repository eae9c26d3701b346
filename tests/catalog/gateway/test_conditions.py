"""Conditions of parallel readers: judged as part of a whole statement; parts left out hold no wanted row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.flight as flight
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.gateway import partitions
from catalog.gateway.flight import PARTITION
from catalog.gateway.guard import QueryEventKind
from catalog.gateway.pruning import remaining
from catalog.warehouse import DataFile, Field, Publication, Snapshot, row_group_bounds
from catalog.workers import parser
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import Installation, reader, until, utc_now

HOSTILE = (
    "1=1) UNION SELECT * FROM (SELECT * FROM subway_ridership",
    "1=1) UNION ALL SELECT line, boardings FROM subway_ridership WHERE (1=1",
    "1=1) GROUP BY (line",
    "1=1) ORDER BY (line",
    "1=1) LIMIT (1",
    "1=1) QUALIFY (row_number() OVER () = 1",
    "1=1) AND (SELECT true FROM living_population",
    "1=1; DROP TABLE dong_codes",
    "1=1); DROP TABLE dong_codes; SELECT (1",
    "1=1) --",
    "1=1 /*",
    "line IN (SELECT dong_code FROM living_population)",
    "line IN (SELECT column0 FROM read_csv('/etc/passwd'))",
    "line IN (SELECT * FROM '/data/secret.parquet')",
    "line = getenv('HOME')",
    "line = current_setting('temp_directory')",
    'line IN (SELECT line FROM "part of campus")',
    "line = ?",
    "(SELECT 1",
    "\0",
)


def command(where: str, columns: tuple[str, ...] = ("line", "boardings"), index: int = 0) -> Any:
    snapshot = command.snapshot  # type: ignore[attr-defined]
    request = {
        "name": "subway_ridership", "snapshot": snapshot, "index": index,
        "columns": list(columns), "where": where,
    }  # fmt: skip
    return flight.FlightDescriptor.for_command(PARTITION + json.dumps(request).encode())


@pytest.fixture
def asked(gateway: Installation, client: Any) -> Iterator[tuple[Installation, Any]]:
    snapshot = gateway.warehouse.snapshot("subway_ridership").snapshot_id
    command.snapshot = snapshot  # type: ignore[attr-defined]
    yield gateway, client


@pytest.mark.parametrize("where", HOSTILE)
def test_a_hostile_condition_is_refused_on_record(asked: tuple[Installation, Any], where: str) -> None:
    gateway, client = asked
    with pytest.raises(flight.FlightUnauthorizedError):
        client.get_flight_info(command(where))
    with pytest.raises(flight.FlightUnauthorizedError):
        body = json.dumps({"name": "subway_ridership", "where": where}).encode()
        list(client.do_action(flight.Action("campus.partitions", body)))
    assert gateway.guard.kinds() == ["refused", "refused"]


def test_a_condition_chooses_rows_and_says_what_else_it_read(asked: tuple[Installation, Any]) -> None:
    gateway, client = asked
    where = "boardings < 100 AND line IN (SELECT line FROM subway_ridership) -- so\n OR dong_code IS NULL"
    with pytest.raises(flight.FlightServerError, match="dong_code"):
        reader(client.get_flight_info(command(where))).read_all()
    where = "boardings < 100 AND EXISTS (SELECT 1 FROM dong_codes) -- so"
    rows = reader(client.get_flight_info(command(where))).read_all()
    assert rows.column_names == ["line", "boardings"]
    assert 0 < rows.num_rows < ROWS and max(rows["boardings"].to_pylist()) < 100
    until(lambda: "finished" in gateway.guard.kinds())
    admitted = [e for e in gateway.guard.events if e.kind == QueryEventKind.ADMITTED][-1]
    assert {t.dataset for t in admitted.tables} == {"subway_ridership", "dong_codes"}
    assert "boardings < 100" in admitted.statement and "part 1 of 1" in admitted.statement
    assert "parquet" not in admitted.statement


# -- leaving out parts

KINDS = {"n": "INTEGER", "big": "BIGINT", "x": "DOUBLE", "d": "DATE", "s": "VARCHAR", "t": "TIMESTAMP"}
DAY = date(2026, 1, 1)


@pytest.fixture(scope="module")
def sorted_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snapshot]:
    """600 rows in twelve row groups, with missing values and NaN among them."""
    count = range(600)
    table = pa.table(
        {
            "n": pa.array([None if i % 50 == 7 else i for i in count], pa.int32()),
            "big": pa.array([(i - 300) * 10**12 for i in count], pa.int64()),
            "x": pa.array([float("nan") if i % 50 == 9 else i / 10 for i in count], pa.float64()),
            "d": pa.array([DAY + timedelta(days=i // 2) for i in count], pa.date32()),
            "s": pa.array([f"{chr(0xAC00 + i // 6)}{i:03}" for i in count], pa.string()),
            "t": pa.array([datetime(2026, 1, 1) + timedelta(hours=i) for i in count], pa.timestamp("us")),
        }
    )
    fields = [
        pa.field(f.name, f.type, metadata={b"PARQUET:field_id": str(i)})
        for i, f in enumerate(table.schema, 1)
    ]
    file = tmp_path_factory.mktemp("pruning") / "f.parquet"
    pq.write_table(table.cast(pa.schema(fields)), file, row_group_size=50)
    listed = DataFile(path=file.name, rows=600, size=1, row_groups=(50,) * 12)
    made = Publication(now=utc_now(), by="x", synthetic=True, source="x", recipe="1")
    known = tuple(Field(field_id=i, name=n, duckdb_type=k) for i, (n, k) in enumerate(KINDS.items(), 1))
    return file, Snapshot(
        dataset="t", variant="main", snapshot_id=1, files=(listed,), fields=known, publication=made
    )


def constants() -> st.SearchStrategy[tuple[str, str]]:
    """(column, constant in SQL) around and beyond the values there are."""
    day = st.integers(-5, 310).map(lambda i: str(DAY + timedelta(days=i)))
    hour = st.integers(-5, 610).map(lambda i: str(datetime(2026, 1, 1) + timedelta(hours=i)))
    texts = st.integers(-3, 620).map(lambda i: f"'{chr(0xAC00 + max(i, 0) // 6)}{i:03}'")
    return st.one_of(
        st.tuples(st.just("n"), st.integers(-5, 605).map(str) | st.just("99.5") | st.just("1e2")),
        st.tuples(st.just("big"), st.integers(-305, 305).map(lambda i: str(i * 10**12))),
        st.tuples(st.just("x"), st.integers(-5, 605).map(lambda i: f"{i / 10}")),
        st.tuples(st.just("d"), day.map(lambda d: f"'{d}'") | day.map(lambda d: f"DATE '{d}'")),
        st.tuples(st.just("t"), hour.map(lambda h: f"'{h}'") | hour.map(lambda h: f"TIMESTAMP '{h}'")),
        st.tuples(st.just("t"), day.map(lambda d: f"DATE '{d}'")),
        st.tuples(st.just("s"), texts),
        st.tuples(st.just("n"), st.just("'12'")),
    )


def conditions() -> st.SearchStrategy[str]:
    def compared(pair: tuple[str, str]) -> st.SearchStrategy[str]:
        column, value = pair
        name = st.sampled_from([column, f"t.{column}", column.upper()])
        sign = st.sampled_from(["=", "<", "<=", ">", ">=", "<>", "IS DISTINCT FROM"])
        simple = st.builds(lambda n, s: f"{n} {s} {value}", name, sign)
        mirrored = st.builds(lambda n, s: f"{value} {s} {n}", name, sign)
        between = name.map(lambda n: f"{n} BETWEEN {value} AND {value}")
        among = name.map(lambda n: f"{n} IN ({value}, {value})")
        return simple | mirrored | between | among | name.map(lambda n: f"NOT ({n} > {value})")

    base = constants().flatmap(compared)
    return st.recursive(
        base,
        lambda inner: st.builds(
            lambda a, b, w: f"({a}) {w} ({b})", inner, inner, st.sampled_from(["AND", "OR"])
        ),
        max_leaves=4,
    )


@settings(max_examples=150, deadline=None)
@given(where=conditions())
def test_no_part_with_a_wanted_row_is_left_out(sorted_file: tuple[Path, Snapshot], where: str) -> None:
    """What plain DuckDB finds lies in the parts that remain."""
    file, snapshot = sorted_file
    kept = _kept(file, snapshot, where)
    with duckdb.connect() as plain:
        rows = plain.execute(
            "SELECT DISTINCT file_row_number // 50 "
            f"FROM read_parquet('{file}', file_row_number = true) t WHERE {where}"
        ).fetchall()
    assert {int(row[0]) for row in rows} <= set(kept)


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("n = 120", [2]),
        ("n < 50", [0]),
        ("T.n >= 550", [11]),
        ("x < 4.95", [0]),
        ("x > 59.0", list(range(12))),
        ("d = '2026-01-01'", [0]),
        ("d BETWEEN DATE '2026-01-26' AND DATE '2026-02-19'", [1]),
        ("s >= '가000' AND s < '각'", [0]),
        ("n IN (1, 599)", [0, 11]),
        ("n = 1 OR n = 599", [0, 11]),
        ("n = 1 AND n = 599", []),
        ("n + 0 = 1", list(range(12))),
        ("n = 700", []),
    ],
)
def test_parts_without_a_wanted_row_are_left_out(
    sorted_file: tuple[Path, Snapshot], where: str, kept: list[int]
) -> None:
    assert _kept(*sorted_file, where) == kept


def _kept(file: Path, snapshot: Snapshot, where: str) -> list[int]:
    parts = tuple(partitions.Partition(file=0, first=i * 50, rows=50) for i in range(12))
    with parser.connect() as engine:
        parsed = parser.answer(engine, {"op": "serialise", "text": f"SELECT 1 FROM t WHERE {where}"})
    tree = json.loads(parsed["tree"])["statements"][0]["node"]["where_clause"]
    return list(remaining(snapshot, "t", parts, tree, [row_group_bounds(file)]))
