"""The gateway against in-process DuckDB on the same Parquet, interleaved in one run; prints ratios.

Usage: `.venv/bin/python benchmarks/gateway.py [--rows 20000000] [--rounds 7]`. Parsing, authorising and a
durable record (one `fdatasync` an event) are included; walls are not, since they cost at start only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(REPO / "catalog" / "client" / "src")]

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402
from campus.result import Result  # noqa: E402
from campus.wire import Gateway  # noqa: E402

from catalog.descriptions import load_all  # noqa: E402
from catalog.gateway.guard import QueryEvent  # noqa: E402
from catalog.gateway.session import QueryLimits  # noqa: E402
from catalog.warehouse import Publication, Warehouse, duckdb_relation_sql  # noqa: E402
from tests.catalog.gateway import simulator  # noqa: E402

FETCH = 10_000_000
QUERIES = {
    "aggregate": (
        "SELECT line, part, date_trunc('month', date) AS m, sum(boardings) AS s, count(*) AS n "
        "FROM subway_ridership GROUP BY ALL ORDER BY ALL",
        1,
    ),
    "fetch 10M x 5 (strings)": (
        f"SELECT date, line, station, boardings, alightings FROM subway_ridership LIMIT {FETCH}",
        1,
    ),
    "fetch 10M x 3 (numbers)": (f"SELECT date, boardings, alightings FROM subway_ridership LIMIT {FETCH}", 1),
    "tiny": ("SELECT 1 AS a", 40),
}


@dataclass
class DurableGuard(simulator.GuardSimulator):
    """Every event is on disk before it counts."""

    log: IO[bytes] | None = None
    kept: list[None] = field(default_factory=list)

    def record(self, event: QueryEvent) -> int:
        assert self.log is not None
        with self.lock:
            self.log.write(json.dumps(asdict(event), default=str).encode() + b"\n")
            self.log.flush()
            os.fdatasync(self.log.fileno())
        return 1


def publish(folder: Path, rows: int) -> Warehouse:
    """A deterministic subway_ridership of that many rows."""
    dataset = load_all(REPO / "datasets")["subway_ridership"]
    columns = ", ".join(f"{_VALUES[c.name]} AS {c.name}" for c in dataset.columns)
    warehouse = Warehouse(folder / "files", folder / "catalog.sqlite")
    with duckdb.connect() as connection:
        relation = connection.sql(f"SELECT {columns} FROM range({rows}) t(i)")
        table = relation.to_arrow_table()
    publication = Publication(
        now=datetime.now(UTC), by="benchmark", synthetic=True, source="made", recipe="1"
    )
    warehouse.publish(dataset, "main", table, publication)
    return warehouse


_VALUES = {
    "date": "DATE '2020-01-01' + (i // 20000)::INTEGER",
    "line": "'line ' || (i % 23)",
    "station": "'station ' || (hash(i) % 600)",
    "part": "(i % 24)::INTEGER",
    "boardings": "(hash(i) % 40000)::BIGINT",
    "alightings": "(hash(i + 1) % 40000)::BIGINT",
    "registered_date": "DATE '2026-01-01'",
}


def timed(call: Callable[[], pa.Table], times: int) -> tuple[list[float], int]:
    """Seconds of each call, and the rows of the last."""
    taken, rows = [], 0
    for _ in range(times):
        began = time.perf_counter()
        rows = call().num_rows
        taken.append(time.perf_counter() - began)
    return taken, rows


def measure(gateway: Gateway, plain: duckdb.DuckDBPyConnection, rounds: int) -> list[tuple[str, ...]]:
    """One row a query: name, rows, medians and ratio."""
    lines: list[tuple[str, ...]] = []
    for name, (text, times) in QUERIES.items():
        ours: list[float] = []
        theirs: list[float] = []
        rows = 0
        for round_number in range(rounds + 1):
            pair: list[tuple[list[float], Callable[[], pa.Table]]] = [
                (theirs, lambda text=text: _local(plain, text)),  # type: ignore[misc]
                (ours, lambda text=text: Result(gateway.query(text)).arrow()),  # type: ignore[misc]
            ]
            for into, call in pair if round_number % 2 else reversed(pair):
                taken, rows = timed(call, times)
                if round_number:  # the first round warms both
                    into += taken
        here, there = statistics.median(theirs), statistics.median(ours)
        lines.append((name, f"{rows:,}", f"{here * 1e3:.1f}", f"{there * 1e3:.1f}", f"{there / here:.2f}"))
    return lines


def _local(plain: duckdb.DuckDBPyConnection, text: str) -> pa.Table:
    relation: Any = plain.cursor().sql(text)
    table: pa.Table = relation.to_arrow_reader(122_880).read_all()
    return table


def main() -> int:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    threads = os.cpu_count() or 2
    limits = QueryLimits(memory=4 << 30, threads=threads)
    with tempfile.TemporaryDirectory(prefix="cb-") as name:
        folder = Path(name)
        warehouse = publish(folder, given.rows)
        snapshot = warehouse.snapshot("subway_ridership")
        plain = duckdb.connect(config={"threads": threads})
        plain.execute("SET preserve_insertion_order = false")
        files = [str(warehouse.path(f.path)) for f in snapshot.files]
        plain.execute(f"CREATE VIEW subway_ridership AS {duckdb_relation_sql(snapshot, files)}")
        with (
            simulator.installation(warehouse, {}, folder, limits) as made,
            (folder / "log").open("ab") as log,
        ):
            guard = DurableGuard(log=log)
            made.broker.stop()
            made.guard = guard
            made.broker = simulator.new_broker(made)
            made.broker.start()
            guard.grant("subway_ridership")
            lines = measure(Gateway(made.open()), plain, given.rounds)
    head = ("query", "rows", "in-process ms", "gateway ms", "ratio")
    sys.stdout.write(f"{given.rows:,} rows, {len(files)} files, {threads} threads, {given.rounds} rounds\n")
    for line in (head, *lines):
        sys.stdout.write(f"{line[0]:28}{line[1]:>12}{line[2]:>16}{line[3]:>14}{line[4]:>8}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
