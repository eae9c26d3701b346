"""A sandbox's output never fills the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub_config.launcher import output
from hub_config.launcher.output import Output


def flood(log: Output, writer: int, seconds: float) -> int:
    """Write as fast as is taken during `seconds` of pretended time; returns bytes taken."""
    os.set_blocking(writer, False)
    taken, now = 0, 0.0
    while now < seconds:
        try:
            taken += os.write(writer, b"x" * 4096)
        except BlockingIOError:
            now += 0.01
        log.drain(now)
    return taken


def test_keeps_two_capped_files_and_a_steady_rate(tmp_path: Path) -> None:
    log, writer = Output.open(tmp_path / "x.log", 0.0)
    taken = flood(log, writer, 60)
    assert taken < output.BURST + 61 * output.RATE + (1 << 20)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2 * output.CAP
    assert {file.name for file in tmp_path.iterdir()} == {"x.log", "x.log.1"}
    assert not log.wants(60)
    assert log.wants(61)
    os.close(writer)
    log.close()


def test_ends_with_the_pipe_and_never_spins(tmp_path: Path) -> None:
    log, writer = Output.open(tmp_path / "x.log", 0.0)
    os.write(writer, b"last words\n")
    os.close(writer)
    assert log.drain(0.0)
    assert not log.drain(0.0)
    assert not log.wants(100.0)
    log.close()
    assert (tmp_path / "x.log").read_text() == "last words\n"
    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o600


def test_keeps_the_newest_logs_of_sandboxes_and_all_of_services(tmp_path: Path) -> None:
    for number in range(5):
        for name in (f"session-{number:020x}.log", f"session-{number:020x}.log.1"):
            (tmp_path / name).write_text("x")
            os.utime(tmp_path / name, (number, number))
    for name in ("gate.log", "session-x.log"):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (0, 0))
    output.prune(tmp_path, keep=2)
    kept = {f"session-{number:020x}.log{end}" for number in (3, 4) for end in ("", ".1")}
    assert {file.name for file in tmp_path.iterdir()} == {"gate.log", "session-x.log", *kept}


def test_an_empty_log_is_not_kept(tmp_path: Path) -> None:
    log, writer = Output.open(tmp_path / "x.log", 0.0)
    os.close(writer)
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "x.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        Output.open(tmp_path / "x.log", 0.0)
    assert not (tmp_path / "elsewhere").exists()
