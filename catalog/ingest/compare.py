"""A delivery against the last published version: periods, rows, main measure, columns, drift, code tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.descriptions import ColumnType, Dataset, Role, Text
from catalog.ingest.checks import Check, Kind
from catalog.ingest.evaluate import CodeTable
from catalog.ingest.findings import Difference
from catalog.ingest.rows import Rows
from catalog.warehouse import MAIN, Snapshot, Warehouse
from catalog.warehouse.schema import period_of

NUMBERS = frozenset({ColumnType.INT, ColumnType.LONG, ColumnType.DOUBLE})
WHOLE = ""  # the one period of a dataset that has none


@dataclass(frozen=True, slots=True)
class Amount:
    """Rows [rows] and sum of the main measure, of one period or of several."""

    rows: int
    total: float

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.rows + other.rows, self.total + other.total)


Amounts = Mapping[str, Amount]
NOTHING = Amount(0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A delivery and the version before it, period by period; `before` is empty for the first."""

    base: Snapshot | None
    measure: str
    before: Amounts
    given: Amounts

    def difference(self, dataset: Dataset) -> Difference:
        """What publishing would change."""
        again = set(self.before) & set(self.given)
        stays = (
            {} if self._replaces_all(dataset) else {p: a for p, a in self.before.items() if p not in again}
        )
        columns = [c.name for c in dataset.columns]
        had = [f.name for f in self.base.fields] if self.base is not None else columns
        named = dataset.period is not None
        return Difference(
            base=self.base.snapshot_id if self.base is not None else None,
            synthetic=self.base.synthetic if self.base is not None else False,
            rows_before=_sum(self.before).rows,
            rows_given=_sum(self.given).rows,
            rows_after=_sum(self.given).rows + _sum(stays).rows,
            added=tuple(sorted(set(self.given) - again)) if named else (),
            replaced=tuple(sorted(again)) if named else (),
            kept=len(stays) if named else 0,
            columns_added=tuple(c for c in columns if c not in had),
            columns_removed=tuple(c for c in had if c not in columns),
            measure=self.measure,
            total_before=_sum(self._like(self.before, again)).total,
            total_given=_sum(self._like(self.given, again)).total,
        )

    def drift(self, check: Check) -> Text | None:
        """Which amount a period is beyond the factor; None where none is or nothing real is published."""
        if self.base is None or self.base.synthetic:
            return None
        again = set(self.before) & set(self.given)
        before, given = self._like(self.before, again), self._like(self.given, again)
        whole_before, whole_given = _sum(before), _sum(given)
        pairs = [("행 수", "rows", float(whole_before.rows), float(whole_given.rows))]
        if check.total:
            pairs.append((check.total, check.total, whole_before.total, whole_given.total))
        for ko, en, old, new in pairs:
            was, now = old / max(1, len(before)), new / max(1, len(given))
            if not (was == now == 0) and not was / check.most <= now <= was * check.most:
                return Text(
                    ko=f"기간당 {ko}: 지난 판 {was:,.0f}, 이번 {now:,.0f}. {check.most:g}배가 넘습니다",
                    en=f"{en} a period: {was:,.0f} before, {now:,.0f} now; beyond the factor {check.most:g}",
                )
        return None

    def _replaces_all(self, dataset: Dataset) -> bool:
        return dataset.period is None or self.base is None or self.base.synthetic

    @staticmethod
    def _like(amounts: Amounts, again: set[str]) -> Amounts:
        """The same periods where some are given again, else all."""
        return {p: a for p, a in amounts.items() if p in again} if again else amounts


def main_measure(dataset: Dataset, checks: tuple[Check, ...]) -> str:
    """The column whose sums are compared; empty where there is none."""
    roles = (Role.MEASURE, Role.COUNT, Role.WEIGHT)
    first = next((c.name for r in roles for c in dataset.columns if c.role is r and c.type in NUMBERS), "")
    return next((c.total for c in checks if c.kind is Kind.DRIFT and c.total), "") or first


