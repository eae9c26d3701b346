"""Total rows inside a publisher's file: compared with the rows they total. Knows no file format."""

from __future__ import annotations

from typing import Any

from catalog.ingest.model import Aside, IngestError
from catalog.ingest.rows import Rows, listed, quoted
from catalog.ingest.spool import LINE, ROW


def require_totals(rows: Rows) -> None:
    """Refuse a file whose total rows are not what they say.

    Raises
    ------
    IngestError
        `check-failed`: a total is not the sum of its group, is given twice, or a group has none.
    """
    aside = rows.layout.aside
    if aside is None:
        return
    if not rows.count:
        raise _refuse(rows, None, "합계 행만 있습니다", "holds total rows only")
    within = listed(aside.within)
    twice = rows.ask(
        f"SELECT {within}, {LINE} FROM totals "  # noqa: S608 names of a recipe
        f"QUALIFY row_number() OVER (PARTITION BY {within} ORDER BY {ROW}) > 1 ORDER BY {ROW} LIMIT 1"
    )
    if twice:
        *group, line = twice[0]
        shown = _words(group)
        raise _refuse(rows, line, f"{shown}의 합계 행이 두 번 있습니다", f"totals {shown} a second time")
    same = " AND ".join(f"r.{quoted(c)} IS NOT DISTINCT FROM t.{quoted(c)}" for c in aside.within)
    lone = rows.ask(
        f"SELECT {listed(aside.within, 'r.')}, r.{LINE} FROM rows r ANTI JOIN totals t ON {same} "  # noqa: S608
        f"ORDER BY r.{ROW} LIMIT 1"
    )
    if lone:
        *group, line = lone[0]
        shown = _words(group)
        raise _refuse(rows, line, f"{shown}의 합계 행이 없습니다", f"no row totals {shown}")
    for found in _differing(rows, aside, same):
        line, given = found[0], found[1:]
        pairs = zip(aside.sums, given[::2], given[1::2], strict=True)
        for column, total, summed in pairs:
            if total is None or summed is None or not abs(total - summed) <= aside.tolerance:
                raise _differs(rows, line, column, total, summed)


def _differing(rows: Rows, aside: Aside, same: str) -> list[tuple[Any, ...]]:
    """The first total that differs in any column; a missing value makes its sum missing."""
    sums = [
        f"CASE WHEN count(r.{quoted(c)}) = count(r.{ROW}) AND count(r.{ROW}) > 0 "
        f"THEN fsum(r.{quoted(c)}::DOUBLE) WHEN count(r.{ROW}) = 0 THEN 0.0 END AS s{i}"
        for i, c in enumerate(aside.sums)
    ]
    given = [f"t.{quoted(c)}::DOUBLE AS t{i}" for i, c in enumerate(aside.sums)]
    pairs = ", ".join(f"t{i}, s{i}" for i in range(len(aside.sums)))
    differs = " OR ".join(
        f"NOT coalesce(abs(t{i} - s{i}) <= {aside.tolerance!r}, false)" for i in range(len(aside.sums))
    )
    return rows.ask(
        f"SELECT line, {pairs} FROM (SELECT t.{ROW} AS place, t.{LINE} AS line, {', '.join(given)}, "  # noqa: S608
        f"{', '.join(sums)} FROM totals t LEFT JOIN rows r ON {same} GROUP BY ALL) "
        f"WHERE {differs} ORDER BY place LIMIT 1"
    )


def _differs(rows: Rows, line: int, column: str, total: float | None, summed: float | None) -> IngestError:
    shown = ["-" if v is None else f"{v:,.4f}" for v in (total, summed)]
    return _refuse(
        rows,
        line,
        f"합계 행의 '{column}' {shown[0]}이(가) 나머지 행의 합 {shown[1]}과 다릅니다",
        f"total '{column}' is {shown[0]} but its rows add up to {shown[1]}",
    )


def _words(group: list[Any]) -> str:
    return " ".join(map(str, group))


def _refuse(rows: Rows, line: int | None, ko: str, en: str) -> IngestError:
    return IngestError("check-failed", file=rows.file, line=line, ko=ko, en=en)
