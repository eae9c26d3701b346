"""What the gateway is told of sessions, grants, records and exports, through a real launcher and writer."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from access_control.audit.client import AuditClient
from access_control.audit.event import Action
from access_control.exports.model import ExportStatus
from access_control.grants import store as grant_store
from access_control.guard import CampusGuard
from access_control.people.model import Person, Role
from access_control.projects.store import member as member_table
from access_control.sessions.model import Session
from catalog.descriptions import Text
from catalog.descriptions.scope import scope_of
from catalog.errors import CatalogError
from catalog.gateway.guard import (
    Evidence,
    ExportRefused,
    Guard,
    QueryEvent,
    QueryEventKind,
    QueryId,
    RecordFailed,
    RecordUnsure,
    Scan,
    ScannedTable,
    SessionId,
    SessionIdentity,
)
from catalog.sandbox.launcher import Launcher
from hub_config.settings import load
from tests.access_control.campus import NOW, OPEN, Campus, later

REPO = Path(__file__).resolve().parents[2]
PURPOSE = "보고서에 실을 표입니다"


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A state folder with a launcher that answers."""
    with tempfile.TemporaryDirectory(prefix="campus-") as name:
        argv = [sys.executable, "-m", "hub_config.launcher", "--state", name]
        launcher = subprocess.Popen(argv, cwd=REPO, env={**os.environ, "CAMPUS_ISOLATION": "none"})
        try:
            socket = load({"state": name}, {}).socket("launcher")
            for _ in range(300):
                if socket.exists():
                    break
                assert launcher.poll() is None, "the launcher ended"
                with pytest.raises(subprocess.TimeoutExpired):
                    launcher.wait(0.1)
            yield Path(name)
        finally:
            launcher.terminate()
            launcher.wait(30)


@pytest.fixture
def launcher(state: Path) -> Launcher:
    """Its client; homes are those of this test alone."""
    shutil.rmtree(state / "homes", ignore_errors=True)
    return Launcher(load({"state": state}, {}).socket("launcher"))


@pytest.fixture
def guard(campus: Campus, launcher: Launcher) -> CampusGuard:
    """The guard over an installation with open data."""
    campus.projects.ensure_default(NOW, OPEN)
    return CampusGuard(campus.db, campus.exports, campus.audit, launcher)


def identity(session: Session) -> SessionIdentity:
    return SessionIdentity(
        session_id=SessionId(session.session_id), person=session.person, project=session.project
    )


def datasets(guard: CampusGuard, who: SessionIdentity, days: float = 0) -> list[str]:
    return [table.dataset for table in guard.granted(who, later(days=days))]


def outbox(state: Path, launcher: Launcher, person: Person) -> Path:
    launcher.prepare_home(person.handle, "open-data", os.getuid())
    return state / "homes" / person.handle / "open-data" / "outbox"


def test_it_is_the_guard_the_gateway_asks(guard: CampusGuard) -> None:
    promised: Guard = guard
    assert promised.live_sessions() == ()


def test_a_session_is_granted_what_its_project_holds_while_all_is_well(
    campus: Campus, guard: CampusGuard
) -> None:
    minji = campus.person("minji")
    session = campus.session(minji)
    who = identity(session)
    assert guard.live_sessions() == (who,)
    assert datasets(guard, who) == sorted(OPEN)
    assert datasets(guard, who, days=365) == [], "an expired grant is none"
    [first, second] = guard.granted(who, NOW)
    assert (first.variant, first.expires) == ("main", later(days=365))
    officer = campus.person("officer", Role.STAFF)
    campus.grants.revoke(officer, int(first.grant_id), "오류 발견", NOW)
    assert datasets(guard, who) == [second.dataset]
    campus.sessions.stopped(session.session_id, "idle", NOW)
    assert datasets(guard, who) == []
    assert guard.live_sessions() == ()


def test_a_replaced_session_and_a_made_up_identity_are_granted_nothing(
    campus: Campus, guard: CampusGuard
) -> None:
    minji, jiwoo = campus.person("minji"), campus.person("jiwoo")
    old = identity(campus.session(minji))
    new = identity(campus.session(minji))
    other = identity(campus.session(jiwoo))
    assert datasets(guard, old) == []
    assert datasets(guard, new) == sorted(OPEN)
    for forged in (
        replace(new, person="jiwoo"),
        replace(new, project="dashboard-flow"),
        replace(new, session_id=other.session_id),
        replace(new, session_id=SessionId("0" * 20)),
    ):
        assert datasets(guard, forged) == []
        assert guard.outbox(forged) == ()


