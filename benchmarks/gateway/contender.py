"""What a contender is: its server, if it has one, and its reader, a process of its own. Knows none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.gateway.data import TABLE, Data
from benchmarks.gateway.processes import end, largest
from hub_config.settings import REPO

SESSION: Final = REPO / ".venv-session" / "bin" / "python"
RIVALS: Final = REPO / ".venv-rivals" / "bin" / "python"
WITHIN: Final = 120.0  # for a server to start [s]


class Absent(Exception):
    """A contender cannot take part here; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What every engine gets: threads, and memory as DuckDB counts it [bytes]."""

    threads: int
    memory: int


@dataclass(slots=True, kw_only=True)
class Contender:
    """One of those compared; the classes below it start its servers.

    Attributes
    ----------
    module
        Its part below `readers`, whose `reader` makes of what `start` returns a call from SQL to Arrow.
    rounds, fewer
        The most rounds it takes part in, and by how much less often it is asked the quick questions in one:
        slow ones would take an hour.
    folder
        Where it may write; kept between runs.
    notes
        What the report says of it.
    """

    name: str
    module: str
    python: Path
    folder: Path
    rounds: int = 1_000
    fewer: int = 1
    table: str = TABLE
    notes: list[str] = field(default_factory=list)

    def start(self, data: Data, engine: Engine) -> Mapping[str, Any]:
        """Start what serves; returns what its reader needs to know.

        Raises
        ------
        Absent
            It cannot run here.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """End everything."""

    def pids(self) -> list[int]:
        """Its server processes, without those below them."""
        return []

    def peak(self) -> int:
        """Most held by the largest of its server processes [bytes]."""
        return largest(self.pids())


def serve(
    contender: Contender, given: Mapping[str, Any], ready: Callable[[], bool]
) -> subprocess.Popen[bytes]:
    """Start the contender's own server program and wait until it is ready.

    Raises
    ------
    Absent
        It ended, or was not ready in time; with its last words.
    """
    log = contender.folder / f"{contender.module}-server.log"
    argv: list[str | Path] = [
        contender.python,
        "-m",
        "benchmarks.gateway.program",
        "serve",
        contender.module,
        json.dumps(given),
    ]
    return begin(argv, log, ready, contender.folder, os.environ | {"PYTHONPATH": str(REPO)})


def begin(
    argv: Sequence[str | Path],
    log: Path,
    ready: Callable[[], bool],
    folder: Path,
    environment: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """Start a program and wait until it is ready; `Absent` as for `serve`."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(part) for part in argv], cwd=folder, env=environment, stdout=file, stderr=file,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + WITHIN
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            end(process)
            said = log.read_text(errors="replace").strip().splitlines()
            raise Absent(f"its server did not start: {said[-1][:300] if said else 'without a word'}")
        time.sleep(0.1)
    return process


def free_port() -> int:
    """A TCP port of this machine that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Reader:
    """A process that asks one contender and holds the answers as Arrow."""

    def __init__(self, contender: Contender, given: Mapping[str, Any]) -> None:
        argv = [
            str(contender.python),
            "-m",
            "benchmarks.gateway.program",
            "read",
            contender.module,
            json.dumps(given),
        ]
        paths = f"{REPO}:{REPO / 'catalog' / 'client' / 'src'}"
        log = (contender.folder / f"{contender.module}-reader.log").open("wb")
        with log:
            self.process = subprocess.Popen(
                argv,
                cwd=contender.folder,
                env=os.environ | {"PYTHONPATH": paths},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._log = contender.folder / f"{contender.module}-reader.log"

    def begin(self, text: str, times: int = 1, first: int = 0, *, sums: bool = False) -> None:
        """Have it ask a statement so many times, with `first`, `first` + 1, … for `{i}`."""
        assert self.process.stdin is not None
        asked = {"text": text, "times": times, "first": first, "sums": sums}
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> Mapping[str, Any]:
        """Seconds of each time, rows of the last, and the sums of its columns where they were asked for."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            said = self._log.read_text(errors="replace").splitlines()
            raise Absent(f"its reader ended: {said[-1] if said else 'without a word'}")
        answer: Mapping[str, Any] = json.loads(line)
        if "error" in answer:
            raise Absent(str(answer["error"]))
        return answer

    def ask(self, text: str, times: int = 1, first: int = 0, *, sums: bool = False) -> Mapping[str, Any]:
        """`begin`, then `answer`."""
        self.begin(text, times, first, sums=sums)
        return self.answer()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
