"""Which column of a file is which field of a layout. Knows headers; nothing of values or encodings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalog.ingest.model import Layout, Made, SourceField


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A layout laid over one file's header.

    Parameters
    ----------
    fixed
        (position, field) of the columns that are taken as they are.
    guarded
        (position, field) of the columns that are not taken but must have a form.
    made
        (positions, column) of the columns made from text.
    point
        Positions of the two coordinates, or none.
    labels
        Key texts of every long row that a record becomes; one empty entry where nothing is wide.
    cells
        (position, field) of every long row's values, in the order of `labels`.
    width
        Values that each record must hold.
    """

    layout: Layout
    fixed: tuple[tuple[int, SourceField], ...]
    guarded: tuple[tuple[int, SourceField], ...]
    made: tuple[tuple[tuple[int, ...], Made], ...]
    point: tuple[int, int] | None
    labels: tuple[tuple[str, ...], ...]
    cells: tuple[tuple[tuple[int, SourceField], ...], ...]
    width: int


def lay(layout: Layout, header: Sequence[str]) -> Plan | None:
    """The plan, or None where the header is not this layout's."""
    unpivot = layout.unpivot
    present = set(header)
    labels: list[tuple[str, ...]] = [()]
    wide: list[tuple[str, ...]] = [()]
    if unpivot is not None:
        chosen = [
            (texts, headers)
            for texts, headers in unpivot.expanded()
            if not unpivot.some or present.issuperset(headers)
        ]
        labels = [texts for texts, _ in chosen]
        wide = [headers for _, headers in chosen]
    width = len(layout.fields) + sum(map(len, wide))
    if len(header) != width or not labels:
        return None
    start = len(layout.fields)
    if unpivot is not None and unpivot.after:
        start = [f.header for f in layout.fields].index(unpivot.after) + 1
    length = sum(map(len, wide))
    first = (layout.header_prefix + layout.fields[0].header, *layout.fields[0].also)
    at: dict[str, int] = {}
    for number, field in enumerate(layout.fields):
        position = number if number < start else number + length
        if header[position] not in (first if number == 0 else field.names):
            return None
        at[field.header] = position
    flat = [h for headers in wide for h in headers]
    if list(header[start : start + length]) != flat:
        return None
    cells = []
    for number in range(len(wide)):
        here = start + number * len(wide[0])
        taken = [
            (here + i, replace(cell, header=wide[number][i]))
            for i, cell in enumerate(unpivot.cells if unpivot is not None else ())
        ]
        cells.append(tuple(taken))
    if unpivot is not None and unpivot.drop:
        labels, cells = [()], []
    point = (at[layout.point.x], at[layout.point.y]) if layout.point is not None else None
    return Plan(
        layout=layout,
        fixed=tuple((at[f.header], f) for f in layout.fields if f.column),
        guarded=tuple((at[f.header], f) for f in layout.fields if not f.column and f.pattern),
        made=tuple((tuple(at[h] for h in m.headers), m) for m in layout.made),
        point=point,
        labels=tuple(labels),
        cells=tuple(cells),
        width=width + layout.trailing_empty,
    )
