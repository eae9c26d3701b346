"""Asks for a moment before it refuses. Knows no rule.

A worker gives the last row before it says that the query has ended, so a reader may come back before its
query is known to be over: it must not be told that the query still runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from catalog.gateway.refusals import QueryRefused

MOMENT: Final = 0.1  # [s]
LOOK: Final = 0.002  # between two attempts [s]


def patiently(demand: Callable[[], None]) -> None:
    """Demand it until it is not refused, or `MOMENT` is over.

    Raises
    ------
    QueryRefused
        What `demand` raised last.
    """
    deadline = time.monotonic() + MOMENT
    while True:
        try:
            return demand()
        except QueryRefused:
            if time.monotonic() > deadline:
                raise
        time.sleep(LOOK)
