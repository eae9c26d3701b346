"""Statements judged lately, so that the same text over the same tables is not judged twice. Knows no SQL."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from catalog.gateway.sql.statement import Statement

MOST: Final = 256  # statements of one session
LONGEST: Final = 1 << 14  # characters of one that is kept


class Known:
    """The statements of one session that were admitted lately; refused ones are judged anew each time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, Statement] = OrderedDict()

    def statement(self, text: str, judged_by: Hashable, judge: Callable[[], Statement]) -> Statement:
        """What `judge` says, or said when everything in `judged_by` was the same."""
        key = text, judged_by
        with self._lock:
            if (known := self._found.get(key)) is not None:
                self._found.move_to_end(key)
                return known
        made = judge()
        if len(text) <= LONGEST:
            with self._lock:
                self._found[key] = made
                while len(self._found) > MOST:
                    self._found.popitem(last=False)
        return made
