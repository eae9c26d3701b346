"""Limits of a session and between sessions: places, waiting, result bytes, scratch; each says what to do."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from catalog.gateway.refusals import GatewayError
from catalog.gateway.session import QueryLimits
from catalog.warehouse import Warehouse
from tests.catalog.gateway.conftest import DESCRIPTIONS, ROWS
from tests.catalog.gateway.simulator import Installation, info, installation, reader, run, until
from tests.catalog.gateway.test_broker import SLOW

LIMITS = QueryLimits(memory=256 << 20, spill=16 << 20, seconds=60.0, result=1 << 20, running=1, open=4)


@pytest.fixture
def tight(warehouse: Warehouse, run_folder: Path) -> Iterator[Installation]:
    """One query of a session at once, four open, a result of a mebibyte."""
    with installation(warehouse, DESCRIPTIONS, run_folder, LIMITS) as made:
        made.guard.grant("subway_ridership")
        yield made


def test_a_result_that_is_too_large_is_stopped_and_says_so(tight: Installation) -> None:
    client = flight.connect(tight.open())
    with pytest.raises(flight.FlightError) as stopped:
        run(client, "SELECT * FROM subway_ridership")
    said = json.loads(stopped.value.extra_info)
    assert said["reason"] == "result-limit"
    assert "1,048,576 bytes" in said["ko"] and "aggregate first" in said["en"]
    until(lambda: tight.guard.kinds() == ["admitted", "failed"])
    assert tight.guard.events[-1].reason == "result-limit"
    assert tight.guard.events[-1].bytes <= LIMITS.result
    assert run(client, "SELECT count(*) AS n FROM subway_ridership").to_pylist() == [{"n": ROWS}]


def test_what_does_not_fit_the_scratch_says_so(tight: Installation) -> None:
    client = flight.connect(tight.open())
    wide = "SELECT r, hash(r) AS a, md5(r::VARCHAR) AS b, sha256(r::VARCHAR) AS c FROM range(9000000) t(r)"
    with pytest.raises(flight.FlightError) as stopped:
        run(client, f"SELECT max(n) FROM (SELECT *, row_number() OVER (ORDER BY c, b) AS n FROM ({wide}))")
    said = json.loads(stopped.value.extra_info)
    assert said["reason"] == "spill-limit", said
    assert "임시 저장" in said["ko"] and "scratch" in said["en"]
    assert run(client, "SELECT 1 AS a").num_rows == 1


def test_a_query_waits_its_turn_and_one_too_many_is_told_so(tight: Installation) -> None:
    address = tight.open()
    client: Any = flight.connect(address)
    slow = info(client, SLOW)
    ended: list[str] = []

    def read(answer: Any, name: str) -> None:
        try:
            ended.append(f"{name} {reader(answer).read_all().num_rows}")
        except (flight.FlightError, pa.ArrowException) as error:
            ended.append(f"{name} {json.loads(error.extra_info)['reason']}")  # type: ignore[union-attr]

    threads = [threading.Thread(target=read, args=(slow, "slow"))]
    threads[0].start()
    until(lambda: tight.broker.stats()["running"] == 1)
    for name in ("first", "second", "third"):
        threads.append(threading.Thread(target=read, args=(info(client, "SELECT 1 AS a"), name)))
        threads[-1].start()
        until(lambda: tight.broker.stats()["waiting"] == len(threads) - 1)
    with pytest.raises(flight.FlightUnauthorizedError) as refused:
        info(client, "SELECT 2")
    said = json.loads(refused.value.extra_info)
    assert said["reason"] == "too-many-queries"
    assert "4 queries" in said["en"] and "1 run at once" in said["en"] and "동시 실행 1개" in said["ko"]
    assert run(flight.connect(tight.open("jaehyun")), "SELECT 1 AS a").num_rows == 1  # another's goes on
    assert ended == []

    def cancel(answer: Any) -> None:
        query_id = json.loads(answer.app_metadata)["query_id"]
        body = json.dumps({"query_id": query_id}).encode()
        (said,) = client.do_action(flight.Action("campus.cancel", body))
        assert json.loads(said.body.to_pybytes()) == {"cancelled": True}

    waiting = tight.guard.events[2].query_id  # the second in line gives up
    client_body = json.dumps({"query_id": waiting}).encode()
    list(client.do_action(flight.Action("campus.cancel", client_body)))
    until(lambda: ended == ["second cancelled"])
    cancel(slow)
    for thread in threads:
        thread.join(20)
    assert set(ended) == {"second cancelled", "slow cancelled", "first 1", "third 1"}
    until(lambda: tight.broker.stats()["running"] == tight.broker.stats()["waiting"] == 0)


def test_one_session_with_many_queries_holds_up_no_other(warehouse: Warehouse, run_folder: Path) -> None:
    def read(answer: Any) -> None:
        with contextlib.suppress(flight.FlightError, pa.ArrowException):  # ended with the test
            reader(answer).read_all()

    limits = QueryLimits(memory=1 << 30, seconds=60.0, running=16, open=16)
    with installation(warehouse, DESCRIPTIONS, run_folder, limits, at_once=2) as made:
        made.guard.grant("subway_ridership")
        greedy, other = flight.connect(made.open("minji")), flight.connect(made.open("jaehyun"))
        run(other, "SELECT 1")
        answers = [info(greedy, "SELECT sum(hash(r)) AS s FROM range(2000000000) t(r)") for _ in range(12)]
        threads = [threading.Thread(target=read, args=(a,), daemon=True) for a in answers]
        for thread in threads:
            thread.start()
        until(lambda: made.broker.stats()["waiting"] == 10)
        assert run(other, "SELECT 1 AS a").num_rows == 1
        assert made.broker.stats()["waiting"] >= 7, "it came in its round, not after all the others"


def test_a_question_of_the_gateways_own_that_takes_too_long_or_fails_says_so(tight: Installation) -> None:
    tight.open()
    ((session, *_),) = tight.broker._open.values()
    worker = session._workers.ready(session.workspace())
    with pytest.raises(GatewayError) as late:
        worker.inspect("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range < b.range", 0.2)
    assert late.value.reason == "check-too-slow"
    assert "0.2초" in late.value.ko and "took over 0.2 seconds" in late.value.en
    with pytest.raises(GatewayError) as failed:
        worker.inspect("SELECT no_such_column", 5)
    assert failed.value.reason == "check-failed"
    assert worker.inspect("SELECT 42", 5) == [[42]]
    worker.stop()
    with pytest.raises(GatewayError) as gone:
        worker.inspect("SELECT 42", 5)
    assert gone.value.reason == "worker-unavailable"
