"""So many Flight calls of one server at once: each holds a thread of the gateway. Knows no statement."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import pyarrow.flight as flight

from catalog.errors import CatalogError
from catalog.gateway import refusals

MOST_CALLS: Final = 64
KEY: Final = (
    "campus-calls"  # among a server's middleware; the last, since a later one that fails would not end ours
)


class Calls(flight.ServerMiddlewareFactory):
    """Counts those that have not ended, and refuses what is one too many.

    Parameters
    ----------
    refuse
        Raises an error as Flight's errors.
    """

    def __init__(self, refuse: Callable[[CatalogError], None]) -> None:
        self._refuse = refuse
        self._lock = threading.Lock()
        self.now = 0

    def start_call(self, info: Any, headers: Any) -> Any:
        """A place, given back when the call has ended: also one whose client has gone."""
        with self._lock:
            room = self.now < MOST_CALLS
            self.now += room
        if not room:
            self._refuse(too_many_calls())
        return _Place(self._end)

    def _end(self) -> None:
        with self._lock:
            self.now -= 1


class _Place(flight.ServerMiddleware):
    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def call_completed(self, exception: Any) -> None:
        """Flight says it once for each call."""
        self._end()


def too_many_calls() -> refusals.QueryRefused:
    """Calls of all connections of a session together."""
    return refusals.QueryRefused(
        "too-many-calls",
        ko=f"이 분석 세션이 관문에 동시에 보낸 요청이 {MOST_CALLS}개를 넘습니다. 앞선 요청이 끝난 뒤 다시 "
        "시도하거나 스레드 수를 줄이세요.",
        en=f"This session has more than {MOST_CALLS} requests at the gateway at once. Try again when earlier "
        "ones have been answered, or use fewer threads.",
    )
