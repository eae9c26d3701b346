"""Makes Arrow columns of one block from drawn codes. Knows a twin's measures; draws no factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.descriptions import Dataset
from catalog.synth.model import Kind, Measure, Twin
from catalog.warehouse.schema import arrow_schema

HEX = np.array([f"{b:02x}".encode() for b in range(256)], "S2")


@dataclass(slots=True)
class Block:
    """One period being made: its drawn codes, and the columns made so far.

    Parameters
    ----------
    weights
        How often each cell was drawn; its share of a period in a dense table; 1 for events.
    volume
        Relative volume of the period.
    scale
        What a draw counts for in this period: fuller periods draw the same cells more often.
    """

    day: date
    rows: int
    volume: float
    scale: float
    seed: int
    drawn: Mapping[str, Any]
    weights: Any
    generator: np.random.Generator
    made: dict[str, Any]


class Columns:
    """Turns blocks into record batches in the description's order and types."""

    def __init__(self, twin: Twin, dataset: Dataset, *, plain: bool) -> None:
        self._twin = twin
        described = arrow_schema(dataset)
        self.schema = pa.schema([self._field(f, plain) for f in described])
        self._plain = {f.name: f.type for f in described}
        self._codes = {
            f.column: pa.array(f.codes, pa.string()).cast(self._plain[f.column])
            for f in twin.factors
            if not f.latent
        }

    def _field(self, field: Any, plain: bool) -> Any:
        texts = {f.column for f in self._twin.factors}
        texts |= {m.column for m in self._twin.measures if m.kind is Kind.LOOKUP}
        if plain or field.name not in texts or field.type != pa.string():
            return field
        return pa.field(field.name, pa.dictionary(pa.int32(), pa.string()), nullable=field.nullable)

    def batch(self, block: Block) -> pa.RecordBatch:
        """The block's rows."""
        for measure in self._twin.measures:
            block.made[measure.column] = MAKERS[measure.kind](measure, block, self._twin)
        out = []
        for field in self.schema:
            if field.name == self._twin.calendar.column:
                days = (block.day - date(1970, 1, 1)).days
                array: Any = pa.array(np.full(block.rows, days, np.int32)).cast(pa.date32())
            elif field.name in self._codes:
                array = _coded(self._codes[field.name], block.drawn[field.name], field.type)
            else:
                array = self._measured(field, block)
            out.append(array)
        return pa.RecordBatch.from_arrays(out, schema=self.schema)

    def _measured(self, field: Any, block: Block) -> Any:
        value = block.made[field.name]
        if isinstance(value, _Looked):
            return _coded(value.values, value.drawn, field.type)
        if isinstance(value, pa.Array):
            return value.cast(field.type)
        if isinstance(value, np.ma.MaskedArray):
            return pa.array(value.data, mask=np.ma.getmaskarray(value)).cast(field.type)
        return pa.array(value).cast(field.type)


@dataclass(frozen=True, slots=True)
class _Looked:
    values: Any
    drawn: Any


def _coded(codes: Any, drawn: Any, kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(pa.array(drawn), codes)
    return codes.take(pa.array(drawn))


def _noise(block: Block, spread: float) -> Any:
    """Log-normal noise of mean 1."""
    normal = block.generator.standard_normal(block.rows, dtype=np.float32)
    normal *= np.float32(spread)
    normal -= np.float32(spread * spread / 2)
    return np.exp(normal, out=normal)


def _count(measure: Measure, block: Block, twin: Twin) -> Any:
    """Each draw stands for `mean` payments on average, at least one."""
    more = max(measure.mean * block.scale - 1, 0.0)
    extra = block.generator.poisson(more, block.rows)
    many = np.flatnonzero(block.weights > 1)
    extra[many] = block.generator.poisson(more * block.weights[many])
    return block.weights + extra


def _amount(measure: Measure, block: Block, twin: Twin) -> Any:
    """Whole tens of won, so many payments at the mean of their code."""
    mean = np.asarray(measure.by_code, np.float32)[block.drawn[measure.given]]
    amount = block.made[measure.of] * mean * _noise(block, measure.spread)
    return np.maximum(np.rint(amount / 10).astype(np.int64) * 10, 10)


def _level(measure: Measure, block: Block, twin: Twin) -> Any:
    value = measure.mean * block.volume * block.weights * _noise(block, measure.spread)
    return np.round(value, measure.decimals)


def _flow(measure: Measure, block: Block, twin: Twin) -> Any:
    mean = measure.mean * block.scale * block.weights.astype(np.float64)
    value = np.round(mean * _noise(block, measure.spread), measure.decimals)
    return np.ma.MaskedArray(value, mask=value < measure.below)


def _travel(measure: Measure, block: Block, twin: Twin) -> Any:
    away = measure.distance[block.drawn[measure.given], block.drawn[measure.to]]
    return np.round((measure.base + measure.mean * away) * _noise(block, measure.spread), 1)


def _lookup(measure: Measure, block: Block, twin: Twin) -> Any:
    return _Looked(pa.array(measure.by_code, pa.string()), block.drawn[measure.given])


def _fixed(measure: Measure, block: Block, twin: Twin) -> Any:
    return np.asarray(measure.by_code)[block.drawn[measure.given]].astype(np.int64)


def _serial(measure: Measure, block: Block, twin: Twin) -> Any:
    """The period's day and a running number, so numbers of different periods never meet."""
    day = int(f"{block.day:%Y%m%d}")
    return pa.array(day * 10**10 + np.arange(block.rows, dtype=np.int64)).cast(pa.string())


def _pseudonym(measure: Measure, block: Block, twin: Twin) -> Any:
    """Sixteen hexadecimal digits; the same cards return on every day, `mean` times on average."""
    pool = max(1, int(twin.calendar.rows / measure.mean))
    number = block.generator.integers(0, pool, block.rows, dtype=np.uint64)
    number += np.uint64(block.seed % 2**32) << np.uint64(32)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # SplitMix64's finaliser
        number = (number ^ (number >> np.uint64(shift))) * np.uint64(factor)
    number ^= number >> np.uint64(31)
    digits: Any = HEX[number.view(np.uint8)]
    offsets: Any = np.arange(0, 16 * (block.rows + 1), 16, dtype=np.int32)
    return pa.StringArray.from_buffers(block.rows, pa.py_buffer(offsets), pa.py_buffer(digits))


def _clock(measure: Measure, block: Block, twin: Twin) -> Any:
    hours = np.array([int(c) for c in twin.factor(measure.given).codes])[block.drawn[measure.given]]
    seconds = hours * 3600 + block.generator.integers(0, 3600, block.rows)
    return np.datetime64(block.day, "us") + seconds.astype("timedelta64[s]")


def _later(measure: Measure, block: Block, twin: Twin) -> Any:
    seconds = np.maximum(measure.mean * 60 * _noise(block, measure.spread), 60)
    return block.made[measure.of] + seconds.astype("timedelta64[s]")


MAKERS: Mapping[Kind, Callable[[Measure, Block, Twin], Any]] = {
    Kind.COUNT: _count,
    Kind.AMOUNT: _amount,
    Kind.LEVEL: _level,
    Kind.FLOW: _flow,
    Kind.TRAVEL: _travel,
    Kind.LOOKUP: _lookup,
    Kind.FIXED: _fixed,
    Kind.SERIAL: _serial,
    Kind.PSEUDONYM: _pseudonym,
    Kind.CLOCK: _clock,
    Kind.LATER: _later,
}
