"""How fast synthetic twins are made, beside DuckDB drawing as many independent columns in the same run.

`python benchmarks/synth.py [--rows 20_000_000] [DATASET …]`. Rows a second and peak memory of a process of
its own: drawing alone (`drawn`), and drawing with writing zstd Parquet (`written`). The rival has an easier
task: DuckDB writes the same number of rows and columns of unrelated `random()` codes to zstd Parquet, with no
unique key and no declared shares. A ratio above 1 means the twin is faster.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from catalog.descriptions import load_all  # noqa: E402
from catalog.synth.declaration import load_twin  # noqa: E402
from catalog.synth.files import write_twin  # noqa: E402
from catalog.synth.generate import Generator  # noqa: E402
from catalog.synth.publish import twins  # noqa: E402


def measure(task: str, name: str, rows: int, out: Path) -> None:
    """Do one task and print its seconds and peak memory [MB]."""
    dataset = load_all(REPO / "datasets")[name]
    started = time.perf_counter()
    match task:
        case "drawn":
            assert sum(b.num_rows for b in Generator(load_twin(dataset), dataset).batches(rows)) == rows
        case "written":
            write_twin(load_twin(dataset), dataset, rows, out)
        case _:
            import duckdb

            columns = ", ".join(f"(random() * 400)::INTEGER AS c{i}" for i in range(len(dataset.columns)))
            with duckdb.connect() as connection:
                connection.execute("SET threads = 2; SET memory_limit = '2GB'")
                connection.execute(
                    f"COPY (SELECT {columns} FROM range({rows:d})) TO '{out}' (FORMAT parquet, CODEC 'zstd')"
                )
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "peak": peak}))


def aside(task: str, name: str, rows: int) -> tuple[float, float]:
    """Rows a second and peak memory [MB] of one task in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, __file__, "--task", task, "--rows", str(rows), "--out", f"{folder}/x", name]
        said = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return rows / said["seconds"], said["peak"]


def main() -> None:
    """Print one line a dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--task", default="")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.task:
        measure(given.task, given.datasets[0], given.rows, given.out)
        return
    print(f"{given.rows:,} rows; million rows a second (peak MB)")
    print(f"{'dataset':<24}{'drawn':>16}{'written':>16}{'duckdb':>16}{'ratio':>8}")
    for name in given.datasets or twins(load_all(REPO / "datasets")):
        found = [aside(task, name, given.rows) for task in ("drawn", "written", "duckdb")]
        cells = "".join(f"{rate / 1e6:>9.2f} ({peak:>4.0f})" for rate, peak in found)
        print(f"{name:<24}{cells}{found[1][0] / found[2][0]:>8.2f}")


if __name__ == "__main__":
    main()
