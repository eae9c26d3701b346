"""A moment before a refusal: the end of what was just read may be on its way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.gateway import patience, refusals
from catalog.gateway.patience import LOOK, MOMENT, patiently
from catalog.gateway.session import SessionGateway
from tests.catalog.gateway.simulator import Installation, info, reader, run, until


@dataclass
class Clock:
    """Time that passes only while somebody sleeps, and what comes about meanwhile."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(patience, "time", made)
    return made


def test_what_is_refused_for_a_moment_only_is_not_refused(clock: Clock) -> None:
    refused = [refusals.too_many_queries(1, 1)] * 3

    def demand() -> None:
        if refused:
            raise refused.pop()

    patiently(demand)
    assert not refused
    assert clock.slept == [LOOK] * 3
    patiently(demand)
    assert len(clock.slept) == 3, "what is good at once waits for nothing"


def test_what_stays_refused_is_refused_soon(clock: Clock) -> None:
    began = clock.now
    asked: list[float] = []

    def demand() -> None:
        asked.append(clock.now)
        raise refusals.too_many_queries(1, 1)

    with pytest.raises(refusals.QueryRefused):
        patiently(demand)
    assert MOMENT <= clock.now - began <= MOMENT + 2 * LOOK
    assert len(asked) == len(set(asked)), "it sleeps between two attempts"
    assert asked[-1] - began > MOMENT - LOOK, "also at the end of the moment it is asked once more"


def test_what_is_no_refusal_is_not_asked_for_again(clock: Clock) -> None:
    def demand() -> None:
        raise refusals.record_unavailable()

    with pytest.raises(refusals.GatewayError):
        patiently(demand)
    assert clock.slept == []


# -- who asks patiently


def save(client: Any, name: str, text: str) -> Any:
    command = b"campus.statement:" + json.dumps({"query": text, "save_as": name}).encode()
    return reader(client.get_flight_info(flight.FlightDescriptor.for_command(command))).read_all()


def one_more(session: SessionGateway, client: Any) -> None:
    assert info(client, "SELECT 2 AS a").endpoints


def drop(session: SessionGateway, client: Any) -> None:
    assert session.drop("kept")


def save_again(session: SessionGateway, client: Any) -> None:
    save(client, "kept", "SELECT 3 AS a")
    assert run(client, "SELECT * FROM kept").to_pylist() == [{"a": 3}]


@pytest.mark.parametrize("wants", [one_more, drop, save_again])
def test_a_query_whose_end_is_just_coming_is_in_nobodys_way(
    gateway: Installation, client: Any, clock: Clock, wants: Callable[[SessionGateway, Any], None]
) -> None:
    """Neither where the session is full, nor where it reads the saved table that is to go."""
    save(client, "kept", "SELECT 1 AS a")
    [(session, *_)] = gateway.broker._open.values()
    until(lambda: not session._open_queries())
    for _ in range(gateway.limits.open if wants is one_more else 1):
        answer = info(client, "SELECT * FROM kept")
    ends = json.loads(answer.app_metadata)["query_id"]

    def end() -> None:
        session.cancel(ends)
        until(lambda: ends not in session._open_queries())

    assert clock.slept == []
    clock.meanwhile = end
    wants(session, client)
    assert clock.slept == [LOOK]
