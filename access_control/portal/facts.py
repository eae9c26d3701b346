"""What a dataset's page shows of its newest version: counts, first rows, one figure. Knows no other row.

Rows are read by a short-lived process (`collect`): it loads DuckDB and Shapely, answers and ends, so the
portal itself stays small. What it said is kept until the version changes.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from catalog.descriptions import Dataset, Tier
from catalog.descriptions.variants import MAIN, TWIN
from catalog.search import Index
from catalog.warehouse import Snapshot, Warehouse, WarehouseError

log = logging.getLogger(__name__)

LONGEST_COLLECT = 60  # [s]
OUTLINES = ("dong_boundary", "gu_boundary")  # datasets whose shapes maps of other datasets are drawn with
REPO = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A small chart or map: kind is line, bars, histogram or map.

    Parameters
    ----------
    column, measure
        Names of the columns shown; `measure` is empty where rows are counted.
    how
        mean, sum or count; of a histogram count, or log where its bins grow tenfold.
    points
        (label, value) of a chart; of a map with shades, the largest areas.
    paths
        SVG paths of a map, in its own view box of `width` × `height`; `dots` where they are places.
    shades, breaks
        Class of every path (-1: no rows) and the edges of the classes; empty where nothing is measured.
    period
        The one period that is shown; empty where all are.
    made_up
        Whether the outlines of the areas are synthetic, whatever the values are.
    """

    kind: str
    column: str
    measure: str
    how: str
    points: tuple[tuple[str, float], ...] = ()
    paths: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    dots: bool = False
    shades: tuple[int, ...] = ()
    breaks: tuple[float, ...] = ()
    period: str = ""
    made_up: bool = False

    def shaded(self, shade: int) -> tuple[str, ...]:
        """The paths of one class."""
        return tuple(path for path, of in zip(self.paths, self.shades, strict=True) if of == shade)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """One margin of a twin: its total variation distance from what is declared, and what chance allows.

    Parameters
    ----------
    labels
        How many categories it has.
    shares
        (category, declared, found), the ones that differ most.
    """

    columns: tuple[str, ...]
    labels: int
    distance: float
    tolerance: float
    source: str
    shares: tuple[tuple[str, float, float], ...]

    @property
    def within(self) -> bool:
        """Whether the distance is no larger than chance allows."""
        return self.distance <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """First rows as text, the figures that the data make, and what is covered.

    Parameters
    ----------
    map, histogram
        The measure by area, and how many rows have which value of it.
    periods, areas
        (name, rows) in order; empty where the dataset has none.
    versions
        Snapshot id → period → rows, of the newest versions.
    margins
        Of a twin, how close it comes to its declaration.
    """

    rows: tuple[Mapping[str, str], ...]
    figure: Figure | None
    map: Figure | None = None
    histogram: Figure | None = None
    periods: tuple[tuple[str, int], ...] = ()
    areas: tuple[tuple[str, int], ...] = ()
    versions: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    margins: tuple[Margin, ...] = ()


EMPTY = Sample(rows=(), figure=None)


class FactsShelf:
    """Facts by dataset, read again when a new version is published; `index` finds datasets by words."""

    def __init__(
        self,
        warehouse: Warehouse,
        datasets: Mapping[str, Dataset],
        collect: Callable[[Snapshot, Dataset, Warehouse], Sample] | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._datasets = datasets
        self.index = Index(datasets)
        self._collect = collect or collect_aside
        self._samples: dict[str, tuple[tuple[int, ...], Sample]] = {}
        self._locks = {name: Lock() for name in datasets}

    def snapshot(self, name: str, variant: str = MAIN) -> Snapshot | None:
        """The newest version; None when nothing is published yet."""
        try:
            return self._warehouse.snapshot(name, variant)
        except WarehouseError:
            return None

    def variants(self, name: str) -> dict[str, Snapshot | None]:
        """The newest version of each published variant that is still declared, the main one first."""
        dataset = self._datasets[name]
        declared = (*(v.name for v in dataset.variants), TWIN)
        found = {variant: self.snapshot(name, variant) for variant in declared}
        return {MAIN: self.snapshot(name)} | {v: s for v, s in found.items() if s is not None}

    def synthetic(self) -> frozenset[str]:
        """Names of the datasets whose newest version is made up (합성 데이터)."""
        found = {name: self.snapshot(name) for name in self._datasets}
        return frozenset(name for name, snapshot in found.items() if snapshot and snapshot.synthetic)

    def shown(self, name: str) -> Snapshot | None:
        """The version whose rows anybody may see: the newest of open data, else the synthetic twin's."""
        variant = MAIN if self._datasets[name].tier is Tier.OPEN else TWIN
        try:
            return self._warehouse.snapshot(name, variant)
        except WarehouseError:
            return None

    def versions(self, name: str) -> tuple[Snapshot, ...]:
        """Every version, newest first."""
        try:
            return self._warehouse.versions(name)
        except WarehouseError:
            return ()

    def sample(self, snapshot: Snapshot) -> Sample:
        """First rows and figure of a version; empty when they cannot be read."""
        outlines = [self.snapshot(name) for name in OUTLINES if name in self._datasets]
        read = (snapshot.snapshot_id, *(outline.snapshot_id for outline in outlines if outline))
        with self._locks[snapshot.dataset]:
            kept = self._samples.get(snapshot.dataset)
            if kept is not None and kept[0] == read:
                return kept[1]
            sample = self._collect(snapshot, self._datasets[snapshot.dataset], self._warehouse)
            self._samples[snapshot.dataset] = (read, sample)
            return sample


def collect_aside(snapshot: Snapshot, dataset: Dataset, warehouse: Warehouse) -> Sample:
    """Ask a process of its own."""
    asked = {
        "root": str(warehouse.root),
        "catalog": str(warehouse.catalog),
        "datasets": str(REPO / "datasets"),
        "name": dataset.name,
        "variant": snapshot.variant,
        "version": snapshot.snapshot_id,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "access_control.portal.collect"],
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=LONGEST_COLLECT,
            check=True,
            cwd=REPO,
        )
        return read_sample(json.loads(done.stdout))
    except (subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
        log.warning("no sample of a dataset: %s", type(error).__name__)
        return EMPTY


def read_sample(said: Mapping[str, Any]) -> Sample:
    """The sample a collecting process printed."""
    return Sample(
        rows=tuple(said["rows"]),
        figure=read_figure(said.get("figure")),
        map=read_figure(said.get("map")),
        histogram=read_figure(said.get("histogram")),
        periods=tuple((str(name), int(rows)) for name, rows in said["periods"]),
        areas=tuple((str(name), int(rows)) for name, rows in said["areas"]),
        versions={int(version): dict(counted) for version, counted in said["versions"].items()},
        margins=tuple(
            Margin(
                columns=tuple(one["columns"]),
                labels=int(one["labels"]),
                distance=float(one["distance"]),
                tolerance=float(one["tolerance"]),
                source=str(one["source"]),
                shares=tuple((str(label), float(a), float(b)) for label, a, b in one["shares"]),
            )
            for one in said["margins"]
        ),
    )


def read_figure(drawn: Mapping[str, Any] | None) -> Figure | None:
    """A figure as a collecting process said it."""
    if drawn is None:
        return None
    points = tuple((str(label), float(value)) for label, value in drawn["points"])
    kept = ("kind", "column", "measure", "how", "width", "height", "dots", "period", "made_up")
    values: dict[str, Any] = {name: drawn[name] for name in kept}
    values |= {name: tuple(drawn[name]) for name in ("paths", "shades", "breaks")}
    return Figure(**values, points=points)