def test_a_suspended_person_and_a_removed_member_are_granted_nothing(
    campus: Campus, guard: CampusGuard
) -> None:
    boss = campus.administrator()
    minji, jiwoo = identity(campus.session(campus.person("minji"))), campus.person("jiwoo")
    gone = identity(campus.session(jiwoo))
    campus.people.suspend(boss, "minji", "규정 위반", NOW)
    with campus.db.unit() as unit:
        unit.connection.execute(sa.delete(member_table).where(member_table.c.person == "jiwoo"))
    assert datasets(guard, minji) == []
    assert datasets(guard, gone) == []


def test_of_two_grants_on_one_table_the_longer_counts(campus: Campus, guard: CampusGuard) -> None:
    minji, officer = campus.person("minji"), campus.person("officer", Role.STAFF)
    campus.projects.create(officer, "shops", Text(ko="상권", en="Shops"), PURPOSE, [minji], NOW)
    for days in (10, 30, 20):
        campus.grants.give(officer, "shops", "card_sales", "main", PURPOSE, later(days=days), NOW)
    who = identity(campus.session(minji, "shops"))
    [table] = [t for t in guard.granted(who, NOW) if t.dataset == "card_sales"]
    assert (table.expires, table.purpose) == (later(days=30), PURPOSE), "its own before the open one"


def test_every_session_of_a_person_reads_what_is_open_beside_its_own_grants(
    campus: Campus, guard: CampusGuard
) -> None:
    minji, officer = campus.person("minji"), campus.person("officer", Role.STAFF)
    campus.projects.create(minji, "shops", Text(ko="상권", en="Shops"), PURPOSE, [minji], NOW)
    shops, shared = identity(campus.session(minji, "shops")), identity(campus.session(minji))
    for month in ("2025-01", "2025-02"):
        campus.grants.give(
            officer, "shops", "card_spending", "main", PURPOSE, later(days=9), NOW,
            scope_of({"month": [month]}),
        )  # fmt: skip
    own = [t for t in guard.granted(shops, NOW) if t.dataset == "card_spending"]
    assert [t.partitions for t in own] == [(("month", ("2025-01",)),), (("month", ("2025-02",)),)]
    assert sorted(set(datasets(guard, shops)) - {"card_spending"}) == sorted(OPEN)
    assert datasets(guard, shared) == sorted(OPEN), "another project's grants are not"


def test_a_dashboard_reads_with_its_own_grants_and_exports_nothing(
    campus: Campus, guard: CampusGuard
) -> None:
    campus.projects.ensure_dashboard("flow", Text(ko="흐름", en="Flow"), ["living_population"], NOW)
    opened = campus.sessions.open("", "dashboard-flow", NOW)
    who = identity(campus.sessions.started(opened.session_id, NOW))
    assert datasets(guard, who) == ["living_population"]
    assert guard.outbox(who) == ()
    with pytest.raises(ExportRefused) as refused:
        guard.submit_export(who, ("a.csv",), PURPOSE, NOW)
    assert refused.value.reason == "session-without-person"


