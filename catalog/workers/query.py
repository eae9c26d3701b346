"""One admitted statement in its worker: its values, its state, and why it ended. Runs nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

SHORT = 1.0  # a query that takes longer says how far it is, so often [s]
KINDS: dict[str, Callable[[str], Any]] = {  # of bound values
    "null": lambda _: None,
    "bool": "true".__eq__,
    "int": int, "float": float, "str": str, "decimal": Decimal,
    "date": date.fromisoformat, "datetime": datetime.fromisoformat,
}  # fmt: skip
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
    "spill-limit": (
        "질의의 중간 결과가 메모리와 임시 저장 한도를 모두 넘어 중단했습니다. 조인과 정렬 전에 필요한 "
        "열과 행만 고르거나 집계를 먼저 하세요.",
        "What the query had to keep exceeded both its memory and its scratch space, so it was stopped. "
        "Select fewer columns and rows, or aggregate, before joining or sorting.",
    ),
    "result-limit": (
        "질의 결과가 한도({result_bytes:,} bytes)를 넘어 중단했습니다. 필요한 열과 행만 고르거나 "
        "집계를 먼저 하세요.",
        "The result is larger than {result_bytes:,} bytes and was stopped. Select fewer columns and rows, "
        "or aggregate first.",
    ),
    "query-error": ("질의를 실행할 수 없습니다: {detail}", "The query could not run: {detail}"),
    "unknown-ticket": (
        "이 표(ticket)는 없거나 이미 쓰였거나 만료되었습니다. 질의를 다시 실행하세요.",
        "This ticket does not exist, was used already, or has expired. Run the query again.",
    ),
    "too-many-columns": (
        "결과의 열이 한도({columns:,}개)를 넘습니다. 열을 나누어 여러 번 질의하거나, 넓은 표 대신 긴 "
        "표(UNPIVOT)로 받으세요.",
        "The result has more than {columns:,} columns. Ask for them in several queries, or take a long table "
        "(UNPIVOT) instead of a wide one.",
    ),
    "saved-too-large": (
        "저장할 결과가 한도(표마다 {saved_rows:,}행, 모두 {saved_bytes:,} bytes)를 넘습니다. 먼저 거르거나 "
        "집계하고, 쓰지 않는 표는 campus.drop(이름) 으로 지우세요.",
        "The result is too large to save ({saved_rows:,} rows a table, {saved_bytes:,} bytes in all). "
        "Filter or aggregate first, and drop tables no longer used: campus.drop(name).",
    ),
    "ticket-expired": ("질의 결과를 제때 받아가지 않았습니다.", "The result was not fetched in time."),
}


class Query:
    """One admitted statement from admission to its end."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.handle, self.sql, self.save_as = order["handle"], order["sql"], order["save_as"]
        self.parameters = bound_values(order["parameters"])
        self.lists = [(name, values) for name, values in order.get("lists", ())]
        self.explain = tuple(order.get("explain", ()))
        self.files: dict[str, list[str]] = order.get("files", {})
        self.seconds = order["seconds"]
        self.kept: list[pa.RecordBatch] | None = [] if order.get("digest") else None  # small: groups
        self.admitted = time.monotonic()
        self.expires = self.admitted + order["ttl"]
        self.started = self.said = 0.0
        self.rows = self.bytes = 0
        self.reason = ""  # why it must stop; the first one counts
        self.wording = ("", "")  # Korean and English, where the broker words it
        self.lock = threading.Lock()
        self.turn = threading.Event()  # the broker says when, or it has to stop
        self.context: Any = None  # valid only while the call runs: cleared under the lock
        self.cursor: duckdb.DuckDBPyConnection | None = None

    def stop(self, reason: str) -> None:
        """Interrupt it for this reason."""
        with self.lock:
            self.reason = self.reason or reason
            self.turn.set()
            if self.cursor is not None:
                self.cursor.interrupt()

    def look(self, now: float) -> None:
        """Stop it if its reader has gone or its time is up."""
        with self.lock:
            gone = self.context is not None and self.context.is_cancelled()
            late = bool(self.started) and now - self.started > self.seconds
        if gone or late or self.reason:
            self.stop("cancelled" if gone else "time-limit")

    def must_stop(self) -> bool:
        """Whether it has a reason to."""
        return bool(self.reason)

    def progress(self, now: float) -> dict[str, Any] | None:
        """How far it is, where it is time to say so; `percent` is -1 where the engine does not know."""
        if not self.started or now - max(self.started, self.said) < SHORT:
            return None
        self.said = now
        with self.lock:
            percent = -1.0 if self.cursor is None else self.cursor.query_progress()
        return {"handle": self.handle, "rows": self.rows, "percent": round(percent, 1)}


