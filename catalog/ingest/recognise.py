"""Which declared layout a delimited file is in: by its header, or without one by the forms of its values.

Knows the beginning of a file and the layouts; parses nothing further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from catalog.ingest.arrange import BadCell, arrange, texts_of
from catalog.ingest.evidence import empty
from catalog.ingest.layouts import bad_value, unknown_layout
from catalog.ingest.model import Format, IngestError, Layout, Recipe
from catalog.ingest.plan import Plan, lay
from catalog.ingest.records import first_records, ragged
from catalog.ingest.values import fits

SAMPLED = 1000  # records whose forms are the evidence for a layout without a header


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The plan of a file and how many header lines it has."""

    plan: Plan
    heads: int


def recognise(text: str, name: str, recipe: Recipe, geometry: str) -> Recognised:
    """The layout of a file that begins with these lines.

    Raises
    ------
    IngestError
        `unknown-layout` with the difference to the nearest, `ambiguous-layout`, `empty`, or a broken record.
    """
    layouts = [x for x in recipe.layouts if x.format is Format.CSV]
    headed = [x for x in layouts if not x.headless]
    if not text.strip():
        raise empty(name)
    found = _by_header(text, name, recipe, headed)
    if found is None:
        found = _by_forms(text, name, [x for x in layouts if x.headless], geometry)
    if found is not None:
        because = found.plan.layout.because
        if because is not None:
            raise IngestError("refused-layout", file=name, line=1, ko=because.ko, en=because.en)
        return found
    header = _header(text, name, headed)
    raise unknown_layout(header, name, recipe, Format.CSV)


def _by_header(text: str, name: str, recipe: Recipe, layouts: Sequence[Layout]) -> Recognised | None:
    broken: IngestError | None = None
    for delimiter in dict.fromkeys(x.delimiter for x in layouts):
        these = [x for x in layouts if x.delimiter == delimiter]
        quoted_lines = any(x.quoted_lines for x in these)
        records = first_records(text, name, delimiter, quoted_lines=quoted_lines)
        try:
            header = tuple(next(records, ()))
        except IngestError as error:
            broken = broken or error
            continue
        plans = [p for p in (lay(x, header) for x in these) if p is not None]
        if plans:
            return _headed(plans, header, next(records, None), records, name, recipe)
    if broken is not None:
        raise broken
    return None


def _headed(
    plans: Sequence[Plan],
    header: tuple[str, ...],
    second: list[str] | None,
    records: Any,
    name: str,
    recipe: Recipe,
) -> Recognised:
    plan, heads = _best(plans, second), 1
    if plan.layout.second_header:
        _second_header(plan, header, second, name, recipe)
        heads, second = 2, next(records, None)
    if second is None:
        raise IngestError(
            "empty",
            file=name,
            line=heads,
            ko="제목 줄만 있고 자료가 없습니다",
            en="holds headers and no rows",
        )
    return Recognised(plan=plan, heads=heads)


def _best(plans: Sequence[Plan], first: Sequence[str] | None) -> Plan:
    """Of layouts with the same header the one whose notations the first record is in."""
    if first is None:
        return plans[0]
    wide = [p for p in plans if p.width == len(first)]
    for plan in wide:
        if all(
            first[at] in field.missing or fits(pa.array([first[at]], pa.string()), field.read)
            for at, field in plan.fixed
        ):
            return plan
    return (wide or plans)[0]


def _second_header(
    plan: Plan, header: tuple[str, ...], second: Sequence[str] | None, name: str, recipe: Recipe
) -> None:
    """The second header row is the declared one; its last entry stands for all further columns."""
    wanted = plan.layout.second_header
    padded = (*wanted, *wanted[-1:] * (len(header) - len(wanted)))
    if tuple(second or ()) != padded:
        raise unknown_layout(tuple(second or ()), name, recipe, Format.CSV)


def _by_forms(text: str, name: str, layouts: Sequence[Layout], geometry: str) -> Recognised | None:
    """The one layout without a header that every sampled record fits, in number and form of its values."""
    found: list[Plan] = []
    refused: list[IngestError] = []
    for layout in layouts:
        plan = lay(layout, layout.headers)
        assert plan is not None
        try:
            _fit(text, name, plan, geometry)
            found.append(plan)
        except IngestError as error:
            refused.append(error)
    if len(found) > 1:
        names = ", ".join(f"'{p.layout.name}'" for p in found)
        raise IngestError(
            "ambiguous-layout",
            file=name,
            line=1,
            ko=f"제목 줄이 없고 레이아웃 {names}에 모두 맞습니다. 제목 줄이 있는 파일을 받으세요",
            en=f"has no header and fits each of the layouts {names}; ask for a file with a header",
        )
    if found:
        return Recognised(plan=found[0], heads=0)
    near = [e for e in refused if e.reason != "ragged-row"]
    if near:
        closest = max(near, key=lambda e: e.line or 0)
        raise IngestError(
            "unknown-layout",
            file=name,
            line=closest.line,
            ko=f"제목 줄이 없는 레이아웃과 값의 모양이 다릅니다: {closest.ko}",
            en=f"has no known header, nor the forms of a layout without one: {closest.en}",
        )
    return None


def _fit(text: str, name: str, plan: Plan, geometry: str) -> None:
    layout = plan.layout
    records = first_records(text, name, layout.delimiter, quoted_lines=layout.quoted_lines)
    sample = list(islice(records, SAMPLED))
    for line, record in enumerate(sample, start=1):
        if len(record) != plan.width:
            raise ragged(name, line, record, layout.name, plan.width)
    try:
        arrange(plan, texts_of(sample), geometry)
    except BadCell as bad:
        raise bad_value(bad.bad, name, bad.index + 1, bad.header) from bad


def _header(text: str, name: str, layouts: Sequence[Layout]) -> tuple[str, ...]:
    """The first line cut by the delimiter that makes most of it."""
    delimiters = dict.fromkeys([*(x.delimiter for x in layouts), ","])
    headers = [tuple(next(first_records(text, name, d, quoted_lines=False), ())) for d in delimiters]
    return max(headers, key=len)
