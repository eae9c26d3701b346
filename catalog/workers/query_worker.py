"""One session's query engine in its sandbox: runs admitted statements, streams Arrow. Decides nothing.

Standalone: the session's environment only. Messages with the broker (see `control`): in `configure`,
`admit {handle, sql, parameters, save_as, lists, explain, files, seconds, ttl}`, `run` of the same with the
socket to write into, `go {handle}`, `cancel {query_id, reason, ko, en}` (the handle's start; words for its
reader), `drop {name}`, `drain`; for the broker's own eyes `inspect {number, sql, seconds}`, answered
`inspected {number, rows, late}`, and of what `admit` has `plan`, answered `inspected {number, columns}`, and
`schema`, answered `inspected {number, schema}`; out
`ready`, `broken`, `admitted`, `ask {handle}`, `progress {handle, rows, percent}`,
`finished {handle, status, rows, bytes, seconds, reason, digest}`.
An admitted handle is good once, for `ttl` seconds; in its place each of `tickets`, for several readers. When
a reader is there the worker asks for its turn, and runs it at the broker's `go`; so does what is `run` and
`waits`. The reader of what is run holds its socket. `save_as` keeps the rows as `campus.<name>` instead of
sending them.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.flight as flight

from .control import Control, bound, framed
from .engine import open_cursor, open_engine
from .inspection import digest, inspected, planned, schema_of
from .memory import Reserve, keep_memory
from .orders import Todo, obey
from .plan import explained
from .query import CANCELLED, Query, choose, is_of_memory, name_list, one_line, reason_of, words
from .saved import drop, save
from .several import Several
from .sink import Sink

MOST_TOLD = 50  # stopped queries whose readers have not come yet
TICK = 0.05  # how often cancellation and limits are looked at [s]
TRIES = 100  # of telling an end where there is no memory
LINGER = 2.0  # a draining worker stays after its last query and the word: answers are still on their way [s]
OVERHEAD = 512 << 20  # memory beside the engine's own limit: interpreter, Arrow, gRPC [bytes]


class Worker(flight.FlightServerBase):
    """Serves DoGet for admitted handles and nothing else."""

    def __init__(self, settings: dict[str, Any], control: Control) -> None:
        self.control = control
        self.batch_rows = int(settings["batch_rows"])
        self.saved_rows, self.saved_bytes = int(settings["saved_rows"]), int(settings["saved_bytes"])
        self.result_bytes, self.columns = int(settings["result_bytes"]), int(settings["columns"])
        self.files = tuple(map(str, settings["files"]))
        self.engine = open_engine(settings)
        self.spare: list[duckdb.DuckDBPyConnection] = [open_cursor(self.engine)]
        self.waiting: dict[str, Query] = {}
        self.running: dict[str, Query] = {}
        self.shared: dict[str, Several] = {}  # by ticket, where there are several
        self.told: dict[str, dict[str, str]] = {}  # stopped before they ran: what to tell their readers
        self.lock = threading.Lock()
        self.reserve = Reserve()
        control.make_room = self.reserve.use
        self.draining = False
        self.ended = time.monotonic()
        super().__init__("grpc+unix://" + settings["listen"])

    def do_get(self, context: Any, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Run the statement behind a ticket, once; of several tickets the first runs it for all."""
        handle = ticket.ticket.hex()
        with self.lock:
            several = self.shared.pop(handle, None)
            query = self.waiting.pop(several.query.handle if several else handle, None)
            if query is not None:
                self.running[query.handle] = query
            told = self.told.pop(handle, None)
        if query is None:
            if several is not None:
                return several.stream()
            raise failed(told or words("unknown-ticket"))
        try:
            self.control.send(op="ask", handle=query.handle)
            reader = self.open(query, context)
            rows = self.batches(query, self.counted(query, reader))
            next(rows)
            if several is None:
                return flight.GeneratorStream(reader.schema, rows)
            several.begin(reader.schema, rows)
        except BaseException as error:
            problem = failed(self.end(query, error))
            if several is not None:
                several.fail(problem)
            raise problem from None
        return several.stream()

    def run_into(self, query: Query, sink: Sink) -> None:
        """Run a statement into the socket that its reader holds already."""
        problem: BaseException | None = None
        try:
            reader = self.open(query, sink)
            sink.say({}, more=True)
            file: Any = sink
            with pa.ipc.new_stream(pa.PythonFile(file, "w"), reader.schema) as writer:
                for batch in self.counted(query, reader):
                    writer.write_batch(batch)
                    if batch.num_rows >= self.batch_rows:  # else it is the last: what follows goes with it
                        sink.flush()
        except BaseException as error:
            problem = error
        # what is asked after a saved table may build on its end, and what is digested may still fail
        told = problem is None and not query.save_as and query.kept is None
        if told:
            sink.say({})  # so that the reader does not wait for the books
        if sink.broken:
            query.reason = query.reason or "cancelled"
            problem = problem or BrokenPipeError("nobody reads")
        said = self.end(query, problem)
        if not told:
            problem = None  # what it still holds of the result goes before anything is said
            sink.say({"error": said} if said else {})
        sink.close()
        self.refill()  # now rather than on the way of the next one

    def open(self, query: Query, context: Any) -> pa.RecordBatchReader:
        """Begin to run when it is its turn; `context` tells when the reader has gone."""
        query.context = context
        query.turn.wait()
        query.started = time.monotonic()
        query.cursor = self.spare.pop() if self.spare else open_cursor(self.engine)
        if query.reason:
            raise duckdb.InterruptException("cancelled before start")
        choose(query.cursor, query.files)
        for name, values in query.lists:  # ends with the cursor
            name_list(query.cursor, name, values, query.parameters)
        if query.save_as:
            return save(query.cursor, query, self.saved_rows, self.saved_bytes)
        if query.explain:
            return explained(query.cursor, query.sql, query.parameters or None, query.explain, self.files)
        relation = query.cursor.sql(query.sql, params=query.parameters or None)
        if len(relation.columns) > self.columns:
            query.reason = query.reason or "too-many-columns"
            raise OverflowError
        reader: pa.RecordBatchReader = relation.to_arrow_reader(self.batch_rows)
        return reader

    def counted(self, query: Query, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Batches as they are made, until the query has to stop."""
        for batch in reader:
            if query.reason:
                raise duckdb.InterruptException("stopped")
            if query.bytes + batch.nbytes > self.result_bytes:
                query.reason = query.reason or "result-limit"
                raise duckdb.InterruptException("too large")
            query.rows += batch.num_rows
            query.bytes += batch.nbytes
            if query.kept is not None and not query.save_as:
                query.kept.append(batch)
            yield batch

    def batches(self, query: Query, rows: Iterator[pa.RecordBatch]) -> Generator[Any]:
        """Batches as a Flight reader takes them. Nothing first: then the end is reported, come what may."""
        end = partial(self.end, query)  # a call from C, as `memory` says
        problem: BaseException | None = None
        try:
            yield None
            yield from rows
        except GeneratorExit as error:
            query.reason = query.reason or "cancelled"
            problem = error
        except BaseException as error:
            problem = error
        said: dict[str, str] | None = None
        while said is None:
            try:
                said = end(problem)
            except MemoryError:
                self.reserve.room.close()
                time.sleep(TICK)
        left, problem = isinstance(problem, GeneratorExit), None  # it holds what it had of the result
        if said and not left:
            raise failed(said)

    def end(self, query: Query, error: BaseException | None) -> dict[str, str]:
        """Report the end to the broker, once; returns what the reader is shown of an error, else nothing.

        Where it cannot be, not even with the memory put aside, the process ends: then the broker tells the
        end of everything that ran here.
        """
        if isinstance(error, SystemError):
            os._exit(1)  # the interpreter is not to be trusted any more, as `memory` says
        for _ in range(TRIES):
            try:
                return self._end(query, error)
            except MemoryError:
                self.reserve.use()
                time.sleep(TICK)
        os._exit(1)

    def _end(self, query: Query, error: BaseException | None) -> dict[str, str]:
        """Once more after a `MemoryError` it does what is left to do."""
        try:
            summed = "" if error is not None else digest(query.kept)
        except (MemoryError, pa.ArrowException) as short:
            error, summed = short, ""
        if error is not None and is_of_memory(error):
            self.reserve.use()
        reason = "" if error is None else reason_of(query, error)
        status = "finished" if error is None else "cancelled" if reason in CANCELLED else "failed"
        told = framed({
            "op": "finished", "handle": query.handle, "status": status, "rows": query.rows,
            "bytes": query.bytes, "seconds": time.monotonic() - query.admitted, "reason": reason,
            "digest": summed,
        })  # fmt: skip
        self.ended = time.monotonic()
        with query.lock:
            query.context, cursor, query.cursor = None, query.cursor, None
        with self.lock:
            known = self.running.pop(query.handle, None) or self.waiting.pop(query.handle, None)
        if known is not None:
            self.control.put(told)
        if cursor is not None:
            cursor.close()
        if error is None:
            return {}
        if query.wording[0]:
            return {"reason": reason, "ko": query.wording[0], "en": query.wording[1]}
        return words(
            reason or "query-error",
            seconds=f"{query.seconds:g}",
            detail=one_line(error),
            saved_rows=self.saved_rows,
            saved_bytes=self.saved_bytes,
            result_bytes=self.result_bytes,
            columns=self.columns,
        )

    def watch(self) -> None:
        """Look at cancellation, time limits and expired handles until the process ends."""
        while True:
            time.sleep(TICK)
            with contextlib.suppress(MemoryError):  # without its watch no limit would hold: it looks again
                self.look()

    def look(self) -> None:
        """Look once."""
        now = time.monotonic()
        with self.lock:
            running = list(self.running.values())
            expired = [q for q in self.waiting.values() if q.expires < now]
            idle = self.draining and not self.running and not self.waiting
            idle = idle and now - self.ended > LINGER
        for query in running:
            query.look(now)
            if (progress := query.progress(now)) is not None:
                self.control.send(op="progress", **progress)
        self.refill()
        for query in expired:
            query.reason = "ticket-expired"
            self.end(query, duckdb.InterruptException("expired"))
        with self.lock:
            late = [k for k, s in self.shared.items() if s.query.expires < now]
            for ticket in late:  # of a query that began they are no longer good either
                del self.shared[ticket]
        if idle:
            os._exit(0)

    def refill(self) -> None:
        """Have a cursor ready, and room to tell of an end without memory."""
        with contextlib.suppress(duckdb.Error, MemoryError):  # tried again
            if not self.spare:
                self.spare.append(open_cursor(self.engine))
            if not self.running:
                self.reserve.fill()

    def take(self, message: dict[str, Any]) -> Todo | None:
        """Obey one order of the broker's; what takes long is returned, for whoever took it to do."""
        try:
            return self._take(message)
        except MemoryError:  # an order that is not obeyed would end everything else that runs here
            self.reserve.use()
            return self._take(message)

    def _take(self, message: dict[str, Any]) -> Todo | None:
        handle = str(message.get("handle", ""))
        match message["op"]:
            case "admit":
                query = Query(message)
                with self.lock:
                    self.waiting[handle] = query
                    several = Several(query, lambda reason: failed(words(reason)))
                    self.shared |= dict.fromkeys(message.get("tickets", ()), several)
                self.control.send(op="admitted", handle=handle)
            case "run":
                query = Query(message)
                if not message["waits"]:
                    query.turn.set()
                with self.lock:  # here, so that the next message finds it
                    self.running[handle] = query
                sink = Sink(self.control.descriptor(), query.must_stop)
                return Todo(partial(self.run_into, query, sink), partial(self.give_up, query, sink))
            case "go":
                with self.lock:
                    known = self.running.get(handle)
                if known is not None:
                    known.turn.set()
            case "cancel":
                said = str(message.get("ko", "")), str(message.get("en", ""))
                self.cancel(str(message["query_id"]), str(message.get("reason", "cancelled")), said)
            case "inspect" | "plan" | "schema":
                unasked = partial(self.control.send, op="inspected", number=message["number"])
                return Todo(partial(self.inspect, message), unasked)
            case "drop":
                drop(self.engine, str(message["name"]))
            case "drain":
                self.ended = time.monotonic()  # an order for it may be on its way to the record
                self.draining = True
        return None

    def give_up(self, query: Query, sink: Sink) -> None:
        """In place of running it where there is no room for another thread."""
        sink.say({"error": self.end(query, MemoryError())})
        sink.close()

    def inspect(self, message: dict[str, Any]) -> None:
        """Answer a question of the broker's own."""
        number, seconds = message["number"], float(message["seconds"])
        if message["op"] != "inspect":
            query, cursor = Query({"handle": "", "ttl": 0.0, **message}), self.engine.cursor()
            found: dict[str, Any] = (
                {"columns": planned(cursor, query, seconds)}
                if message["op"] == "plan"
                else {"schema": schema_of(cursor, query)}
            )
            self.control.send(op="inspected", number=number, **found)
            return
        rows, late = inspected(open_cursor(self.engine), str(message["sql"]), seconds)
        self.control.send(op="inspected", number=number, rows=rows, late=late)

    def cancel(self, query_id: str, reason: str, said: tuple[str, str]) -> None:
        """Stop a running query, or forget one that waits."""
        with self.lock:
            waiting = [q for q in self.waiting.values() if q.handle.startswith(query_id)]
            running = [q for q in self.running.values() if q.handle.startswith(query_id)]
        for query in running:
            query.wording = said
            query.stop(reason)
        for query in waiting:
            query.wording, query.reason = said, reason
            shown = self.end(query, duckdb.InterruptException("cancelled"))
            if said[0]:
                with self.lock:
                    self.told = {**dict(list(self.told.items())[-MOST_TOLD:]), query.handle: shown}


def failed(said: dict[str, str]) -> flight.FlightServerError:
    """The same as a Flight error; the details travel as JSON."""
    text = f"[{said['reason']}] {said['ko']} / {said['en']}"
    return flight.FlightServerError(text, json.dumps(said).encode())


def main() -> int:
    """Configure from the broker's first message, then serve until it goes."""
    control = Control()
    settings = control.receive()
    if settings is None:
        return 1
    bound(resource.RLIMIT_CORE, 0)
    keep_memory()
    bound(resource.RLIMIT_DATA, int(settings["memory"]) + OVERHEAD)
    os.umask(0)  # the session's uid connects to the socket; its folder is reached through the sandbox only
    try:
        worker = Worker(settings, control)
    except (duckdb.Error, OSError, pa.ArrowException) as error:
        control.send(op="broken", reason=str(error)[:500])
        return 1
    worker.engine.execute("SELECT 1").fetchall()
    threading.Thread(target=worker.watch, daemon=True).start()
    control.send(op="ready", pid=os.getpid())
    gc.freeze()  # what is here stays: looking it through again and again holds up queries
    return obey(control.receive, worker.take)


if __name__ == "__main__":
    sys.exit(main())