def query(who: SessionIdentity, kind: QueryEventKind, **changes: object) -> QueryEvent:
    table = ScannedTable(dataset="card_sales", variant="main", snapshot_id=2**62, grant_id="1")
    event = QueryEvent(
        kind=kind,
        query_id=QueryId(secrets.token_hex(8)),
        identity=who,
        time=NOW,
        statement="SELECT gu, sum(amount) FROM card_sales GROUP BY gu",
        tables=(table,),
        purposes=("분석",),
        rows=25,
        bytes=1000,
        seconds=0.25,
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def test_a_query_is_on_record_when_record_returns(campus: Campus, guard: CampusGuard) -> None:
    who = identity(campus.session(campus.person("minji")))
    queries = [query(who, kind) for kind in QueryEventKind]
    numbers = [guard.record(each) for each in queries]
    assert numbers == sorted(numbers)
    events = campus.events()[-len(numbers) :]
    assert {e.action for e in events} == {
        Action.QUERY_ADMITTED,
        Action.QUERY_REFUSED,
        Action.QUERY_FINISHED,
        Action.QUERY_FAILED,
        Action.QUERY_CANCELLED,
    }
    event = events[0]
    assert (event.actor, event.session_id) == ("minji", who.session_id)
    assert [e.object for e in events] == [f"query:{each.query_id}" for each in queries]
    assert event.detail["tables"][0]["snapshot"] == str(2**62)
    assert (event.detail["rows"], event.detail["purposes"]) == (25, ["분석"])


def test_a_query_has_one_admission_and_one_end_however_often_they_are_recorded(
    campus: Campus, guard: CampusGuard
) -> None:
    admitted = query(identity(campus.session(campus.person("minji"))), QueryEventKind.ADMITTED)
    ends = [replace(admitted, kind=kind) for kind in (QueryEventKind.FINISHED, QueryEventKind.FAILED)]
    before = len(campus.events())
    numbers = [guard.record(event) for event in (admitted, *ends, admitted, *ends)]
    assert numbers == [numbers[0], numbers[1], numbers[1]] * 2
    assert campus.actions()[before:] == [Action.QUERY_ADMITTED, Action.QUERY_FINISHED]


def test_a_governed_answer_is_on_record_with_its_evidence(campus: Campus, guard: CampusGuard) -> None:
    who = identity(campus.session(campus.person("minji")))
    made = Evidence(dataset="trips", snapshot_id=2**62, groups=4, merged=2, minimum=10, least_units=16)
    guard.record(query(who, QueryEventKind.FINISHED, evidence=made, digest="ab" * 32))
    guard.record(query(who, QueryEventKind.FINISHED))
    governed, plain = campus.events()[-2:]
    assert governed.detail["evidence"] == {
        "dataset": "trips", "snapshot_id": str(2**62), "groups": 4, "merged": 2, "minimum": 10,
        "least_units": 16, "noise": False, "digest": "ab" * 32,
    }  # fmt: skip
    assert "evidence" not in plain.detail


def test_an_admission_says_what_is_read_and_its_end_does_not_again(
    campus: Campus, guard: CampusGuard
) -> None:
    who = identity(campus.session(campus.person("minji")))
    made = Scan(
        dataset="card_sales", variant="main", snapshot_id=2**62, columns=("quarter",), files=1, granted=4,
        partitions=(("quarter", ("20251",)),),
    )  # fmt: skip
    for kind in (QueryEventKind.ADMITTED, QueryEventKind.FINISHED):
        guard.record(query(who, kind, scans=(made, replace(made, columns=None, partitions=()))))
    admitted, finished = campus.events()[-2:]
    assert admitted.detail["scans"][0] == {
        "dataset": "card_sales", "variant": "main", "snapshot": str(2**62), "columns": ["quarter"],
        "partitions": {"quarter": ["20251"]}, "files": 1, "granted_files": 4,
    }  # fmt: skip
    assert admitted.detail["scans"][1]["columns"] is None
    assert "scans" not in finished.detail


def test_no_record_is_an_error_in_both_languages(campus: Campus, guard: CampusGuard, tmp_path: Path) -> None:
    who = identity(campus.session(campus.person("minji")))
    for size in (4_250_000, 5_000_000):  # too large for the log, and for its socket
        with pytest.raises(RecordFailed) as large:
            guard.record(query(who, QueryEventKind.ADMITTED, statement="x" * size))
        assert large.value.reason == "event-too-large"
        assert not isinstance(large.value, RecordUnsure)  # certainly not on record: never tried again
    away = AuditClient(tmp_path / "nobody.sock", patience=0.1)
    alone = CampusGuard(campus.db, campus.exports, away, Launcher(tmp_path / "none.sock"))
    with pytest.raises(RecordUnsure) as failed:
        alone.record(query(who, QueryEventKind.ADMITTED))
    assert failed.value.reason == "audit-unavailable"
    assert failed.value.ko != failed.value.en


def test_an_export_holds_the_bytes_of_the_outbox(
    campus: Campus, guard: CampusGuard, launcher: Launcher, state: Path
) -> None:
    minji = campus.person("minji")
    who = identity(campus.session(minji))
    folder = outbox(state, launcher, minji)
    (folder / "표").mkdir()
    (folder / "표" / "비율.csv").write_bytes(b"gu,ratio\n")
    (folder / "비밀.txt").symlink_to("/etc/passwd")
    assert [file.name for file in guard.outbox(who)] == ["표/비율.csv"]
    receipt = guard.submit_export(who, ("표/비율.csv",), PURPOSE, NOW)
    assert receipt.files == (("표/비율.csv", hashlib.sha256(b"gu,ratio\n").hexdigest(), 9),)
    assert receipt.url_path == f"/exports/{receipt.request_id}"
    request = campus.exports.get(minji, receipt.request_id)
    assert (request.person, request.project, request.status) == (
        "minji",
        "open-data",
        ExportStatus.SUBMITTED,
    )
    before = len(list(Path("/proc/self/fd").iterdir()))
    for names, purpose, reason in (
        ((), PURPOSE, "export-empty"),
        (("../../x",), PURPOSE, "export-name-not-a-path"),
        (("표/비율.csv",), "왜", "export-purpose-too-short"),
    ):
        with pytest.raises(ExportRefused) as refused:
            guard.submit_export(who, names, purpose, NOW)
        assert refused.value.reason == reason
        assert refused.value.ko != refused.value.en != reason
    for missing in ("비밀.txt", "없음.csv", "표"):
        with pytest.raises(CatalogError):
            guard.submit_export(who, (missing,), PURPOSE, NOW)
    assert len(list(Path("/proc/self/fd").iterdir())) == before, "no descriptor is left open"
    assert len(campus.exports.mine(minji)) == 1


def test_a_stopped_session_submits_nothing(campus: Campus, guard: CampusGuard) -> None:
    session = campus.session(campus.person("minji"))
    campus.sessions.stopped(session.session_id, "idle", NOW)
    with pytest.raises(ExportRefused) as refused:
        guard.submit_export(identity(session), ("a.csv",), PURPOSE, NOW)
    assert refused.value.reason == "session-stopped"


def test_only_what_the_installation_grants_is_standing_and_its_mount_is_on_record(
    campus: Campus, guard: CampusGuard
) -> None:
    minji = campus.person("minji")
    who = identity(campus.session(minji))
    officer = campus.person("officer", Role.STAFF)
    campus.projects.create(officer, "shops", Text(ko="상권", en="Shops"), PURPOSE, [minji], NOW)
    campus.grants.give(officer, "shops", OPEN[0], "main", PURPOSE, later(days=9), NOW)
    elsewhere = identity(campus.session(minji, "shops"))
    officers = {t.grant_id for t in guard.granted(elsewhere, NOW)} - {
        t.grant_id for t in guard.granted(who, NOW)
    }
    assert len(officers) == 1 and datasets(guard, elsewhere) == sorted(OPEN)
    assert guard.standing(elsewhere, NOW) == guard.standing(who, NOW)  # open data; not what a person gave
    standing = guard.standing(who, NOW)
    assert sorted(t.dataset for t in standing) == sorted(OPEN)
    mounts = tuple(
        ScannedTable(dataset=t.dataset, variant=t.variant, snapshot_id=7, grant_id=t.grant_id)
        for t in standing
    )
    assert guard.record_mounts(who, mounts, NOW) > 0
    event = campus.events()[-1]
    assert (event.action, event.actor, event.session_id) == (Action.SESSION_MOUNTED, "minji", who.session_id)
    assert [t["dataset"] for t in event.detail["tables"]] == [m.dataset for m in mounts]
    assert {t["snapshot"] for t in event.detail["tables"]} == {"7"}
    campus.sessions.stopped(who.session_id, "over", NOW)
    assert guard.standing(who, NOW) == ()


def test_an_answer_holds_until_something_is_committed_or_runs_out(
    campus: Campus, guard: CampusGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    minji = campus.person("minji")
    who = identity(campus.session(minji))
    asked: list[object] = []
    really = guard._granted

    def count(*given: Any) -> Any:
        asked.append(given)
        return really(*given)

    monkeypatch.setattr(guard, "_granted", count)
    first = guard.granted(who, NOW)
    assert first and guard.granted(who, NOW) == guard.granted(who, later(seconds=30)) == first
    assert len(asked) == (1 if guard._db.state() is not None else 3)
    before = len(asked)
    guard.granted(who, later(minutes=2))  # whatever else: nothing is believed for long
    guard.granted(who, later(seconds=-5))  # nor what was found later
    assert len(asked) == before + 2

    before = len(asked)
    [grant] = [g for g in campus.grants.effective("open-data", NOW) if g.dataset == OPEN[0]]
    with campus.db.unit() as unit:
        grant_store.extend(unit.connection, grant.id, later(seconds=10))
    assert OPEN[0] in datasets(guard, who)
    assert len(asked) == before + 1
    gone = {t.dataset for t in guard.granted(who, later(seconds=11))}
    assert OPEN[0] not in gone  # ran out, and nobody committed anything
    assert len(asked) == before + 2