def choose(cursor: duckdb.DuckDBPyConnection, files: dict[str, list[str]]) -> None:
    """Have the views of these tables read these files alone, for this connection; they ask for a variable."""
    for table, paths in files.items():
        cursor.execute(f"SET VARIABLE {quoted(table)} = ?", [paths])


def name_list(cursor: duckdb.DuckDBPyConnection, name: str, values: str, given: Any) -> None:
    """Make a list of values under its name, for this connection.

    Parameters
    ----------
    values
        The statement that finds them; asks for some of the bound values at most.
    given
        The bound values, in order or by name.
    """
    wanted = asked_of(cursor, values, given)
    found = values
    if wanted:  # the engine takes no bound value where a type is made
        rows = cursor.execute(values, wanted).fetchall()
        cursor.execute(f"SET VARIABLE {name} = ?", [[value for (value,) in rows]])
        found = f"SELECT unnest(getvariable('{name}')::VARCHAR[])"
    cursor.execute(f"CREATE TEMP TYPE {name} AS ENUM ({found})")


def asked_of(cursor: duckdb.DuckDBPyConnection, sql: str, given: Any) -> dict[str, Any]:
    """Of the bound values those that a statement asks for, by name."""
    if not given:
        return {}
    (statement,) = cursor.extract_statements(sql)
    named = given if isinstance(given, dict) else {str(n): value for n, value in enumerate(given, 1)}
    return {name: named[name] for name in statement.named_parameters}


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def bound_values(given: Any) -> Any:
    """Values for the engine from `[kind, text]`, in a list or by name."""
    if isinstance(given, dict):
        return {name: _value(*value) for name, value in given.items()}
    return [_value(*value) for value in given]


def _value(kind: str, content: Any) -> Any:
    if kind == "list":
        return [_value(*item) for item in content]
    return KINDS[kind](content)


def reason_of(query: Query, error: BaseException) -> str:
    """Why a query ended early, as a reason code."""
    if query.reason:
        return query.reason
    if query.save_as and isinstance(error, OverflowError):
        return "saved-too-large"
    if "max_temp_directory_size" in str(error):
        return "spill-limit"
    return "memory-limit" if is_of_memory(error) else "query-error"


def is_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, by whichever library's word."""
    if isinstance(error, (MemoryError, duckdb.OutOfMemoryException, pa.ArrowMemoryError)):
        return True
    said = str(error)
    if isinstance(error, RuntimeError):
        return "new thread" in said
    return any(word in said for word in ("Out of Memory", "bad_alloc", "failed to allocate"))


def one_line(error: BaseException | None) -> str:
    """The engine's words without the caret lines and of bounded length."""
    text = str(error).split("\n\nLINE ")[0].replace("memory.campus.", "").replace("\n", " ")
    return text[:400]


def words(reason: str, **values: Any) -> dict[str, str]:
    """What the reader is shown, in both languages; a reason of no text of its own shows none."""
    ko, en = (text.format(**values) for text in FAILURES.get(reason, ("", "")))
    return {"reason": reason, "ko": ko, "en": en}
