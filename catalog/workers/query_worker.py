"""One session's query engine in its sandbox: runs admitted statements, streams Arrow. Decides nothing.

Standalone: the session's environment only. Control messages are length-prefixed JSON on descriptor 3:
in `configure`, `admit {handle, sql, seconds, ttl}`, `cancel {query_id, reason, ko, en}` (the handle's start;
words for its reader), `drain`;
out `ready`, `broken`, `admitted`, `finished {handle, status, rows, bytes, seconds, reason}`.
A handle is good once, for `ttl` seconds.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.flight as flight

CONTROL_FD = 3
MOST_TOLD = 50  # stopped queries whose readers have not come yet
TICK = 0.05  # how often cancellation and limits are looked at [s]
LINGER = 2.0  # a draining worker stays after its last query: the end of the answer is still on its way [s]
OVERHEAD = 512 << 20  # memory beside the engine's own limit: interpreter, Arrow, gRPC [bytes]

CANCELLED = {"cancelled", "grant-ended"}
FAILURES = {  # reason: (Korean, English)
    "cancelled": ("질의가 취소되었습니다.", "The query was cancelled."),
    "time-limit": (
        "질의 시간이 한도({seconds}초)를 넘어 중단했습니다. 조건을 좁히거나 집계를 먼저 하세요.",
        "The query ran longer than {seconds} seconds and was stopped. Narrow it, or aggregate first.",
    ),
    "memory-limit": (
        "질의가 메모리 한도를 넘어 중단했습니다. 필요한 열과 행만 고르거나 집계를 먼저 하세요.",
        "The query needed more memory than allowed and was stopped. Select fewer columns and rows, "
        "or aggregate first.",
    ),
    "query-error": ("질의를 실행할 수 없습니다: {detail}", "The query could not run: {detail}"),
    "unknown-ticket": (
        "이 표(ticket)는 없거나 이미 쓰였거나 만료되었습니다. 질의를 다시 실행하세요.",
        "This ticket does not exist, was used already, or has expired. Run the query again.",
    ),
    "ticket-expired": ("질의 결과를 제때 받아가지 않았습니다.", "The result was not fetched in time."),
}


class Query:
    """One admitted statement from admission to its end."""

    def __init__(self, handle: str, sql: str, seconds: float, ttl: float) -> None:
        self.handle, self.sql, self.seconds = handle, sql, seconds
        self.admitted = time.monotonic()
        self.expires = self.admitted + ttl
        self.started = 0.0
        self.rows = self.bytes = 0
        self.reason = ""  # why it must stop; the first one counts
        self.said = ("", "")  # Korean and English, where the broker words it
        self.lock = threading.Lock()
        self.context: Any = None  # valid only while the call runs: cleared under the lock
        self.cursor: duckdb.DuckDBPyConnection | None = None

    def stop(self, reason: str) -> None:
        """Interrupt it for this reason."""
        with self.lock:
            self.reason = self.reason or reason
            if self.cursor is not None:
                self.cursor.interrupt()

    def look(self, now: float) -> None:
        """Stop it if its reader has gone or its time is up."""
        with self.lock:
            gone = self.context is not None and self.context.is_cancelled()
            late = bool(self.started) and now - self.started > self.seconds
        if gone or late or self.reason:
            self.stop("cancelled" if gone else "time-limit")


def open_engine(settings: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """The engine with its views made and its settings locked."""
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        }
    )
    connection.execute(f"SET threads = {int(settings['threads'])}")
    connection.execute(f"SET memory_limit = '{int(settings['memory'])}B'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET parquet_metadata_cache = true")
    connection.execute("CREATE SCHEMA campus")
    for view in settings["views"]:
        # `text` is the broker's own statement over read_parquet(files, schema = field ids)
        connection.execute(view["text"])
    spill = settings["spill"]
    if spill:
        os.makedirs(spill, exist_ok=True)  # noqa: PTH103
        connection.execute(f"SET max_temp_directory_size = '{int(settings['spill_size'])}B'")
    connection.execute("SET temp_directory = ?", [spill or ""])
    connection.execute("SET allowed_paths = ?", [settings["files"]])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


class Control:
    """The broker's socket; writing is safe from several threads."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)
        self.lock = threading.Lock()

    def receive(self) -> dict[str, Any] | None:
        """Next message, or None where the broker has gone."""
        head = self._exactly(4)
        body = self._exactly(struct.unpack(">I", head)[0]) if head else None
        return json.loads(body) if body else None

    def send(self, **message: Any) -> None:
        """Write one message; a broker that has gone is noticed by the reader."""
        body = json.dumps(message).encode()
        try:
            with self.lock:
                self.socket.sendall(struct.pack(">I", len(body)) + body)
        except OSError:
            pass

    def _exactly(self, length: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < length:
            part = self.socket.recv(length - len(parts))
            if not part:
                return None
            parts += part
        return bytes(parts)


class Worker(flight.FlightServerBase):
    """Serves DoGet for admitted handles and nothing else."""

    def __init__(self, settings: dict[str, Any], control: Control) -> None:
        self.control = control
        self.batch_rows = int(settings["batch_rows"])
        self.engine = open_engine(settings)
        self.waiting: dict[str, Query] = {}
        self.running: dict[str, Query] = {}
        self.told: dict[str, tuple[str, str, str]] = {}  # stopped before they ran: what to tell their readers
        self.lock = threading.Lock()
        self.draining = False
        self.ended = time.monotonic()
        super().__init__("grpc+unix://" + settings["listen"])

    def do_get(self, context: Any, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Run the statement behind a ticket, once."""
        with self.lock:
            query = self.waiting.pop(ticket.ticket.hex(), None)
            if query is not None:
                self.running[query.handle] = query
            told = self.told.pop(ticket.ticket.hex(), None)
        if query is None:
            raise failure(*told) if told else failure("unknown-ticket")
        query.started = time.monotonic()
        query.context = context
        query.cursor = self.engine.cursor()
        try:
            if query.reason:
                raise duckdb.InterruptException("cancelled before start")
            reader = query.cursor.sql(query.sql).to_arrow_reader(self.batch_rows)
        except BaseException as error:
            raise self.end(query, error) from None
        return flight.GeneratorStream(reader.schema, self.batches(query, reader))

    def batches(self, query: Query, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Batches as the reader takes them; the end is reported whatever happens."""
        try:
            for batch in reader:
                if query.reason:
                    raise duckdb.InterruptException("stopped")
                query.rows += batch.num_rows
                query.bytes += batch.nbytes
                yield batch
        except GeneratorExit:
            query.reason = query.reason or "cancelled"
            self.end(query, duckdb.InterruptException("reader gone"))
            raise
        except BaseException as error:
            raise self.end(query, error) from None
        else:
            self.end(query, None)

    def end(self, query: Query, error: BaseException | None) -> Exception:
        """Report the end to the broker, once, and give the error the reader is shown."""
        with query.lock:
            query.context, cursor, query.cursor = None, query.cursor, None
        with self.lock:
            known = self.running.pop(query.handle, None) or self.waiting.pop(query.handle, None)
        reason = "" if error is None else reason_of(query, error)
        words = {"seconds": f"{query.seconds:g}", "detail": one_line(error)}
        ko, en = (
            query.said if query.said[0] else (text.format(**words) for text in FAILURES.get(reason, ("", "")))
        )
        status = "finished" if error is None else "cancelled" if reason in CANCELLED else "failed"
        self.ended = time.monotonic()
        if known is not None:
            seconds = time.monotonic() - query.admitted
            self.control.send(
                op="finished", handle=query.handle, status=status, rows=query.rows, bytes=query.bytes,
                seconds=seconds, reason=reason,
            )  # fmt: skip
        if cursor is not None:
            cursor.close()
        return failure(reason or "query-error", ko=ko, en=en)

    def watch(self) -> None:
        """Look at cancellation, time limits and expired handles until the process ends."""
        while True:
            time.sleep(TICK)
            now = time.monotonic()
            with self.lock:
                running = list(self.running.values())
                expired = [q for q in self.waiting.values() if q.expires < now]
                idle = self.draining and not self.running and not self.waiting
                idle = idle and now - self.ended > LINGER
            for query in running:
                query.look(now)
            for query in expired:
                query.reason = "ticket-expired"
                self.end(query, duckdb.InterruptException("expired"))
            if idle:
                os._exit(0)

    def obey(self) -> None:
        """Take the broker's orders until it goes; without it nothing may run."""
        while (message := self.control.receive()) is not None:
            handle = str(message.get("handle", ""))
            match message["op"]:
                case "admit":
                    query = Query(handle, message["sql"], message["seconds"], message["ttl"])
                    with self.lock:
                        self.waiting[handle] = query
                    self.control.send(op="admitted", handle=handle)
                case "cancel":
                    said = str(message.get("ko", "")), str(message.get("en", ""))
                    self.cancel(str(message["query_id"]), str(message.get("reason", "cancelled")), said)
                case "drain":
                    self.draining = True
        os._exit(0)

    def cancel(self, query_id: str, reason: str, said: tuple[str, str]) -> None:
        """Stop a running query, or forget one that waits."""
        with self.lock:
            waiting = [q for q in self.waiting.values() if q.handle.startswith(query_id)]
            running = [q for q in self.running.values() if q.handle.startswith(query_id)]
        for query in running:
            query.said = said
            query.stop(reason)
        for query in waiting:
            query.said, query.reason = said, reason
            if said[0]:
                with self.lock:
                    self.told = {**dict(list(self.told.items())[-MOST_TOLD:]), query.handle: (reason, *said)}
            self.end(query, duckdb.InterruptException("cancelled"))


def reason_of(query: Query, error: BaseException) -> str:
    """Why a query ended early, as a reason code."""
    if query.reason:
        return query.reason
    if isinstance(error, (MemoryError, duckdb.OutOfMemoryException, pa.ArrowMemoryError)):
        return "memory-limit"
    if "Out of Memory" in str(error) or "bad_alloc" in str(error) or "failed to allocate" in str(error):
        return "memory-limit"
    return "query-error"


def one_line(error: BaseException | None) -> str:
    """The engine's words without the caret lines and of bounded length."""
    text = str(error).split("\n\nLINE ")[0].replace("memory.campus.", "").replace("\n", " ")
    return text[:400]


def failure(reason: str, ko: str = "", en: str = "") -> flight.FlightServerError:
    """An error that the client shows in both languages; details travel as JSON."""
    ko, en = (ko, en) if ko else FAILURES[reason]
    detail = json.dumps({"reason": reason, "ko": ko, "en": en}).encode()
    return flight.FlightServerError(f"[{reason}] {ko} / {en}", detail)


def bound(kind: int, wanted: int) -> None:
    """Limit this process, never above what it was started with: only root may raise that."""
    _, hardest = resource.getrlimit(kind)
    value = wanted if hardest == resource.RLIM_INFINITY else min(wanted, hardest)
    resource.setrlimit(kind, (value, value))


def main() -> int:
    """Configure from the broker's first message, then serve until it goes."""
    control = Control(CONTROL_FD)
    settings = control.receive()
    if settings is None:
        return 1
    bound(resource.RLIMIT_CORE, 0)
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
    worker.obey()
    return 0


if __name__ == "__main__":
    sys.exit(main())
