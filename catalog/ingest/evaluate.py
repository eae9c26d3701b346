"""Evaluates declared checks over the rows of one file: row by row here, groups in the engine.

Reads the file once for all row-wise checks, whatever its size. Knows no layout and no earlier version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.ingest.checks import Check, Kind
from catalog.ingest.findings import LISTED, BadRow, Failure
from catalog.ingest.groups import evaluate_groups
from catalog.ingest.model import IngestError
from catalog.ingest.rows import Rows
from catalog.ingest.spool import LINE

LONGEST_VALUE = 80  # characters shown of a value
CodeTable = Callable[[str, str], frozenset[str] | None]
"""(dataset, column) → its codes; None where that table has no real version."""
ROWWISE = frozenset({Kind.SUM, Kind.AT_MOST, Kind.CLOSE, Kind.RANGE, Kind.PREFIX, Kind.ONE_OF, Kind.CODES})
Words = Callable[[int], tuple[str, str]]
Rule = Callable[[pa.RecordBatch], tuple[Any, Words, Words]]
"""Rows → which are good; row → what is wrong in Korean and English; row → column and value to show."""


def run_checks(checks: Sequence[Check], rows: Rows) -> None:
    """Refuse the file at the first failing row of the first failing check.

    Raises
    ------
    IngestError
        `check-failed`, naming the columns and both values; or `incomplete` for missing rows.
    """
    for failure in evaluate(checks, rows).values():
        raise failure.error


def evaluate(
    checks: Sequence[Check],
    rows: Rows,
    codes: CodeTable = lambda table, column: None,
    seen: Callable[[int], None] = lambda rows: None,
) -> dict[str, Failure]:
    """How this file fails each check that it fails, by the check's name and in the order of the checks.

    Parameters
    ----------
    seen
        Told how many rows were looked at [rows].
    """
    judges = {c.name: _judge(c, rows.file, codes) for c in checks if c.kind in ROWWISE}
    columns = list(dict.fromkeys(name for judge in judges.values() for name in judge.columns))
    done = 0
    for batch in rows.batches(columns) if columns else ():
        for judge in judges.values():
            judge.see(batch)
        done += batch.num_rows
        seen(done)
    out: dict[str, Failure] = {}
    for check in checks:
        failure = judges[check.name].failure() if check.name in judges else evaluate_groups(check, rows)
        if failure is not None:
            out[check.name] = failure
    return out


def shown(value: object) -> str:
    """A value as a report shows it."""
    if isinstance(value, bytes):
        return f"WKB {len(value):,} bytes"
    return "" if value is None else str(value)[:LONGEST_VALUE]


@dataclass(slots=True)
class _Found:
    """What one rule found so far."""

    error: IngestError | None = None
    failing: int = 0
    rows: list[BadRow] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Judge:
    """One check on its way through a file; `columns` are what it reads, `rules` what it looks at in turn."""

    check: Check
    file: str
    columns: tuple[str, ...]
    rules: tuple[Rule, ...]
    found: list[_Found] = field(default_factory=list)

    def see(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows."""
        self.found = self.found or [_Found() for _ in self.rules]
        for rule, found in zip(self.rules, self.found, strict=True):
            good, words, cell = rule(batch)
            for at in (bad := _false(good))[: LISTED - len(found.rows)]:
                line = batch[LINE][at].as_py()
                column, value = cell(at)
                row = BadRow(file=self.file, line=line, column=column, value=value, rule=self.check.name)
                found.rows.append(row)
            if bad and found.error is None:
                line = batch[LINE][bad[0]].as_py()
                ko, en = words(bad[0])
                found.error = IngestError("check-failed", file=self.file, line=line, ko=ko, en=en)
            found.failing += len(bad)

    def failure(self) -> Failure | None:
        """What fails in several columns is one failure."""
        failed = [f for f in self.found if f.error is not None]
        if not failed:
            return None
        assert failed[0].error is not None
        rows = tuple(row for f in failed for row in f.rows)
        return Failure(error=failed[0].error, failing=sum(f.failing for f in failed), rows=rows)


