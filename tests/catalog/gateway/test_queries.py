"""The ledger where nobody can tell what the log has: every query on record gets one end, and no more."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.gateway import queries, refusals
from catalog.gateway.guard import QueryEvent, QueryEventKind, QueryId, SessionId, SessionIdentity
from catalog.gateway.journal import Journal
from catalog.gateway.metrics import Metrics
from catalog.gateway.queries import Ledger
from catalog.gateway.refusals import GatewayError
from tests.catalog.gateway.simulator import GuardSimulator, until

IDENTITY = SessionIdentity(session_id=SessionId("0" * 20), person="minji", project="open-data")
ADMITTED, FINISHED, FAILED = QueryEventKind.ADMITTED, QueryEventKind.FINISHED, QueryEventKind.FAILED


@pytest.fixture
def guard() -> GuardSimulator:
    return GuardSimulator()


@pytest.fixture
def ledger(guard: GuardSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setattr(queries, "RETRY", 0.02)
    made = Ledger(guard, tmp_path, Metrics())
    yield made
    made.close()


def admission(name: str = "q1") -> QueryEvent:
    return QueryEvent(
        kind=ADMITTED, query_id=QueryId(name), identity=IDENTITY, time=datetime.now(UTC), statement="SELECT 1"
    )


def test_an_admission_that_may_be_on_record_gives_no_rows_and_gets_an_end(
    guard: GuardSimulator, ledger: Ledger, tmp_path: Path
) -> None:
    """The writer died between its sync and its answer."""
    guard.unheard = frozenset({ADMITTED})
    with pytest.raises(GatewayError) as failed:
        ledger.admit(admission(), 1)
    assert failed.value.reason == "record-unavailable"
    assert guard.kinds() == ["admitted"]
    guard.unheard = frozenset()
    until(lambda: guard.kinds() == ["admitted", "failed"])
    assert guard.events[-1].reason == "record-unavailable"
    until(lambda: not list(tmp_path.iterdir()))


def test_an_admission_that_is_not_on_record_leaves_nothing(
    guard: GuardSimulator, ledger: Ledger, tmp_path: Path
) -> None:
    guard.recording = False
    with pytest.raises(GatewayError):
        ledger.admit(admission(), 1)
    assert not list(tmp_path.iterdir())
    assert ledger.counts == (0, 0)


def test_a_broker_that_dies_while_it_owes_an_end_is_followed_by_one_that_pays_it(
    guard: GuardSimulator, ledger: Ledger, tmp_path: Path
) -> None:
    """With the end on record already, though nobody was told; without it; without its admission too."""
    ledger.admit(admission("told"), 1)
    guard.unheard = frozenset({FINISHED})
    ledger.end(QueryId("told"), FINISHED)
    ledger.admit(admission("open"), 1)
    ledger.close()
    guard.recording = False
    lost = tmp_path / "lost.json"
    lost.write_text((tmp_path / "open.json").read_text().replace('"open"', '"lost"'))
    following = Ledger(guard, tmp_path, Metrics())
    assert following.recover() == 3
    assert following.counts == (0, 3)
    guard.recording, guard.unheard = True, frozenset()
    until(lambda: following.counts == (0, 0))
    following.close()
    assert {name: guard.kinds(name) for name in ("told", "open", "lost")} == {
        "told": ["admitted", "finished"],
        "open": ["admitted", "failed"],
        "lost": ["admitted", "failed"],
    }
    assert not list(tmp_path.iterdir())


def test_an_end_that_comes_before_its_admission_is_on_record_follows_it(
    guard: GuardSimulator, ledger: Ledger
) -> None:
    """The worker began ahead of the record and was done, or died, first."""
    ending: list[threading.Thread] = []

    def begin() -> None:
        assert ledger.is_open("quick")
        ending.append(threading.Thread(target=ledger.end, args=(QueryId("quick"), FINISHED)))
        ending[0].start()
        ending[0].join(0.1)
        assert ending[0].is_alive()
        assert guard.kinds() == []

    ledger.admit(admission("quick"), 1, begin)
    until(lambda: guard.kinds() == ["admitted", "finished"])


def test_what_is_not_on_record_has_no_end(guard: GuardSimulator, ledger: Ledger, tmp_path: Path) -> None:
    """Its admission could not be recorded, though it had begun; or it could not begin."""
    ended: list[bool] = []
    ending: list[threading.Thread] = []

    def begin() -> None:
        ending.append(threading.Thread(target=lambda: ended.append(ledger.end(QueryId("q1"), FINISHED))))
        ending[0].start()

    guard.failing = frozenset({ADMITTED})
    with pytest.raises(GatewayError):
        ledger.admit(admission(), 1, begin)
    ending[0].join(30)
    assert ended == [False]

    def broken() -> None:
        raise refusals.worker_unavailable()

    guard.failing = frozenset()
    with pytest.raises(GatewayError):
        ledger.admit(admission(), 1, broken)
    assert (guard.kinds(), ledger.counts, list(tmp_path.iterdir())) == ([], (0, 0), [])


def test_ends_that_come_together_are_recorded_together(
    guard: GuardSimulator, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the journal has them meanwhile, for a broker that comes after."""
    batches: list[list[str]] = []
    monkeypatch.setattr(queries, "COMPANY", 3600.0)  # an hour, or until it is closed
    monkeypatch.setattr(guard, "record_all", lambda ends: batches.append([str(e.query_id) for e in ends]))
    for name in ("q1", "q2", "q3"):
        ledger.admit(admission(name), 1)
    for name in ("q1", "q2"):
        ledger.end(QueryId(name), FINISHED, rows=7, size=56, digest="d")
        time.sleep(0.02)  # so that whoever records it has taken it
    (tmp_path / "q3.json").write_text((tmp_path / "q3.json").read_text() + '\n{"kind": "fini')  # torn
    left = {admitted.query_id: end for admitted, end in Journal(tmp_path).left()}
    assert batches == []
    ledger.close()
    assert batches == [["q1", "q2"]]
    assert [file.name for file in tmp_path.iterdir()] == ["q3.json"]
    assert left.keys() == {"q1", "q2", "q3"}
    assert left[QueryId("q3")] is None
    ended = left[QueryId("q1")]
    assert ended is not None
    assert (ended.kind, ended.rows, ended.bytes, ended.digest) == (FINISHED, 7, 56, "d")
    assert ended.statement == "SELECT 1"


