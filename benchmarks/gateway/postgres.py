"""PostgreSQL with the same rows, row-level security and, where it is installed, pgaudit.

Its rows are a copy: loading them is timed apart. Who may read is decided by a policy over a table of grants,
asked once a statement; every SELECT is in the server's log, which is not synced as the product's record is.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.gateway.contender import RIVALS, Absent, Contender, Engine
from benchmarks.gateway.data import COLUMNS, TABLE, Data
from benchmarks.gateway.rivals import demand_environment
from hub_config.settings import REPO

SERVERS: Final = Path("/usr/lib/postgresql")
WORK_MEMORY: Final = 256 << 10  # of one sort or hash table [kB]
LOAD: Final = f"""CREATE TABLE {TABLE} (date date NOT NULL, hour int NOT NULL, dong_code text NOT NULL,
 sex text NOT NULL, age text NOT NULL, population double precision)"""
RULES: Final = f"""CREATE ROLE analyst LOGIN;
CREATE TABLE held (person name, dataset text, expires timestamptz);
INSERT INTO held VALUES ('analyst', '{TABLE}', now() + interval '90 days');
GRANT SELECT ON held, {TABLE} TO analyst;
ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY;
CREATE POLICY granted ON {TABLE} FOR SELECT TO analyst USING (EXISTS (SELECT 1 FROM held
 WHERE person = current_user AND dataset = '{TABLE}' AND expires > now()))"""
ROWS_OUT: Final = """import duckdb, sys
rows = duckdb.connect(config={"threads": 1})
rows.execute("SET enable_progress_bar = false")  # it would be drawn among the rows
rows.execute(
    f"COPY (SELECT {sys.argv[1]} FROM {sys.stdin.read()}) TO '/dev/stdout' (FORMAT csv, HEADER false)")"""


@dataclass(slots=True, kw_only=True)
class Postgres(Contender):
    """A server of its own on a local socket."""

    name: str = "PostgreSQL"
    module: str = "postgres"
    python: Path = RIVALS
    rounds: int = 3
    home: Path = Path()
    pid: int = 0

    @property
    def place(self) -> Path:
        """Its cluster's folder, where its socket is too."""
        return self.folder / "postgres"

    def start(self, data: Data, engine: Engine) -> Mapping[str, Any]:
        """Start it, and load the rows unless an earlier run did."""
        demand_environment()
        homes = sorted(SERVERS.glob("*/bin"), key=lambda path: int(path.parent.name))
        if not homes:
            raise Absent("no PostgreSQL server is installed")
        self.home = homes[-1]
        version = self.home.parent.name
        audited = Path(f"/usr/share/postgresql/{version}/extension/pgaudit.control").exists()
        self.name = f"PostgreSQL {version}"
        self.notes.append("row-level security; " + ("pgaudit" if audited else "pgaudit is not installed"))
        loaded = self.place / f"loaded-{data.rows}"
        if not loaded.exists():
            shutil.rmtree(self.place, ignore_errors=True)
            self.place.mkdir(parents=True)
            if os.getuid() == 0:
                shutil.chown(self.place, self._user())
            self._run(
                "initdb", "-D", self.place / "data", "-U", "campus", "-A", "trust", "--locale", "C.UTF-8"
            )
        self._configure(engine, audited=audited)
        self._run("pg_ctl", "-D", self.place / "data", "-w", "-l", self.place / "server.log", "start")
        self.pid = int((self.place / "data" / "postmaster.pid").read_text().splitlines()[0])
        if not loaded.exists():
            self._load(data, audited=audited)
            loaded.write_text(self.notes[-1])
        else:
            self.notes.append(loaded.read_text())
        return {"uri": f"postgresql://analyst@/postgres?host={self.place}", "work_memory": WORK_MEMORY}

    def stop(self) -> None:
        """Stop the server; its rows stay."""
        if self.pid:
            self._run("pg_ctl", "-D", self.place / "data", "-m", "fast", "stop")
            self.pid = 0

    def pids(self) -> list[int]:
        """The postmaster."""
        return [self.pid] if self.pid else []

    def _configure(self, engine: Engine, *, audited: bool) -> None:
        """Memory like everybody's; written anew each time."""
        lines = [
            "listen_addresses = ''",
            f"unix_socket_directories = '{self.place}'",
            f"shared_buffers = '{engine.memory >> 20}MB'",
            "effective_cache_size = '4GB'",
            "maintenance_work_mem = '1GB'",
            f"max_parallel_workers_per_gather = {engine.threads}",
            "wal_level = minimal",
            "max_wal_senders = 0",
            "max_wal_size = '8GB'",
            "checkpoint_timeout = '1h'",
            "autovacuum = off",
        ]
        if audited:
            lines += ["shared_preload_libraries = 'pgaudit'", "pgaudit.log = 'read'"]
        (self.place / "data" / "postgresql.auto.conf").write_text("\n".join(lines) + "\n")

    def _load(self, data: Data, *, audited: bool) -> None:
        """The same rows in the same order, one index for the point query, and the rules."""
        began = time.monotonic()
        copy = f"COPY {TABLE} FROM STDIN (FORMAT csv, FREEZE)"
        rows = subprocess.Popen(
            [REPO / ".venv" / "bin" / "python", "-c", ROWS_OUT, COLUMNS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert rows.stdin is not None and rows.stdout is not None
        rows.stdin.write(data.source.encode())
        rows.stdin.close()
        self._sql("-1", "-c", LOAD, "-c", copy, source=rows.stdout)
        if rows.wait() != 0:
            raise Absent("its rows could not be read")
        copied = time.monotonic() - began
        self._sql("-c", f"CREATE INDEX ON {TABLE} (dong_code, date)")
        if audited:
            self._sql("-c", "CREATE EXTENSION pgaudit")
        self._sql("-c", RULES)
        self._sql("-c", "VACUUM ANALYZE")
        self._sql("-c", "CHECKPOINT")
        taken = time.monotonic() - began
        size = sum(f.stat().st_size for f in (self.place / "data").rglob("*") if f.is_file())
        spent = f"loading: COPY {copied:.0f} s, all {taken:.0f} s at load {os.getloadavg()[0]:.0f}"
        self.notes.append(f"{spent}, {size / 1e9:.1f} GB on disk")

    def _sql(self, *arguments: str, source: Any = subprocess.DEVNULL) -> None:
        base = [
            "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self.place),
            "-U",
            "campus",
            "postgres",
        ]
        done = subprocess.run([*base, *arguments], stdin=source, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Absent(f"psql: {done.stderr.strip()[:300]}")

    def _run(self, program: str, *arguments: str | Path) -> None:
        as_user = ["runuser", "-u", self._user(), "--"] if os.getuid() == 0 else []
        argv = [*as_user, str(self.home / program), *map(str, arguments)]
        output = self.folder / "postgres-control.log"
        with output.open("wb") as log:
            done = subprocess.run(argv, stdout=log, stderr=log, cwd="/", check=False)
        if done.returncode != 0:
            said = output.read_text(errors="replace").strip().splitlines()
            raise Absent(f"{program}: {said[-1] if said else done.returncode}")

    @staticmethod
    def _user() -> str:
        """The server does not run as root."""
        try:
            return pwd.getpwnam("postgres").pw_name
        except KeyError:
            return "nobody"
