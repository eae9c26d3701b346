"""Ends running queries whose grants ended, or whose worker hangs: looks every second. Decides no grant.

A grant that was taken back, cut or ran out holds for no further statement, because every statement asks anew.
This looks after the statements that are running: each is stopped at its worker, with the reason, and its end
is recorded. A reader that does not take its rows cannot keep a query alive: after a moment its worker goes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, Protocol

from catalog.descriptions.variants import sql_name
from catalog.gateway.guard import GrantedTable, Guard, QueryEventKind, ScannedTable, SessionIdentity
from catalog.gateway.queries import Ledger, OpenQuery

LOG = logging.getLogger(__name__)
EVERY: Final = 1.0  # between two looks [s]
PATIENCE: Final = 3.0  # a stopped query has to end by itself [s]
UNANSWERED: Final = 10  # looks in a row the guard may fail before nothing counts as granted
PULSE: Final = 10  # looks between two at workers that run something: do they still answer?
IDLE: Final = 10  # looks between two at sessions that run nothing
GRANT_ENDED: Final = "grant-ended"


class Session(Protocol):
    """What this needs of a session; `SessionGateway` is one, tests have another."""

    @property
    def identity(self) -> SessionIdentity:
        """Whose it is."""
        ...

    def stop_query(self, query_id: str, reason: str, ko: str, en: str) -> None:
        """Stop one query at its worker and say why to its reader."""
        ...

    def kill_worker(self, generation: int) -> None:
        """End a worker with everything that still runs in it."""
        ...

    def renew(self) -> None:
        """Make the worker anew if the next statement would."""
        ...

    def pulse(self) -> None:
        """End workers that do not answer."""
        ...


class Watch:
    """Looks at every session until closed."""

    def __init__(self, guard: Guard, ledger: Ledger, sessions: Callable[[], Iterable[Session]]) -> None:
        self._guard, self._ledger, self._sessions = guard, ledger, sessions
        self._stopped: dict[str, float] = {}  # query → when it was told to stop
        self._unanswered: dict[str, int] = {}
        self._looks = 0
        self._closing = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.wait(EVERY):
            self._looks += 1
            for session in tuple(self._sessions()):
                try:
                    self._look(session)
                except Exception:  # one session's trouble is not another's
                    LOG.exception("a session could not be looked at")

    def _look(self, session: Session) -> None:
        running = self._ledger.open_of(session.identity.session_id)
        now = datetime.now(UTC)
        if not running:
            if self._looks % IDLE == 0:
                _aside(session.renew)
            return
        if self._looks % PULSE == 0:
            _aside(session.pulse)
        granted = self._granted(session.identity, now)
        if granted is None:
            return
        ended = [(query, lost) for query in running if (lost := _lost(query, granted, now)) is not None]
        for query, lost in ended:
            self._stop(session, query, lost)
        self._stopped = {i: when for i, when in self._stopped.items() if self._ledger.is_open(i)}
        if ended:
            _aside(session.renew)

    def _granted(self, identity: SessionIdentity, now: datetime) -> tuple[GrantedTable, ...] | None:
        try:
            found = self._guard.granted(identity, now)
        except Exception:
            failed = self._unanswered[identity.session_id] = self._unanswered.get(identity.session_id, 0) + 1
            LOG.exception("the guard does not say what is granted")
            return () if failed >= UNANSWERED else None
        self._unanswered.pop(identity.session_id, None)
        return found

    def _stop(self, session: Session, query: OpenQuery, lost: ScannedTable) -> None:
        query_id = query.event.query_id
        since = self._stopped.get(query_id)
        if since is None:
            self._stopped[query_id] = time.monotonic()
            session.stop_query(query_id, GRANT_ENDED, *_words(sql_name(lost.dataset, lost.variant)))
        elif time.monotonic() - since > PATIENCE:
            self._ledger.end(query_id, QueryEventKind.CANCELLED, reason=GRANT_ENDED)
            session.kill_worker(query.generation)


def _aside(task: Callable[[], None]) -> None:
    """Begin it aside: a worker that is slow holds up no other session's look."""

    def run() -> None:
        try:
            task()
        except Exception:  # the next statement or look tries again; a statement says so to its reader
            LOG.exception("a session's worker could not be looked after")

    threading.Thread(target=run, daemon=True).start()


def _lost(query: OpenQuery, granted: Iterable[GrantedTable], now: datetime) -> ScannedTable | None:
    """The first table a query reads by a grant that holds no longer."""
    holds = {
        (g.grant_id, g.dataset, g.variant, g.partitions)
        for g in granted
        if g.expires is None or g.expires > now
    }
    for table in query.event.tables:
        if (table.grant_id, table.dataset, table.variant, table.partitions) not in holds:
            return table
    return None


def _words(name: str) -> tuple[str, str]:
    return (
        f"실행하는 동안 '{name}' 데이터셋의 이용 권한이 끝나거나 바뀌어 질의를 중단했습니다. 세션은 그대로 "
        "쓸 수 있습니다. campus.datasets()로 지금 읽을 수 있는 것을 보고, 필요하면 포털에서 다시 신청하세요.",
        f"The grant for '{name}' ended or changed while this ran, so the query was stopped. The session goes "
        "on: see campus.datasets() for what you may read now, and apply again in the portal if you need to.",
    )
