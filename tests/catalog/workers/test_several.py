"""What the readers of one query have in common: each row for one of them, and one fate for all."""

from __future__ import annotations

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.workers.several import Several
from tests.catalog.workers.test_results import ordered, working

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
    made = Several(ordered("SELECT 1"), LookupError)
    made.begin(BATCH.schema, rows())
    return made


def reader(of: Several) -> Any:
    made: Any = of._share()
    assert next(made) is None  # from here on its end is known
    return made


def test_who_goes_before_the_end_ends_it_for_all() -> None:
    several = shared(rows := Rows(3))
    first, second = reader(several), reader(several)
    assert next(first) is BATCH and next(second) is BATCH
    first.close()
    assert rows.left == "in the middle"
    for each in (second, reader(several)):
        with pytest.raises(LookupError, match="cancelled"):
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
    several = Several(ordered("SELECT 1"), LookupError)
    several.fail(OverflowError("first"))
    several.fail(OverflowError("second"))
    for _ in range(2):
        with pytest.raises(OverflowError, match="first"):
            several.stream()


def test_what_cannot_begin_is_told_to_every_reader(run_folder: Path) -> None:
    """Also to those who wait for the first, which runs it for them."""
    tickets = ["01" * 24, "02" * 24]
    order = {"op": "admit", "handle": "ab" * 24, "sql": "SELECT 1 AS a, 2 AS b", "parameters": []}

    def problem(ticket: str) -> str:
        with flight.connect(f"grpc+unix://{run_folder}/w.sock") as client:
            try:
                options = flight.FlightCallOptions(timeout=30.0)
                client.do_get(flight.Ticket(bytes.fromhex(ticket)), options).read_all()
            except flight.FlightError as error:
                return str(json.loads(error.extra_info or b"{}").get("reason"))
        return ""

    with working(run_folder, columns=1) as worker, ThreadPoolExecutor(2) as readers:
        worker.take({**order, "save_as": "", "seconds": 60, "ttl": 60, "tickets": tickets})
        worker.waiting["ab" * 24].turn.set()
        assert list(readers.map(problem, tickets)) == ["too-many-columns"] * 2


def test_tickets_nobody_brought_in_time_are_forgotten(run_folder: Path) -> None:
    order = {"op": "admit", "handle": "ab" * 24, "sql": "SELECT 1", "parameters": [], "save_as": ""}
    with working(run_folder) as worker:
        for ttl, left in ((60.0, {"01", "02"}), (-1.0, set())):
            worker.take({**order, "seconds": 5, "ttl": ttl, "tickets": ["01", "02"]})
            worker.look()
            assert set(worker.shared) == left
        assert worker.waiting == {}
