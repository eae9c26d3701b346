"""A launcher's state folder and parts for the tests; the real ones, without the server around them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog.sandbox.bubblewrap import BWRAP
from catalog.sandbox.isolation import Isolation, choose
from catalog.sandbox.launcher import Launcher
from hub_config.settings import Settings

REPO = Path(__file__).resolve().parents[3]
SESSION = "0123456789abcdef0123"
PERSON_UID = 201_007


def isolation() -> Isolation:
    """The walls of this machine, or a skip."""
    if not Path(BWRAP).exists():
        pytest.skip("bubblewrap is not installed")
    return choose("auto")


def settings_in(state: Path) -> Settings:
    """Settings of a fresh state folder with the folders the supervisor makes."""
    settings = Settings(state=state)
    for path in (settings.warehouse, settings.run / "sessions", settings.run / "gateway", state / "logs"):
        path.mkdir(parents=True, exist_ok=True)
    return settings


@contextmanager
def serving(
    state: Path, *, python: str = sys.executable, user: int | None = None, **environ: str
) -> Iterator[Launcher]:
    """The launcher as its own process, and a client of it."""
    settings = settings_in(state)
    if user is not None:
        for path in (state, *state.rglob("*")):
            os.chown(path, user, user)
    with (state / "launcher.log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-B", "-m", "hub_config.launcher", "--state", str(state)],
            cwd=REPO,
            env={"PATH": os.environ["PATH"], **environ},
            stderr=log,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    client = Launcher(settings.socket("launcher"))
    try:
        deadline = time.monotonic() + 30
        while not client.path.exists():
            assert process.poll() is None, (state / "launcher.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield client
        assert process.poll() is None, (state / "launcher.log").read_text()
    finally:
        process.terminate()
        process.wait(30)
