"""What TLS costs a reader of much: TCP with mTLS against Flight on the socket, interleaved in one run.

Both ask the same gateway for the same rows: two columns of numbers, 160 MB. The front is a process of its
own, as in the product, and so is each reader; the gateway is this one, with the rules simulated and no walls.
Beside them a plain Flight server that ends TLS itself, and asks nobody. Prints medians of wall and CPU
seconds, and the ratio of wall seconds to the socket's. Run: `.venv/bin/python -m benchmarks.remote [rounds]`.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.flight as flight

from catalog.gateway.messages import encode
from catalog.gateway.session import QueryLimits
from catalog.remote import certificates
from catalog.remote.authority import Authority
from catalog.warehouse import Warehouse
from tests.catalog.gateway.conftest import DESCRIPTIONS
from tests.catalog.gateway.simulator import installation, utc_now
from tests.catalog.remote.conftest import NAMES, Campus

ROWS = 10_000_000
SQL = f"SELECT n AS a, n * 7 AS b FROM (SELECT range AS n FROM range({ROWS}))"
TICKS = os.sysconf("SC_CLK_TCK")
FRONT = """
import asyncio, socket, sys
from pathlib import Path
from catalog.remote.front import Front
from catalog.remote.tls import Served
listener = socket.socket(fileno=int(sys.argv[1]))
asyncio.run(Front(Served(Path(sys.argv[2])), Path(sys.argv[3])).serve(listener))
"""


def cpu(pid: int) -> float:
    """What a process and its threads have used [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def used(front: int, gateway: int, rival: int, *workers: int) -> dict[str, float]:
    """By each server [s]."""
    return {
        "front": cpu(front),
        "gateway": cpu(gateway),
        "worker": sum(map(cpu, workers)),
        "rival": cpu(rival),
    }


def read(options: dict[str, Any], address: str, readers: int) -> dict[str, float]:
    """Ask for the rows and hold them as Arrow; in a process of its own."""
    client: Any = flight.connect(address, **options)
    asked = flight.FlightDescriptor.for_command(encode("CommandStatementQuery", query=SQL))
    headers: Any = [(b"campus-readers", str(readers).encode())]
    began, before = time.monotonic(), time.process_time()
    answer = client.get_flight_info(asked, flight.FlightCallOptions(headers=headers))

    def rows(endpoint: Any) -> int:
        where = endpoint.locations[0].uri.decode()
        reader = client if where == address else flight.connect(where)
        return int(reader.do_get(endpoint.ticket).read_all().num_rows)

    with ThreadPoolExecutor(readers) as pool:
        many = sum(pool.map(rows, answer.endpoints))
    took, cost = time.monotonic() - began, time.process_time() - before
    if many != ROWS:
        raise SystemExit(f"{many} rows")
    return {"wall": took, "reader": cost}


class Plain(flight.FlightServerBase):
    """The same rows from memory, to whoever has a certificate."""

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        """One endpoint: the same connection."""
        schema = pa.schema([("a", pa.int64()), ("b", pa.int64())])
        where: list[Any] = [f"grpc+tls://localhost:{self.port}"]
        return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(b"x", where)], -1, -1)

    def do_get(self, context: Any, ticket: Any) -> Any:
        """All rows."""
        return flight.RecordBatchStream(duckdb.connect().sql(SQL).to_arrow_reader(122_880))


def plain(ready: Any, certificate: str, key: str, trusted: str) -> None:
    """Serve until killed."""
    server: Any = Plain(
        "grpc+tls://localhost:0",
        tls_certificates=[(certificate, key)],
        verify_client=True,
        root_certificates=trusted,
    )
    ready.send(server.port)
    server.serve()


@contextlib.contextmanager
def front(served: Path, entrance: Path, listener: socket.socket) -> Iterator[int]:
    """The product's front in a process of its own."""
    arguments = [sys.executable, "-c", FRONT, str(listener.fileno()), str(served), str(entrance)]
    process = subprocess.Popen(arguments, pass_fds=[listener.fileno()])
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def main(rounds: int) -> None:
    """Measure and print."""
    spawn = multiprocessing.get_context("spawn")
    folder = Path(tempfile.mkdtemp(prefix="cb-"))
    for name in ("authority", "remote", "run"):
        (folder / name).mkdir()
    authority = Authority(folder / "authority", folder / "remote")
    authority.ensure(NAMES, utc_now())
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"grpc+tls://localhost:{listener.getsockname()[1]}"
    entrance = folder / "run" / "entrance.sock"
    warehouse = Warehouse(folder / "files", folder / "catalog.sqlite")
    limits = QueryLimits(memory=1 << 30, seconds=120.0)
    found: dict[str, list[dict[str, float]]] = {}
    with (
        installation(warehouse, DESCRIPTIONS, folder / "run", limits, remote=(entrance, address)) as gateway,
        front(folder / "remote", entrance, listener) as front_pid,
    ):
        campus = Campus(gateway, authority, folder, folder, 0, address, None)  # type: ignore[arg-type]
        held = campus.certify(campus.session())
        tls = {
            "tls_root_certs": authority.trusted().decode(),
            "cert_chain": held.certificate.decode(),
            "private_key": held.key.decode(),
        }
        beside = f"grpc+unix://{folder}/run/gateway/{held.identity.session_id}/broker.sock"
        own = certificates.split((folder / "remote" / "server.pem").read_bytes())
        ours, theirs = spawn.Pipe()
        rival = spawn.Process(
            target=plain,
            args=(theirs, own.certificate.decode(), own.key.decode(), tls["tls_root_certs"]),
            daemon=True,
        )
        rival.start()
        plain_address = f"grpc+tls://localhost:{ours.recv()}"
        ways = {
            "socket": ({}, beside, 1),
            "TLS": (tls, address, 1),
            "TLS, 4 readers": (tls, address, 4),
            "plain Flight, TLS": (tls, plain_address, 1),
        }
        for number in range(rounds + 1):
            for way, asked in list(ways.items())[number % 4 :] + list(ways.items())[: number % 4]:
                workers = gateway.starter.pids("query_worker")
                before = used(front_pid, os.getpid(), rival.pid or 0, *workers)
                with spawn.Pool(1) as pool:
                    measured = pool.apply(read, asked)
                time.sleep(0.2)
                after = used(front_pid, os.getpid(), rival.pid or 0, *workers)
                measured |= {name: after[name] - before[name] for name in after}
                if number:
                    found.setdefault(way, []).append(measured)
        rival.terminate()
    shutil.rmtree(folder, ignore_errors=True)
    medians = {
        name: {key: statistics.median(one[key] for one in many) for key in many[0]}
        for name, many in found.items()
    }
    print(json.dumps({"load": os.getloadavg()[0], "rounds": rounds}))
    for name, values in medians.items():
        ratio = statistics.median(
            a["wall"] / b["wall"] for a, b in zip(found[name], found["socket"], strict=True)
        )
        print(f"{name:20} {ratio:5.2f} x", {key: round(value, 2) for key, value in values.items()})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
