"""A running Campus for the stories: started by its own command, as its README says. Mocks nothing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from hub_config.settings import load
from tests.ports import free_port

REPO = Path(__file__).resolve().parent.parent.parent
STARTS_WITHIN = 180.0  # s: issue's bound for a first start on two cores
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *(("--no-sandbox",) if os.getuid() == 0 else ()),
)


class Campus:
    """`bin/campus up` in a process group of its own, and what it printed."""

    def __init__(self, state: Path, *flags: str) -> None:
        self.state = state
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.lines: list[str] = []
        self.real = False
        self._flags = flags
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start and wait until the address is printed."""
        self.begin()
        self.wait_for(rf"{re.escape(self.url)}/?\s*$", STARTS_WITHIN)

    def begin(self) -> None:
        """Start, and wait for nothing."""
        self._process = subprocess.Popen(
            [
                str(REPO / "bin" / "campus"),
                "up",
                "--state",
                str(self.state),
                "--port",
                str(self.port),
                *self._flags,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def stop(self) -> int:
        """Ctrl-C, and the exit code."""
        return self.end(signal.SIGINT)

    def end(self, number: signal.Signals, *, group: bool = False) -> int:
        """Send a signal, to the whole process group as a terminal does if so asked; the exit code."""
        assert self._process is not None
        (os.killpg if group else os.kill)(self._process.pid, number)
        try:
            return self._process.wait(40)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._reader.join(10)

    def wait_for(self, pattern: str, seconds: float = 30.0) -> re.Match[str]:
        """The first printed line that matches."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in list(self.lines):
                found = re.search(pattern, line)
                if found:
                    return found
            assert self._process is not None
            assert self._process.poll() is None, "campus ended:\n" + "".join(self.lines)
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} was not printed within {seconds} s:\n" + "".join(self.lines))

    def services(self) -> dict[str, int]:
        """Process ids by service name, as the product itself reports them."""
        text = (load({"state": self.state}, {}).run / "services").read_text("utf-8")
        return {name: int(pid) for name, pid in (line.split() for line in text.splitlines())}

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.lines.append(re.sub(r"\x1b\[[0-9;]*m", "", line))


@contextlib.contextmanager
def running(state: Path, *flags: str) -> Iterator[Campus]:
    """A Campus for the length of a block; stopped cleanly afterwards."""
    campus = Campus(state, *flags)
    campus.start()
    try:
        yield campus
    finally:
        campus.stop()
