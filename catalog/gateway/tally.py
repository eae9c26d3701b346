"""Says now and then how often something happened, so that nobody fills a log by doing it. Knows no cause."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

EVERY: Final = 60.0  # between two lines [s]


class Tally:
    """Counts by kind; safe to use from several threads.

    Parameters
    ----------
    log, what
        Where a line goes, and how it begins.
    clock
        Monotonic seconds.
    """

    def __init__(self, log: logging.Logger, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._what, self._clock = log, what, clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._said = -EVERY

    def note(self, kind: str) -> None:
        """It happened once more; the first time is said at once."""
        with self._lock:
            self._counts[kind] += 1
            now = self._clock()
            if now - self._said < EVERY:
                return
            self._said, counts, self._counts = now, self._counts, Counter()
        self._log.warning("%s: %s", self._what, ", ".join(f"{k} {n}" for k, n in sorted(counts.items())))
