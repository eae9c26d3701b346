"""How close a twin comes to what it declares: total variation distance by margin. Knows no page.

The distance of two sets of shares is half the sum of their absolute differences: 0 where they are equal,
1 where they have nothing in common. A margin is within its tolerance when its distance is not larger than
1.5 times what drawing so many rows leaves by chance, plus 0.003.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.descriptions import Dataset
from catalog.descriptions.variants import TWIN
from catalog.synth.declaration import DATASETS, has_twin, load_twin
from catalog.synth.model import Factor, Form, Kind, Twin
from catalog.warehouse import Warehouse, WarehouseError

ALLOWANCE, CHANCE = 0.003, 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """One declared margin, or the joint shares of two columns, beside what the rows show.

    Parameters
    ----------
    columns
        One column, or a column and the one it depends on.
    labels
        Codes, in the order of the shares; of a joint the codes of both.
    declared, found
        Shares, each adding up to 1.
    """

    columns: tuple[str, ...]
    labels: tuple[str, ...]
    declared: tuple[float, ...]
    found: tuple[float, ...]
    distance: float
    tolerance: float
    source: str

    @property
    def within(self) -> bool:
        """Whether the distance is no larger than chance allows."""
        return self.distance <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All margins of one twin; `weight` is the measure they are declared in, empty for rows."""

    dataset: str
    rows: int
    weight: str
    margins: tuple[Margin, ...]

    @property
    def within(self) -> bool:
        """Whether every margin is."""
        return all(m.within for m in self.margins)


def compare(twin: Twin, batches: Iterable[pa.RecordBatch]) -> Report:
    """Declared margins beside those of the rows, in one pass and bounded memory."""
    views = [
        _View(columns=(f.column,), parts=(_part(twin, f.column),), source=f.source) for f in twin.factors
    ]
    views += [
        _View(
            columns=(f.given, f.column),
            parts=(_part(twin, f.given), _part(twin, f.column)),
            source=f.source,
        )
        for f in twin.factors
        if f.given and not f.latent and not twin.factor(f.given).latent
    ]
    days: dict[Any, list[float]] = {}
    rows, total, squares = 0, 0.0, 0.0
    for batch in batches:
        weight = _weights(twin, batch)
        rows += batch.num_rows
        total += float(weight.sum())
        squares += float(np.square(weight).sum())
        for view in views:
            view.add(batch, weight)
        _add_days(days, batch.column(twin.calendar.column), weight)
    effective = total * total / squares if squares else 0.0
    cells = int(np.prod([float(len(f.codes)) for f in twin.factors]))
    noise = 1.0
    if twin.form is Form.GRID and rows:  # whole periods vary by their noise alone, a part of one by chance
        noise = max((m.spread for m in twin.measures), default=0.0) + float(np.sqrt(rows % cells / rows))
    margins = [v.margin(twin, effective, noise) for v in views]
    margins.append(_calendar(twin, days, effective, noise))
    return Report(dataset=twin.dataset, rows=rows, weight=twin.weight, margins=tuple(margins))


def published_report(warehouse: Warehouse, dataset: Dataset, datasets: Path = DATASETS) -> Report | None:
    """The report of the published twin; None where a dataset has none."""
    if not has_twin(dataset.name, datasets):
        return None
    try:
        snapshot = warehouse.snapshot(dataset.name, TWIN)
    except WarehouseError:
        return None
    twin = load_twin(dataset, datasets)

    def batches() -> Iterable[pa.RecordBatch]:
        for file in snapshot.files:
            with pq.ParquetFile(warehouse.path(file.path)) as parquet:
                yield from parquet.iter_batches()

    return compare(twin, batches())


@dataclass(frozen=True, slots=True)
class _Part:
    """How one factor shows in the rows: its labels, and which label each of its codes has."""

    labels: tuple[str, ...]
    of_code: Any
    read: Callable[[pa.RecordBatch], Any]

    def folded(self, shares: Any) -> Any:
        """Shares of codes as shares of labels."""
        return np.bincount(self.of_code, shares, len(self.labels))


def _part(twin: Twin, column: str) -> _Part:
    factor = twin.factor(column)
    same = np.arange(len(factor.codes))
    if not factor.latent:
        return _Part(factor.codes, same, lambda b: _index(b.column(column), factor.codes))
    made = [m for m in twin.measures if m.given == column]
    clock = next((m.column for m in made if m.kind is Kind.CLOCK), "")
    if clock:
        hours = pa.array([int(c) for c in factor.codes], pa.int64())
        return _Part(factor.codes, same, lambda b: _in(_hour(b.column(clock)), hours))
    looked = max((m for m in made if m.kind is Kind.LOOKUP), key=lambda m: len(set(m.by_code)))
    labels = tuple(dict.fromkeys(looked.by_code))
    at = np.array([labels.index(v) for v in looked.by_code])
    return _Part(labels, at, lambda b: _index(b.column(looked.column), labels))


