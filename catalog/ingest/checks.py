"""Checks a publisher's own arithmetic promises, from `checks.yml`. Knows rules; nothing of layouts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.descriptions import Dataset
from catalog.descriptions.strict_yaml import Entry, read
from catalog.ingest.model import IngestError, Parsed


class Kind(StrEnum):
    """What a check compares."""

    SUM = "sum"  # |parts, each times its weight, - total| <= tolerance + share * total
    AT_MOST = "at_most"  # parts <= total
    CLOSE = "close"  # |parts - others| <= tolerance + share * total
    RANGE = "range"  # least <= value <= most
    PREFIX = "prefix"  # codes start so
    ONE_OF = "one_of"  # values are in a closed list
    EVEN = "even"  # every group holds at least share of the fullest group's rows
    GROUPS = "groups"  # each outer group holds exactly number inner groups
    MONTHS = "months"  # every day of a month that occurs has rows
    ROWS = "rows"  # least <= rows of the file <= most


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of `checks.yml`; which values matter depends on the kind."""

    kind: Kind
    columns: tuple[str, ...]
    total: str
    others: tuple[str, ...]
    tolerance: float
    share: float
    least: float
    most: float
    prefix: str
    values: tuple[str, ...]
    weights: tuple[float, ...]


def load_checks(file: Path, dataset: Dataset) -> tuple[Check, ...]:
    """The checks, agreed with the description; DescriptionError otherwise."""
    entry = read(file)
    checks = tuple(_check(e, dataset) for e in entry.entries("checks"))
    entry.done()
    return checks


def _check(entry: Entry, dataset: Dataset) -> Check:
    check = Check(
        kind=entry.one_of("kind", Kind),
        columns=entry.texts("columns", ()),
        total=entry.text("total", ""),
        others=entry.texts("others", ()),
        tolerance=entry.number("tolerance", 0.0),
        share=entry.number("share", 0.0),
        least=entry.number("least", float("-inf")),
        most=entry.number("most", float("inf")),
        prefix=entry.text("prefix", ""),
        values=entry.texts("values", ()),
        weights=entry.numbers("weights"),
    )
    entry.done()
    if check.weights and len(check.weights) != len(check.columns):
        raise entry.error("weights", ko="열마다 하나씩이어야 합니다", en="needs one for each column")
    for name in (*check.columns, *check.others, *((check.total,) if check.total else ())):
        if name not in {c.name for c in dataset.columns}:
            raise entry.error("columns", ko=f"'{name}' 열이 없습니다", en=f"there is no column '{name}'")
    return check


def run_checks(checks: tuple[Check, ...], rows: pa.Table, parsed: Parsed) -> None:
    """Refuse the file at its first failing row.

    Raises
    ------
    IngestError
        `check-failed`, naming the columns and both values; or `incomplete` for missing rows.
    """
    for check in checks:
        match check.kind:
            case Kind.SUM | Kind.AT_MOST | Kind.CLOSE:
                _compare(check, rows, parsed)
            case Kind.RANGE:
                for name in check.columns:
                    _in_range(check, name, rows, parsed)
            case Kind.PREFIX:
                for name in check.columns:
                    good = pc.starts_with(rows[name], check.prefix)
                    ko, en = (
                        f"'{name}'이(가) {check.prefix}(으)로 시작하지 않음",
                        f"'{name}' does not begin {check.prefix}",
                    )
                    _refuse_first(good, rows[name], parsed, ko, en)
            case Kind.ONE_OF:
                for name in check.columns:
                    good = pc.is_in(
                        rows[name], value_set=pa.array(check.values, pa.string()), skip_nulls=True
                    )
                    good = pc.or_(good, pc.is_null(rows[name]))
                    ko, en = f"'{name}'이(가) 정해진 값이 아님", f"'{name}' is not in its list"
                    _refuse_first(good, rows[name], parsed, ko, en)
            case Kind.EVEN:
                _even(check, rows, parsed)
            case Kind.GROUPS:
                _groups(check, rows, parsed)
            case Kind.MONTHS:
                _months(check, rows, parsed)
            case Kind.ROWS:
                if not check.least <= rows.num_rows <= check.most:
                    _incomplete(
                        parsed,
                        f"{rows.num_rows:,}행입니다. {check.least:g}~{check.most:g}행이어야 합니다",
                        f"has {rows.num_rows:,} rows; {check.least:g} to {check.most:g} are expected",
                    )


