"""The broker's side of a parser and of a query worker: start, talk, notice death. Knows no grants."""

from __future__ import annotations

import contextlib
import queue
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from catalog.errors import CatalogError
from catalog.gateway import oversize, refusals
from catalog.gateway.control import ControlClosed, receive, send
from catalog.gateway.ended import Ended, ended_of
from catalog.gateway.governed import words
from catalog.gateway.guard import SessionId
from catalog.gateway.turns import Turns

START_SECONDS: Final = 30.0
PARSE_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 10.0
SEND_SECONDS: Final = 5.0  # a worker that takes no order for so long is ended
LATE: Final = 0.5  # more than a plan may take, until nobody waits for it [s]


class Started(Protocol):
    """A sandbox the launcher started."""

    @property
    def sandbox_id(self) -> str:
        """Its name at the launcher."""
        ...


class Starter(Protocol):
    """The part of the launcher the gateway uses; also a plain process starter in the benchmark."""

    def start_worker(
        self, session_id: str, generation: int, files: Sequence[tuple[str, str]], memory: int
    ) -> tuple[Started, socket.socket]:
        """A worker over exactly these files (path in the warehouse, path inside)."""
        ...

    def start_parser(self, session_id: str) -> tuple[Started, socket.socket]:
        """A parser that sees no data."""
        ...

    def stop(self, sandbox_id: str, grace: float = 5.0) -> None:
        """End it and everything in it."""
        ...


class SandboxedParser:
    """The engine's parser in its sandbox; started when first needed and again after it died."""

    def __init__(self, starter: Starter, session_id: SessionId) -> None:
        self._starter = starter
        self._session_id = session_id
        self._lock = threading.Lock()
        self._running: tuple[Started, socket.socket] | None = None
        self._closed = False

    def serialise(self, text: str) -> str:
        """See `sql.statement.Parser`."""
        return str(self._ask(op="serialise", text=text).get("tree"))

    def deserialise(self, tree: str) -> tuple[str, str]:
        """See `sql.statement.Parser`."""
        answer = self._ask(op="deserialise", tree=tree)
        return str(answer.get("text")), str(answer.get("tree"))

    def both(self, text: str) -> tuple[str, str, str]:
        """See `sql.statement.Parser`."""
        answer = self._ask(op="both", text=text)
        return str(answer.get("tree")), str(answer.get("text", "")), str(answer.get("again", ""))

    def warm(self) -> None:
        """Start it before the first statement."""
        with self._lock:
            self._control()

    def close(self) -> None:
        """End it for good: a statement that comes later starts none that nobody would end."""
        with self._lock:
            self._closed = True
            self._drop()

    def _ask(self, **message: Any) -> dict[str, Any]:
        with self._lock:
            answer = self._answer(message, again=self._running is not None)
            if answer.get("memory"):  # what it took it keeps: the next statement gets another
                self._drop()
                raise oversize.statement_memory()
        if "error" in answer:
            raise refusals.syntax_error(str(answer["error"]))
        return answer

    def _answer(self, message: dict[str, Any], *, again: bool) -> dict[str, Any]:
        """Ask; a parser that was already running and has died meanwhile is replaced once."""
        control = self._control()
        began = time.monotonic()
        try:
            send(control, message)
            return receive(control)
        except ControlClosed:
            self._drop()
        if again and time.monotonic() - began < PARSE_SECONDS / 2:
            return self._answer(message, again=False)
        raise refusals.parser_failed()

    def _control(self) -> socket.socket:
        if self._running is None:
            if self._closed:
                raise refusals.restarting()
            try:
                started, control = self._starter.start_parser(self._session_id)
            except (CatalogError, OSError) as error:
                raise refusals.worker_unavailable() from error
            self._running = started, control
            control.settimeout(START_SECONDS)
            try:
                receive(control)
            except ControlClosed:
                self._drop()
                raise refusals.worker_unavailable() from None
            control.settimeout(PARSE_SECONDS)
        return self._running[1]

    def _drop(self) -> None:
        if self._running is not None:
            started, control = self._running
            self._running = None
            control.close()
            stop_quietly(self._starter, started.sandbox_id)


