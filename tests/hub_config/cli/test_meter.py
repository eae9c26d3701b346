"""What a person sees of a long ingest: a bar that redraws itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

import pytest

from catalog.ingest.meter import Meter, Phase, Progress
from hub_config.cli.meter import Bar, _cut


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def reading(done: int) -> Progress:
    return Progress(file="2월.csv", phase=Phase.READ, done=done, total=200_000_000, rows=done // 50)


def test_a_terminal_sees_share_rate_and_time_left_in_one_line() -> None:
    screen, now = Terminal(), [0.0]
    bar = Bar(screen, lambda: now[0])
    bar.show(reading(0))
    now[0] = 10.0
    bar.show(reading(50_000_000))
    bar.clear()
    last = screen.getvalue().split("\r\x1b[K")[-2]
    assert "█████" in last and " 25 %" in last and "50.0 MB / 200.0 MB" in last
    assert "\n" not in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_elsewhere_plain_lines_come_now_and_then() -> None:
    lines, now = io.StringIO(), [0.0]
    bar = Bar(lines, lambda: now[0])
    for second in range(12):
        now[0] = float(second)
        bar.show(reading(second * 5_000_000))
    bar.clear()
    said = lines.getvalue().splitlines()
    assert len(said) == 2 and "\x1b" not in lines.getvalue()
    assert " 25 %" in said[1] and "1,000,000행" in said[1]
    assert "5.0 MB/s" in said[1] and "남음 left 0:30" in said[1] and said[1].endswith("2월.csv")


def test_each_phase_is_measured_from_its_own_start() -> None:
    screen, now = Terminal(), [0.0]
    bar = Bar(screen, lambda: now[0])
    bar.show(reading(200_000_000))
    now[0] = 100.0
    bar.show(Progress(file="2월.csv", phase=Phase.CHECK, done=0, total=100, rows=100))
    now[0] = 101.0
    bar.show(Progress(file="2월.csv", phase=Phase.CHECK, done=10, total=100, rows=100))
    assert "10행/s" in screen.getvalue() or screen.getvalue().endswith("10행 / 100행  1")


@pytest.mark.parametrize(("columns", "kept"), [(3, "[█ "), (5, "[█ 값"), (6, "[█ 값")])
def test_wide_letters_do_not_wrap(columns: int, kept: str) -> None:
    assert _cut("[█ 값 읽기", columns).rstrip() == kept.rstrip()


def test_a_meter_tells_the_end_of_a_phase_and_not_every_step() -> None:
    told: list[Progress] = []
    meter = Meter(told.append)
    for done in range(1001):
        meter.tell("a.csv", Phase.SURVEY, done, 1000)
    assert told[-1].percent == 100 and len(told) < 50