def _in_range(check: Check, name: str, rows: pa.Table, parsed: Parsed) -> None:
    values: Any = rows[name]
    least, most = pa.scalar(check.least), pa.scalar(check.most)
    good = pc.and_(pc.greater_equal(values, least), pc.less_equal(values, most))
    text = f"{check.least:g}..{check.most:g}"
    _refuse_first(good, values, parsed, f"'{name}'이(가) {text} 밖", f"'{name}' is outside {text}")


def _compare(check: Check, rows: pa.Table, parsed: Parsed) -> None:
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
    left = "+".join(check.columns[:3]) + ("+…" if len(check.columns) > 3 else "")
    right = "+".join(check.others[:3]) if check.kind is Kind.CLOSE else check.total
    index = _first_false(good)
    if index is not None:
        a, b = parts[index].as_py(), other[index].as_py()
        raise IngestError(
            "check-failed",
            file=parsed.file,
            line=parsed.line(index),
            ko=f"{left} {sign} {right}이어야 하는데 {a:,.0f}와 {b:,.0f}입니다. 값이 바뀌거나 잘렸습니다",
            en=f"{left} {sign} {right} must hold, found {a:,.0f} and {b:,.0f}; values were changed or cut",
        )


def _added(rows: pa.Table, names: tuple[str, ...], weights: tuple[float, ...] = ()) -> Any:
    total: Any = pa.scalar(0.0)
    for number, name in enumerate(names):
        weight = weights[number] if weights else 1.0
        total = pc.add(total, pc.multiply(pc.cast(rows[name], pa.float64()), weight))
    return total


def _first_false(good: Any) -> int | None:
    """First row that is false; a comparison with a missing value does not count."""
    index: int = pc.index(pc.fill_null(good, True), False).as_py()
    return index if index >= 0 else None


def _refuse_first(good: Any, values: Any, parsed: Parsed, ko: str, en: str) -> None:
    index = _first_false(good)
    if index is not None:
        shown = str(values[index].as_py())[:40]
        raise IngestError(
            "check-failed",
            file=parsed.file,
            line=parsed.line(index),
            ko=f"{ko}: {shown}",
            en=f"{en}: {shown}",
        )


def _counts(rows: pa.Table, names: tuple[str, ...]) -> list[tuple[str, int]]:
    grouped = rows.group_by(list(names)).aggregate([([], "count_all")])
    keys = zip(*(grouped[n].to_pylist() for n in names), strict=True)
    counts: list[Any] = grouped["count_all"].to_pylist()
    return [(" ".join(map(str, k)), c) for k, c in zip(keys, counts, strict=True)]


def _even(check: Check, rows: pa.Table, parsed: Parsed) -> None:
    counts = _counts(rows, check.columns)
    fullest = max(c for _, c in counts)
    for key, count in counts:
        if count < check.share * fullest:
            _incomplete(
                parsed,
                f"{key}의 행이 {count:,}개뿐입니다 (다른 때는 {fullest:,}개). 파일이 잘렸는지 확인하세요",
                f"{key} has only {count:,} rows where others have {fullest:,}; the file may be cut off",
            )


def _groups(check: Check, rows: pa.Table, parsed: Parsed) -> None:
    inner = rows.group_by([*check.columns, *check.others]).aggregate([])
    for key, count in _counts(inner, check.columns):
        if count != check.least:
            _incomplete(
                parsed,
                f"{key}에 '{check.others[0]}'이(가) {count}가지입니다. {check.least:g}가지여야 합니다",
                f"{key} has {count} values of '{check.others[0]}'; {check.least:g} are expected",
            )


def _months(check: Check, rows: pa.Table, parsed: Parsed) -> None:
    days: set[Any] = set(pc.unique(rows[check.columns[0]]).to_pylist())
    for month in sorted({d.replace(day=1) for d in days}):
        following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
        missing = [d for d in range(1, (following - month).days + 1) if month.replace(day=d) not in days]
        if missing:
            shown = ", ".join(map(str, missing[:8]))
            _incomplete(
                parsed,
                f"{month:%Y-%m}에 {shown}일이 없습니다. 한 달을 모두 담은 파일이 필요합니다",
                f"{month:%Y-%m} lacks day {shown}; a file must hold whole months",
            )


def _incomplete(parsed: Parsed, ko: str, en: str) -> None:
    raise IngestError("incomplete", file=parsed.file, line=None, ko=ko, en=en)
