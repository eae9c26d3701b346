"""The rivals that need only a process: in-process DuckDB, plain Arrow Flight, Quack and Spark Connect."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.gateway.contender import (
    RIVALS,
    SESSION,
    Absent,
    Contender,
    Engine,
    begin,
    free_port,
    listens,
    serve,
)
from benchmarks.gateway.data import COLUMNS, TABLE, Data
from benchmarks.gateway.processes import end

SPARK_MEMORY: Final = "3g"  # of its Java machine: with less it collects garbage instead of answering


def _given(data: Data, engine: Engine) -> dict[str, Any]:
    return {
        "threads": engine.threads,
        "memory": engine.memory,
        "table": TABLE,
        "columns": COLUMNS,
        "source": data.source,
    }


@dataclass(slots=True, kw_only=True)
class InProcess(Contender):
    """DuckDB in the reader itself."""

    name: str = "in-process DuckDB"
    module: str = "in_process"
    python: Path = SESSION

    def start(self, data: Data, engine: Engine) -> Mapping[str, Any]:
        """Nothing to start."""
        return _given(data, engine)


@dataclass(slots=True, kw_only=True)
class _Served(Contender):
    """One with a server of its own."""

    server: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the server."""
        if self.server is not None:
            end(self.server)
            self.server = None

    def pids(self) -> list[int]:
        """The server."""
        return [] if self.server is None else [self.server.pid]


@dataclass(slots=True, kw_only=True)
class Flight(_Served):
    """A plain Arrow Flight server."""

    name: str = "plain Flight"
    module: str = "flight"
    python: Path = SESSION

    def start(self, data: Data, engine: Engine) -> Mapping[str, Any]:
        """Over a local socket."""
        path = self.folder / "flight.sock"
        path.unlink(missing_ok=True)
        given = _given(data, engine) | {"address": f"grpc+unix://{path}"}
        self.server = serve(self, given, path.exists)
        return given


@dataclass(slots=True, kw_only=True)
class Quack(_Served):
    """DuckDB 1.5.5 with its extension wheels."""

    name: str = "DuckDB Quack 1.5.5"
    module: str = "quack"
    python: Path = RIVALS

    def start(self, data: Data, engine: Engine) -> Mapping[str, Any]:
        """Over HTTP on this machine, as it does by itself."""
        demand_environment()
        port = free_port()
        given = _given(data, engine) | {"address": f"quack:localhost:{port}"}
        self.server = serve(self, given, lambda: listens(port))
        return given


@dataclass(slots=True, kw_only=True)
class Spark(_Served):
    """Spark Connect on the same files."""

    name: str = "Spark Connect"
    module: str = "spark"
    python: Path = RIVALS
    rounds: int = 2
    fewer: int = 10

    def start(self, data: Data, engine: Engine) -> Mapping[str, Any]:
        """A local Spark with as many threads as everybody has."""
        demand_environment()
        if shutil.which("java") is None:
            raise Absent("no Java here, and `apt-get install default-jre-headless` did not bring one")
        (home,) = RIVALS.parents[1].glob("lib/python*/site-packages/pyspark")
        port = free_port()
        scratch = self.folder / "spark"
        scratch.mkdir(exist_ok=True)
        argv: list[str | Path] = [
            home / "bin" / "spark-submit",
            *("--master", f"local[{engine.threads}]", "--driver-memory", SPARK_MEMORY),
            *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
            *("--conf", f"spark.connect.grpc.binding.port={port}", "--conf", "spark.ui.enabled=false"),
            *("--conf", "spark.driver.maxResultSize=0", "--conf", f"spark.local.dir={scratch}"),
            *("--conf", f"spark.sql.shuffle.partitions={2 * engine.threads}"),
            *("--conf", f"spark.sql.warehouse.dir={scratch}/warehouse", "spark-internal"),
        ]
        environment = os.environ | {
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PATH": f"{RIVALS.parent}:{os.environ['PATH']}",
        }
        log = self.folder / "spark-server.log"
        self.server = begin(argv, log, lambda: listens(port), scratch, environment)
        self.notes.append(f"Java machine of {SPARK_MEMORY}")
        return _given(data, engine) | {"address": f"sc://127.0.0.1:{port}", "files": list(data.files)}


def demand_environment() -> None:
    """The rivals' environment has to be there.

    Raises
    ------
    Absent
        It is not.
    """
    if not RIVALS.exists():
        raise Absent("the rivals' environment is not there: --install makes it")
