"""What the readers of one query have in common: each row for one of them, and one fate for all."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pyarrow as pa
import pytest

from catalog.workers.several import Several
from tests.catalog.workers.test_results import ordered

BATCH = pa.record_batch({"a": [1]})


class Rows:
    """So many batches, then the end or a failure; remembers how it was left."""

    def __init__(self, many: int, problem: Exception | None = None) -> None:
        self.left = ""
        self._many, self._problem = many, problem

    def __call__(self) -> Generator[pa.RecordBatch]:
        try:
            for _ in range(self._many):
                yield BATCH
            if self._problem is not None:
                raise self._problem
            self.left = "at the end"
        except GeneratorExit:
            self.left = "in the middle"
            raise


def shared(rows: Rows) -> Several:
    made = Several(ordered("SELECT 1"), LookupError("lost"))
    made.begin(BATCH.schema, rows())
    return made


def reader(of: Several) -> Any:
    return of._share()


def test_who_goes_before_the_end_ends_it_for_all() -> None:
    several = shared(rows := Rows(3))
    first, second = reader(several), reader(several)
    assert next(first) is BATCH and next(second) is BATCH
    first.close()
    assert rows.left == "in the middle"
    for each in (second, reader(several)):
        with pytest.raises(LookupError, match="lost"):
            next(each)


def test_who_goes_when_every_row_is_given_takes_nothing_from_others() -> None:
    several = shared(rows := Rows(1))
    first = reader(several)
    assert next(first) is BATCH
    assert list(reader(several)) == []
    first.close()
    assert list(reader(several)) == []
    assert rows.left == "at the end"


def test_a_failure_is_told_to_everybody_also_to_who_comes_late() -> None:
    several = shared(Rows(1, OverflowError("too large")))
    first, second = reader(several), reader(several)
    assert next(first) is BATCH
    for each in (second, first, reader(several)):
        with pytest.raises(OverflowError):
            next(each)
    with pytest.raises(OverflowError):
        several.stream()


def test_a_failure_before_the_first_row_is_told_too_and_the_first_counts() -> None:
    several = Several(ordered("SELECT 1"), LookupError("lost"))
    several.fail(OverflowError("first"))
    several.fail(OverflowError("second"))
    for _ in range(2):
        with pytest.raises(OverflowError, match="first"):
            several.stream()
