"""How the worker's C library holds memory, and what is kept for saying that it ran out. Knows no query.

A call from Python to Python for which the interpreter (CPython 3.11) finds no room lets go of the function
once too often: a `SystemError` without a cause, and soon worse. A thread has room for tens of calls from its
first one on, so it is that one which has to come from C, where want of room is a plain `MemoryError`. Flight
comes for every batch with a new thread state; its generators call nothing but C before that.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap

KEEPS = {-3: 4 << 20, -1: 64 << 20}  # malloc.h: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD [bytes]
RESERVE = 32 << 20  # [bytes]


def keep_memory() -> None:
    """Have the C library use a batch's memory again for the next one, instead of fresh pages each time.

    A batch's columns are of a megabyte or so, which it otherwise gives back to the kernel at once; the faults
    of taking it anew were a third of what a large numeric result cost the worker. Larger pieces still come
    from the kernel and go back: kept as well, sorts that spill met the limit of memory.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's
    if adjust is not None:
        for kind, size in KEEPS.items():
            adjust(kind, size)


class Reserve:
    """Address space that nobody uses until memory has run out, so that the end can still be told.

    It counts towards the limit and takes no page. Where `use` may not be called, `room.close()` may: it is C.
    """

    def __init__(self, size: int = RESERVE) -> None:
        self._size = size
        self.room = _taken(size)

    def use(self) -> None:
        """Let go of it; what is told next has room."""
        self.room.close()

    def fill(self) -> None:
        """Hold it again, where as much is left beside it: queries come first."""
        if self.room.closed:
            with contextlib.suppress(OSError, MemoryError):
                _taken(2 * self._size).close()
                self.room = _taken(self._size)


def _taken(size: int) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
