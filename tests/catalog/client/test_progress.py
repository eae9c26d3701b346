"""How far a long query is, on a terminal and in a notebook; and that quick ones show nothing."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import campus
import pytest
from campus import progress
from campus.wire import Gateway

from tests.catalog.gateway.simulator import REPO, SOON, Installation, until

SLOW = "SELECT sum(a.boardings * b.boardings) FROM subway_ridership a, subway_ridership b, subway_ridership c"


@pytest.fixture
def session(gateway: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setenv("CAMPUS_GATEWAY", gateway.open())
    monkeypatch.setattr(campus, "_gateway", Gateway())
    yield gateway


def stopped(query: str) -> None:
    with pytest.raises(campus.QueryFailed):
        campus.sql(query)


def test_the_worker_says_how_far_it_is(session: Installation) -> None:
    """Asked as the bar asks, from another thread, while the query runs."""
    threading.Thread(target=stopped, args=(SLOW,)).start()
    until(lambda: session.guard.kinds() == ["admitted"])
    query = session.guard.events[0].query_id

    def said() -> dict[str, float]:
        return dict(campus._gateway.action("campus.progress", query_id=query))

    until(lambda: said()["percent"] >= 0)
    assert 0 <= said()["percent"] < 100 and said()["rows"] == 0
    elsewhere = Gateway(session.open(person="jihun"))
    assert elsewhere.action("campus.progress", query_id=query) == {"rows": 0, "percent": -1.0}
    assert campus._gateway.action("campus.cancel", query_id=query) == {"cancelled": True}
    until(lambda: "cancelled" in session.guard.kinds())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_query_draws_a_bar_and_takes_it_away(
    session: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.2)

    def stop() -> None:
        with suppress(AssertionError):  # its time limit ends it, and what was drawn is looked at below
            until(lambda: re.search(r"\d %", terminal.getvalue()), 25)
        campus._gateway.action("campus.cancel", query_id=session.guard.events[0].query_id)

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(campus.QueryFailed):
        campus.sql(SLOW).arrow()
    stopping.join()
    drawn = terminal.getvalue()
    assert "░" in drawn and re.search(r"\d s", drawn)
    assert re.search(r"\d %", drawn), "the engine knew how far it was"
    assert drawn.endswith("\r\x1b[K"), "and nothing is left behind"


def test_quick_queries_and_other_outputs_show_nothing(
    session: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", terminal)
        patched.setattr(progress, "SHOWN_AFTER", 20.0)  # quick is less, also on a slow machine
        campus.sql("SELECT 1").arrow()
    assert terminal.getvalue() == ""
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.0)
    campus.sql("SELECT count(*) FROM subway_ridership a, dong_codes b").arrow()
    assert capsys.readouterr().err == "", "no terminal, no bar"


@pytest.mark.parametrize(
    ("rows", "percent", "seconds", "has", "hasnt"),
    [
        (0, -1.0, 3.0, ["3 s"], ["%", "rows", "left"]),
        (1_234_567, 25.0, 10.0, ["1,234,567행", "25 %", "약 30초 남음", "about 30 s left"], []),
        (0, 0.2, 10.0, ["0 %"], ["left"]),
        (5, 100.0, 10.0, ["100 %"], ["left"]),
    ],
)
def test_what_it_says(rows: int, percent: float, seconds: float, has: list[str], hasnt: list[str]) -> None:
    said = progress.words(rows, percent, seconds)
    assert all(word in said for word in has) and not any(word in said for word in hasnt)
    shown = progress.html(said, percent)
    assert ("value=" in shown) == (percent >= 0) and "aria-label" in shown
    assert progress.html("<b>", 1.0).count("<b>") == 0
    assert progress.html("", -1.0) == ""


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_on_a_terminal_cancels_and_frees_the_worker(session: Installation, tmp_path: Path) -> None:
    """A whole program on a real terminal, as a person would stop it."""
    script = tmp_path / "cell.py"
    script.write_text(f"import campus\ncampus.sql('''{SLOW}''').arrow()\n")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [REPO / ".venv-session" / "bin" / "python", script],
        env={
            "CAMPUS_GATEWAY": os.environ["CAMPUS_GATEWAY"],
            "PYTHONPATH": str(REPO / "catalog/client/src"),
            "HOME": str(tmp_path),
        },
        stderr=theirs,
        stdout=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    drawn = bytearray()

    def listen() -> None:
        while True:
            try:
                drawn.extend(os.read(ours, 4096))
            except OSError:
                return

    threading.Thread(target=listen, daemon=True).start()
    until(lambda: "░".encode() in drawn, 90)
    process.send_signal(signal.SIGINT)
    until(lambda: session.guard.kinds() == ["admitted", "cancelled"], SOON)
    assert process.wait(30) != 0
    until(lambda: b"KeyboardInterrupt" in drawn)
    assert len(campus.sql("SELECT 1")) == 1
    os.close(ours)
