"""Whose query runs next: so many at once, so many a session, in turn. Knows no statement and no worker.

A query asks for a turn when its reader is there. Within a session turns come in the order they were asked
for; between sessions they go round, so one session with many queries takes one place in each round like any
other. A turn counts against the number of all for `LEASE` seconds only: a query that runs longer goes on, and
the next one starts beside it. So neither long queries nor readers that do not read can hold up others for
long. Against its own session's number a query counts until it ends.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LEASE: Final = 10.0  # [s]
TICK: Final = 0.25  # between two looks at turns that have run out [s]


@dataclass(frozen=True, slots=True)
class _Waiting:
    key: str
    go: Callable[[], None]


class Turns:
    """The turns of one gateway; safe to use from several threads.

    Parameters
    ----------
    at_once, each
        Queries that run at once: of all sessions together, of one session.
    clock
        Monotonic seconds.
    """

    def __init__(self, at_once: int, each: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once, self._each, self._clock = max(1, at_once), max(1, each), clock
        self._lock = threading.Lock()
        self._running: dict[str, dict[str, float]] = {}  # session → query → when its turn began
        self._waiting: OrderedDict[str, deque[_Waiting]] = OrderedDict()  # in the order of the next round
        self._closing = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def ask(self, session: str, key: str, go: Callable[[], None]) -> bool:
        """Whether it may run now; if not, `go` is called when it may, in a thread of its own.

        Asking again changes nothing.
        """
        with self._lock:
            if key in self._running.get(session, ()):
                return True
            if any(waiting.key == key for waiting in self._waiting.get(session, ())):
                return False
            if not self._waiting.get(session) and self._room(session) and not self._first():
                self._running.setdefault(session, {})[key] = self._clock()
                return True
            self._waiting.setdefault(session, deque()).append(_Waiting(key, go))
            return False

    def end(self, session: str, key: str) -> None:
        """A query is over, whether it ran or still waited; the next ones start."""
        with self._lock:
            running = self._running.get(session, {})
            running.pop(key, None)
            if not running:
                self._running.pop(session, None)
            self._forget(session, lambda waiting: waiting.key == key)
        self.pass_on()

    def close_session(self, session: str) -> None:
        """Nothing of a session runs or waits any more."""
        with self._lock:
            self._running.pop(session, None)
            self._waiting.pop(session, None)
        self.pass_on()

    def pass_on(self) -> None:
        """Give every turn there is to those that wait, one a session and round."""
        chosen: list[_Waiting] = []
        with self._lock:
            while session := self._first():
                waiting = self._waiting[session].popleft()
                self._waiting.move_to_end(session)
                if not self._waiting[session]:
                    del self._waiting[session]
                self._running.setdefault(session, {})[waiting.key] = self._clock()
                chosen.append(waiting)
        for waiting in chosen:  # a worker that does not listen holds up nobody else
            threading.Thread(target=waiting.go, daemon=True).start()

    def close(self) -> None:
        """Stop looking at turns that have run out."""
        self._closing.set()

    @property
    def counts(self) -> tuple[int, int]:
        """Queries that run, and queries that wait for a turn."""
        with self._lock:
            return sum(map(len, self._running.values())), sum(map(len, self._waiting.values()))

    def _first(self) -> str:
        """The session whose query is next; empty where none can start."""
        return next((session for session in self._waiting if self._room(session)), "")

    def _room(self, session: str) -> bool:
        since = self._clock() - LEASE
        fresh = sum(1 for running in self._running.values() for began in running.values() if began > since)
        return fresh < self._at_once and len(self._running.get(session, ())) < self._each

    def _forget(self, session: str, which: Callable[[_Waiting], bool]) -> None:
        left = deque(w for w in self._waiting.get(session, ()) if not which(w))
        if left:
            self._waiting[session] = left
        else:
            self._waiting.pop(session, None)

    def _look(self) -> None:
        while not self._closing.wait(TICK):
            self.pass_on()
