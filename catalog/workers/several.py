"""One result for several readers at once: whoever asks gets the next batch. Runs nothing itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from .query import Query


class Several:
    """What the readers of one query have in common: its rows in no order, each for one of them.

    A reader that comes after the last row is given none. One that goes before it ends the query for all: what
    it had been given is lost.

    Parameters
    ----------
    ended
        What readers are told, by the reason.
    """

    def __init__(self, query: Query, ended: Callable[[str], BaseException]) -> None:
        self.query, self._ended = query, ended
        self._over = False
        self._schema: pa.Schema
        self._rows: Generator[pa.RecordBatch]
        self._problem: BaseException | None = None
        self._begun = threading.Event()
        self._lock = threading.Lock()

    def begin(self, schema: pa.Schema, rows: Generator[pa.RecordBatch]) -> None:
        """The first reader has come, and these are the rows for it and the others."""
        self._schema, self._rows = schema, rows
        self._begun.set()

    def fail(self, problem: BaseException) -> None:
        """No reader gets any more, and each is told why."""
        self._problem = self._problem or problem
        self._begun.set()

    def stream(self) -> flight.FlightDataStream:
        """For one reader; waits until it has begun.

        Raises
        ------
        FlightError
            What ended the query.
        """
        self._begun.wait()
        if self._problem is not None:
            raise self._problem
        share = self._share()
        next(share)
        return flight.GeneratorStream(self._schema, share)

    def _share(self) -> Iterator[Any]:
        """Nothing first: from then on its end is known, even if nobody takes a row."""
        following = partial(Several._next, self)  # calls from C, as `memory` says
        left, starved = partial(self._ended, "cancelled"), partial(self._ended, "memory-limit")
        try:
            yield None
            while (batch := following()) is not None:
                yield batch
        except BaseException as error:
            short = isinstance(error, MemoryError)
            with self._lock:
                if not self._over:
                    if short:
                        self.query.reason = self.query.reason or "memory-limit"
                    self._rows.close()
                    self._problem = self._problem or (starved() if short else left())
            if short:
                raise starved() from None
            raise

    def _next(self) -> Any:
        with self._lock:
            if self._problem is not None:
                raise self._problem
            try:
                batch = next(self._rows, None)
            except BaseException as problem:
                self._problem = problem
                raise
            self._over = batch is None
            return batch
