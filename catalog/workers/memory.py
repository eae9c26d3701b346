"""How the worker's C library holds memory. Knows no query."""

from __future__ import annotations

import ctypes

KEEPS = {-3: 4 << 20, -1: 64 << 20}  # malloc.h: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD [bytes]


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
