"""Killed without warning at any point, an ingest leaves the last version whole and goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.ingest import inspect, publish
from catalog.ingest.rows import Bounds
from tests.catalog.ingest.support import DATASETS, NOW, REPO, new_warehouse, subway_file, take

PROGRAM = """
import os, signal, sys
from pathlib import Path
from catalog.ingest import inspect, publish
from catalog.ingest.rows import Bounds
from catalog.ingest.spool import Spool
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
    writer.write_list = die
elif point == "after-list":
    after(writer, "write_list")
elif point.startswith("spooled-"):
    real, left = Spool.add, int(point.removeprefix("spooled-"))
    def add(self, number, crc, table, totals):
        global left
        real(self, number, crc, table, totals)
        left -= 1
        if not left:
            die()
    Spool.add = add
elif point == "half-written":
    real = Path.replace
    Path.replace = lambda self, to: die() if to.name == "000002.parquet" else real(self, to)
elif point == "half-journal":
    from catalog.ingest import spool
    real, left = spool._line, 3
    def line(part):
        global left
        left -= 1
        return real(part) if left else real(part)[:-9]
    spool._line = line
    whole = Spool.add
    def add(self, *args):
        whole(self, *args)
        if not left:
            die()
    Spool.add = add
elif point == "before-commit":
    from pyiceberg.catalog.sql import SqlCatalog
    SqlCatalog.commit_table = die
warehouse, dataset = new_warehouse(folder), DATASETS["subway_ridership"]
delivery = inspect(dataset, files_given, warehouse, progress, bounds=Bounds(block=400))
publish(dataset, delivery, warehouse, NOW, "sora", progress=progress)
"""
MID_SPOOL = {"spooled-1": 1, "spooled-4": 4, "half-written": 2, "half-journal": 2}
"""Where it dies → blocks of the first file that the next run finds whole."""
POINTS = [f"told-{n}" for n in (1, 2, 3, 4)] + [
    *MID_SPOOL,
    *(f"spooled-{n}" for n in range(2, 11)),
    "before-write",
    "after-write",
    "before-list",
    "after-list",
    "before-commit",
]


@pytest.mark.parametrize("point", ["told-2", *MID_SPOOL, "after-write", "after-list", "before-commit"])
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
    said: list[str] = []
    dataset = DATASETS["subway_ridership"]
    delivery = inspect(dataset, files, fresh, said.append, bounds=Bounds(block=400))
    if point in MID_SPOOL:
        assert f"resumed after {MID_SPOOL[point]} blocks" in " ".join(said)
    if point in {"after-list", "before-commit"}:
        assert sum("resumed after" in text for text in said) == len(files)
    made = publish(dataset, delivery, fresh, NOW, "sora")
    assert made.total_rows == 62 + 56 + 62
    assert list((folder / "ingest").iterdir()) == []
    assert fresh.preview(fresh.snapshot("subway_ridership"), 200) == _undisturbed(folder, files)


def _undisturbed(folder: Path, files: list[Path]) -> tuple[dict[str, object], ...]:
    """The rows of an ingest that nothing stopped."""
    other = new_warehouse(folder / "undisturbed")
    take(other, "subway_ridership", subway_file(folder, "B", "202601"))
    take(other, "subway_ridership", *files)
    return other.preview(other.snapshot("subway_ridership"), 200)