def test_a_broker_killed_before_it_recorded_an_end_is_followed_by_one_that_does(
    guard: GuardSimulator, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "COMPANY", 3600.0)
    ledger.admit(admission(), 1)
    ledger.end(QueryId("q1"), FINISHED, rows=7)
    other = tmp_path / "copy"
    shutil.copytree(tmp_path, other)
    following = Ledger(guard, other, Metrics())
    assert following.recover() == 1
    following.close()
    assert guard.kinds() == ["admitted", "finished"]
    assert guard.events[-1].rows == 7
    assert not list(other.iterdir())


def test_one_end_that_is_never_taken_holds_up_no_other(guard: GuardSimulator, ledger: Ledger) -> None:
    ledger.admit(admission("bad"), 1)
    ledger.admit(admission("good"), 1)
    guard.failing = frozenset({FINISHED, FAILED})
    ledger.end(QueryId("bad"), FAILED)
    ledger.end(QueryId("good"), FINISHED)
    guard.failing = frozenset({FAILED})
    until(lambda: guard.kinds("good") == ["admitted", "finished"])
    until(lambda: ledger.counts == (0, 1))


def test_nothing_is_admitted_while_too_much_is_owed(
    guard: GuardSimulator, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_OWED", 1)
    ledger.admit(admission("first"), 1)
    guard.failing = frozenset({FINISHED})
    ledger.end(QueryId("first"), FINISHED)
    until(lambda: ledger.counts == (0, 1))
    with pytest.raises(GatewayError) as failed:
        ledger.admit(admission("second"), 1)
    assert failed.value.reason == "record-unavailable"
    assert guard.kinds("second") == []
    guard.failing = frozenset()
    until(lambda: ledger.counts == (0, 0))
    ledger.admit(admission("third"), 1)
