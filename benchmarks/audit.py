"""How fast the audit log records durably, beside a plain SQLite table doing the same in the same run.

`python benchmarks/audit.py [--seconds 3]`. Both acknowledge an event only after it is on disk: the log in
its writer process over the unix socket, SQLite (WAL, synchronous=FULL) with one insert and commit an event.
"with literals" is the same load where every event commits to three, which are synced before it.
In flight: that many events wait for their acknowledgement at once; in the log as that many clients' open
requests, in SQLite as that many threads, which take turns at its one write lock.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from access_control.audit import protocol  # noqa: E402
from access_control.audit.client import AuditClient  # noqa: E402
from access_control.audit.event import Action, AuditEvent, encode  # noqa: E402
from access_control.audit.literals import Literals  # noqa: E402
from access_control.audit.verify import verify  # noqa: E402

IN_FLIGHT = (1, 16, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Events a second and latencies [ms]."""

    rate: float
    p50: float
    p99: float

    def __str__(self) -> str:
        return f"{self.rate:9,.0f}/s  p50 {self.p50:7.2f} ms  p99 {self.p99:7.2f} ms"


def request(number: int, literals: bool) -> bytes:
    """A query's record, as large as they are in practice."""
    event = record(number, Literals(values=(f"'{number:012d}'", "2026", "'강남구'")) if literals else None)
    return protocol.recording(number, event)


def record(number: int, literals: Literals | None = None) -> AuditEvent:
    """The record."""
    return AuditEvent(
        literals=literals,
        time=datetime.now(UTC),
        actor=f"person-{number % 500}",
        action=Action.QUERY_ADMITTED,
        project="open-data",
        session_id=f"{number % 50:020x}",
        object=f"query:{number}",
        detail={
            "statement_sha256": "9f" * 32,
            "datasets": ["card_sales"],
            "snapshot": 8123,
            "rows": 1234,
        },
    )


def summary(latencies: list[float], seconds: float) -> Measured:
    """Of latencies in seconds."""
    ordered = sorted(latencies)
    at = [ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99)]
    return Measured(rate=len(ordered) / seconds, p50=at[0], p99=at[1])


def audit_log(path: Path, in_flight: int, seconds: float, literals: bool = False) -> Measured:
    """Keep `in_flight` events waiting on one connection: each answer sends the next event."""
    requests = deque(request(number, literals) for number in range(int(40_000 * seconds)))
    sent: dict[int, float] = {}
    latencies: list[float] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(str(path))
        number, rest, free = 0, b"", in_flight
        began = time.perf_counter()
        end = began + seconds
        while True:
            now = time.perf_counter()
            out = []
            while free and requests and now < end:
                sent[number] = now
                out.append(requests.popleft())
                number, free = number + 1, free - 1
            if out:
                peer.sendall(b"".join(out))
            if not sent:
                return summary(latencies, time.perf_counter() - began)
            *answers, rest = (rest + peer.recv(1 << 16)).split(b"\n")
            now = time.perf_counter()
            for answer in answers:
                latencies.append(now - sent.pop(int(answer[6 : answer.index(b",")])))
                free += 1


def client_threads(path: Path, in_flight: int, seconds: float) -> Measured:
    """The product's own client, one thread an event in flight."""
    client = AuditClient(path)
    template = AuditEvent(
        time=datetime.now(UTC), actor="person-1", action=Action.QUERY_ADMITTED, object="query:1"
    )

    def once(_number: int) -> None:
        client.append(
            AuditEvent(time=template.time, actor="person-1", action=template.action, object="query:1")
        )

    measured = threads(once, in_flight, seconds)
    client.close()
    return measured


def sqlite(folder: Path, in_flight: int, seconds: float) -> Measured:
    """One insert and commit an event."""
    file = folder / f"rival-{in_flight}.sqlite"
    here = threading.local()

    def connection() -> sqlite3.Connection:
        if not hasattr(here, "connection"):
            made = sqlite3.connect(file, isolation_level=None, timeout=60)
            made.execute("PRAGMA journal_mode=WAL")
            made.execute("PRAGMA synchronous=FULL")
            here.connection = made
        found: sqlite3.Connection = here.connection
        return found

    connection().execute("CREATE TABLE event (id INTEGER PRIMARY KEY, event_id BLOB UNIQUE, body BLOB)")
    bodies = [encode(record(number)) for number in range(200)]

    def once(number: int) -> None:
        event_id = number.to_bytes(8) + threading.get_ident().to_bytes(8)
        connection().execute(
            "INSERT INTO event (event_id, body) VALUES (?, ?)", (event_id, bodies[number % 200])
        )

    return threads(once, in_flight, seconds)


def threads(once: Callable[[int], None], count: int, seconds: float) -> Measured:
    """Call `once` from many threads until time is up."""
    latencies: list[list[float]] = [[] for _ in range(count)]
    end = time.perf_counter() + seconds

    def run(mine: list[float]) -> None:
        number = 0
        while (now := time.perf_counter()) < end:
            once(number)
            mine.append(time.perf_counter() - now)
            number += 1

    running = [threading.Thread(target=run, args=(mine,)) for mine in latencies]
    began = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return summary([each for mine in latencies for each in mine], time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement [s]")
    parser.add_argument("--folder", type=Path, help="where to write; its disk is what is measured")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        command = [sys.executable, "-m", "access_control.audit.writer", "--socket", folder / "s"]
        command += ["--folder", folder / "log", "--key", folder / "key"]
        writer = subprocess.Popen(list(map(str, command)), cwd=REPO)
        try:
            with contextlib.closing(AuditClient(folder / "s", patience=20)) as client:
                client.ping()
            for in_flight in IN_FLIGHT:
                rival = sqlite(folder, in_flight, given.seconds)
                ours = audit_log(folder / "s", in_flight, given.seconds)
                pair = audit_log(folder / "s", in_flight, given.seconds, literals=True)
                product = client_threads(folder / "s", in_flight, given.seconds)
                print(f"{in_flight:4d} in flight   SQLite insert   {rival}")
                print(f"                 audit log       {ours}   {ours.rate / rival.rate:6.2f} x")
                print(f"                 with literals   {pair}   {pair.rate / ours.rate:6.2f} x audit log")
                print(f"                 by AuditClient  {product}   {product.rate / rival.rate:6.2f} x")
        finally:
            writer.terminate()
            writer.wait()
        began = time.perf_counter()
        found = verify(folder / "log", (folder / "log" / "public_key").read_text())
        took = time.perf_counter() - began
        print(f"verify: {found.events:,} events, whole: {found.ok}, {found.events / took:,.0f}/s")


if __name__ == "__main__":
    main()
