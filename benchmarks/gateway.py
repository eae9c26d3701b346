"""The gateway against in-process DuckDB on the same Parquet, interleaved in one run; prints ratios.

Usage: `.venv/bin/python benchmarks/gateway.py [--rows 20000000] [--rounds 7]`. The broker, the query worker
and the reader are processes of their own, as in the product; the reader, in the session's environment, runs
every query both through the gateway and in an engine of its own. Parsing, authorising and a durable record
(one `fdatasync` an event) are included; walls are not, since they cost at start only. "tiny" asks the same
statement again and again, "tiny, new each time" another one each time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
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

FETCH = 10_000_000
QUERIES = {  # name: (text with the round's number for {i}, times a round)
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
    "point": ("SELECT sum(boardings) FROM subway_ridership WHERE date = DATE '2020-01-15' AND part = 7", 20),
    "tiny": ("SELECT 1 AS a", 40),
    "tiny, new each time": ("SELECT {i} AS a", 40),
}
_VALUES = {
    "date": "DATE '2020-01-01' + (i // 20000)::INTEGER",
    "line": "'line ' || (i % 23)",
    "station": "'station ' || (hash(i) % 600)",
    "part": "(i % 24)::INTEGER",
    "boardings": "(hash(i) % 40000)::BIGINT",
    "alightings": "(hash(i + 1) % 40000)::BIGINT",
    "registered_date": "DATE '2026-01-01'",
}


def publish(folder: Path, rows: int) -> Any:
    """A deterministic subway_ridership of that many rows."""
    import duckdb

    from catalog.descriptions import load_all
    from catalog.warehouse import Publication, Warehouse

    dataset = load_all(REPO / "datasets")["subway_ridership"]
    columns = ", ".join(f"{_VALUES[c.name]} AS {c.name}" for c in dataset.columns)
    warehouse = Warehouse(folder / "files", folder / "catalog.sqlite")
    publication = Publication(
        now=datetime.now(UTC), by="benchmark", synthetic=True, source="made", recipe="1"
    )
    with duckdb.connect() as connection:
        relation: Any = connection.sql(f"SELECT {columns} FROM range({rows}) t(i)")
        warehouse.publish(dataset, "main", relation.to_arrow_reader(122_880), publication)
    return warehouse


def timed(call: Callable[[str], Any], text: str, times: int, first: int) -> tuple[list[float], int]:
    """Seconds of each call, and the rows of the last."""
    taken, rows = [], 0
    for number in range(first, first + times):
        asked = text.format(i=number)
        began = time.perf_counter()
        rows = call(asked).num_rows
        taken.append(time.perf_counter() - began)
    return taken, rows


def measure(address: str, relation: str, threads: int, rounds: int) -> None:
    """The reader: a row a query with medians and their ratio, and the 99th percentile of quick ones."""
    import duckdb
    from campus.result import Result
    from campus.wire import Gateway

    gateway, plain = Gateway(address), duckdb.connect(config={"threads": threads})
    plain.execute("SET preserve_insertion_order = false; SET parquet_metadata_cache = true")
    plain.execute(f"CREATE VIEW subway_ridership AS {relation}")

    def here(text: str) -> Any:
        found: Any = plain.cursor().sql(text)
        return found.to_arrow_reader(122_880).read_all()

    def there(text: str) -> Any:
        return Result(gateway.query(text)).arrow()

    for name, (text, times) in QUERIES.items():
        ours: list[float] = []
        theirs: list[float] = []
        rows = 0
        for number in range(rounds + 1):
            pair: list[tuple[list[float], Callable[[str], Any]]] = [(theirs, here), (ours, there)]
            for into, call in pair if number % 2 else reversed(pair):
                taken, rows = timed(call, text, times, number * times)
                if number:  # the first round warms both
                    into += taken
        one, other = statistics.median(theirs), statistics.median(ours)
        late = f"{sorted(ours)[int(len(ours) * 0.99)] * 1e3:>10.1f}" if times > 1 else ""
        sys.stdout.write(
            f"{name:26}{rows:>12,}{one * 1e3:>16.1f}{other * 1e3:>14.1f}{other / one:>8.2f}{late}\n"
        )
        sys.stdout.flush()


def serve(rows: int, rounds: int) -> int:
    """Generate, start the gateway, let the reader measure."""
    from catalog.descriptions import load_all
    from catalog.gateway.guard import QueryEvent
    from catalog.gateway.session import QueryLimits
    from catalog.warehouse import duckdb_relation_sql
    from tests.catalog.gateway import simulator

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

    threads = os.cpu_count() or 2
    limits = QueryLimits(memory=4 << 30, threads=threads)
    with tempfile.TemporaryDirectory(prefix="cb-") as name:
        folder = Path(name)
        warehouse = publish(folder, rows)
        snapshot = warehouse.snapshot("subway_ridership")
        files = [str(warehouse.path(f.path)) for f in snapshot.files]
        with (
            simulator.installation(warehouse, load_all(REPO / "datasets"), folder, limits) as made,
            (folder / "log").open("ab") as log,
        ):
            guard = DurableGuard(log=log)
            made.broker.stop()
            made.guard = guard
            made.broker = simulator.new_broker(made)
            made.broker.start()
            guard.grant("subway_ridership")
            head = ("query", "rows", "in-process ms", "gateway ms", "ratio", "p99 ms")
            sys.stdout.write(f"{rows:,} rows, {len(files)} files, {threads} threads, {rounds} rounds\n")
            sys.stdout.write("{:26}{:>12}{:>16}{:>14}{:>8}{:>10}\n".format(*head))
            sys.stdout.flush()
            given = {
                "address": made.open(),
                "relation": duckdb_relation_sql(snapshot, files),
                "threads": threads,
                "rounds": rounds,
            }
            python = str(REPO / ".venv-session" / "bin" / "python")
            reader = [python, __file__, "--reader", json.dumps(given)]
            return subprocess.run(reader, check=False).returncode


def main() -> int:
    """Serve, or be the reader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--reader", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.reader:
        measure(**json.loads(given.reader))
        return 0
    return serve(given.rows, given.rounds)


if __name__ == "__main__":
    raise SystemExit(main())
