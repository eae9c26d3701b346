"""Sessions that all ask at once, against as many in-process engines in as many processes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.gateway.contender import Engine, Reader
from benchmarks.gateway.data import Data
from benchmarks.gateway.processes import peak
from benchmarks.gateway.product import Product
from benchmarks.gateway.questions import AGGREGATE, statement
from benchmarks.gateway.rivals import InProcess
from benchmarks.gateway.rounds import say


def together(product: Product, data: Data, engine: Engine, rounds: int) -> Mapping[str, Any]:
    """Seconds until all have their aggregate, of sessions and of engines, and the ratio of the medians."""
    plain = InProcess(folder=product.folder)
    ours: list[Reader] = []
    theirs: list[Reader] = []
    try:
        product.start(data, engine)
        ours += [Reader(product, {"address": address}) for address in product.addresses]
        theirs += [Reader(plain, plain.start(data, engine)) for _ in ours]
        groups = [(ours, product.table), (theirs, plain.table)]
        walls: list[list[float]] = [[], []]
        for number in range(rounds + 1):
            say(f"{len(ours)} at once, round {number} of {rounds}")
            for which in (number % 2, 1 - number % 2):
                readers, table = groups[which]
                taken = at_once(readers, statement(AGGREGATE, table, data.day, data.dong))
                if number:
                    walls[which].append(taken)
        one, other = (statistics.median(taken) for taken in walls)
        return {
            "sessions": len(ours),
            "gateway_seconds": walls[0],
            "in_process_seconds": walls[1],
            "ratio": one / other,
            "worker_bytes": product.peak(),
            "in_process_bytes": max(peak(reader.process.pid) for reader in theirs),
        }
    finally:
        for reader in (*ours, *theirs):
            reader.close()
        product.stop()


def at_once(readers: Sequence[Reader], text: str) -> float:
    """Seconds from the first question to the last answer."""
    began = time.perf_counter()
    for reader in readers:
        reader.begin(text)
    for reader in readers:
        reader.answer()
    return time.perf_counter() - began
