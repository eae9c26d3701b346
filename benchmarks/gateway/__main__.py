"""The gateway against in-process DuckDB on the same Parquet, and its rivals, interleaved in one run.

Usage: `.venv/bin/python -m benchmarks.gateway [--rows 72000000] [--rounds 5]`. Once before: `--install` makes
the rivals' environment, `--prepare` makes the rows and PostgreSQL's copy of them; both keep what is there.
`benchmarks/README.md` says what is compared and how. Everybody has servers and a reader of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.gateway.contender import Absent, Contender, Engine
from benchmarks.gateway.data import Data, published
from benchmarks.gateway.environment import install
from benchmarks.gateway.postgres import Postgres
from benchmarks.gateway.product import Product, settings_in
from benchmarks.gateway.report import markdown, summary
from benchmarks.gateway.rivals import Flight, InProcess, Quack, Spark
from benchmarks.gateway.rounds import measure, say
from benchmarks.gateway.together import together
from catalog.gateway.workers import ENGINE_SHARE
from hub_config.settings import REPO


def main() -> int:
    """Install, prepare, or measure and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=72_000_000)
    parser.add_argument("--rounds", type=int, default=5, help="that count; one more warms")
    parser.add_argument("--sessions", type=int, default=8, help="at once; 0 leaves that part out")
    parser.add_argument(
        "--without", action="append", default=[], choices=["flight", "quack", "postgres", "spark"]
    )
    parser.add_argument(
        "--folder", type=Path, default=REPO / "var" / "benchmark", help="rows and copies stay here"
    )
    parser.add_argument(
        "--out", type=Path, default=REPO / "benchmarks" / "results", help="gateway.json, gateway.md"
    )
    parser.add_argument("--install", action="store_true", help="make the rivals' environment, then end")
    parser.add_argument("--prepare", action="store_true", help="make the rows and the copy, then end")
    given = parser.parse_args()
    if given.install:
        install()
        return 0
    before = os.getloadavg()[0]
    folder = given.folder.absolute() / str(given.rows)  # another number leaves these alone
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    settings = settings_in(folder / "state")
    data = published(settings, given.rows)
    engine = Engine(threads=2, memory=int(settings.query_memory * ENGINE_SHARE))
    product = Product(folder=folder, settings=settings)
    rivals = {
        "flight": Flight(folder=folder),
        "quack": Quack(folder=folder),
        "postgres": Postgres(folder=folder),
        "spark": Spark(folder=folder),
    }
    if given.prepare:
        _prepare(rivals["postgres"], data, engine)
        return 0
    asked: list[Contender] = [InProcess(folder=folder), product]
    asked += [rival for name, rival in rivals.items() if name not in given.without]
    found = measure(asked, data, engine, given.rounds)
    found.absent |= {rivals[name].name: "left out of this run" for name in given.without}
    many = Product(folder=folder, settings=settings, people=given.sessions)
    at_once = together(many, data, engine, min(given.rounds, 3)) if given.sessions else None
    run = {
        "rows": data.rows,
        "files": len(data.files),
        "bytes": data.size,
        "rounds": given.rounds,
        **dataclasses.asdict(engine),
        "processors": os.cpu_count(),
        "load_before": before,
        "load_after": os.getloadavg()[0],
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _commit(),
    }
    summed = summary(found, at_once, run)
    given.out.mkdir(parents=True, exist_ok=True)
    text = markdown(summed)
    (given.out / "gateway.json").write_text(json.dumps(summed, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (given.out / "gateway.md").write_text(text, "utf-8")
    sys.stdout.write(text)
    return 0


def _prepare(copy: Contender, data: Data, engine: Engine) -> None:
    """PostgreSQL's copy of the rows, loaded now instead of in the run."""
    try:
        copy.start(data, engine)
    except Absent as reason:
        say(f"{copy.name} will be absent: {reason}")
    finally:
        copy.stop()
    say("; ".join(copy.notes))


def _commit() -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=REPO, capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or "unknown"


if __name__ == "__main__":
    raise SystemExit(main())
