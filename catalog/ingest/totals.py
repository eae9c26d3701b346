"""Total rows inside a publisher's file: taken out, and compared with the rows they total. Knows no file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.ingest.model import Aside, IngestError, Parsed


def set_aside(parsed: Parsed) -> Parsed:
    """The file without its total rows.

    Raises
    ------
    IngestError
        `check-failed`: a total is not the sum of its group, is given twice, or a group has none.
    """
    aside = parsed.layout.aside
    if aside is None:
        return parsed
    is_total = pc.is_in(parsed.columns[aside.column], value_set=pa.array(aside.values, pa.string()))
    mask = np.asarray(pc.fill_null(is_total, False))
    kept, totals = np.flatnonzero(~mask), np.flatnonzero(mask)
    if not len(kept):
        raise _refuse(parsed, None, "합계 행만 있습니다", "holds total rows only")
    _compare(parsed, aside, kept, totals)
    columns = {name: values.take(pa.array(kept)) for name, values in parsed.columns.items()}
    line = parsed.line
    return Parsed(
        file=parsed.file,
        layout=parsed.layout,
        columns=columns,
        rows=len(kept),
        line=lambda i: line(int(kept[i])),
        aside=len(totals),
    )


def _compare(parsed: Parsed, aside: Aside, kept: Any, totals: Any) -> None:
    groups = list(zip(*(parsed.columns[c].to_pylist() for c in aside.within), strict=True))
    owner: dict[tuple[Any, ...], int] = {}
    for index in totals:
        key = groups[index]
        if key in owner:
            shown = " ".join(map(str, key))
            raise _refuse(
                parsed, int(index), f"{shown}의 합계 행이 두 번 있습니다", f"totals {shown} a second time"
            )
        owner[key] = int(index)
    sums: dict[tuple[Any, ...], Any] = {key: np.zeros(len(aside.sums)) for key in owner}
    values = np.array(
        [parsed.columns[c].to_numpy().astype(float) for c in aside.sums]
    ).T  # a missing value makes its sum NaN and so fails below
    for index in kept:
        if groups[index] not in owner:
            shown = " ".join(map(str, groups[index]))
            raise _refuse(parsed, int(index), f"{shown}의 합계 행이 없습니다", f"no row totals {shown}")
        sums[groups[index]] += values[index]
    for key, index in owner.items():
        for number, column in enumerate(aside.sums):
            total, summed = values[index, number], sums[key][number]
            if not abs(total - summed) <= aside.tolerance:
                raise _refuse(
                    parsed,
                    index,
                    f"합계 행의 '{column}' {total:,.4f}이(가) 나머지 행의 합 {summed:,.4f}과 다릅니다",
                    f"total '{column}' is {total:,.4f} but its rows add up to {summed:,.4f}",
                )


def _refuse(parsed: Parsed, index: int | None, ko: str, en: str) -> IngestError:
    line = parsed.line(index) if index is not None else None
    return IngestError("check-failed", file=parsed.file, line=line, ko=ko, en=en)
