"""Bytes from one socket to another and back, until either end has enough. Knows nothing of what they mean."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

CHUNK: Final = 256 << 10  # held of each direction at most a few times this [bytes]
GOODBYE: Final = 1.0  # for what was already said to arrive when one end hangs up [s]

Ear = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class End:
    """One end of a tunnel."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def cut(self) -> None:
        """Hang up at once."""
        self.writer.transport.abort()


def unheard(said: bytes) -> None:
    """Nobody listens to what is carried."""


async def carry(one: End, other: End, asked: Ear = unheard, answered: Ear = unheard) -> None:
    """Forward both ways; when one end hangs up, what it said still goes out, then both are cut.

    Parameters
    ----------
    asked, answered
        Told what each end says, before it is forwarded; an `OSError` ends the tunnel.
    """
    ways = {
        asyncio.create_task(_pour(one, other, asked)),
        asyncio.create_task(_pour(other, one, answered)),
    }
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for end in (one, other):
            end.writer.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                for end in (one, other):
                    with contextlib.suppress(OSError):
                        await end.writer.wait_closed()
    finally:
        for way in ways:
            way.cancel()
        for end in (one, other):
            end.cut()


async def _pour(source: End, sink: End, ear: Ear) -> None:
    with contextlib.suppress(OSError):  # either end may go at any time: that is how a tunnel ends
        while data := await source.reader.read(CHUNK):
            ear(data)
            sink.writer.write(data)
            await sink.writer.drain()
