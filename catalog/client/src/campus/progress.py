"""Shows how far a long query is: rows, percent, estimated end. A line on a terminal, a bar in a notebook."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final

SHOWN_AFTER: Final = 1.0  # a quicker query shows nothing [s]
EVERY: Final = 0.5  # between two looks [s]
WIDTH: Final = 24  # characters of the bar on a terminal


class Progress:
    """One query's progress, from its first wait to its end.

    Parameters
    ----------
    ask
        Answers rows and percent (-1: not known) as the worker last said.
    """

    def __init__(self, ask: Callable[[], Mapping[str, Any]]) -> None:
        self._ask = ask
        self._began = time.monotonic()
        self._display = _display()
        self._open = False

    @property
    def patience(self) -> float | None:
        """How long to wait before the next look [s]; None where nobody would see it."""
        if self._display is None or threading.current_thread() is not threading.main_thread():
            return None
        return EVERY if self._open else max(0.05, self._began + SHOWN_AFTER - time.monotonic())

    def look(self, received: int) -> None:
        """Ask, and show; `received` rows are here already."""
        seconds = time.monotonic() - self._began
        if self._display is None or seconds < SHOWN_AFTER:
            return
        said = self._ask()
        rows, percent = max(received, int(said.get("rows", 0))), float(said.get("percent", -1.0))
        self._open = True
        self._display(words(rows, percent, seconds), percent)

    def close(self) -> None:
        """Take the display away."""
        if self._open and self._display is not None:
            self._open = False
            self._display("", -1.0)


def words(rows: int, percent: float, seconds: float) -> str:
    """Rows so far, percent and estimated end; what is not known is left out."""
    parts = [f"{seconds:.0f} s"]
    if rows:
        parts.append(f"{rows:,}행 · {rows:,} rows")
    if percent >= 0:
        parts.append(f"{percent:.0f} %")
    if 1 <= percent < 100:
        left = seconds * (100 - percent) / percent
        parts.append(f"약 {left:.0f}초 남음 · about {left:.0f} s left")
    return " · ".join(parts)


def html(text: str, percent: float) -> str:
    """A bar that browsers and screen readers know; without a value it only moves."""
    if not text:
        return ""
    value = f' value="{percent:.0f}"' if percent >= 0 else ""
    bar = f'<progress max="100"{value} aria-label="질의 진행 · query progress"></progress>'
    return f"<div>{bar} {escape(text)}</div>"


def line(text: str, percent: float) -> str:
    """The same for a terminal."""
    done = round(WIDTH * max(percent, 0.0) / 100)
    bar = "█" * done + "░" * (WIDTH - done) if percent >= 0 else "░" * WIDTH
    return f"\r\x1b[K{bar} {text}" if text else "\r\x1b[K"


def _display() -> Callable[[str, float], None] | None:
    """Where progress can be seen from here, if anywhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and getattr(shell, "kernel", None) is not None:
        return _notebook()
    if sys.stderr is not None and sys.stderr.isatty():
        return _terminal
    return None


def _terminal(text: str, percent: float) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(line(text, percent))
        sys.stderr.flush()


def _notebook() -> Callable[[str, float], None]:
    from IPython.display import HTML, display

    handle: list[Any] = []

    def show(text: str, percent: float) -> None:
        if not handle:
            handle.append(display(HTML(html(text, percent)), display_id=True))
        else:
            handle[0].update(HTML(html(text, percent)))

    return show
