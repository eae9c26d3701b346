"""Takes the broker's messages one by one, in whichever thread is free. Knows no message.

Whoever took what runs for long runs it, and another thread goes on listening: nothing is handed from one
thread to the next before it begins, which takes longer than many a query.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Todo:
    """What an order asks for that takes long; `refuse` in its place where no thread can be had."""

    run: Callable[[], None]
    refuse: Callable[[], None]


def obey(receive: Callable[[], Message | None], take: Callable[[Message], Todo | None]) -> NoReturn:
    """Obey until the broker goes, then end the process: without a broker nothing may run.

    Parameters
    ----------
    receive
        The next message; None where the broker has gone. Asked by one thread at a time.
    take
        Obeys a message at once, or returns what there is to do. The next message is received after it.
    """
    try:
        _Listeners(receive, take).listen()
    finally:
        os._exit(1)  # whatever happened: leaving in order would wait for readers whom nobody serves any more


class _Listeners:
    def __init__(self, receive: Callable[[], Message | None], take: Callable[[Message], Todo | None]) -> None:
        self._receive, self._take = receive, take
        self._listening = threading.Lock()
        self._counting = threading.Lock()
        self._free = 0  # threads that listen, or wait for it

    def listen(self) -> None:
        """Listen and do in turn; ends the process, however it ends."""
        try:
            while (what := self._next()) is not None:
                try:
                    what.run()
                except Exception:  # one query's trouble is not another's
                    traceback.print_exc()
            os._exit(0)
        finally:
            os._exit(1)

    def _next(self) -> Todo | None:
        with self._counting:
            self._free += 1
        with self._listening:
            while (message := self._receive()) is not None:
                what = self._take(message)
                if what is None:
                    continue
                if self._leave():
                    return what
                what.refuse()
        return None

    def _leave(self) -> bool:
        """Stop listening, where somebody else does or will."""
        with self._counting:
            self._free -= 1
            alone = not self._free
        if not alone:
            return True
        try:
            threading.Thread(target=self.listen, daemon=True).start()
        except (RuntimeError, MemoryError):
            with self._counting:
                self._free += 1
            return False
        return True
