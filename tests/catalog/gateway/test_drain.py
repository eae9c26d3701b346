"""A gateway that is told to stop lets queries end and takes no new ones; its sessions go on with the next."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pyarrow.flight as flight
import pytest
from campus.wire import Gateway

from catalog.gateway.guard import QueryEvent
from tests.catalog.gateway.conftest import ROWS
from tests.catalog.gateway.simulator import SOON, Installation, info, reader, run, until
from tests.catalog.gateway.test_broker import SLOW

LINGER = 2.0  # a worker stays as long after its last query [s]
WHILE = "SELECT sum(hash(r)) AS s FROM range(1500000000) t(r)"  # about a second


def test_what_runs_ends_and_nothing_new_begins(gateway: Installation, client: Any) -> None:
    run(client, "SELECT 1")
    fetched, waiting = info(client, WHILE), info(client, "SELECT 7 AS n")
    found: list[Any] = []
    reading = threading.Thread(target=lambda: found.append(reader(fetched).read_all().num_rows))
    reading.start()
    until(lambda: gateway.broker.stats()["running"] == 1)
    draining = threading.Thread(target=gateway.broker.drain, args=(30.0,))
    draining.start()
    until(lambda: gateway.broker.stats()["draining"])
    with pytest.raises(flight.FlightUnavailableError) as refused:
        info(client, "SELECT 2")
    said = json.loads(refused.value.extra_info)
    assert said["reason"] == "gateway-restarting"
    assert "다시 시작" in said["ko"] and "restarting" in said["en"]
    assert draining.is_alive(), "a ticket was given, and its reader is on the way"
    assert reader(waiting).read_all().to_pylist() == [{"n": 7}]
    reading.join(30)
    draining.join(30)
    assert found == [1] and not draining.is_alive()
    until(lambda: gateway.guard.kinds().count("finished") == 3)


def test_a_drain_ends_when_its_time_is_up_or_somebody_is_in_a_hurry(
    gateway: Installation, client: Any
) -> None:
    answer = info(client, SLOW)
    began = time.monotonic()
    gateway.broker.drain(0.3)
    assert time.monotonic() - began < SOON
    hurried = threading.Thread(target=gateway.broker.drain, args=(600.0,))
    hurried.start()
    gateway.broker.hurry()
    hurried.join(30)
    assert not hurried.is_alive()
    gateway.broker.stop()
    assert gateway.guard.kinds() == ["admitted", "failed"]
    assert gateway.guard.events[-1].reason == "gateway-restarted"
    del answer


def test_sessions_work_through_a_restart_under_load(gateway: Installation) -> None:
    """Through the session's own client: no query fails, none is without a record or an end."""
    address = gateway.open()
    problems: list[BaseException] = []
    answered = [0, 0, 0]
    stop = threading.Event()

    def work(number: int) -> None:
        session = Gateway(address)
        try:
            while not stop.is_set():
                stream = session.query("SELECT count(*) AS n, sum(boardings) AS s FROM subway_ridership")
                (batch,) = [b for b in stream.batches() if b.num_rows]
                assert batch.column(0)[0].as_py() == ROWS
                answered[number] += 1
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(answered))]
    for thread in threads:
        thread.start()
    for _ in range(2):
        before = list(answered)
        until(lambda before=before: all(a > b for a, b in zip(answered, before, strict=True)), 30)
        gateway.broker.drain(20.0)
        gateway.restart()
    before = list(answered)
    until(lambda: all(a > b for a, b in zip(answered, before, strict=True)) or problems, 30)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert problems == []
    until(lambda: gateway.guard.kinds().count("admitted") == gateway.guard.kinds().count("finished"))
    assert gateway.guard.kinds().count("finished") == sum(answered)


def test_a_query_that_is_being_recorded_runs_in_the_worker_that_gives_way_meanwhile(
    gateway: Installation, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may be read changes between the choice of a worker and its order: nobody's query fails by that."""
    run(client, "SELECT 1")
    time.sleep(LINGER + 0.5)  # it has nothing to do for so long that it might leave at once
    record, recording, go = gateway.guard.record, threading.Event(), threading.Event()

    def slowly(event: QueryEvent) -> int:
        recording.set()
        go.wait(10)
        return record(event)

    monkeypatch.setattr(gateway.guard, "record", slowly)
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(info(client, "SELECT 7 AS n")), daemon=True)
    asking.start()
    assert recording.wait(10)
    gateway.guard.grant("living_population")
    [(session, *_)] = gateway.broker._open.values()
    [worker] = session._workers._every()
    threading.Thread(target=session.renew, daemon=True).start()
    until(lambda: session._workers._current is not worker)
    time.sleep(0.3)  # it looks every 50 ms whether it may leave
    go.set()
    asking.join(20)
    [answer] = found
    assert reader(answer).read_all().to_pylist() == [{"n": 7}]
    until(lambda: sorted(gateway.guard.kinds()) == ["admitted"] * 2 + ["finished"] * 2)
    until(lambda: len(gateway.starter.pids("query_worker")) == 1)
