"""How much the walls cost at the start of a session: isolated against unisolated, interleaved in one run.

Both start the same slim server from the same environment and are timed from the request to the first answer.
Both keep their home between starts. Prints medians and their ratio; the design allows 1.1.
Run: `.venv/bin/python -m benchmarks.session_start [rounds]`.
"""

from __future__ import annotations

import http.client
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from catalog.sandbox.launcher import Launcher
from hub_config.settings import REPO, Settings, load
from hub_config.up.state import prepare

PERSON, PROJECT = "bench", "open-data"
PREFIX = f"/user/{PERSON}/{PROJECT}/"
WITHIN = 60.0  # s


def answered(path: Path, began: float) -> float:
    """Seconds from `began` until a server on this socket answers."""
    while time.monotonic() - began < WITHIN:
        connection = http.client.HTTPConnection("sandbox", timeout=5)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(5)
            try:
                peer.connect(str(path))
                connection.sock = peer
                connection.request("GET", f"{PREFIX}api")
                if connection.getresponse().status < 500:
                    return time.monotonic() - began
            except OSError:
                time.sleep(0.005)
    raise SystemExit("the server did not answer")


def isolated(settings: Settings, launcher: Launcher) -> float:
    """One start through the launcher, in its walls [s]."""
    session = secrets.token_hex(10)
    (settings.run / "gateway" / session).mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    started = launcher.start_session(session, PERSON, PROJECT, settings.uid_base + 1000, PREFIX)
    took = answered(settings.run / "sessions" / session / "http.sock", began)
    launcher.stop(started.sandbox_id, 0.2)
    return took


def unisolated(settings: Settings, home: Path) -> float:
    """One start of the same program as a plain process [s]."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "http.sock"
        began = time.monotonic()
        listener.bind(str(path))
        listener.listen(64)
        process = subprocess.Popen(
            [settings.session_env / "bin" / "python", REPO / "hub_config" / "inside" / "lab.py"],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(home),
                "TMPDIR": folder,
                "LANG": "C.UTF-8",
                "CAMPUS_LISTEN_FD": str(listener.fileno()),
                "CAMPUS_PREFIX": PREFIX,
            },
            pass_fds=[listener.fileno()],
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        took = answered(path, began)
        process.kill()
        process.wait()
        return took


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    folder = Path(tempfile.mkdtemp(prefix="b"))
    folder.chmod(0o711)
    settings = load({"state": folder / "v"}, environ={})
    prepare(settings, None)
    launcher = Launcher(settings.socket("launcher"))
    server = subprocess.Popen(
        [sys.executable, "-m", "hub_config.launcher", "--state", str(settings.state)],
        cwd=REPO,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not launcher.path.exists():
            time.sleep(0.05)
        launcher.prepare_home(PERSON, PROJECT, settings.uid_base + 1000)
        home = folder / "home"
        home.mkdir()
        isolated(settings, launcher), unisolated(settings, home)  # both warm
        pairs = [(isolated(settings, launcher), unisolated(settings, home)) for _ in range(rounds)]
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
    walls, plain = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    sys.stdout.write(
        f"session start, median of {rounds}: isolated {walls:.2f} s, unisolated {plain:.2f} s, "
        f"ratio {ratio:.2f}\n"
    )


if __name__ == "__main__":
    main()