def amounts(rows: Rows, measure: str) -> dict[str, Amount]:
    """Rows and sum of the measure of each period that a file gives."""
    dataset = rows.dataset
    wanted = [n for n in (dataset.period.column if dataset.period else "", measure) if n]
    found: dict[str, Amount] = {}
    for batch in rows.batches(wanted):
        _count(found, dataset, measure, pa.Table.from_batches([batch]))
    return found


def compare(dataset: Dataset, measure: str, given: Sequence[Amounts], warehouse: Warehouse) -> Comparison:
    """Read what is needed of the last version: two columns of it, row group by row group."""
    versions = warehouse.versions(dataset.name, MAIN)[:1]
    base = versions[0] if versions else None
    together: dict[str, Amount] = {}
    for one in given:
        for period, amount in one.items():
            together[period] = together.get(period, NOTHING) + amount
    return Comparison(
        base=base,
        measure=measure,
        before=_amounts(dataset, measure, base, warehouse) if base is not None else {},
        given=together,
    )


def code_table(warehouse: Warehouse) -> CodeTable:
    """Codes of the newest real version of a dataset; a synthetic sample judges no real row."""
    known: dict[tuple[str, str], frozenset[str] | None] = {}

    def codes(dataset: str, column: str) -> frozenset[str] | None:
        key = (dataset, column)
        if key not in known:
            versions = warehouse.versions(dataset)[:1]
            known[key] = (
                None if not versions or versions[0].synthetic else _column(warehouse, versions[0], column)
            )
        return known[key]

    return codes


def _amounts(dataset: Dataset, measure: str, base: Snapshot, warehouse: Warehouse) -> Amounts:
    wanted = [n for n in (dataset.period.column if dataset.period else "", measure) if n]
    found: dict[str, Amount] = {}
    if not wanted:
        return {WHOLE: Amount(base.rows, 0.0)}
    for batch in _batches(warehouse, base, wanted):
        _count(found, dataset, measure, batch)
    return found


def _batches(warehouse: Warehouse, snapshot: Snapshot, wanted: list[str]) -> Any:
    ids = {f.name: f.field_id for f in snapshot.fields}
    for file in snapshot.files:
        with pq.ParquetFile(warehouse.path(file.path)) as parquet:
            footer: Any = parquet.schema_arrow
            names = {int(f.metadata[b"PARQUET:field_id"]): f.name for f in footer}
            there = {name: names[ids[name]] for name in wanted if ids.get(name) in names}
            for batch in parquet.iter_batches(columns=list(there.values())):
                yield pa.table({name: batch[was] for name, was in there.items()})


def _column(warehouse: Warehouse, snapshot: Snapshot, column: str) -> frozenset[str] | None:
    values: set[str] = set()
    for batch in _batches(warehouse, snapshot, [column]):
        if column not in batch.column_names:
            return None
        values.update(v for v in pc.unique(batch[column]).to_pylist() if v is not None)
    return frozenset(values)


def _count(into: dict[str, Amount], dataset: Dataset, measure: str, rows: pa.Table) -> None:
    total: Any = (
        pc.cast(rows[measure], pa.float64())
        if measure in rows.column_names
        else pa.chunked_array([pa.array([0.0] * rows.num_rows, pa.float64())])
    )
    if dataset.period is None or dataset.period.column not in rows.column_names:
        into[WHOLE] = into.get(WHOLE, NOTHING) + Amount(rows.num_rows, pc.sum(total).as_py() or 0.0)
        return
    columns: Any = {"period": rows[dataset.period.column], "total": total}
    grouped = pa.table(columns).group_by("period").aggregate([([], "count_all"), ("total", "sum")])
    periods = period_of(grouped["period"], dataset.period.unit)  # of the few values, not of every row
    for row in grouped.set_column(0, "period", periods).to_pylist():
        amount = Amount(row["count_all"], row["total_sum"] or 0.0)
        into[row["period"]] = into.get(row["period"], NOTHING) + amount


def _sum(amounts: Amounts) -> Amount:
    out = NOTHING
    for amount in amounts.values():
        out += amount
    return out
