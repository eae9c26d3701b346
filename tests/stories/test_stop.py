"""Ctrl-C and SIGTERM end everything: no process, no sandbox, no socket stays, whenever they come."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_config.settings import load
from tests.stories.campus import Campus

pytestmark = pytest.mark.story


@pytest.fixture
def campus(request: pytest.FixtureRequest) -> Iterator[Campus]:
    """Not started; its state lies in a folder short enough for sockets, or too long for them."""
    deep = "/".join(["a-folder-with-a-long-name"] * 3) if getattr(request, "param", "") == "long" else "v"
    with tempfile.TemporaryDirectory(prefix="c-") as folder:
        yield Campus(Path(folder) / deep)


def processes(state: Path) -> list[str]:
    """Command lines of all that belongs to an installation."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
            environ = (entry / "environ").read_bytes() if os.access(entry / "environ", os.R_OK) else b""
        except OSError:
            continue
        if os.fsencode(state) in line + environ and int(entry.name) != os.getpid():
            found.append(line.replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


def leftovers(campus: Campus) -> list[str]:
    """What a clean stop must not leave."""
    run = load({"state": campus.state}, {}).run
    outside = [] if run.is_relative_to(campus.state) else [str(run)] * run.exists()
    return [*processes(campus.state), *(str(p) for p in run.rglob("*.sock")), *outside]


@pytest.mark.parametrize("campus", ["long"], indirect=True)
def test_ctrl_c_as_a_terminal_sends_it(campus: Campus) -> None:
    campus.start()
    run = load({"state": campus.state}, {}).run
    assert len(processes(campus.state)) >= 7
    assert len(list(run.rglob("*.sock"))) == 6
    assert campus.end(signal.SIGINT, group=True) == 0, campus.lines
    assert leftovers(campus) == []
    assert "Traceback" not in "".join(campus.lines)


@pytest.mark.parametrize("line", ["audit log", "synthetic sample data ·"])
def test_a_stop_in_the_middle_of_the_start(campus: Campus, line: str) -> None:
    campus.begin()
    campus.wait_for(line, 60)
    began = time.monotonic()
    assert campus.end(signal.SIGTERM if "audit" in line else signal.SIGINT, group=True) == 0, campus.lines
    assert time.monotonic() - began < 15
    assert leftovers(campus) == []
    assert "Traceback" not in "".join(campus.lines)
