"""`campus synth DATASET`: makes a synthetic twin of any size, or compares one with its declaration."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from catalog.descriptions import Dataset, load_all
from catalog.errors import CatalogError
from catalog.synth.declaration import load_twin
from catalog.synth.files import counted, write_twin
from catalog.synth.generate import Generator
from catalog.synth.model import Twin
from catalog.synth.publish import twins
from catalog.synth.report import Report, compare
from hub_config.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make the file or print the report; 1 where it was refused or a margin is out of tolerance."""
    folder = settings.repo / "datasets"
    try:
        descriptions = load_all(folder)
        if arguments.dataset not in descriptions:
            known = ", ".join(twins(descriptions, folder))
            raise CatalogError(
                "dataset-unknown",
                ko=f"'{arguments.dataset}' 데이터셋은 없습니다. 쌍둥이가 있는 것: {known}",
                en=f"there is no dataset '{arguments.dataset}'; with a twin: {known}",
            )
        dataset = descriptions[arguments.dataset]
        twin = load_twin(dataset, folder)
        rows = twin.rows if arguments.rows is None else arguments.rows
        if arguments.report:
            return _report(twin, dataset, rows, arguments.seed)
        return _write(twin, dataset, rows, arguments.seed, arguments.out)
    except CatalogError as error:
        sys.stderr.write(f"campus: {error.ko}\n        {error.en}\n")
    return 1


def _write(twin: Twin, dataset: Dataset, rows: int, seed: int | None, out: str | None) -> int:
    path = Path(out or f"{dataset.name}_twin.parquet")
    started = time.monotonic()
    size = write_twin(twin, dataset, rows, path, seed, _progress(rows))
    seconds = max(time.monotonic() - started, 1e-9)
    sys.stdout.write(
        f"✓ {path}: 합성 데이터 {rows:,}행, {size:,} bytes, {seconds:,.1f} s / "
        f"{rows:,} synthetic rows, {rows / seconds:,.0f} rows/s\n"
    )
    return 0


def _report(twin: Twin, dataset: Dataset, rows: int, seed: int | None) -> int:
    batches = Generator(twin, dataset).batches(rows, seed)
    report = compare(twin, counted(batches, _progress(rows)))
    sys.stdout.write(text(report))
    return 0 if report.within else 1


def text(report: Report) -> str:
    """The report as lines: distance, tolerance and source of every margin."""
    lines = [
        f"{report.dataset}: 합성 쌍둥이 {report.rows:,}행과 선언의 총변동거리 / total variation distance, "
        f"weight: {report.weight or 'rows'}"
    ]
    for margin in report.margins:
        mark = "✓" if margin.within else "✗"
        lines.append(
            f"{mark} {' × '.join(margin.columns):<36} {len(margin.labels):>7,}  "
            f"{margin.distance:.4f} ≤ {margin.tolerance:.4f}  {margin.source[:80]}"
        )
    ends = ("모두 허용 오차 안입니다 / all within tolerance", "허용 오차를 벗어났습니다 / out of tolerance")
    return "\n".join([*lines, ends[not report.within]]) + "\n"


def _progress(rows: int) -> Callable[[int], None]:
    """Tells of every tenth on a terminal."""
    shown = 0

    def tell(done: int) -> None:
        nonlocal shown
        tenth = done * 10 // rows
        if tenth > shown and sys.stderr.isatty():
            shown = tenth
            sys.stderr.write(f"\r▸ {done:,} / {rows:,}" + ("\n" if done == rows else ""))

    return tell