def _hour(values: Any) -> Any:
    return pc.hour(values)


def _index(values: Any, codes: tuple[str, ...]) -> Any:
    wanted = pa.array(codes, pa.string())
    if pa.types.is_dictionary(values.type):
        return _in(values.dictionary, wanted)[values.indices.to_numpy()]
    return _in(values, wanted.cast(values.type))


def _in(values: Any, wanted: Any) -> Any:
    """Position among the codes; one past the last for a value that is none of them."""
    found: Any = pc.index_in(values, value_set=wanted)
    return found.fill_null(len(wanted)).to_numpy(zero_copy_only=False)


class _View:
    """Adds up one margin over batches."""

    def __init__(self, *, columns: tuple[str, ...], parts: tuple[_Part, ...], source: str) -> None:
        self._columns, self._parts, self._source = columns, parts, source
        self._shape = tuple(len(p.labels) + 1 for p in parts)
        self._sum = np.zeros(self._shape)

    def add(self, batch: pa.RecordBatch, weight: Any) -> None:
        at = np.ravel_multi_index(tuple(p.read(batch) for p in self._parts), self._shape)
        self._sum += np.bincount(at, weight, self._sum.size).reshape(self._shape)

    def margin(self, twin: Twin, effective: float, noise: float) -> Margin:
        declared = self._declared(twin)
        padded = np.zeros(self._shape)
        padded[tuple(slice(0, n) for n in declared.shape)] = declared
        names = [(*p.labels, "?") for p in self._parts]
        labels = names[0] if len(names) == 1 else tuple(f"{a} · {b}" for a in names[0] for b in names[1])
        return _margin(
            self._columns, labels, padded.ravel(), self._sum.ravel(), effective, noise, self._source
        )

    def _declared(self, twin: Twin) -> Any:
        margins = twin.margins()
        if len(self._columns) == 1:
            return self._parts[0].folded(margins[self._columns[0]])
        factor: Factor = twin.factor(self._columns[1])
        return margins[factor.given][:, None] * factor.shares


def _margin(
    columns: tuple[str, ...],
    labels: tuple[str, ...],
    declared: Any,
    found: Any,
    effective: float,
    noise: float,
    source: str,
) -> Margin:
    total = found.sum()
    found = found / total if total else found
    chance = float(np.sqrt(2 / np.pi) * np.sqrt(declared * (1 - declared) / max(effective, 1.0)).sum() / 2)
    used = (declared > 0) | (found > 0)
    return Margin(
        columns=columns,
        labels=tuple(label for label, keep in zip(labels, used, strict=True) if keep),
        declared=tuple(declared[used].tolist()),
        found=tuple(found[used].tolist()),
        distance=float(np.abs(declared - found).sum() / 2),
        tolerance=ALLOWANCE + CHANCE * noise * chance,
        source=source,
    )


def _weights(twin: Twin, batch: pa.RecordBatch) -> Any:
    """The measure the margins are declared in; a withheld value counts as half of the limit."""
    if not twin.weight:
        return np.ones(batch.num_rows)
    below = next(m.below for m in twin.measures if m.column == twin.weight)
    values: Any = batch.column(twin.weight).cast(pa.float64())
    return values.fill_null(below / 2).to_numpy()


def _add_days(days: dict[Any, list[float]], column: Any, weight: Any) -> None:
    encoded = pc.dictionary_encode(column)
    at = encoded.indices.to_numpy()
    sums, counts = np.bincount(at, weight), np.bincount(at)
    for i, day in enumerate(encoded.dictionary.to_pylist()):
        known = days.setdefault(day, [0.0, 0.0])
        known[0] += float(sums[i])
        known[1] += float(counts[i])


def _calendar(twin: Twin, days: dict[Any, list[float]], effective: float, noise: float) -> Margin:
    found = np.array([days[d][0] for d in sorted(days)])
    volumes = np.array([twin.calendar.volume(d) for d in sorted(days)])
    if twin.form is Form.GRID:
        volumes = volumes * np.array([days[d][1] for d in sorted(days)])
    labels = tuple(d.isoformat() for d in sorted(days))
    return _margin(
        (twin.calendar.column,),
        labels,
        volumes / max(volumes.sum(), 1e-300),
        found,
        effective,
        noise,
        twin.calendar.source,
    )
