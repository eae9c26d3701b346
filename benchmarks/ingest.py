"""How fast a delivery becomes a version, and in how much memory, beside DuckDB's plain CSV to Parquet.

`python benchmarks/ingest.py [--rows 10_000_000] [--quoted] [--folder DIR]`. A file of `card_spending` is
generated (every key once), then three processes of their own take it, one after another, in the same run:

- `inspect`: survey, strict parse, spool, keys, every declared check;
- `ingest`: the same and publishing as an Iceberg snapshot, rows in the dataset's order, and its variants;
- `duckdb`: `COPY (FROM read_csv(…)) TO … (FORMAT parquet, CODEC zstd)`, types given, two threads, 2 GB:
  it checks nothing, orders nothing and keeps no line numbers.

Prints rows a second, processor time, peak memory and the ratios to DuckDB, of time and of processor time (the
fairer one on a busy machine); above 1 would mean faster than it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

HEADER = "기준일자,시간대,가맹점행정동코드,업종대분류,성별,연령대,카드이용금액계,카드이용건수계"
TASKS = ("inspect", "ingest", "duckdb")


def generate(rows: int, path: Path, *, quoted: bool) -> None:
    """A delivery by day, hour, dong, industry, sex and age: every combination once, in the order of days."""
    import duckdb

    inner = f"""
        SELECT strftime(DATE '2024-01-01' + (i // 1_428_000)::INTEGER, '%Y%m%d') AS "기준일자",
               i // 59_500 % 24 AS "시간대",
               (11110515 + i // 140 % 425)::VARCHAR || '00' AS "가맹점행정동코드",
               ['한식','중식','양식','카페','의류','잡화','의료','교육','숙박','여가'][1 + i // 14 % 10]
                   AS "업종대분류",
               ['남','여'][1 + i // 7 % 2] AS "성별",
               ['10대','20대','30대','40대','50대','60대','70대'][1 + i % 7] AS "연령대",
               1000 + hash(i) % 9_000_000 AS "카드이용금액계",
               1 + hash(i + 1) % 900 AS "카드이용건수계"
        FROM range({rows:d}) t(i)"""
    force = ", FORCE_QUOTE *" if quoted else ""
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({inner}) TO '{path}' (FORMAT csv, HEADER{force})")


def measure(task: str, file: Path, folder: Path) -> None:
    """Do one task and print its seconds and peak memory [MB]."""
    from catalog.descriptions import load_all
    from catalog.ingest import inspect, publish
    from catalog.warehouse import Warehouse

    dataset = load_all(REPO / "datasets")["card_spending"]
    started = time.perf_counter()
    if task == "duckdb":
        import duckdb

        types = "{'기준일자': 'VARCHAR', '시간대': 'INTEGER', '가맹점행정동코드': 'VARCHAR'}"
        with duckdb.connect() as connection:
            connection.execute("SET threads = 2; SET memory_limit = '2GB'")
            connection.execute(
                f"COPY (FROM read_csv('{file}', types={types})) TO '{folder}/x.parquet' "
                "(FORMAT parquet, CODEC 'zstd')"
            )
    else:
        warehouse = Warehouse(folder / "warehouse", folder / "catalog.sqlite")
        delivery = inspect(dataset, [file], warehouse)
        assert not delivery.inspection.refusals and not delivery.inspection.failing
        if task == "ingest":
            publish(dataset, delivery, warehouse, datetime.now(UTC), "benchmark")
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    said = {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}
    sys.stdout.write("\n" + json.dumps(said))


def aside(task: str, file: Path, root: Path) -> dict[str, float]:
    """One task in a process of its own."""
    with tempfile.TemporaryDirectory(dir=root) as folder:
        argv = [sys.executable, __file__, "--task", task, "--folder", folder, "--file", str(file)]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def main() -> None:
    """Print a line a task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--quoted", action="store_true", help="every value in quotes")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--task", default="")
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    if given.task:
        measure(given.task, given.file, given.folder)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        file = Path(folder) / "card.csv"
        generate(given.rows, file, quoted=given.quoted)
        size = file.stat().st_size
        print(f"{given.rows:,} rows, {size / 1e6:,.0f} MB, {os.cpu_count()} processors")
        heads = ("seconds", "cpu s", "rows/s", "MB/s", "peak MB", "ratio", "cpu ratio")
        print(f"{'task':<9}" + "".join(f"{head:>11}" for head in heads))
        found = {task: aside(task, file, Path(folder)) for task in given.tasks}
        plain = found.get("duckdb", {"seconds": float("nan"), "cpu": float("nan")})
        for task, said in found.items():
            seconds = said["seconds"]
            rates = f"{given.rows / seconds:>11,.0f}{size / 1e6 / seconds:>11.0f}{said['peak']:>11.0f}"
            ratios = f"{plain['seconds'] / seconds:>11.2f}{plain['cpu'] / said['cpu']:>11.2f}"
            print(f"{task:<9}{seconds:>11.1f}{said['cpu']:>11.1f}{rates}{ratios}")


if __name__ == "__main__":
    main()
