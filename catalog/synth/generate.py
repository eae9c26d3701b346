"""Streams a twin of any size as record batches, one period a batch, in bounded memory. Opens no file.

A block's rows depend on the seed, its number and its size alone, so blocks are made side by side and the
same declaration, seed and number of rows always give the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from catalog.descriptions import Dataset
from catalog.samples.tables import split
from catalog.synth.columns import Block, Columns
from catalog.synth.draw import Cells
from catalog.synth.model import Form, SynthError, Twin

WORKERS = 2
AHEAD = 2
"""Blocks made before they are asked for; with `calendar.rows` it bounds the memory."""
MOST_PERIODS = 200_000
"""Days until the calendar of dates would leave four-digit years."""


class Generator:
    """Makes rows of one twin.

    Parameters
    ----------
    plain
        Text as plain strings; otherwise dictionary-encoded, which is faster to write as Parquet.
    """

    def __init__(self, twin: Twin, dataset: Dataset, *, plain: bool = False) -> None:
        self._twin = twin
        self._cells = Cells(twin)
        self._columns = Columns(twin, dataset, plain=plain)

    @property
    def schema(self) -> pa.Schema:
        """Of every batch."""
        return self._columns.schema

    def batches(self, rows: int, seed: int | None = None, workers: int = WORKERS) -> Iterator[pa.RecordBatch]:
        """Exactly `rows` rows.

        Raises
        ------
        SynthError
            `bad-size`, `too-many-rows`.
        """
        plan = self._plan(rows)
        number = self._twin.seed if seed is None else seed
        worth = self._worth(plan, number)
        waiting: deque[Future[pa.RecordBatch]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            try:
                for index, size in ((i, n) for i, n in enumerate(plan) if n):
                    waiting.append(pool.submit(self._block, index, size, number, worth))
                    if len(waiting) >= workers + AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _plan(self, rows: int) -> list[int]:
        """Rows of each period, in proportion to its volume."""
        calendar = self._twin.calendar
        periods = max(calendar.periods, -(-rows // calendar.rows))
        if rows < 1 or periods > MOST_PERIODS:
            most = MOST_PERIODS * calendar.rows
            raise SynthError(
                "bad-size",
                ko=f"행 수는 1 이상 {most:,} 이하여야 합니다: {rows:,}",
                en=f"the number of rows must be from 1 to {most:,}, is {rows:,}",
            )
        if self._twin.form is Form.GRID:  # whole periods first, what is left in the last one
            whole = calendar.rows if rows > (periods - 1) * calendar.rows else -(-rows // periods)
            sizes = np.diff(np.minimum(np.arange(periods + 1) * whole, rows))
        else:
            volumes = np.array([[calendar.volume(calendar.day(i)) for i in range(periods)]])
            sizes = split(np.array([rows]), volumes)[0]
            sizes = _capped(sizes, self._room())
        return [int(s) for s in sizes]

    def _worth(self, plan: list[int], seed: int) -> float:
        """Draws a period of volume 1 stands for, seen at the first one; 0 where rows are not drawn cells."""
        if self._twin.form is not Form.CELLS or not plan[0]:
            return 0.0
        _, weights = self._cells.distinct(_random(seed, 0), plan[0])
        return float(weights.sum()) / self._twin.calendar.volume(self._twin.calendar.day(0))

    def _room(self) -> int:
        """Busy periods may hold a little more than the declared number."""
        calendar = self._twin.calendar
        return int(calendar.rows * 1.5) + 1

    def _block(self, index: int, rows: int, seed: int, worth: float) -> pa.RecordBatch:
        generator = _random(seed, index)
        day = self._twin.calendar.day(index)
        match self._twin.form:
            case Form.CELLS:
                drawn, weights = self._cells.distinct(generator, rows)
            case Form.GRID:
                drawn, weights = self._cells.grid(generator, rows)
            case Form.EVENTS:
                drawn, weights = self._cells.events(generator, rows), np.ones(rows, np.int64)
        volume = self._twin.calendar.volume(day)
        return self._columns.batch(
            Block(
                day=day,
                rows=rows,
                volume=volume,
                scale=worth * volume / float(weights.sum()) if worth else 1.0,
                seed=seed,
                drawn=drawn,
                weights=weights,
                generator=generator,
                made={},
            )
        )


def _random(seed: int, index: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, index])))


def _capped(sizes: np.ndarray, most: int) -> np.ndarray:
    """No period above `most`; what is over goes to the emptiest."""
    out = sizes.copy()
    over = int((out - most).clip(min=0).sum())
    out = out.clip(max=most)
    while over:
        at = int(out.argmin())
        added = min(over, most - int(out[at]))
        out[at] += added
        over -= added
    return out
