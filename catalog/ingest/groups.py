"""Declared checks over groups of one file's rows: completeness and evenness, asked of the engine.

Only counts and the first failing groups leave the engine, so the answer is small whatever the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from catalog.ingest.checks import Check, Kind
from catalog.ingest.findings import LISTED, BadRow, Failure
from catalog.ingest.model import IngestError
from catalog.ingest.rows import Rows, listed, quoted
from catalog.ingest.spool import ROW

LONGEST_VALUE = 80  # characters shown of a value
MOST_COMBINATIONS = 50_000_000
"""Combinations among which the missing ones are still named."""


def evaluate_groups(check: Check, rows: Rows) -> Failure | None:
    """How this file fails this check; None where it holds, or where it is not about groups of a file."""
    match check.kind:
        case Kind.EVEN:
            return _even(check, rows)
        case Kind.GROUPS:
            return _groups(check, rows)
        case Kind.COMPLETE:
            return _complete(check, rows)
        case Kind.MONTHS:
            return _months(check, rows)
        case Kind.ROWS:
            return _rows(check, rows)
        case _:
            return None


def _rows(check: Check, rows: Rows) -> Failure | None:
    count = rows.count
    if check.least <= count <= check.most:
        return None
    return _incomplete(
        check,
        rows,
        [(f"{count}",)],
        1,
        f"{count:,}행입니다. {check.least:g}~{check.most:g}행이어야 합니다",
        f"has {count:,} rows; {check.least:g} to {check.most:g} are expected",
    )


def _even(check: Check, rows: Rows) -> Failure | None:
    names = listed(check.columns)
    short = rows.ask(
        f"WITH g AS (SELECT {names}, count(*) AS c, min({ROW}) AS place FROM rows GROUP BY ALL), "  # noqa: S608
        "m AS (SELECT max(c) AS fullest FROM g) "
        f"SELECT {names}, c, fullest, count(*) OVER () FROM g, m WHERE c < ? * fullest "
        f"ORDER BY place LIMIT {LISTED}",
        check.share,
    )
    if not short:
        return None
    *key, count, fullest, failing = short[0]
    return _incomplete(
        check,
        rows,
        [tuple(row[: len(check.columns)]) for row in short],
        failing,
        f"{_words(key)}의 행이 {count:,}개뿐입니다 (다른 때는 {fullest:,}개). 파일이 잘렸는지 확인하세요",
        f"{_words(key)} has only {count:,} rows where others have {fullest:,}; the file may be cut off",
    )


def _groups(check: Check, rows: Rows) -> Failure | None:
    outer, every = listed(check.columns), listed([*check.columns, *check.others])
    wrong = rows.ask(
        f"WITH i AS (SELECT {every}, min({ROW}) AS place FROM rows GROUP BY ALL), "  # noqa: S608
        f"g AS (SELECT {outer}, count(*) AS c, min(place) AS place FROM i GROUP BY {outer}) "
        f"SELECT {outer}, c, count(*) OVER () FROM g WHERE c <> ? ORDER BY place LIMIT {LISTED}",
        check.least,
    )
    if not wrong:
        return None
    *key, count, failing = wrong[0]
    return _incomplete(
        check,
        rows,
        [tuple(row[: len(check.columns)]) for row in wrong],
        failing,
        f"{_words(key)}에 '{check.others[0]}'이(가) {count}가지입니다. {check.least:g}가지여야 합니다",
        f"{_words(key)} has {count} values of '{check.others[0]}'; {check.least:g} are expected",
    )


def _complete(check: Check, rows: Rows) -> Failure | None:
    """Every combination occurs: a day without one area, an area without one day are named."""
    names = listed(check.columns)
    sizes = ", ".join(
        f"count(DISTINCT {quoted(c)}) + bool_or({quoted(c)} IS NULL)::INT" for c in check.columns
    )
    ((present, *several),) = rows.ask(
        f"WITH p AS (SELECT DISTINCT {names} FROM rows) SELECT count(*), {sizes} FROM p"  # noqa: S608
    )
    whole = 1
    for size in several:
        whole *= size
    if present == whole:
        return None
    missing = _missing(check, rows) if whole <= MOST_COMBINATIONS else []
    some = "; ".join(map(_words, missing[:8])) or "…"
    columns = "·".join(check.columns)
    return _incomplete(
        check,
        rows,
        missing,
        whole - present,
        f"{columns} 조합 {whole:,}가지 가운데 {whole - present:,}가지가 없습니다: {some}",
        f"{whole - present:,} of {whole:,} combinations of {columns} are missing: {some}",
    )


def _missing(check: Check, rows: Rows) -> list[tuple[Any, ...]]:
    sides = ", ".join(
        f"(SELECT DISTINCT {quoted(c)} AS v{i} FROM rows) AS d{i}"  # noqa: S608
        for i, c in enumerate(check.columns)
    )
    values = ", ".join(f"v{i}" for i in range(len(check.columns)))
    same = " AND ".join(f"p.{quoted(c)} IS NOT DISTINCT FROM w.v{i}" for i, c in enumerate(check.columns))
    order = ", ".join(f"v{i}::VARCHAR" for i in range(len(check.columns)))
    return rows.ask(
        f"SELECT {values} FROM (SELECT {values} FROM {sides}) w "  # noqa: S608
        f"ANTI JOIN (SELECT DISTINCT {listed(check.columns)} FROM rows) p ON {same} "
        f"ORDER BY {order} LIMIT {LISTED}"
    )


def _months(check: Check, rows: Rows) -> Failure | None:
    name = quoted(check.columns[0])
    days: set[date] = {
        d
        for (d,) in rows.ask(f"SELECT DISTINCT {name}::DATE FROM rows WHERE {name} IS NOT NULL")  # noqa: S608
    }
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
    return None if first is None else _incomplete(check, rows, lacking, len(lacking), *first)


def _words(key: Sequence[Any]) -> str:
    return " ".join(map(str, key))


def _incomplete(
    check: Check, rows: Rows, keys: Sequence[tuple[Any, ...]], failing: int, ko: str, en: str
) -> Failure:
    """Rows that are not there have no line."""
    column = ", ".join(check.columns)
    listed_rows = tuple(
        BadRow(file=rows.file, line=None, column=column, value=_words(k)[:LONGEST_VALUE], rule=check.name)
        for k in keys[:LISTED]
    )
    error = IngestError("incomplete", file=rows.file, line=None, ko=ko, en=en)
    return Failure(error=error, failing=failing, rows=listed_rows)
