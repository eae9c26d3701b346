"""How far an ingest is, as numbers. Knows no screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

EVERY = 0.25  # s between two tellings


class Phase(StrEnum):
    """What is being done."""

    SURVEY = "survey"  # hash, encoding and borders of a file [bytes]
    READ = "read"  # values of a file [bytes]
    CHECK = "check"  # rows of a file [rows]
    PUBLISH = "publish"  # rows of all files [rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one phase is.

    Parameters
    ----------
    done, total
        In the phase's unit: bytes of the file, or rows.
    rows
        Rows read so far [rows].
    """

    file: str
    phase: Phase
    done: int
    total: int
    rows: int

    @property
    def percent(self) -> int:
        """0 to 100."""
        return min(100, 100 * self.done // self.total) if self.total else 100


Listener = Callable[[Progress], None]


class Meter:
    """Tells a listener how far things are: a few times a second, and at the end of each phase."""

    def __init__(self, listener: Listener = lambda progress: None) -> None:
        self._listener = listener
        self._told = 0.0

    def tell(self, file: str, phase: Phase, done: int, total: int, rows: int = 0) -> None:
        """So far."""
        now = time.monotonic()
        if now - self._told >= EVERY or done >= total:
            self._told = now
            self._listener(Progress(file=file, phase=phase, done=done, total=total, rows=rows))
