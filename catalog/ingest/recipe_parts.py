"""Reads the parts of one layout in `recipe.yml`: fields, wide columns, totals. Knows their keys only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.descriptions.strict_yaml import Entry
from catalog.ingest.model import Aside, Key, Layout, Made, Point, Reader, SourceField, Unpivot


def read_field(entry: Entry) -> SourceField:
    """One column of the file."""
    reader = entry.one_of("read", Reader)
    column = entry.text("column", "")
    if bool(column) == (reader is Reader.IGNORE):
        raise entry.error(
            "column", ko="ignore가 아니면 열 이름이 있어야 합니다", en="is needed unless the value is ignored"
        )
    field = SourceField(
        header=entry.exact("header"),
        column=column,
        read=reader,
        also=entry.texts("also", ()),
        missing=entry.exact_texts("missing"),
        values=read_pairs(entry.entry("values")) if entry.has("values") else (),
        pattern=_pattern(entry),
    )
    entry.done()
    return field


def read_pairs(entry: Entry) -> tuple[tuple[str, str], ...]:
    """A mapping of text to text, in order; keys are kept exactly."""
    keys = entry.keys()
    pairs = tuple((key, entry.text(key)) for key in keys)
    entry.done()
    return pairs


def read_made(entry: Entry) -> Made:
    """A column made from the text of others."""
    made = Made(
        column=entry.text("column"),
        headers=entry.texts("from"),
        read=entry.one_of("read", Reader),
        pattern=_pattern(entry),
        values=read_pairs(entry.entry("values")) if entry.has("values") else (),
    )
    if made.pattern and "(?P<value>" not in made.pattern:
        raise entry.error("pattern", ko="(?P<value>…)이 있어야 합니다", en="needs a group (?P<value>…)")
    entry.done()
    return made


def read_point(entry: Entry) -> Point:
    """Two coordinate columns."""
    point = Point(
        x=entry.text("x"),
        y=entry.text("y"),
        crs=entry.text("crs"),
        longitude=entry.text("longitude"),
        latitude=entry.text("latitude"),
        absent=entry.exact_texts("absent"),
    )
    entry.done()
    return point


def read_unpivot(entry: Entry) -> Unpivot:
    """Wide columns."""
    keys = []
    for inner in entry.entries("keys"):
        column, read = inner.text("column"), inner.one_of("read", Reader)
        keys.append(Key(column=column, read=read, labels=read_pairs(inner.entry("labels"))))
        inner.done()
    unpivot = Unpivot(
        keys=tuple(keys),
        cells=tuple(read_field(e) for e in entry.entries("cells")),
        after=entry.text("after", ""),
        some=entry.flag("some", False),
        drop=entry.flag("drop", False),
    )
    entry.done()
    headers = [h for _, cells in unpivot.expanded() for h in cells]
    if len(set(headers)) != len(headers):
        raise entry.error("cells", ko="같은 제목이 두 번 생깁니다", en="two cells have the same header")
    return unpivot


def read_aside(entry: Entry) -> Aside:
    """Total rows."""
    aside = Aside(
        column=entry.text("column"),
        values=entry.texts("values"),
        within=entry.texts("within"),
        sums=entry.texts("sums"),
        tolerance=entry.number("tolerance", 0.0),
    )
    entry.done()
    return aside


def filled_columns(layout: Layout) -> Iterator[str]:
    """Every described column that the layout fills, as often as it does."""
    yield from (f.column for f in layout.fields if f.column)
    yield from (m.column for m in layout.made)
    yield from (column for column, _ in layout.constants)
    if layout.point is not None:
        yield from (layout.point.longitude, layout.point.latitude)
    if layout.polygon_area:
        yield layout.polygon_area
    if layout.unpivot is not None and not layout.unpivot.drop:
        yield from (k.column for k in layout.unpivot.keys)
        yield from (c.column for c in layout.unpivot.cells)


def used_headers(layout: Layout) -> Iterator[str]:
    """Headers that made columns, points and wide columns refer to."""
    for made in layout.made:
        yield from made.headers
    if layout.point is not None:
        yield from (layout.point.x, layout.point.y)
    if layout.unpivot is not None and layout.unpivot.after:
        yield layout.unpivot.after


def _pattern(entry: Entry) -> str:
    pattern = entry.text("pattern", "")
    try:
        re.compile(pattern)
    except re.error as error:
        raise entry.error(
            "pattern", ko=f"정규식이 아닙니다 ({error})", en=f"is no pattern ({error})"
        ) from error
    return pattern
