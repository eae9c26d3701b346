"""Records of text to typed columns by a plan: wide to long, joined text, points, totals. Knows no dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.ingest.model import Made, Point, Reader, SourceField
from catalog.ingest.plan import Plan
from catalog.ingest.values import BadValue, convert

STORED = "EPSG:4326"


class BadCell(Exception):
    """Record `index` of a block holds a bad value below `header`."""

    def __init__(self, index: int, header: str, bad: BadValue) -> None:
        super().__init__(header)
        self.index = index
        self.header = header
        self.bad = bad


def texts_of(records: Sequence[Sequence[str]]) -> list[Any]:
    """Records of text as one text array a column."""
    return [pa.array(values, pa.string()) for values in zip(*records, strict=True)]


def arrange(plan: Plan, texts: Sequence[Any], geometry: str) -> dict[str, Any]:
    """The columns by name, one entry a long row, records in order.

    Parameters
    ----------
    texts
        One text array for each column of the file.

    Raises
    ------
    BadCell
        For a value that is not in its notation.
    """
    records, wide = len(texts[0]), len(plan.labels)
    columns: dict[str, Any] = {}
    for position, field in plan.guarded:
        shaped(texts[position], field.pattern, field.header)
    for position, field in plan.fixed:
        columns[field.column] = read_cell(texts[position], field)
    for positions, made in plan.made:
        columns[made.column] = _made([texts[p] for p in positions], made)
    if plan.point is not None and plan.layout.point is not None:
        x, y = plan.point
        columns |= _points(texts[x], texts[y], plan.layout.point, geometry)
    if wide > 1:
        repeat = pa.array(np.repeat(np.arange(records), wide))
        columns = {name: values.take(repeat) for name, values in columns.items()}
    columns |= _long(plan, texts, records)
    for column, value in plan.layout.constants:
        columns[column] = pa.array([value] * (records * wide), pa.string())
    return columns


def _long(plan: Plan, texts: Sequence[Any], records: int) -> dict[str, Any]:
    unpivot = plan.layout.unpivot
    if unpivot is None or unpivot.drop:
        return {}
    columns: dict[str, Any] = {}
    for number, key in enumerate(unpivot.keys):
        values = convert(pa.array([texts[number] for texts in plan.labels], pa.string()), key.read)
        columns[key.column] = values.take(pa.array(np.tile(np.arange(len(plan.labels)), records)))
    order = pa.array(np.arange(len(plan.labels) * records).reshape(-1, records).T.ravel())
    for number, cell in enumerate(unpivot.cells):
        parts = [read_cell(texts[cells[number][0]], cells[number][1]) for cells in plan.cells]
        columns[cell.column] = pa.concat_arrays(parts).take(order)
    return columns


def read_cell(values: Any, field: SourceField) -> Any:
    """One column of text as its field reads it: form, meanings, what stands for nothing, notation.

    Raises
    ------
    BadCell
        For the first value that is not so.
    """
    if field.pattern:
        shaped(values, field.pattern, field.header)
    values = _meant(values, field.values)
    if not field.missing:
        return _converted(values, field.read, field.header, None)
    blank = pc.is_in(values, value_set=pa.array(field.missing, pa.string())).to_numpy(zero_copy_only=False)
    kept = np.flatnonzero(~blank)
    made = _converted(values.take(pa.array(kept)), field.read, field.header, kept)
    return made.take(pa.array(np.cumsum(~blank) - 1, pa.int64(), mask=blank))


def shaped(values: Any, pattern: str, header: str) -> None:
    """Raise `BadCell` for the first text that is not of that form."""
    index = pc.index(pc.match_substring_regex(values, f"^(?:{pattern})$"), False).as_py()
    if index >= 0:
        bad = BadValue(index, values[index].as_py(), f"'{pattern}' 모양", f"of the form '{pattern}'")
        raise BadCell(index, header, bad)


def _meant(values: Any, meanings: tuple[tuple[str, str], ...]) -> Any:
    given = values
    for text, meant in meanings:
        values = pc.if_else(pc.equal(given, pa.scalar(text)), pa.scalar(meant, pa.string()), values)
    return values


def _converted(values: Any, read: Reader, header: str, places: Any) -> Any:
    try:
        return convert(values, read)
    except BadValue as bad:
        raise BadCell(bad.index if places is None else int(places[bad.index]), header, bad) from bad


def _made(parts: list[Any], made: Made) -> Any:
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "")
    header = "+".join(made.headers)
    if made.pattern:
        found = pc.struct_field(pc.extract_regex(joined, f"^(?:{made.pattern})$"), "value")
        if found.null_count:
            index = pc.index(pc.is_null(found), True).as_py()
            shape = f"'{made.pattern}'"
            bad = BadValue(index, joined[index].as_py(), f"{shape} 모양", f"of the form {shape}")
            raise BadCell(index, header, bad)
        joined = found
    return _converted(_meant(joined, made.values), made.read, header, None)


def _points(x: Any, y: Any, point: Point, geometry: str) -> dict[str, Any]:
    import shapely
    from pyproj import Transformer

    fields = [
        SourceField(header=h, column=h, read=Reader.NUMBER, missing=point.absent) for h in (point.x, point.y)
    ]
    easting, northing = (read_cell(v, f) for v, f in zip((x, y), fields, strict=True))
    absent = pc.is_null(easting)
    index = pc.index(pc.equal(absent, pc.is_null(northing)), False).as_py()
    if index >= 0:
        bad = BadValue(index, x[index].as_py(), "짝이 있는 좌표", "a coordinate whose pair is given")
        raise BadCell(index, point.x, bad)
    east, north = (v.to_numpy(zero_copy_only=False).astype(float) for v in (easting, northing))
    if point.crs != STORED:
        east, north = Transformer.from_crs(point.crs, STORED, always_xy=True).transform(east, north)
    mask = absent.to_numpy(zero_copy_only=False)
    blobs = shapely.to_wkb(shapely.points(np.where(mask, 0.0, east), np.where(mask, 0.0, north)))
    shapes = [None if gone else bytes(blob) for blob, gone in zip(blobs, mask, strict=True)]
    columns: dict[str, Any] = {geometry: pa.array(shapes, pa.binary())}
    columns[point.longitude] = pa.array(east, pa.float64(), mask=mask)
    columns[point.latitude] = pa.array(north, pa.float64(), mask=mask)
    return columns
