"""Made-up rows from parameter tables alone: axes crossed, levels with noise. Knows no dataset by name."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.descriptions import ColumnType, Dataset
from catalog.samples.boundaries import GIVEN, STORED
from catalog.samples.tables import jitter, read_table, split

PLAN = "columns.csv"


def made_up(dataset: Dataset, datasets: Path) -> pa.Table:
    """The rows that `sample/columns.csv` describes; always the same for the same tables.

    Each line of that table makes one column or several, from what earlier lines made:
    `axis` (crossed with the axes before it), `text` (a format, `{row}` counts from 1), `level` (a product
    with log-normal noise), `near` (a sum with normal noise), `sum`, `rest` (the first less the others),
    `split` (whole parts of a total), `pick` (one of weighted texts), `name` (the name of a code), `start`
    (a code's first digits) and `place` (metres to a point).

    Raises
    ------
    ValueError
        The table names an unknown way of making a column.
    """
    folder = datasets / dataset.name / "sample"
    lines = read_table(folder / PLAN)
    generator = np.random.default_rng(zlib.crc32(dataset.name.encode()))
    made: dict[str, Any] = {}
    for column, how, source, spread, digits, gaps in zip(
        *(lines[n] for n in ("column", "how", "from", "spread", "digits", "gaps")), strict=True
    ):
        noise = float(spread or 0)
        names = column.split("+")
        if how == "axis":
            made = _crossed(made, _axis(datasets, folder, source))
            continue
        rows = len(next(iter(made.values())))
        parts = _made(how, source, noise, made, rows, generator)
        for name, values in zip(names, parts, strict=True):
            made[name] = np.round(values, int(digits)) + 0.0 if digits else values
        if gaps:
            lost = generator.random(rows) < float(gaps)
            for name in names:
                made[name] = np.where(lost, None, made[name].astype(object))
    return pa.table({c.name: _typed(made[c.name], c.type) for c in dataset.columns if c.name in made})


def _axis(datasets: Path, folder: Path, source: str) -> dict[str, Any]:
    path = datasets / source.replace("/", "/sample/") if "/" in source else folder / source
    return {name: np.array(values, dtype=object) for name, values in read_table(path).items()}


def _crossed(made: dict[str, Any], axis: dict[str, Any]) -> dict[str, Any]:
    if not made:
        return axis
    rows, more = len(next(iter(made.values()))), len(next(iter(axis.values())))
    earlier = {name: np.repeat(values, more) for name, values in made.items()}
    return earlier | {name: np.tile(values, rows) for name, values in axis.items()}


def _made(
    how: str, source: str, noise: float, made: dict[str, Any], rows: int, generator: np.random.Generator
) -> list[Any]:
    match how:
        case "text":
            names = [n for n in re.findall(r"{(\w+)", source) if n != "row"]
            cells = [made[n] for n in names]
            return [_texts(source, names, cells, rows)]
        case "level":
            out = np.exp(generator.normal(0.0, noise, rows))
            for factor in source.split("*"):
                out = out * _number(factor, made)
            return [out]
        case "near":
            return [
                sum((_number(n, made) for n in source.split("+")), np.zeros(rows))
                + generator.normal(0.0, noise, rows)
            ]
        case "sum":
            return [sum((_number(n, made) for n in source.split("+")), np.zeros(rows))]
        case "rest":
            first, *others = (_number(n, made) for n in source.split("-"))
            return [first - sum(others, np.zeros(rows))]
        case "split":
            total, _, shares = source.partition(":")
            weights = [float(s) for s in shares.split("+")]
            parts = split(_number(total, made).astype(np.int64), jitter(generator, weights, rows, noise))
            return [parts[:, i] for i in range(len(weights))]
        case "pick":
            texts, chances_given = zip(*(item.split("=") for item in source.split("|")), strict=True)
            chances = np.array([float(w) for w in chances_given])
            chosen = generator.choice(len(texts), rows, p=chances / chances.sum())
            return [np.array(texts, dtype=object)[chosen]]
        case "name":
            key, _, table = source.partition(":")
            meanings = dict(item.split("=") for item in table.split("|"))
            return [np.array([meanings[k] for k in made[key]], dtype=object)]
        case "start":
            key, _, length = source.partition(":")
            return [np.array([k[: int(length)] for k in made[key]], dtype=object)]
        case "place":
            return _places(source, noise, made, rows, generator)
    raise ValueError(f"'{how}' makes no column")


def _texts(source: str, names: list[str], cells: list[Any], rows: int) -> Any:
    out = []
    for row in range(rows):
        words = {n: c[row] for n, c in zip(names, cells, strict=True)}
        out.append(source.format(row=row + 1, **words))
    return np.array(out, dtype=object)


def _places(
    source: str, noise: float, made: dict[str, Any], rows: int, generator: np.random.Generator
) -> list[Any]:
    """Longitude, latitude and WKB of points given in metres, moved about by `noise` [m]."""
    import shapely
    from pyproj import Transformer

    x, y = (_number(n, made) + generator.normal(0.0, noise, rows) for n in source.split("+"))
    longitude, latitude = Transformer.from_crs(GIVEN, STORED, always_xy=True).transform(x, y)
    longitude, latitude = np.round(longitude, 6), np.round(latitude, 6)
    blobs = np.empty(rows, dtype=object)
    blobs[:] = [bytes(b) for b in shapely.to_wkb(shapely.points(longitude, latitude))]
    return [longitude, latitude, blobs]


def _number(name: str, made: dict[str, Any]) -> Any:
    """A column's numbers, or the number that `name` is."""
    return made[name].astype(float) if name in made else float(name)


def _typed(values: Any, kind: ColumnType) -> Any:
    cells = [None if v is None or v == "" else v for v in values]
    match kind:
        case ColumnType.STRING:
            return pa.array(cells, pa.string())
        case ColumnType.DATE:
            return pa.array(cells, pa.string()).cast(pa.date32())
        case ColumnType.BINARY:
            return pa.array(cells, pa.binary())
        case ColumnType.INT | ColumnType.LONG:
            return pa.array([None if v is None else int(float(v)) for v in cells], pa.int64())
        case ColumnType.DOUBLE:
            return pa.array([None if v is None else float(v) for v in cells], pa.float64())
