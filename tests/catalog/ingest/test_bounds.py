"""A file several times larger than what its ingest may take in memory loads all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.catalog.ingest.support import REPO

PROGRAM = """
import json, re, sys
from pathlib import Path
from catalog.ingest import inspect, publish
from catalog.ingest.rows import Bounds
from catalog.warehouse import sorting
from tests.catalog.ingest.support import DATASETS, NOW, new_warehouse

sorting.MEMORY = "192MB"
dataset, folder = DATASETS["card_spending"], Path(sys.argv[1])
def peak(name):
    warehouse = new_warehouse(folder / f"of {name}")
    delivery = inspect(dataset, [folder / name], warehouse, bounds=Bounds(block=1 << 20, engine=96 << 20))
    made = publish(dataset, delivery, warehouse, NOW, "sora")
    # not ru_maxrss: at the exec that one takes over what the test's own process once held
    [held] = re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    return made.rows, int(held) << 10
print(json.dumps([*peak("medium.csv"), *peak("large.csv")]))
"""
BOUND = 768 << 20
"""What the test's process may hold: libraries, ten times the block, engine, sort, open files [bytes]."""
MORE = 160 << 20
"""What a file several times as large may take beyond that [bytes]."""
MEDIUM = 600_000  # rows; enough to fill every buffer once


def card_file(path: Path, rows: int) -> int:
    """A delivery with every key once and long texts; its size [bytes]."""
    query = f"""
        SELECT strftime(DATE '2026-01-01' + (i // 1_428_000)::INTEGER, '%Y%m%d') AS 기준일자,
               i // 59_500 % 24 AS 시간대,
               (11110515 + i // 140 % 425)::VARCHAR || '00' AS 가맹점행정동코드,
               repeat('이름이 긴 업종 ', 12) || i // 14 % 10 AS 업종대분류,
               ['남', '여'][1 + i // 7 % 2] AS 성별, (10 + 10 * (i % 7)) || '대' AS 연령대,
               1000 + hash(i) % 9_000_000 AS 카드이용금액계, 1 + hash(i + 1) % 900 AS 카드이용건수계
        FROM range({rows:d}) t(i)"""
    with duckdb.connect() as engine:
        engine.execute("SET enable_progress_bar = false")
        engine.execute(f"COPY ({query}) TO '{path}' (FORMAT csv, HEADER)")
    return path.stat().st_size


def peaks(folder: Path, rows: int) -> tuple[int, int, int]:
    """(size of the larger file, most memory with the smaller, with the larger) [bytes]."""
    card_file(folder / "medium.csv", MEDIUM)
    size = card_file(folder / "large.csv", rows)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)],
        cwd=REPO,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])  # the engine may draw a bar before
    assert (found[0], found[2]) == (MEDIUM, rows)
    return size, found[1], found[3]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    size, before, after = peaks(tmp_path, 3_000_000)
    assert after - before < MORE and after < BOUND < size, (
        f"{before >> 20} → {after >> 20} of {size >> 20} MB"
    )


@pytest.mark.long
def test_memory_does_not_grow_with_a_file_many_times_larger(tmp_path: Path) -> None:
    size, before, after = peaks(tmp_path, 12_000_000)
    assert after - before < MORE and after < BOUND < size / 4, f"{before >> 20} → {after >> 20} MB"
