"""The use case in two steps: inspect several files, publish one version or nothing. Knows no people's rights.

Page and command line take the same steps. `inspect` reads, checks and compares, and changes nothing.
`publish` refuses while a check fails, unless an exception names exactly that check and says why.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from catalog.descriptions import Dataset
from catalog.ingest.checks import load_checks
from catalog.ingest.compare import code_table, compare
from catalog.ingest.delimited import parse_csv
from catalog.ingest.delivery import (
    Delivery,
    changed_since,
    drifted,
    file_seen,
    first_rows,
    outcome,
    refusal,
    require_publishable,
)
from catalog.ingest.derive import complete
from catalog.ingest.evaluate import Failure, evaluate
from catalog.ingest.evidence import read_bytes
from catalog.ingest.findings import FileSeen, Inspection, Status
from catalog.ingest.layouts import unknown_layout
from catalog.ingest.model import Format, IngestError, Parsed, Recipe
from catalog.ingest.portal_json import parse_portal
from catalog.ingest.recipe import load_recipe
from catalog.ingest.vector import PARTS, parse_geojson, parse_shapefile, shapefile_parts
from catalog.ingest.weekly_json import parse_weekly
from catalog.ingest.workbook import parse_xlsx
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
from catalog.warehouse.schema import period_of

T = TypeVar("T")
DATASETS = Path(__file__).resolve().parents[2] / "datasets"


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
    datasets: Path = DATASETS,
) -> Delivery:
    """Read the files, run every check, compare with the last version; changes nothing.

    A file that cannot be read is a refusal in what was found, as is a failing check: neither stops the look
    at the other files.

    Raises
    ------
    DescriptionError
        The recipe or the checks of the dataset cannot be used.
    """
    recipe = load_recipe(datasets / dataset.name / "recipe.yml", dataset)
    checks = load_checks(datasets / dataset.name / "checks.yml", dataset)
    codes = code_table(warehouse)
    tables: list[pa.Table] = []
    sources: list[SourceFile] = []
    seen: list[FileSeen] = []
    refused: list[IngestError] = []
    problems: list[IngestError] = []
    failures: dict[str, list[Failure]] = {}
    owners: dict[str, str] = {}
    for path in _or_refused(lambda: _wanted(files), refused, problems) or ():
        progress(f"{path.name}: 읽는 중 / reading")
        read = _or_refused(lambda path=path: _read(path, dataset, recipe), refused, problems)  # type: ignore[misc]
        if read is None:
            continue
        for check in checks:
            failure = evaluate(check, read.rows, read.parsed, codes)
            if failure is not None:
                failures.setdefault(check.name, []).append(failure)
                problems.append(failure.error)
        periods = _periods(dataset, read.rows) or ("",)
        _or_refused(lambda: _no_overlap(periods, path.name, owners), refused, problems)  # noqa: B023 called now
        sources.extend(read.sources)
        seen.append(file_seen(read.sources[0], read.parsed, read.content))
        tables.append(read.rows)
        found = read.parsed
        progress(f"{path.name}: {found.rows:,}행, 레이아웃 {found.layout.name} / {found.rows:,} rows")
        if found.aside:
            progress(
                f"{path.name}: 합계 {found.aside:,}행은 맞춰 보고 제외"
                f" / {found.aside:,} totals agreed, set aside"
            )
    whole = pa.concat_tables(tables) if tables else None
    comparison = compare(dataset, checks, whole, warehouse) if whole is not None else None
    outcomes = tuple(outcome(c, failures.get(c.name, []), comparison, codes) for c in checks)
    problems += [drifted(o) for o in outcomes if o.status is Status.FAILED and o.name not in failures]
    return Delivery(
        inspection=Inspection(
            dataset=dataset.name,
            recipe=recipe.version,
            files=tuple(seen),
            columns=tuple(c.name for c in dataset.columns),
            preview=first_rows(whole),
            outcomes=outcomes,
            refusals=tuple(refusal(e) for e in refused),
            difference=comparison.difference(dataset) if comparison is not None and not refused else None,
        ),
        rows=whole,
        sources=tuple(sources),
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
) -> Published:
    """Publish what was inspected as one version: all of it or nothing.

    Raises
    ------
    IngestError
        A file was refused; a check fails without an exception that names it; an exception names a check
        that does not fail; or another version was published since the inspection.
    WarehouseError
        Another publication of this dataset is running.
    """
    require_publishable(delivery, exceptions)
    inspection, whole = delivery.inspection, delivery.rows
    assert whole is not None and inspection.difference is not None
    before = warehouse.versions(dataset.name)[:1]
    if (before[0].snapshot_id if before else None) != inspection.difference.base:
        raise changed_since(dataset.name)
    periods = _periods(dataset, whole)
    replace = None
    if dataset.period is not None:
        replace = Replace(column=dataset.period.column, unit=dataset.period.unit, periods=frozenset(periods))
    publication = Publication(
        now=now,
        by=by,
        synthetic=False,
        source=dataset.source.ko,
        recipe=inspection.recipe,
        files=delivery.sources,
        exceptions=tuple(exceptions),
    )
    progress(f"{dataset.name}: 공개하는 중 / publishing")
    snapshot = warehouse.publish(dataset, MAIN, whole, publication, replace)
    progress(f"{dataset.name}: {snapshot.rows:,}행 공개 / published")
    _variants(warehouse, dataset, now, by, progress)
    return Published(
        dataset=dataset.name,
        snapshot_id=snapshot.snapshot_id,
        rows=whole.num_rows,
        total_rows=snapshot.rows,
        files=delivery.sources,
        periods=periods,
        replaced_synthetic=any(b.synthetic for b in before),
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """One file as it was read."""

    parsed: Parsed
    rows: pa.Table
    sources: list[SourceFile]
    content: bytes


def _read(path: Path, dataset: Dataset, recipe: Recipe) -> _Read:
    content = read_bytes(path)
    parsed = _parse(path, content, dataset, recipe)
    return _Read(parsed, complete(parsed, recipe, dataset), _sources(path, content, parsed), content)


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


def _parse(path: Path, content: bytes, dataset: Dataset, recipe: Recipe) -> Parsed:
    takes = {x.format for x in recipe.layouts}
    kind = _kind(path, content, takes)
    geometry = dataset.geometry.column if dataset.geometry is not None else ""
    if kind not in takes and kind is not Format.CSV:
        raise unknown_layout((), path.name, recipe, kind)
    match kind:
        case Format.CSV:
            return parse_csv(content, path.name, recipe, geometry)
        case Format.WEEKLY_JSON:
            return parse_weekly(content, path.name, recipe)
        case Format.PORTAL_JSON:
            return parse_portal(content, path.name, recipe, geometry)
        case Format.GEOJSON:
            return parse_geojson(content, path.name, recipe, geometry)
        case Format.SHAPEFILE:
            return parse_shapefile(path, recipe, geometry)
        case Format.XLSX:
            return parse_xlsx(content, path.name, recipe, geometry)


def _kind(path: Path, content: bytes, takes: set[Format]) -> Format:
    """The format by content; the name decides only for shapefiles, which are several files."""
    if path.suffix.lower() == ".shp":
        return Format.SHAPEFILE
    if content.startswith(b"PK\x03\x04") and Format.XLSX in takes:
        return Format.XLSX
    start = content.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if start in {b"{", b"["}:
        return next((f for f in (Format.WEEKLY_JSON, Format.PORTAL_JSON) if f in takes), Format.GEOJSON)
    return Format.CSV


def _periods(dataset: Dataset, rows: pa.Table) -> tuple[str, ...]:
    if dataset.period is None:
        return ()
    values = pc.unique(period_of(rows[dataset.period.column], dataset.period.unit))
    return tuple(sorted(values.to_pylist()))


def _no_overlap(periods: Sequence[str], name: str, owners: dict[str, str]) -> None:
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


def _sources(path: Path, content: bytes, parsed: Parsed) -> list[SourceFile]:
    contents = {path.name: content}
    if parsed.layout.format is Format.SHAPEFILE:
        contents |= {p.name: read_bytes(p) for s, p in shapefile_parts(path).items() if s != ".shp"}
    return [
        SourceFile(
            name=name,
            sha256=hashlib.sha256(body).hexdigest(),
            size=len(body),
            rows=parsed.rows if name == path.name else 0,
            layout=parsed.layout.name,
        )
        for name, body in contents.items()
    ]
