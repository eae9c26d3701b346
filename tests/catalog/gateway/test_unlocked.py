"""No judge and no lock: raw statements in an engine that may do anything, behind the kernel's wall alone."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.flight as flight
import pytest

from catalog.gateway.guard import SessionId
from catalog.gateway.processes import WorkerProcess
from catalog.gateway.refusals import GatewayError
from catalog.gateway.turns import Turns
from catalog.sandbox.launcher import Launcher
from catalog.warehouse import Warehouse
from tests.hub_config.launcher.places import SESSION, isolation, serving, settings_in

OTHER = "f" * 20
GIB = 1 << 30
INSIDE = "/proc/{}/" + "root"  # another process's view of the files


@dataclass
class Raw:
    """Starts real workers that run what they are told before their settings are locked."""

    client: Launcher
    run: Path
    files: tuple[str, ...]
    turns: Turns = field(default_factory=lambda: Turns(16, 16))
    generation: int = 0
    asked: int = 0

    def worker(self, *texts: str) -> WorkerProcess:
        """A worker in the session's sandbox; `texts` run unjudged in the unlocked engine.

        Raises
        ------
        GatewayError
            One of them failed.
        """
        self.generation += 1
        mounts = [(file, f"/data/{file}") for file in self.files]
        started, control = self.client.start_worker(SESSION, self.generation, mounts, GIB)
        configuration = {
            "listen": f"/run/campus/data/worker-{self.generation}.sock",
            "views": [{"name": f"v{number}", "text": text} for number, text in enumerate(texts)],
            "files": [target for _, target in mounts],
            "threads": 1,
            "memory": GIB // 2,
            "batch_rows": 1000,
            "spill": "/tmp/spill",
            "spill_size": GIB,
            "saved_rows": 1000,
            "saved_bytes": GIB,
            "result_bytes": GIB,
            "columns": 5000,
        }
        return WorkerProcess(
            self.client,
            started,
            control,
            configuration,
            lambda _: None,
            lambda _: None,
            session_id=SessionId(SESSION),
            turns=self.turns,
            generation=self.generation,
        )

    def rows(self, worker: WorkerProcess, text: str) -> list[dict[str, Any]]:
        """Rows of a statement that nobody judged."""
        self.asked += 1
        handle = f"{self.asked:048x}"
        order = {"sql": text, "parameters": [], "save_as": "", "seconds": 10, "ttl": 10}
        worker.admit(handle, order)
        place = self.run / "gateway" / SESSION / "data" / f"worker-{worker.generation}.sock"
        answer = flight.connect(f"grpc+unix://{place}").do_get(flight.Ticket(bytes.fromhex(handle)))
        rows: list[dict[str, Any]] = answer.read_all().to_pylist()
        return rows

    def fails(self, text: str) -> bool:
        """Whether an unlocked engine could not do it."""
        try:
            self.worker(text).stop()
        except GatewayError:
            return True
        return False

    def found(self, source: str) -> list[dict[str, Any]]:
        """What an unlocked engine reads there; nothing where it fails."""
        try:
            worker = self.worker(f"CREATE TABLE campus.x AS FROM {source}")
        except GatewayError:
            return []
        try:
            return self.rows(worker, "FROM campus.x")
        finally:
            worker.stop()


@pytest.fixture
def raw(warehouse: Warehouse) -> Iterator[Raw]:
    isolation()
    state = Path(tempfile.mkdtemp(prefix="campus-raw-"))
    try:
        with serving(state) as client:
            settings = settings_in(state)
            shutil.copytree(warehouse.root, settings.warehouse, dirs_exist_ok=True)
            for session in (SESSION, OTHER):
                (settings.run / "gateway" / session / "data").mkdir(parents=True)
            granted = tuple(f.path for f in warehouse.snapshot("dong_codes").files)
            yield Raw(client, settings.run, granted)
            for started in client.list():
                client.stop(started.sandbox_id)
    finally:
        shutil.rmtree(state, ignore_errors=True)  # the sockets of ended workers go by themselves


def test_an_unlocked_engine_sees_only_its_own_files(raw: Raw, warehouse: Warehouse) -> None:
    neighbour = socket.socket(socket.AF_UNIX)
    neighbour.bind(str(raw.run / "gateway" / OTHER / "data" / "worker-1.sock"))
    worker = raw.worker(
        "CREATE TABLE campus.seen AS SELECT file FROM glob('/**')",
        f"CREATE TABLE campus.granted AS SELECT count(*) AS n FROM read_parquet('/data/{raw.files[0]}')",
        "CREATE TABLE campus.environment AS SELECT content FROM read_blob('/proc/self/environ')",
    )
    try:
        seen = {row["file"] for row in raw.rows(worker, "FROM campus.seen")}
        data = {path.removeprefix("/data/") for path in seen if path.startswith("/data/")}
        assert data == set(raw.files)
        others = {
            Path(file.path).name
            for name in (
                "subway_ridership",
                "card_sales",
                "living_population",
                "card_spending",
                "gu_boundary",
            )
            for file in warehouse.snapshot(name).files
        }
        assert not others & {Path(path).name for path in seen}
        outside = (OTHER, "/run/campus.sock", "campus.sqlite", "/etc/shadow", "/etc/ssh", "/home/", "/var/")
        assert not {path for path in seen for part in outside if part in path and "site-packages" not in path}
        content = bytes(raw.rows(worker, "FROM campus.environment")[0]["content"])
        assert b"TOKEN" not in content and b"SECRET" not in content
    finally:
        worker.stop()
        neighbour.close()


def test_an_unlocked_engine_reaches_nothing_else(raw: Raw, warehouse: Warehouse) -> None:
    secret = warehouse.snapshot("living_population").files[0].path
    (settings,) = {raw.run.parent}
    assert raw.found(f"read_parquet('/data/{raw.files[0]}')")
    reads = (
        f"read_parquet('/data/{secret}')",
        f"read_parquet('{settings}/warehouse/{secret}')",
        f"read_parquet('{INSIDE.format(1)}/data/{secret}')",
        "read_text('/etc/shadow')",
        f"read_blob('{settings}/**')",
        f"read_text('{INSIDE.format('[0-9]*')}/etc/shadow')",
        "read_text('http://127.0.0.1:8000/hub/api')",
    )
    assert [text for text in reads if raw.found(text)] == []
    people = "".join(row["content"] for row in raw.found("read_text('/etc/passwd')"))
    assert people != Path("/etc/passwd").read_text("utf-8")
    writes = (
        f"COPY (SELECT 1) TO '/data/{raw.files[0]}'",
        "COPY (SELECT 1) TO '/data/new.parquet'",
        "ATTACH '/data/new.db'",
        "COPY (SELECT 1) TO '/etc/x.csv'",
        "INSTALL httpfs FROM 'http://127.0.0.1:8000'",
        "LOAD '/data/x.duckdb_extension'",
    )
    assert [text for text in writes if not raw.fails(text)] == []


def test_the_engines_own_lock_holds_for_raw_statements(raw: Raw) -> None:
    worker = raw.worker(f"CREATE VIEW campus.ok AS FROM read_parquet('/data/{raw.files[0]}')")
    try:
        for text in (
            "SET enable_external_access = true",
            "FROM read_text('/proc/self/environ')",
            "ATTACH '/tmp/x.db'",
        ):
            with pytest.raises(flight.FlightError):
                raw.rows(worker, text)
        assert raw.rows(worker, "SELECT count(*) AS n FROM campus.ok")[0]["n"] > 0
    finally:
        worker.stop()
