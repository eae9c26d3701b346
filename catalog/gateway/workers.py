"""The worker of one session and older ones that drain, made for exactly what may be read. Records nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from catalog.errors import CatalogError
from catalog.gateway import oversize, refusals
from catalog.gateway.admission import QueryLimits
from catalog.gateway.ended import Ended
from catalog.gateway.guard import SessionId
from catalog.gateway.processes import Starter, WorkerProcess
from catalog.gateway.turns import Turns
from catalog.gateway.workspace import Places, Workspace, views

LOG = logging.getLogger(__name__)
SILENT: Final = 30.0  # a worker that answers nothing for so long is ended [s]
ASK_SECONDS: Final = 2.0  # what the gateway asks by the way may take so long [s]
ENGINE_SHARE: Final = 0.75  # of the worker's memory; the rest is for Arrow, gRPC and the interpreter
SESSION_CLOSED: Final = "session-closed"
RESTARTING: Final = "gateway-restarted"
WORKER_DIED: Final = "worker-died"
_AHEAD: Final = threading.Semaphore(1)


class Workers:
    """One session's workers; safe to use from several threads.

    Parameters
    ----------
    on_ended
        Told of the end of every query that a worker reports.
    on_death
        Told the number of a worker that has gone, and why; its queries have no other end.
    """

    def __init__(
        self,
        session_id: SessionId,
        *,
        starter: Starter,
        places: Places,
        limits: QueryLimits,
        turns: Turns,
        on_ended: Callable[[Ended], None],
        on_death: Callable[[int, str], None],
    ) -> None:
        self._session_id, self._starter, self._places, self._limits = session_id, starter, places, limits
        self._turns = turns
        self._on_ended, self._on_death = on_ended, on_death
        self._lock = threading.Lock()
        self._current: WorkerProcess | None = None
        self._all: tuple[WorkerProcess, ...] = ()  # the current one and those that drain; replaced whole
        self._key: object = None
        self._files: frozenset[str] = frozenset()  # that the current one holds
        self._generation = 0
        self._closed = ""  # why, once it is

    def ready(self, workspace: Workspace) -> WorkerProcess:
        """The worker for exactly this workspace; an older one drains.

        Raises
        ------
        GatewayError
            The session is closed, or no worker can be started.
        """
        with self._lock:
            return self._ready(workspace)

    def ask(self, workspace: Workspace, sql: str) -> list[list[Any]]:
        """Rows of a short statement of the gateway's own; raises like `ready` and `WorkerProcess.inspect`."""
        return self.ready(workspace).inspect(sql, ASK_SECONDS)

    @property
    def closed(self) -> bool:
        """Whether nothing is started any more."""
        with self._lock:
            return bool(self._closed)

    def renew(self, workspace: Callable[[], Workspace]) -> None:
        """Make the worker anew if the next statement would: at once if it holds files no longer to be read.

        Otherwise one session after the other, so that a new version of what all read starts no crowd.
        """
        now = workspace()
        with self._lock:
            if not self._outdated(now):
                return
            if not self._files <= set(now.files):
                self._ready(now)
                return
        with _AHEAD:
            now = workspace()
            with self._lock:
                if self._outdated(now):
                    self._ready(now)

    def generation_for(self, workspace: Workspace) -> int:
        """Number of the worker that would run a query now; that of a new one if one would be made."""
        with self._lock:
            return self._generation if self._serves(workspace) else self._generation + 1

    def cancel(self, query_id: str, **words: str) -> None:
        """Have whichever worker runs a query stop it; see `WorkerProcess.cancel`."""
        for worker in self._every():
            worker.cancel(query_id, **words)

    def progress(self, query_id: str) -> tuple[int, float] | None:
        """Rows and percent of a long query; None where nothing is known."""
        return next((found for w in self._every() if (found := w.progress(query_id)) is not None), None)

    def drop(self, name: str) -> None:
        """Forget a saved table."""
        with self._lock:
            if self._current is not None:
                self._current.drop(name)

    def kill(self, generation: int) -> None:
        """End a worker with everything that still runs in it; the next statement gets another."""
        for worker in self._every():
            if worker.generation == generation:
                worker.stop()

    def pulse(self) -> None:
        """End those that do not listen any more: what runs in them would never have an end."""
        for worker in self._every():
            if not worker.answers(SILENT):
                LOG.warning("a worker did not answer for %g s and is ended", SILENT)
                worker.stop()

    def retire(self, generation: int) -> bool:
        """Have a worker leave when its queries have ended; False if it is not the current one."""
        with self._lock:
            if self._current is None or self._current.generation != generation:
                return False
            self._current.drain()
            self._current = None
            return True

    def close(self, reason: str) -> None:
        """End them all; nothing is started any more, for this reason."""
        with self._lock:
            self._closed = reason
            workers, self._all, self._current = self._all, (), None
        for worker in workers:
            worker.stop()

    def _every(self) -> tuple[WorkerProcess, ...]:
        """Those that run; without the lock, which is held as long as another one takes to start."""
        return self._all

    def _outdated(self, workspace: Workspace) -> bool:
        return self._current is not None and not self._closed and not self._serves(workspace)

    def _serves(self, workspace: Workspace) -> bool:
        return self._current is not None and self._current.alive and self._key == workspace.key

    def _ready(self, workspace: Workspace) -> WorkerProcess:
        if self._closed:
            raise refusals.session_closed() if self._closed == SESSION_CLOSED else refusals.restarting()
        if self._current is not None and self._serves(workspace):
            return self._current
        if self._current is not None:
            self._current.drain()
            self._current = None
        self._generation += 1
        generation, files = self._generation, workspace.files
        self._unlink(generation)
        try:
            started, control = self._starter.start_worker(
                self._session_id, generation, [(f, f"/data/{f}") for f in files], self._limits.memory
            )
        except (CatalogError, OSError) as error:
            raise refusals.worker_unavailable() from error
        try:
            self._current = WorkerProcess(
                self._starter,
                started,
                control,
                self._configuration(workspace, generation),
                on_ended=self._on_ended,
                on_death=self._died,
                session_id=self._session_id,
                turns=self._turns,
                generation=generation,
            )
        except refusals.GatewayError:
            self._unlink(generation)
            raise
        self._all = (*self._all, self._current)
        self._key, self._files = workspace.key, frozenset(files)
        return self._current

    def _configuration(self, workspace: Workspace, generation: int) -> dict[str, Any]:
        return {
            "listen": self._places.worker_socket(self._session_id, generation),
            "views": views(workspace, self._places),
            "files": [self._places.data(f) for f in workspace.files],
            "threads": self._limits.threads,
            "memory": int(self._limits.memory * ENGINE_SHARE),
            "spill": self._places.spill(self._session_id),
            "spill_size": self._limits.spill,
            "batch_rows": self._limits.batch_rows,
            "saved_rows": self._limits.saved_rows,
            "saved_bytes": self._limits.saved_bytes,
            "result_bytes": self._limits.result,
            "columns": oversize.MOST_COLUMNS,
        }

    def _unlink(self, generation: int) -> None:
        """Remove the socket that a worker of this number left, or would find in its place."""
        sockets = self._places.session(self._session_id) / "data"
        (sockets / f"worker-{generation}.sock").unlink(missing_ok=True)

    def _died(self, worker: WorkerProcess) -> None:
        self._unlink(worker.generation)
        self._on_death(worker.generation, self._closed or WORKER_DIED)
        with self._lock:
            self._all = tuple(each for each in self._all if each is not worker)
            if self._current is worker:
                self._current = None
