"""A progress bar on a terminal, plain lines elsewhere. Knows numbers and a stream; not what is done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

from catalog.ingest.meter import Phase, Progress

WIDTH = 24  # characters of the bar
PLAIN_EVERY = 5.0  # s between two plain lines
WORDS = {
    Phase.SURVEY: "살펴보기 survey",
    Phase.READ: "값 읽기 reading",
    Phase.CHECK: "검사 checking",
    Phase.PUBLISH: "공개 publishing",
}


class Bar:
    """Shows how far an ingest is: share, amount, rate and the time that is left.

    Parameters
    ----------
    clock
        Monotonic seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._tty = stream.isatty()
        self._phase: tuple[str, Phase] | None = None
        self._began = self._shown = clock()
        self._first = 0
        self._drawn = False

    def show(self, progress: Progress) -> None:
        """So far."""
        now = self._clock()
        if (progress.file, progress.phase) != self._phase:
            self.clear()
            self._phase = (progress.file, progress.phase)
            self._began, self._first, self._shown = now, progress.done, now
        line = self._line(progress, now)
        if self._tty:
            columns = shutil.get_terminal_size().columns
            self._stream.write("\r\x1b[K" + _cut(line, columns - 1))
            self._drawn = True
        elif now - self._shown >= PLAIN_EVERY:
            self._shown = now
            self._stream.write(line + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Leave the line to others."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._drawn = False

    def _line(self, progress: Progress, now: float) -> str:
        full = WIDTH * progress.percent // 100
        rate = (progress.done - self._first) / max(now - self._began, 1e-3)
        left = (progress.total - progress.done) / rate if rate > 0 else 0.0
        in_bytes = progress.phase in {Phase.SURVEY, Phase.READ}
        amount = _bytes if in_bytes else _rows
        parts = [
            f"[{'█' * full}{'░' * (WIDTH - full)}] {progress.percent:3} %",
            WORDS[progress.phase],
            f"{amount(progress.done)} / {amount(progress.total)}",
            *([_rows(progress.rows)] if in_bytes and progress.rows else []),
            f"{amount(int(rate))}/s",
            f"남음 left {int(left) // 60}:{int(left) % 60:02}",
            progress.file,
        ]
        return "  ".join(parts)


def _bytes(number: int) -> str:
    return f"{number / 1e9:.2f} GB" if number >= 10**9 else f"{number / 1e6:.1f} MB"


def _rows(number: int) -> str:
    return f"{number:,}행"


def _cut(line: str, columns: int) -> str:
    """As much as fits; Korean letters and blocks take two columns in many terminals."""
    width, out = 0, ""
    for letter in line:
        width += 2 if ord(letter) >= 0x1100 and not 0x2500 <= ord(letter) <= 0x25FF else 1
        if width > columns:
            break
        out += letter
    return out
