"""Killed without warning at any point of publishing, an ingest leaves the last version whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.catalog.ingest.support import REPO, new_warehouse, subway_file, take

PROGRAM = """
import os, signal, sys
from pathlib import Path
from catalog.ingest import ingest
from catalog.warehouse import files, metadata, writer
from tests.catalog.ingest.support import DATASETS, NOW, new_warehouse

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def after(module, name):
    real = getattr(module, name)
    setattr(module, name, lambda *a, **k: (real(*a, **k), die()))

point, folder, files_given = sys.argv[1], Path(sys.argv[2]), [Path(f) for f in sys.argv[3:]]
told = 0
def progress(text):
    global told
    told += 1
    if point == f"told-{told}":
        die()
if point == "before-write":
    writer._write = die
elif point == "after-write":
    after(writer, "_write")
elif point == "before-list":
    writer._write_list = die
elif point == "after-list":
    after(writer, "_write_list")
elif point == "before-commit":
    from pyiceberg.catalog.sql import SqlCatalog
    SqlCatalog.commit_table = die
ingest(DATASETS["subway_ridership"], files_given, new_warehouse(folder), NOW, "sora", progress)
"""
POINTS = [f"told-{n}" for n in (1, 2, 3, 4)] + [
    "before-write",
    "after-write",
    "before-list",
    "after-list",
    "before-commit",
]


@pytest.mark.parametrize("point", ["told-2", "after-write", "after-list", "before-commit"])
def test_a_killed_ingest_leaves_the_last_version(tmp_path: Path, point: str) -> None:
    _killed(tmp_path, point)


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_ingest_leaves_the_last_version_at_every_point(tmp_path: Path, point: str) -> None:
    _killed(tmp_path, point)


def _killed(folder: Path, point: str) -> None:
    warehouse = new_warehouse(folder)
    take(warehouse, "subway_ridership", subway_file(folder, "B", "202601"))
    before = warehouse.snapshot("subway_ridership")
    rows = warehouse.preview(before, 100)
    files = [subway_file(folder, "B", "202602"), subway_file(folder, "B", "202603")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, point, str(folder), *map(str, files)],
        cwd=REPO,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    fresh = new_warehouse(folder)
    assert fresh.versions("subway_ridership") == (before,)
    assert fresh.preview(fresh.snapshot("subway_ridership"), 100) == rows
    made = take(fresh, "subway_ridership", *files)
    assert made.total_rows == 62 + 56 + 62