class WorkerProcess:
    """One generation of a session's worker."""

    def __init__(
        self,
        starter: Starter,
        started: Started,
        control: socket.socket,
        configuration: dict[str, Any],
        on_ended: Callable[[Ended], None],
        on_death: Callable[[WorkerProcess], None],
        *,
        session_id: SessionId,
        turns: Turns,
        generation: int = 0,
    ) -> None:
        self.generation = generation
        self._session_id, self._turns = session_id, turns
        self._unended: set[str] = set()  # handles it was given
        self.listen = str(configuration["listen"])
        self.alive, self._busy = True, False
        self._starter, self._started, self._control = starter, started, control
        self._on_ended, self._on_death = on_ended, on_death
        self._lock = threading.Lock()
        self._admitted: dict[str, threading.Event] = {}
        self._progress: dict[str, tuple[int, float]] = {}
        self._asked: dict[str, queue.SimpleQueue[Mapping[str, Any]]] = {}
        try:
            send(control, {"op": "configure", **configuration})
            control.settimeout(START_SECONDS)
            answer = receive(control)
        except ControlClosed:
            answer = {"op": "died"}
        if answer.get("op") != "ready":
            self.stop()
            control.close()
            raise refusals.worker_unavailable()
        self.pid = int(answer.get("pid", 0))  # as the worker sees itself: for tests with plain processes
        control.settimeout(None)
        longest = struct.pack("ll", int(SEND_SECONDS), int(SEND_SECONDS % 1 * 1e6))
        control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, longest)  # of writing alone
        threading.Thread(target=self._listen, daemon=True).start()

    def admit(self, handle: str, work: Mapping[str, Any]) -> None:
        """Make the handle good once; returns when the worker knows it.

        Parameters
        ----------
        work
            `sql`, `parameters`, `save_as`, `seconds` it may take [s], `ttl` until it must be fetched [s].

        Raises
        ------
        GatewayError
            The worker died.
        """
        known = threading.Event()
        self._admitted[handle] = known
        self._unended.add(handle)
        try:
            self._send(op="admit", handle=handle, **work)
            if not known.wait(ANSWER_SECONDS) or not self.alive:
                raise ControlClosed("no answer")
        except ControlClosed:
            self._over(handle)
            raise refusals.worker_unavailable() from None
        finally:
            self._admitted.pop(handle, None)

    def run(self, handle: str, work: Mapping[str, Any], into: socket.socket) -> None:
        """Have it run in its turn, into a socket whose other end the reader holds; `work` as for `admit`.

        Raises
        ------
        GatewayError
            The worker died.
        """
        self._unended.add(handle)
        try:
            with self._lock:  # so that a turn that comes at once is not told of first
                waits = not self._ask(handle)
                self._tell({"op": "run", "handle": handle, "waits": waits, **work}, into)
        except ControlClosed:
            self._over(handle)
            raise refusals.worker_unavailable() from None

    def inspect(self, sql: str, seconds: float) -> list[list[Any]]:
        """Rows of a statement of the gateway's own, for the gateway's eyes only.

        Raises
        ------
        GatewayError
            The worker died, or could not, or not within `seconds`.
        """
        found = self._inspect(seconds + ANSWER_SECONDS, op="inspect", sql=sql, seconds=seconds)
        rows = found.get("rows")
        if isinstance(rows, list):
            return rows
        if "late" not in found:  # it died
            raise refusals.worker_unavailable()
        raise words.not_checked(seconds, late=found["late"] is True)

    def plan(self, order: Mapping[str, Any], seconds: float) -> frozenset[str] | None:
        """Columns, as `table.column`, that the engine would read; None if it has no word on it in time."""
        columns = self._inspect(seconds + LATE, op="plan", **order, seconds=seconds).get("columns")
        return frozenset(map(str, columns)) if isinstance(columns, list) else None

    def schema(self, order: Mapping[str, Any], seconds: float) -> bytes:
        """How the rows would look, as an Arrow IPC message; empty if there is no word on it in time."""
        found = self._inspect(seconds + LATE, op="schema", **order, seconds=seconds).get("schema")
        return bytes.fromhex(str(found or ""))

    def answers(self, seconds: float) -> bool:
        """Whether it listens to its orders, and says so in time; the dead one is none that does not.

        While this side is busy with the end of a query, a record that waits for the log, nobody hears it.
        """
        return "late" not in self._inspect(seconds, op="ping") or self._busy

    def _inspect(self, wait: float, **question: Any) -> Mapping[str, Any]:
        """The answer to a question of the gateway's own; empty where it died, or `late`."""
        number = secrets.token_hex(8)
        answer = self._asked[number] = queue.SimpleQueue()
        try:
            self._send(number=number, **question)
            return answer.get(timeout=wait)
        except ControlClosed:
            return {}
        except queue.Empty:
            return {"late": True}
        finally:
            self._asked.pop(number, None)

    def cancel(self, query_id: str, *, reason: str = "cancelled", ko: str = "", en: str = "") -> None:
        """Ask it to stop one query; its end is reported as usual, its reader is told the words."""
        self._send_quietly(op="cancel", query_id=query_id, reason=reason, ko=ko, en=en)

    def progress(self, query_id: str) -> tuple[int, float] | None:
        """Rows sent and percent done (-1: not known) of a query that has been running for a while."""
        return next((p for handle, p in list(self._progress.items()) if handle.startswith(query_id)), None)

    def drop(self, name: str) -> None:
        """Have it forget a saved table, before whatever is asked next."""
        self._send_quietly(op="drop", name=name)

    def drain(self) -> None:
        """Let running queries end, then leave."""
        self._send_quietly(op="drain")

    def stop(self) -> None:
        """End it now."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        stop_quietly(self._starter, self._started.sandbox_id)

    def _ask(self, handle: str) -> bool:
        return self._turns.ask(self._session_id, handle, lambda: self._send_quietly(op="go", handle=handle))

    def _over(self, handle: str) -> None:
        self._progress.pop(handle, None)
        self._unended.discard(handle)
        self._turns.end(self._session_id, handle)

    def _send(self, **message: Any) -> None:
        with self._lock:
            self._tell(message)

    def _tell(self, message: dict[str, Any], descriptor: socket.socket | None = None) -> None:
        """Send, under the lock; a worker that does not read is ended, since half a message may be on its way.

        Whoever waits for the lock is then told at once that it has gone.
        """
        try:
            send(self._control, message, descriptor)
        except ControlClosed:
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)
            raise

    def _send_quietly(self, **message: Any) -> None:
        with contextlib.suppress(ControlClosed):  # its death is handled where it is read
            self._send(**message)

    def _listen(self) -> None:
        """Hear it out. It may be in strange hands: it is heard about what it was given alone, and once."""
        try:
            while True:
                message = receive(self._control)
                if message.get("op") == "admitted":
                    event = self._admitted.get(str(message.get("handle")))
                    if event is not None:
                        event.set()
                elif message.get("op") == "inspected":
                    asked = self._asked.pop(str(message.get("number")), None)
                    if asked is not None:
                        asked.put(message)
                elif (handle := str(message.get("handle"))) not in self._unended:
                    continue
                elif message.get("op") == "progress":
                    self._progress[handle] = int(message["rows"]), float(message["percent"])
                elif message.get("op") == "ask":  # its reader is there
                    if self._ask(handle):
                        self._send_quietly(op="go", handle=handle)
                elif message.get("op") == "finished":
                    ended = ended_of(message)
                    self._over(handle)
                    self._busy = True
                    self._on_ended(ended)
                    self._busy = False
        except (ControlClosed, KeyError, TypeError, ValueError):
            pass  # gone, or talking nonsense: it is ended either way
        finally:
            self.alive = False
            for event in list(self._admitted.values()):
                event.set()
            for asked in list(self._asked.values()):
                asked.put({})
            for handle in tuple(self._unended):
                self._over(handle)
            self._control.close()
            stop_quietly(self._starter, self._started.sandbox_id)
            self._on_death(self)


def stop_quietly(starter: Starter, sandbox_id: str) -> None:
    """Stop a sandbox that may be gone already."""
    try:
        starter.stop(sandbox_id, 0.2)
    except (CatalogError, OSError):
        time.sleep(0)  # gone, or the launcher is: nothing runs without its launcher
