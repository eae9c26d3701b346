"""The use case in two steps: inspect several files, publish one version or nothing. Knows no people's rights.

Page and command line take the same steps. `inspect` reads, checks and compares, and changes nothing.
`publish` refuses while a check fails, unless an exception names exactly that check and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from catalog.descriptions import Dataset
from catalog.ingest.checks import load_checks
from catalog.ingest.compare import Amounts, amounts, code_table, compare, main_measure
from catalog.ingest.delivery import (
    Delivery,
    changed_since,
    drifted,
    first_rows,
    outcome,
    refusal,
    require_publishable,
)
from catalog.ingest.evaluate import evaluate
from catalog.ingest.findings import Failure, Inspection, Status
from catalog.ingest.meter import Listener, Meter, Phase
from catalog.ingest.model import IngestError
from catalog.ingest.recipe import load_recipe
from catalog.ingest.rows import BOUNDS, Bounds
from catalog.ingest.source import Reading, Taken, take
from catalog.ingest.spool import sweep
from catalog.ingest.unique import key_of_version
from catalog.ingest.vector import PARTS
from catalog.warehouse import (
    MAIN,
    AcceptedException,
    Publication,
    Replace,
    SourceFile,
    Warehouse,
    WarehouseError,
)
from catalog.warehouse.materialise import refresh_variants

T = TypeVar("T")
DATASETS = Path(__file__).resolve().parents[2] / "datasets"
WORK = "ingest"
"""Folder of the spooled rows, beside the warehouse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What one ingestion made.

    Parameters
    ----------
    rows
        Rows taken from the given files [rows].
    total_rows
        Rows of the new version, earlier periods included [rows].
    periods
        Periods that were given and so replaced; empty where the whole dataset is.
    replaced_synthetic
        Whether a synthetic sample gave way to real rows.
    """

    dataset: str
    snapshot_id: int
    rows: int
    total_rows: int
    files: tuple[SourceFile, ...]
    periods: tuple[str, ...]
    replaced_synthetic: bool


def ingest(
    dataset: Dataset,
    files: Sequence[Path],
    warehouse: Warehouse,
    now: datetime,
    by: str,
    progress: Callable[[str], None] = lambda text: None,
    *,
    datasets: Path = DATASETS,
) -> Published:
    """Read, check and publish publisher files as one version.

    Parameters
    ----------
    files
        One or more files; of a shapefile the `.shp` is enough. Periods they hold replace the same
        periods of the current version; all other periods stay. Synthetic rows never stay beside real ones.
    by
        Handle of the person who publishes.
    progress
        Told one sentence at every step.

    Raises
    ------
    IngestError
        A file was refused; nothing was published.
    WarehouseError
        Another publication of this dataset is running.
    """
    delivery = inspect(dataset, files, warehouse, progress, datasets=datasets)
    return publish(dataset, delivery, warehouse, now, by, progress=progress)


def inspect(
    dataset: Dataset,
    files: Sequence[Path],
    warehouse: Warehouse,
    progress: Callable[[str], None] = lambda text: None,
    *,
    meter: Listener = lambda progress: None,
    datasets: Path = DATASETS,
    work: Path | None = None,
    bounds: Bounds = BOUNDS,
) -> Delivery:
    """Read the files, run every check, compare with the last version; changes nothing that is published.

    A file that cannot be read is a refusal in what was found, as is a failing check: neither stops the look
    at the other files. Rows are spooled on the way; a run that was killed goes on from its last whole block.

    Parameters
    ----------
    meter
        Told how far things are, in numbers.
    work
        Folder of the spooled rows; beside the warehouse where none is given.
    bounds
        What reading may take in memory.

    Raises
    ------
    DescriptionError
        The recipe or the checks of the dataset cannot be used.
    """
    recipe = load_recipe(datasets / dataset.name / "recipe.yml", dataset)
    checks = load_checks(datasets / dataset.name / "checks.yml", dataset)
    codes = code_table(warehouse)
    telling = Meter(meter)
    work = work if work is not None else warehouse.root.parent / WORK
    sweep(work)
    reading = Reading(dataset=dataset, recipe=recipe, work=work, meter=telling, bounds=bounds)
    measure = main_measure(dataset, checks)
    taken: list[Taken] = []
    given: list[Amounts] = []
    refused: list[IngestError] = []
    problems: list[IngestError] = []
    failures: dict[str, list[Failure]] = {}
    owners: dict[str, str] = {}
    for path in _or_refused(lambda: _wanted(files), refused, problems) or ():
        progress(f"{path.name}: 읽는 중 / reading")
        one = _or_refused(lambda path=path: take(path, reading), refused, problems)  # type: ignore[misc]
        if one is None:
            continue
        taken.append(one)
        _said(one, progress)
        rows, count = one.rows, one.rows.count
        failing = evaluate(
            checks,
            rows,
            codes,
            lambda done: telling.tell(path.name, Phase.CHECK, done, count, count),  # noqa: B023 called now
        )
        rows.close()
        for name, failure in failing.items():
            failures.setdefault(name, []).append(failure)
            problems.append(failure.error)
        given.append(amounts(rows, measure))
        _or_refused(lambda: _no_overlap(given[-1], path.name, owners), refused, problems)  # noqa: B023 called now
    comparison = compare(dataset, measure, given, warehouse) if taken else None
    outcomes = tuple(outcome(c, failures.get(c.name, []), comparison, codes) for c in checks)
    problems += [drifted(o) for o in outcomes if o.status is Status.FAILED and o.name not in failures]
    spooled = tuple(t.rows for t in taken)
    named = comparison is not None and dataset.period is not None
    return Delivery(
        inspection=Inspection(
            dataset=dataset.name,
            recipe=recipe.version,
            files=tuple(t.seen for t in taken),
            columns=tuple(c.name for c in dataset.columns),
            preview=first_rows(spooled),
            outcomes=outcomes,
            refusals=tuple(refusal(e) for e in refused),
            difference=comparison.difference(dataset) if comparison is not None and not refused else None,
        ),
        rows=spooled,
        periods=tuple(sorted(comparison.given)) if comparison is not None and named else (),
        sources=tuple(source for t in taken for source in t.sources),
        problems=tuple(problems),
    )


def publish(
    dataset: Dataset,
    delivery: Delivery,
    warehouse: Warehouse,
    now: datetime,
    by: str,
    exceptions: Sequence[AcceptedException] = (),
    progress: Callable[[str], None] = lambda text: None,
    *,
    meter: Listener = lambda progress: None,
) -> Published:
    """Publish what was inspected as one version: all of it or nothing. The spooled rows are then removed.

    Raises
    ------
    IngestError
        A file was refused; a check fails without an exception that names it; an exception names a check
        that does not fail; or another version was published since the inspection.
    WarehouseError
        Another publication of this dataset is running.
    """
    require_publishable(delivery, exceptions)
    inspection = delivery.inspection
    assert delivery.rows and inspection.difference is not None
    before = warehouse.versions(dataset.name)[:1]
    if (before[0].snapshot_id if before else None) != inspection.difference.base:
        raise changed_since(dataset.name)
    replace = None
    if dataset.period is not None:
        periods = frozenset(delivery.periods)
        replace = Replace(column=dataset.period.column, unit=dataset.period.unit, periods=periods)
    publication = Publication(
        now=now,
        by=by,
        synthetic=False,
        source=dataset.source.ko,
        recipe=inspection.recipe,
        files=delivery.sources,
        exceptions=tuple(exceptions),
        key=key_of_version(dataset),
    )
    progress(f"{dataset.name}: 공개하는 중 / publishing")
    batches = _counted(delivery, dataset.name, Meter(meter))
    snapshot = warehouse.publish(dataset, MAIN, batches, publication, replace)
    progress(f"{dataset.name}: {snapshot.rows:,}행 공개 / published")
    delivery.remove()
    _variants(warehouse, dataset, now, by, progress)
    return Published(
        dataset=dataset.name,
        snapshot_id=snapshot.snapshot_id,
        rows=delivery.count,
        total_rows=snapshot.rows,
        files=delivery.sources,
        periods=delivery.periods,
        replaced_synthetic=any(b.synthetic for b in before),
    )


def _counted(delivery: Delivery, name: str, meter: Meter) -> Iterator[pa.RecordBatch]:
    done, total = 0, delivery.count
    for batch in delivery.batches():
        yield batch
        done += batch.num_rows
        meter.tell(name, Phase.PUBLISH, done, total, done)


def _said(one: Taken, progress: Callable[[str], None]) -> None:
    name, rows = one.rows.file, one.rows
    if one.resumed:
        progress(
            f"{name}: 앞서 읽은 {one.resumed:,}블록에서 이어 읽음 / resumed after {one.resumed:,} blocks"
        )
    progress(f"{name}: {rows.count:,}행, 레이아웃 {rows.layout.name} / {rows.count:,} rows")
    if rows.aside:
        progress(f"{name}: 합계 {rows.aside:,}행은 맞춰 보고 제외 / {rows.aside:,} totals agreed, set aside")


def _or_refused(step: Callable[[], T], refused: list[IngestError], problems: list[IngestError]) -> T | None:
    try:
        return step()
    except IngestError as error:
        refused.append(error)
        problems.append(error)
        return None


def _variants(
    warehouse: Warehouse, dataset: Dataset, now: datetime, by: str, progress: Callable[[str], None]
) -> None:
    """Make the declared variants anew; the main version stands even where one of them has to wait."""
    try:
        for made in refresh_variants(warehouse, dataset, now, by):
            progress(f"{dataset.name}/{made.variant}: {made.rows:,}행 공개 / published")
    except WarehouseError as error:
        progress(f"변형판은 다음 시작 때 만듭니다: {error.ko} / variants will be made at the next start")


def _wanted(files: Sequence[Path]) -> tuple[Path, ...]:
    """The files to read: a shapefile's other parts come with its `.shp`."""
    shapes = {p.with_suffix("") for p in files if p.suffix.lower() == ".shp"}
    wanted = []
    for path in files:
        if path.suffix.lower() in PARTS[1:]:
            if path.with_suffix("") not in shapes:
                raise IngestError(
                    "missing-part",
                    file=path.name,
                    line=None,
                    ko="함께 있는 .shp 파일을 주세요",
                    en="give the .shp beside it",
                )
            continue
        wanted.append(path)
    if not wanted:
        raise IngestError(
            "no-file", file="-", line=None, ko="파일을 하나 이상 주세요", en="give at least one file"
        )
    return tuple(wanted)


def _no_overlap(periods: Iterable[str], name: str, owners: dict[str, str]) -> None:
    for period in periods:
        if period in owners:
            raise IngestError(
                "overlapping-files",
                file=name,
                line=None,
                ko=f"'{owners[period]}'에도 같은 기간 {period}이(가) 있습니다. 한 파일만 주세요",
                en=f"'{owners[period]}' holds the same period {period}; give only one of them",
            )
        owners[period] = name
