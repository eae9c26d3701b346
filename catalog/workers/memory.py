"""How the worker's C library holds memory, and what is kept for saying that it ran out. Knows no query."""

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

    It counts towards the limit and takes no page.
    """

    def __init__(self, size: int = RESERVE) -> None:
        self._size = size
        self._held: mmap.mmap | None = None
        self.fill()

    def use(self) -> None:
        """Let go of it; what is told next has room."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def fill(self) -> None:
        """Hold it again, where there is room."""
        if self._held is None:
            with contextlib.suppress(OSError, MemoryError):
                self._held = mmap.mmap(-1, self._size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
