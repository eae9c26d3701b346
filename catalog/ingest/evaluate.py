"""Evaluates declared checks over the rows of one file. Knows no layout and no earlier version."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.ingest.checks import Check, Kind
from catalog.ingest.findings import BadRow
from catalog.ingest.model import IngestError, Parsed

LISTED = 1000  # failing rows listed of one check and file
LONGEST_VALUE = 80  # characters shown of a value
CodeTable = Callable[[str, str], frozenset[str] | None]
"""(dataset, column) → its codes; None where that table has no real version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One check that one file fails: the first failure in words, how many there are, the first of them."""

    error: IngestError
    failing: int
    rows: tuple[BadRow, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """The rows of one file on their way through one check."""

    check: Check
    rows: pa.Table
    parsed: Parsed


def run_checks(checks: tuple[Check, ...], rows: pa.Table, parsed: Parsed) -> None:
    """Refuse the file at the first failing row of the first failing check.

    Raises
    ------
    IngestError
        `check-failed`, naming the columns and both values; or `incomplete` for missing rows.
    """
    for check in checks:
        failure = evaluate(check, rows, parsed)
        if failure is not None:
            raise failure.error


def evaluate(
    check: Check, rows: pa.Table, parsed: Parsed, codes: CodeTable = lambda table, column: None
) -> Failure | None:
    """How this file fails this check; None where it holds, or where the check is not about one file."""
    file = _File(check, rows, parsed)
    match check.kind:
        case Kind.SUM | Kind.AT_MOST | Kind.CLOSE:
            return _compare(file)
        case Kind.RANGE:
            return _each(file, _within(check), f"{check.least:g}..{check.most:g} 밖", _outside(check))
        case Kind.PREFIX:
            return _each(
                file,
                lambda values: pc.starts_with(values, check.prefix),
                f"{check.prefix}(으)로 시작하지 않음",
                f"does not begin {check.prefix}",
            )
        case Kind.ONE_OF:
            return _each(file, _in(check.values), "정해진 값이 아님", "is not in its list")
        case Kind.CODES:
            known = codes(check.table, check.others[0])
            if known is None:
                return None
            return _each(file, _in(known), f"코드표 {check.table}에 없음", f"is not in {check.table}")
        case Kind.EVEN:
            return _even(file)
        case Kind.GROUPS:
            return _groups(file)
        case Kind.COMPLETE:
            return _complete(file)
        case Kind.MONTHS:
            return _months(file)
        case Kind.ROWS:
            if check.least <= rows.num_rows <= check.most:
                return None
            return _incomplete(
                file,
                [(f"{rows.num_rows}",)],
                f"{rows.num_rows:,}행입니다. {check.least:g}~{check.most:g}행이어야 합니다",
                f"has {rows.num_rows:,} rows; {check.least:g} to {check.most:g} are expected",
            )
        case Kind.DRIFT:
            return None


def shown(value: object) -> str:
    """A value as a report shows it."""
    if isinstance(value, bytes):
        return f"WKB {len(value):,} bytes"
    return "" if value is None else str(value)[:LONGEST_VALUE]


def _within(check: Check) -> Callable[[Any], Any]:
    least, most = pa.scalar(check.least), pa.scalar(check.most)
    return lambda values: pc.and_(pc.greater_equal(values, least), pc.less_equal(values, most))


def _outside(check: Check) -> str:
    return f"is outside {check.least:g}..{check.most:g}"


def _each(file: _File, good: Callable[[Any], Any], ko: str, en: str) -> Failure | None:
    """Every named column by itself; what fails in several is one failure."""
    found: list[Failure] = []
    for name in file.check.columns:
        values: Any = file.rows[name]
        bad = _false(good(values))
        if bad:
            first = shown(values[bad[0]].as_py())
            error = _failed(file, bad[0], f"'{name}'이(가) {ko}: {first}", f"'{name}' {en}: {first}")
            rows = [_bad_row(file, i, name, shown(values[i].as_py())) for i in bad[:LISTED]]
            found.append(Failure(error=error, failing=len(bad), rows=tuple(rows)))
    if not found:
        return None
    listed = tuple(row for failure in found for row in failure.rows)
    return Failure(error=found[0].error, failing=sum(f.failing for f in found), rows=listed)


def _in(known: Iterable[str]) -> Callable[[Any], Any]:
    """A missing value breaks no list."""
    table = pa.array(sorted(known), pa.string())
    return lambda values: pc.or_(pc.is_in(values, value_set=table), pc.is_null(values))


def _compare(file: _File) -> Failure | None:
    check, rows = file.check, file.rows
    parts = _added(rows, check.columns, check.weights)
    total = pc.cast(rows[check.total], pa.float64())
    if check.kind is Kind.AT_MOST:
        good = pc.less_equal(parts, pc.add(total, check.tolerance))
        other, sign = total, "≤"
    else:
        other = _added(rows, check.others) if check.kind is Kind.CLOSE else total
        allowed = pc.add(pc.multiply(total, check.share), check.tolerance)
        good = pc.less_equal(pc.abs(pc.subtract(parts, other)), allowed)
        sign = "="
    bad = _false(good)
    if not bad:
        return None
    left = "+".join(check.columns[:3]) + ("+…" if len(check.columns) > 3 else "")
    right = "+".join(check.others[:3]) if check.kind is Kind.CLOSE else check.total
    a, b = parts[bad[0]].as_py(), other[bad[0]].as_py()
    error = _failed(
        file,
        bad[0],
        f"{left} {sign} {right}이어야 하는데 {a:,.0f}와 {b:,.0f}입니다. 값이 바뀌거나 잘렸습니다",
        f"{left} {sign} {right} must hold, found {a:,.0f} and {b:,.0f}; values were changed or cut",
    )
    listed = tuple(
        _bad_row(file, i, f"{left} {sign} {right}", f"{parts[i].as_py():,.6g} | {other[i].as_py():,.6g}")
        for i in bad[:LISTED]
    )
    return Failure(error=error, failing=len(bad), rows=listed)


def _added(rows: pa.Table, names: tuple[str, ...], weights: tuple[float, ...] = ()) -> Any:
    total: Any = pa.scalar(0.0)
    for number, name in enumerate(names):
        weight = weights[number] if weights else 1.0
        total = pc.add(total, pc.multiply(pc.cast(rows[name], pa.float64()), weight))
    return total


def _false(good: Any) -> list[int]:
    """Rows that are false; a comparison with a missing value does not count."""
    bad = pc.invert(pc.fill_null(good, True))
    if not pc.any(bad).as_py():
        return []
    found: list[int] = pc.indices_nonzero(bad).to_pylist()
    return found


def _bad_row(file: _File, index: int, column: str, value: str) -> BadRow:
    return BadRow(
        file=file.parsed.file,
        line=file.parsed.line(index),
        column=column,
        value=value,
        rule=file.check.name,
    )


def _failed(file: _File, index: int, ko: str, en: str) -> IngestError:
    return IngestError("check-failed", file=file.parsed.file, line=file.parsed.line(index), ko=ko, en=en)


def _counts(rows: pa.Table, names: tuple[str, ...]) -> list[tuple[tuple[Any, ...], int]]:
    grouped = rows.group_by(list(names)).aggregate([([], "count_all")])
    keys = zip(*(grouped[n].to_pylist() for n in names), strict=True)
    counts: list[Any] = grouped["count_all"].to_pylist()
    return list(zip(keys, counts, strict=True))


def _even(file: _File) -> Failure | None:
    counts = _counts(file.rows, file.check.columns)
    fullest = max(c for _, c in counts)
    short = [(key, count) for key, count in counts if count < file.check.share * fullest]
    if not short:
        return None
    key, count = _words(short[0][0]), short[0][1]
    return _incomplete(
        file,
        [k for k, _ in short],
        f"{key}의 행이 {count:,}개뿐입니다 (다른 때는 {fullest:,}개). 파일이 잘렸는지 확인하세요",
        f"{key} has only {count:,} rows where others have {fullest:,}; the file may be cut off",
    )


def _groups(file: _File) -> Failure | None:
    check = file.check
    inner = file.rows.group_by([*check.columns, *check.others]).aggregate([])
    wrong = [(key, count) for key, count in _counts(inner, check.columns) if count != check.least]
    if not wrong:
        return None
    key, count = _words(wrong[0][0]), wrong[0][1]
    return _incomplete(
        file,
        [k for k, _ in wrong],
        f"{key}에 '{check.others[0]}'이(가) {count}가지입니다. {check.least:g}가지여야 합니다",
        f"{key} has {count} values of '{check.others[0]}'; {check.least:g} are expected",
    )


def _complete(file: _File) -> Failure | None:
    """Every combination occurs: a day without one area, an area without one day are named."""
    present = {key for key, _ in _counts(file.rows, file.check.columns)}
    values = [sorted({key[i] for key in present}, key=str) for i in range(len(file.check.columns))]
    whole = 1
    for several in values:
        whole *= len(several)
    if len(present) == whole:
        return None
    missing = [key for key in product(*values) if key not in present]
    some = "; ".join(map(_words, missing[:8]))
    columns = "·".join(file.check.columns)
    return _incomplete(
        file,
        missing,
        f"{columns} 조합 {whole:,}가지 가운데 {len(missing):,}가지가 없습니다: {some}",
        f"{len(missing):,} of {whole:,} combinations of {columns} are missing: {some}",
    )


def _months(file: _File) -> Failure | None:
    days: set[Any] = set(pc.unique(file.rows[file.check.columns[0]]).to_pylist())
    first: tuple[str, str] | None = None
    lacking: list[tuple[Any, ...]] = []
    for month in sorted({d.replace(day=1) for d in days}):
        following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
        missing = [d for d in range(1, (following - month).days + 1) if month.replace(day=d) not in days]
        if missing:
            some = ", ".join(map(str, missing[:8]))
            first = first or (
                f"{month:%Y-%m}에 {some}일이 없습니다. 한 달을 모두 담은 파일이 필요합니다",
                f"{month:%Y-%m} lacks day {some}; a file must hold whole months",
            )
            lacking += [(month.replace(day=d),) for d in missing]
    return None if first is None else _incomplete(file, lacking, *first)


def _words(key: tuple[Any, ...]) -> str:
    return " ".join(map(str, key))


def _incomplete(file: _File, keys: list[tuple[Any, ...]], ko: str, en: str) -> Failure:
    """Rows that are not there have no line."""
    rows = [
        BadRow(
            file=file.parsed.file,
            line=None,
            column=", ".join(file.check.columns),
            value=_words(key)[:LONGEST_VALUE],
            rule=file.check.name,
        )
        for key in keys[:LISTED]
    ]
    error = IngestError("incomplete", file=file.parsed.file, line=None, ko=ko, en=en)
    return Failure(error=error, failing=len(keys), rows=tuple(rows))
