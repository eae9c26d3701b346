"""What the gateway counts, as Prometheus text. Knows no person, session, dataset, statement or row."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from catalog.gateway.guard import QueryEvent, QueryEventKind
from catalog.gateway.processes import Started, Starter

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)
BYTES = tuple(float(1 << power) for power in range(10, 34, 2))
_PREFIX = "campus_gateway"


class Metrics:
    """Counters of one gateway process; they begin at nothing when it starts."""

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self._queries = Counter(
            f"{_PREFIX}_queries", "Queries on record, by what became of them.", ["kind"], registry=self._all
        )
        for kind in QueryEventKind:
            self._queries.labels(kind.value)
        self._seconds = Histogram(
            f"{_PREFIX}_query_seconds", "From admission to end [s].", registry=self._all, buckets=SECONDS
        )
        self._bytes = Histogram(
            f"{_PREFIX}_query_bytes", "Rows given by a query, as Arrow [bytes].", registry=self._all,
            buckets=BYTES,
        )  # fmt: skip
        self._record = Histogram(
            f"{_PREFIX}_record_seconds", "To make one event durable in the log [s].", registry=self._all,
            buckets=SECONDS,
        )  # fmt: skip
        self._record_failures = Counter(
            f"{_PREFIX}_record_failures", "Events that the log did not take.", registry=self._all
        )
        self._starts = Histogram(
            f"{_PREFIX}_worker_start_seconds", "To start a query worker's sandbox [s].", registry=self._all,
            buckets=SECONDS,
        )  # fmt: skip
        self._start_failures = Counter(
            f"{_PREFIX}_worker_start_failures", "Query workers that did not start.", registry=self._all
        )
        self._now = {
            name: Gauge(f"{_PREFIX}_{name}", sentence, registry=self._all)
            for name, sentence in (
                ("sessions", "Sessions that are listened for."),
                ("queries_open", "Queries that were admitted and have not ended."),
                ("queries_running", "Queries that have their turn."),
                ("queries_waiting", "Queries whose readers wait for their turn."),
                ("unrecorded_ends", "Ends of queries that are not on record yet."),
                ("remote_connections", "Connections of sessions on other machines."),
                ("draining", "1 while nothing new is taken before a restart."),
            )
        }

    @contextmanager
    def recording(self, event: QueryEvent) -> Iterator[None]:
        """Time what makes an event durable, and count the event if it became so."""
        began = time.monotonic()
        try:
            yield
        except Exception:
            self._record_failures.inc()
            raise
        self._record.observe(time.monotonic() - began)
        self._queries.labels(event.kind.value).inc()
        if event.kind not in {QueryEventKind.ADMITTED, QueryEventKind.REFUSED}:
            self._seconds.observe(event.seconds)
            self._bytes.observe(event.bytes)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Time a start, and count it if it failed."""
        began = time.monotonic()
        try:
            yield
        except Exception:
            self._start_failures.inc()
            raise
        self._starts.observe(time.monotonic() - began)

    def text(self, now: Mapping[str, int]) -> str:
        """Everything in Prometheus' text format; `now` are the gauges."""
        for name, value in now.items():
            self._now[name].set(value)
        return generate_latest(self._all).decode()


class CountedStarter:
    """A starter whose workers are counted and timed."""

    def __init__(self, starter: Starter, metrics: Metrics) -> None:
        self._starter, self._metrics = starter, metrics

    def start_worker(
        self, session_id: str, generation: int, files: Sequence[tuple[str, str]], memory: int
    ) -> tuple[Started, socket.socket]:
        """See `Starter`."""
        with self._metrics.starting():
            return self._starter.start_worker(session_id, generation, files, memory)

    def start_parser(self, session_id: str) -> tuple[Started, socket.socket]:
        """See `Starter`."""
        return self._starter.start_parser(session_id)

    def stop(self, sandbox_id: str, grace: float = 5.0) -> None:
        """See `Starter`."""
        self._starter.stop(sandbox_id, grace)
