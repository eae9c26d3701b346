"""Queries between admission and end: each has one of both on record, whoever dies. Knows no rules.

An admission is in the journal before the log is asked for it,
and stays there until its end is on record, which comes after it however early the worker is done. Where it is
not sure what the log has of a query (nobody answered, or an earlier broker died), its admission is recorded
again before its end: the guard takes each step once.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from catalog.gateway import refusals
from catalog.gateway.guard import (
    Guard,
    QueryEvent,
    QueryEventKind,
    QueryId,
    RecordFailed,
    RecordUnsure,
    SessionId,
    SessionIdentity,
)
from catalog.gateway.journal import Journal
from catalog.gateway.metrics import Metrics
from catalog.gateway.route import present_route
from catalog.gateway.sql.normal import whole

LOG = logging.getLogger(__name__)
RETRY: Final = 2.0  # between attempts to record an end [s]
REFUSED: Final = 1 << 14  # of a refused text, which may be anything, so much is kept [characters]
UNRECORDED: Final = "record-unavailable"  # why a query failed that may have been recorded, and never ran
COMPANY: Final = 0.01  # for so long an end waits for others to be recorded with it [s]
MOST_OWED: Final = 1000  # ends not on record yet; beyond it nothing is admitted


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuery:
    """An admitted query; `event` is its admission as recorded, once it is `settled` whether it is."""

    event: QueryEvent
    generation: int
    started: float
    settled: threading.Event


_Owed = tuple[QueryEvent, ...]  # what is still to be recorded of one query, in order; its end is the last


class Ledger:
    """Admits and ends queries: every admission is durable first, and every admission gets one end.

    Parameters
    ----------
    guard
        Records events durably.
    folder
        Where admissions lie until their end is recorded; outlives the process, not the machine.
    metrics
        Counts and times what is recorded.
    """

    def __init__(self, guard: Guard, folder: Path, metrics: Metrics) -> None:
        self._guard, self._metrics = guard, metrics
        self._journal = Journal(folder)
        self._lock = threading.Lock()
        self._open: dict[QueryId, OpenQuery] = {}
        self._owed: deque[_Owed] = deque()
        self._ending: queue.SimpleQueue[QueryEvent | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        threading.Thread(target=self._pay, daemon=True).start()
        self._concluding = threading.Thread(target=self._conclude, daemon=True)
        self._concluding.start()

    def admit(self, event: QueryEvent, generation: int, begin: Callable[[], None] | None = None) -> None:
        """Record the admission; only then may a row of it leave.

        Parameters
        ----------
        begin
            Has the worker begin while the log is at it. What it begins must give nobody a row before this
            returns, and is to be stopped where this raises.

        Raises
        ------
        GatewayError
            `record-unavailable`, or what `begin` raises: then nothing is on record.
        """
        event = replace(event, route=present_route())
        query = OpenQuery(
            event=event, generation=generation, started=time.monotonic(), settled=threading.Event()
        )
        with self._lock:
            self._open[event.query_id] = query
        try:
            self._admit(event, begin)
        except BaseException:
            with self._lock:
                self._open.pop(event.query_id, None)
            raise
        finally:
            query.settled.set()

    def _admit(self, event: QueryEvent, begin: Callable[[], None] | None) -> None:
        try:
            if len(self._owed) >= MOST_OWED:
                raise RecordFailed(
                    "record-failed", ko="밀린 기록이 많습니다.", en="too much is not on record yet"
                )
            if begin is not None:
                begin()
            self._journal.begin(event)
            self._record(event)
        except RecordUnsure as error:
            self._owe((event, _failed(event, UNRECORDED)))
            raise refusals.record_unavailable() from error
        except (RecordFailed, OSError) as error:
            self._journal.forget(event.query_id)
            raise refusals.record_unavailable() from error

    def refuse(self, event: QueryEvent) -> None:
        """Record a refusal.

        Raises
        ------
        GatewayError
            `record-unavailable`.
        """
        try:
            self._record(replace(event, route=present_route()))
        except RecordFailed as error:
            raise refusals.record_unavailable() from error

    @contextlib.contextmanager
    def refusals_on_record(self, identity: SessionIdentity, asked: str) -> Iterator[None]:
        """Record whatever is refused inside, with the beginning of what was asked.

        Raises
        ------
        QueryRefused, GatewayError
            The refusal itself; `record-unavailable`.
        """
        try:
            yield
        except refusals.QueryRefused as refused:
            self.refuse(
                QueryEvent(
                    kind=QueryEventKind.REFUSED,
                    query_id=QueryId(secrets.token_hex(8)),
                    identity=identity,
                    time=datetime.now(UTC),
                    statement=asked[:REFUSED],
                    normal=whole(asked[:REFUSED]),
                    reason=refused.reason,
                )
            )
            raise

    def end(
        self,
        query_id: QueryId,
        kind: QueryEventKind,
        *,
        rows: int = 0,
        size: int = 0,
        reason: str = "",
        digest: str = "",
    ) -> bool:
        """Have it recorded how a query ended; False if it had ended already. `size` [bytes].

        Waits for its admission where that is just being recorded; one that is not on record has no end. The
        end is in the journal when this returns, and on record with those that come within `COMPANY`.
        """
        with self._lock:
            query = self._open.get(query_id)
        if query is None:
            return False
        query.settled.wait()
        with self._lock:
            if self._open.pop(query_id, None) is None:
                return False
        event = replace(
            query.event,
            kind=kind,
            time=datetime.now(UTC),
            rows=rows,
            bytes=size,
            seconds=round(time.monotonic() - query.started, 6),
            reason=reason,
            digest=digest,
        )
        self._journal.end(event)
        self._ending.put(event)
        return True

    def open_of(self, session_id: SessionId) -> tuple[OpenQuery, ...]:
        """Queries of a session that have not ended."""
        with self._lock:
            return tuple(q for q in self._open.values() if q.event.identity.session_id == session_id)

    def generation_of(self, query_id: QueryId) -> int | None:
        """The worker of a query that has not ended; None for any other."""
        with self._lock:
            query = self._open.get(query_id)
        return None if query is None else query.generation

    def is_open(self, query_id: str) -> bool:
        """Whether a query was admitted and has not ended."""
        with self._lock:
            return query_id in self._open

    def end_generation(self, session_id: SessionId, generation: int, reason: str) -> None:
        """Fail whatever a dead worker left behind."""
        for query in self.open_of(session_id):
            if query.generation == generation:
                self.end(query.event.query_id, QueryEventKind.FAILED, reason=reason)

    def recover(self) -> int:
        """End what an earlier broker left: as failed, or as it had noted; returns how many."""
        count, away = 0, False
        for event, end in self._journal.left():
            left = event, end or _failed(event, "gateway-restarted")
            away = away or not self._try(left)  # a log that does not answer is not waited for again
            if away:
                self._owe(left)
            count += 1
        return count

    def close(self) -> None:
        """Record the ends that are known, then stop trying; the journal keeps what is owed."""
        self._stopping.set()
        self._ending.put(None)
        self._concluding.join()

    @property
    def counts(self) -> tuple[int, int]:
        """Open queries, and ends not yet recorded."""
        with self._lock:
            return len(self._open), len(self._owed)

    def _record(self, event: QueryEvent) -> None:
        with self._metrics.recording(event):
            self._guard.record(event)

    def _try(self, owed: _Owed) -> bool:
        *again, end = owed
        try:
            for event in again:
                self._guard.record(event)
            self._record(end)
        except RecordFailed:
            LOG.warning("the end of a query could not be recorded yet")
            return False
        self._journal.forget(end.query_id)
        return True

    def _conclude(self) -> None:
        """Record ends, several at once: nobody waits for one, and every sync holds up those who do."""
        while True:
            ends = [self._ending.get()]
            self._stopping.wait(COMPANY)
            while not self._ending.empty():
                ends.append(self._ending.get())
            self._record_all([end for end in ends if end is not None])
            if None in ends:
                return

    def _record_all(self, ends: Sequence[QueryEvent]) -> None:
        try:
            with contextlib.ExitStack() as each:
                for end in ends:
                    each.enter_context(self._metrics.recording(end))
                self._guard.record_all(ends)
        except RecordFailed:
            LOG.warning("the end of a query could not be recorded yet")
            for end in ends:
                self._owe((end,))
        else:
            for end in ends:
                self._journal.forget(end.query_id)

    def _owe(self, owed: _Owed) -> None:
        with self._lock:
            self._owed.append(owed)

    def _pay(self) -> None:
        while not self._stopping.wait(RETRY):
            while self._owed and not self._stopping.is_set():
                paid = self._try(self._owed[0])
                with self._lock:
                    if paid:
                        self._owed.popleft()
                    else:
                        self._owed.rotate(-1)  # one that is never taken holds up no other
                if not paid:
                    break


def _failed(admitted: QueryEvent, reason: str) -> QueryEvent:
    return replace(admitted, kind=QueryEventKind.FAILED, time=datetime.now(UTC), reason=reason)