def _judge(check: Check, file: str, codes: CodeTable) -> _Judge:
    match check.kind:
        case Kind.RANGE:
            ko, en = f"{check.least:g}..{check.most:g} 밖", f"is outside {check.least:g}..{check.most:g}"
            return _each(check, file, _within(check), ko, en)
        case Kind.PREFIX:
            ko, en = f"{check.prefix}(으)로 시작하지 않음", f"does not begin {check.prefix}"
            return _each(check, file, lambda values: pc.starts_with(values, check.prefix), ko, en)
        case Kind.ONE_OF:
            return _each(check, file, _in(check.values), "정해진 값이 아님", "is not in its list")
        case Kind.CODES:
            known = codes(check.table, check.others[0])
            if known is None:
                return _Judge(check=check, file=file, columns=(), rules=())
            return _each(check, file, _in(known), f"코드표 {check.table}에 없음", f"is not in {check.table}")
        case _:
            columns = (*check.columns, *check.others, *((check.total,) if check.total else ()))
            return _Judge(
                check=check, file=file, columns=columns, rules=(lambda batch: _compared(check, batch),)
            )


def _each(check: Check, file: str, good: Callable[[Any], Any], ko: str, en: str) -> _Judge:
    """Every named column by itself."""

    def rule(name: str) -> Rule:
        def look(batch: pa.RecordBatch) -> tuple[Any, Words, Words]:
            values: Any = batch[name]

            def words(at: int) -> tuple[str, str]:
                first = shown(values[at].as_py())
                return f"'{name}'이(가) {ko}: {first}", f"'{name}' {en}: {first}"

            return good(values), words, lambda at: (name, shown(values[at].as_py()))

        return look

    return _Judge(check=check, file=file, columns=check.columns, rules=tuple(map(rule, check.columns)))


def _within(check: Check) -> Callable[[Any], Any]:
    least, most = pa.scalar(check.least), pa.scalar(check.most)
    return lambda values: pc.and_(pc.greater_equal(values, least), pc.less_equal(values, most))


def _in(known: Iterable[str]) -> Callable[[Any], Any]:
    """A missing value breaks no list."""
    table = pa.array(sorted(known), pa.string())
    return lambda values: pc.or_(pc.is_in(values, value_set=table), pc.is_null(values))


def _compared(check: Check, batch: pa.RecordBatch) -> tuple[Any, Words, Words]:
    parts = _added(batch, check.columns, check.weights)
    total = pc.cast(batch[check.total], pa.float64())
    if check.kind is Kind.AT_MOST:
        good = pc.less_equal(parts, pc.add(total, check.tolerance))
        other, sign = total, "≤"
    else:
        other = _added(batch, check.others) if check.kind is Kind.CLOSE else total
        allowed = pc.add(pc.multiply(total, check.share), check.tolerance)
        good = pc.less_equal(pc.abs(pc.subtract(parts, other)), allowed)
        sign = "="
    left = "+".join(check.columns[:3]) + ("+…" if len(check.columns) > 3 else "")
    right = "+".join(check.others[:3]) if check.kind is Kind.CLOSE else check.total

    def words(at: int) -> tuple[str, str]:
        a, b = parts[at].as_py(), other[at].as_py()
        return (
            f"{left} {sign} {right}이어야 하는데 {a:,.0f}와 {b:,.0f}입니다. 값이 바뀌거나 잘렸습니다",
            f"{left} {sign} {right} must hold, found {a:,.0f} and {b:,.0f}; values were changed or cut",
        )

    def cell(at: int) -> tuple[str, str]:
        return f"{left} {sign} {right}", f"{parts[at].as_py():,.6g} | {other[at].as_py():,.6g}"

    return good, words, cell


def _added(batch: pa.RecordBatch, names: tuple[str, ...], weights: tuple[float, ...] = ()) -> Any:
    total: Any = pa.scalar(0.0)
    for number, name in enumerate(names):
        weight = weights[number] if weights else 1.0
        total = pc.add(total, pc.multiply(pc.cast(batch[name], pa.float64()), weight))
    return total


def _false(good: Any) -> list[int]:
    """Rows that are false; a comparison with a missing value does not count."""
    bad = pc.invert(pc.fill_null(good, True))
    if not pc.any(bad).as_py():
        return []
    found: list[int] = pc.indices_nonzero(bad).to_pylist()
    return found
