"""How fast published tables are written and read, beside DuckDB on plain Parquet of the same rows.

`python benchmarks/scan.py [--rows 20_000_000] [--folder DIR] [--rounds 5] [--copies 1]`. Card-spending rows
of a year are made up, published as any delivery is (ordered on disk, in parts by gu and month), and copied
by DuckDB into one plain zstd Parquet file in the same order. Then: seconds of publishing and of a plain COPY
with the same ORDER BY, with peak memory, each in a process of its own; queries over both, medians of some
rounds, the files in the system's cache where they fit; what parts save for one gu and one month; and what
Bloom filters save when one card is looked up among transit trips ordered by time. Ratios below 1 mean ours is
faster. With `--copies` some of the queries run once more over that many copies of all files, once each: 10
copies of 100 million rows are a billion. About 40 bytes of disk a row, and as much again for ordering.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402

from catalog.descriptions import Dataset, load_all  # noqa: E402
from catalog.warehouse import (  # noqa: E402
    Publication,
    Snapshot,
    Warehouse,
    duckdb_relation_sql,
    granted_files,
)

SETTINGS = "SET threads = 2; SET memory_limit = '2GB'; SET parquet_metadata_cache = true"
SPENDING = """SELECT DATE '2025-01-01' + (i % 365)::INTEGER AS date, (hash(i) % 24)::INTEGER AS hour,
 (11110 + (hash(i + 1) % 25) * 30)::VARCHAR || (510 + hash(i + 2) % 17)::VARCHAR AS dong_code,
 'industry ' || (hash(i + 3) % 14) AS industry, CASE WHEN hash(i + 4) % 9 = 0 THEN 'C' ELSE 'P' END AS holder,
 CASE WHEN hash(i + 5) % 2 = 0 THEN 'M' ELSE 'F' END AS sex, ((hash(i + 6) % 7) * 10 + 10)::VARCHAR AS age,
 (hash(i + 7) % 900000 + 1000)::BIGINT AS amount, (hash(i + 8) % 40 + 1)::BIGINT AS count
 FROM range({first}, {last}) t(i)"""
TRIPS: dict[str, str] = {
    "trip_id": "i",
    "date": "DATE '2025-01-01' + (i % 90)::INTEGER",
    "card_hash": "sha256((hash(i) % 3000000)::VARCHAR)[:32]",
    "boarding_time": "TIMESTAMP '2025-01-01' + to_seconds((i % 90) * 86400 + (hash(i + 2) % 86400)::BIGINT)",
    "alighting_time": "TIMESTAMP '2025-01-01' + to_seconds((i % 90) * 86400 + (hash(i + 3) % 86400)::BIGINT)",
}
FILL = {
    "string": "'c' || (hash(i + {n}) % 900)",
    "int": "(hash(i + {n}) % 9)::INTEGER",
    "long": "(hash(i + {n}) % 5000)::BIGINT",
    "double": "(hash(i + {n}) % 5000)::DOUBLE",
}
QUERIES = {
    "whole table, two sums": "SELECT sum(amount), sum(count) FROM {t}",
    "by gu and month": "SELECT left(dong_code, 5), date_trunc('month', date), sum(amount) FROM {t} "
    "GROUP BY 1, 2",
    "distinct dongs by hour": "SELECT hour, count(DISTINCT dong_code) FROM {t} GROUP BY 1",
    "one gu, one month": "SELECT industry, sum(amount) FROM {t} WHERE dong_code BETWEEN '11680' AND '116809' "
    "AND date BETWEEN '2025-05-01' AND '2025-05-31' GROUP BY 1",
}


def trips(dataset: Dataset, rows: int) -> str:
    """A SELECT of made-up transit trips."""
    columns = (
        f"{TRIPS.get(c.name, FILL[c.type].format(n=n) if c.type in FILL else 'NULL')} AS {c.name}"
        for n, c in enumerate(dataset.columns, start=10)
    )
    return f"SELECT {', '.join(columns)} FROM range({rows}) t(i)"


def stream(select: str) -> Iterator[pa.RecordBatch]:
    """The rows of a SELECT, batch by batch."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        relation: Any = connection.sql(select)
        yield from relation.to_arrow_reader(122_880)


def publish(folder: Path, dataset: Dataset, variant: str, select: str) -> Snapshot:
    """Publish a SELECT's rows."""
    warehouse = Warehouse(folder / "warehouse", folder / "catalog.sqlite")
    publication = Publication(
        now=datetime.now(UTC), by="benchmark", synthetic=True, source="made", recipe="1"
    )
    return warehouse.publish(dataset, variant, stream(select), publication)


def task(name: str, rows: int, folder: Path) -> None:
    """Publish, or copy plainly; print seconds and peak memory [MB]."""
    dataset = load_all(REPO / "datasets")["card_spending"]
    select = SPENDING.format(first=0, last=rows)
    began = time.perf_counter()
    if name == "publish":
        publish(folder, dataset, "main", select)
    else:
        order = "left(dong_code, 5), date_trunc('month', date), date, hour, dong_code, industry"
        with duckdb.connect() as connection:
            connection.execute(f"{SETTINGS}; SET temp_directory = '{folder}/spill'")
            connection.execute(
                f"COPY (SELECT * FROM ({select}) ORDER BY {order}) "
                f"TO '{folder}/plain.parquet' (FORMAT parquet, CODEC 'zstd')"
            )
    taken, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    json.dump([taken, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024], sys.stdout)


