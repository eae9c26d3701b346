"""Turns: so many at once, in order within a session, round between sessions, and none for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from catalog.gateway.turns import LEASE, Turns
from tests.catalog.gateway.simulator import until


@dataclass
class Floor:
    """Turns with a clock of their own, and what has begun, in order."""

    at_once: int
    each: int
    now: float = 100.0
    began: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.turns = Turns(self.at_once, self.each, lambda: self.now)

    def ask(self, *keys: str) -> None:
        for key in keys:
            if self.turns.ask(key[0], key, lambda key=key: self.begin(key)):  # type: ignore[misc]
                self.begin(key)

    def begin(self, key: str) -> None:
        with self.lock:
            self.began.append(key)

    def end(self, key: str, then: str) -> None:
        """End one; exactly `then` begins."""
        before = set(self.began)
        self.turns.end(key[0], key)
        wanted = set(then.split())
        until(lambda: set(self.began) - before == wanted)


@pytest.fixture
def floors() -> Iterator[list[Floor]]:
    made: list[Floor] = []
    yield made
    for floor in made:
        floor.turns.close()


def test_a_session_with_many_queries_takes_one_place_a_round(floors: list[Floor]) -> None:
    floors.append(floor := Floor(at_once=2, each=2))
    floor.ask("a1", "a2", "a3", "a4", "a5", "b1", "b2", "c1")
    assert floor.began == ["a1", "a2"]
    floor.end("a1", then="a3")  # asked first
    floor.end("a2", then="b1")
    floor.end("a3", then="c1")
    floor.end("b1", then="a4")
    floor.end("c1", then="b2")
    assert floor.turns.counts == (2, 1)


def test_a_session_has_its_own_number(floors: list[Floor]) -> None:
    floors.append(floor := Floor(at_once=9, each=2))
    floor.ask("a1", "a2", "a3", "b1")
    assert floor.began == ["a1", "a2", "b1"]
    floor.now += 10 * LEASE
    floor.turns.pass_on()
    floor.ask("a4")
    assert floor.turns.counts == (3, 2)
    floor.end("a2", then="a3")


def test_long_queries_do_not_keep_their_places(floors: list[Floor]) -> None:
    floors.append(floor := Floor(at_once=2, each=4))
    floor.ask("a1", "a2", "b1")
    assert floor.began == ["a1", "a2"]
    floor.now += LEASE + 1
    until(lambda: floor.began == ["a1", "a2", "b1"])  # by itself
    assert floor.turns.counts == (3, 0)


def test_what_has_ended_or_gone_never_begins(floors: list[Floor]) -> None:
    floors.append(floor := Floor(at_once=1, each=1))
    floor.ask("a1", "b1", "c1", "d1")
    floor.turns.end("b", "b1")
    floor.turns.close_session("c")
    floor.end("a1", then="d1")
    floor.end("d1", then="")
    assert floor.turns.counts == (0, 0)
    floor.ask("b2")
    assert floor.began == ["a1", "d1", "b2"]