def aside(name: str, rows: int, folder: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor and peak memory [MB] of one task in a process of its own."""
    argv = [sys.executable, __file__, "--task", name, "--rows", str(rows), "--folder", str(folder)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    seconds, processor, peak = json.loads(said)
    return seconds, processor, peak


def medians(connection: duckdb.DuckDBPyConnection, statements: list[str], rounds: int) -> list[float]:
    """Median seconds of each statement, in turns, after one round to warm up; with no rounds, of that one."""
    taken: list[list[float]] = [[] for _ in statements]
    for _ in range(rounds + 1):
        for seconds, statement in zip(taken, statements, strict=True):
            began = time.perf_counter()
            connection.sql(statement).fetchall()
            seconds.append(time.perf_counter() - began)
    return [statistics.median(seconds[1:] or seconds) for seconds in taken]


def relation(warehouse: Warehouse, snapshot: Snapshot) -> str:
    """The version as a FROM clause."""
    return f"({duckdb_relation_sql(snapshot, [str(warehouse.path(f.path)) for f in snapshot.files])})"


def replicated(warehouse: Warehouse, made: Snapshot, plain: Path, copies: int) -> tuple[Snapshot, list[str]]:
    """A version whose files, and the plain file beside it, are there so many times."""
    files, plains = list(made.files), [str(plain)]
    for number in range(1, copies):
        for file in made.files:
            path = file.path.replace(".parquet", f"-{number}.parquet")
            shutil.copyfile(warehouse.path(file.path), warehouse.path(path))
            files.append(dataclasses.replace(file, path=path))
        plains.append(f"{plain}.{number}")
        shutil.copyfile(plain, plains[-1])
    return dataclasses.replace(made, files=tuple(files)), plains


def measure(folder: Path, rows: int, rounds: int, copies: int) -> None:
    """Print every figure."""
    for name in ("publish", "copy"):
        seconds, used, peak = aside(name, rows, folder)
        rate = rows / seconds / 1e6
        print(
            f"{name:<20}{seconds:>8.1f} s {rate:>5.2f} M rows/s {used:>7.1f} cpu s {peak:>5.0f} MB",
            flush=True,
        )
    warehouse = Warehouse(folder / "warehouse", folder / "catalog.sqlite")
    made = warehouse.snapshot("card_spending")
    plain = folder / "plain.parquet"
    size = plain.stat().st_size
    print(f"{len(made.files)} files, {made.size / 1e6:,.0f} MB; plain: 1 file, {size / 1e6:,.0f} MB")
    print(f"{'query':<28}{'ours [ms]':>12}{'plain [ms]':>12}{'ratio':>8}")
    with duckdb.connect() as connection:
        connection.execute(SETTINGS)
        part = {"gu": frozenset({"11680"}), "month": frozenset({"2025-05"})}
        granted = dataclasses.replace(made, files=granted_files(made, part))
        narrow = QUERIES["one gu, one month"]
        for name, text, version in (
            *((name, text, made) for name, text in QUERIES.items()),
            ("  its own files alone", narrow, granted),
        ):
            both = [text.format(t=relation(warehouse, version)), text.format(t=f"read_parquet('{plain}')")]
            ours, theirs = medians(connection, both, rounds)
            print(f"{name:<28}{ours * 1e3:>12.1f}{theirs * 1e3:>12.1f}{ours / theirs:>8.2f}", flush=True)
        if copies > 1:
            many, plains = replicated(warehouse, made, plain, copies)
            print(f"{rows * copies:,} rows in {len(many.files):,} files, {many.size / 1e6:,.0f} MB")
            for name in (
                "whole table, two sums",
                "by gu and month",
                "one gu, one month",
                "  its own files alone",
            ):
                text = QUERIES.get(name, narrow)
                own = dataclasses.replace(many, files=granted_files(many, part))
                version = many if name in QUERIES else own
                both = [text.format(t=relation(warehouse, version)), text.format(t=f"read_parquet({plains})")]
                ours, theirs = medians(connection, both, 0)
                print(f"{name:<28}{ours * 1e3:>12.1f}{theirs * 1e3:>12.1f}{ours / theirs:>8.2f}", flush=True)
            for copied in plains[1:]:
                Path(copied).unlink()
    plain.unlink()
    shutil.rmtree(warehouse.root / "card_spending")
    lookups(folder, rows // 4, rounds)


def lookups(folder: Path, rows: int, rounds: int) -> None:
    """One card's trips, with and without filters."""
    dataset = load_all(REPO / "datasets")["transit_trips"]
    bare = dataclasses.replace(dataset, lookups=())
    warehouse = Warehouse(folder / "warehouse", folder / "catalog.sqlite")
    with duckdb.connect() as connection:
        connection.execute(SETTINGS)
        card = connection.sql(f"SELECT {TRIPS['card_hash']} FROM range(7, 8) t(i)").fetchall()[0][0]
        made = [publish(folder, d, "main", trips(d, rows)) for d in (dataset, bare)]
        texts = [f"SELECT count(*) FROM {relation(warehouse, m)} WHERE card_hash = '{card}'" for m in made]
        for name, m, seconds in zip(
            ("bloom filters", "no filters"), made, medians(connection, texts, rounds), strict=True
        ):
            print(
                f"one card of {rows:,} trips, {name}: {seconds * 1e3:.1f} ms, {m.size / 1e6:,.0f} MB",
                flush=True,
            )


def main() -> None:
    """Print the figures of one number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--task", default="")
    given = parser.parse_args()
    if given.task:
        task(given.task, given.rows, given.folder)
        return
    print(f"{given.rows:,} rows, DuckDB {duckdb.__version__}")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        measure(Path(folder), given.rows, given.rounds, given.copies)


if __name__ == "__main__":
    main()
