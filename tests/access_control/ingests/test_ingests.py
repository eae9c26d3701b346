"""The steward's desk: from uploads to a version, with exceptions, deaths and refusals on record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from access_control.audit.event import Action
from access_control.errors import AccessError, Conflict, Denied, Invalid, Missing
from access_control.ingests import policy, uploads
from access_control.ingests.desk import IngestsDesk
from access_control.ingests.model import IngestRun, IngestStatus
from access_control.ingests.states import TABLE
from access_control.people.model import Role
from tests.access_control.campus import NOW, Campus, later
from tests.access_control.ingests.simulator import SimulatedLauncher
from tests.catalog.ingest.support import month, subway_rows

REASON = "제공기관이 취소 건이라고 확인했습니다"


@pytest.fixture
def launcher(campus: Campus, tmp_path: Path) -> SimulatedLauncher:
    return SimulatedLauncher(tmp_path / "uploads", tmp_path / "state", campus.audit)


@pytest.fixture
def desk(campus: Campus, launcher: SimulatedLauncher) -> IngestsDesk:
    campus.person("sora", Role.STAFF)
    return IngestsDesk(campus.db, launcher.uploads, launcher, launcher.warehouse)


def subway(name: str = "202602", damage: Sequence[int] = ()) -> bytes:
    lines = subway_rows("B", month(name))
    for line in damage:
        lines[line - 1] = lines[line - 1].replace(",2001,", ",-5,").replace(",2000,", ",-5,")
    return ("\n".join(lines) + "\n").encode()


def upload(desk: IngestsDesk, files: dict[str, bytes], dataset: str = "subway_ridership") -> IngestRun:
    with desk.receiving() as received:
        for name, content in files.items():
            received.open(name)
            for start in range(0, len(content), 1000):
                received.write(content[start : start + 1000])
            received.close()
        return desk.begin("sora", dataset, received, NOW)


def blobs(desk: IngestsDesk, launcher: SimulatedLauncher) -> list[str]:
    return sorted(path.name for path in (launcher.uploads / "blobs").iterdir())


def test_from_upload_to_version(campus: Campus, desk: IngestsDesk, launcher: SimulatedLauncher) -> None:
    run = upload(desk, {"2월.csv": subway(), "3월.csv": subway("202603")})
    look = desk.look("sora", run.id, later(seconds=1))
    assert look.run.status is IngestStatus.INSPECTED and look.publishable
    assert look.inspection is not None and look.inspection.failing == ()
    assert [f.name for f in look.inspection.files] == ["2월.csv", "3월.csv"]
    assert launcher.warehouse.versions("subway_ridership") == ()
    desk.publish("sora", run.id, {}, later(seconds=2))
    (listed,) = desk.runs("sora", later(seconds=3))
    assert (listed.status, listed.rows) == (IngestStatus.PUBLISHED, 56 + 62)
    version = launcher.warehouse.snapshot("subway_ridership")
    assert listed.snapshot == version.snapshot_id
    assert (version.publication.by, version.published_at) == ("sora", later(seconds=2))
    assert blobs(desk, launcher) == []
    assert campus.actions()[-5:] == [
        Action.INGEST_REQUESTED,
        Action.INGEST_INSPECTED,
        Action.INGEST_PUBLISH_REQUESTED,
        Action.DATASET_PUBLISHED,
        Action.INGEST_PUBLISHED,
    ]


def test_a_failing_check_needs_its_exception_which_is_kept_everywhere(
    campus: Campus, desk: IngestsDesk, launcher: SimulatedLauncher
) -> None:
    run = upload(desk, {"2월.csv": subway(damage=(5, 9))})
    for reasons, why in (
        ({}, "ingest-check-fails"),
        ({"range-boardings": "  "}, "ingest-reason-missing"),
        ({"even-date": REASON}, "ingest-check-fails"),
        ({"range-boardings": REASON, "even-date": REASON}, "ingest-exception-unneeded"),
    ):
        with pytest.raises(Invalid) as refused:
            desk.publish("sora", run.id, reasons, later(seconds=1))
        assert refused.value.reason == why
    assert b"range-boardings" in desk.quarantine("sora", run.id).read_bytes()
    assert launcher.warehouse.versions("subway_ridership") == ()
    desk.publish("sora", run.id, {"range-boardings": REASON}, later(seconds=2))
    done = desk.look("sora", run.id, later(seconds=3)).run
    kept = [(e.check, e.reason) for e in done.exceptions]
    version = launcher.warehouse.snapshot("subway_ridership").publication
    assert kept == [("range-boardings", REASON)] == [(e.check, e.reason) for e in version.exceptions]
    said = {e.action: e.detail for e in campus.events()}
    accepted = [{"check": "range-boardings", "reason": REASON}]
    assert said[Action.INGEST_PUBLISH_REQUESTED]["accepted"] == accepted
    assert said[Action.DATASET_PUBLISHED]["exceptions"] == accepted


def test_unreadable_files_are_shown_and_cannot_be_published(desk: IngestsDesk) -> None:
    run = upload(desk, {"odd.csv": b"a,b\n1,2\n"})
    look = desk.look("sora", run.id, later(seconds=1))
    assert look.inspection is not None and look.inspection.refusals[0].reason == "unknown-layout"
    assert not look.publishable
    with pytest.raises(Denied):
        desk.publish("sora", run.id, {}, later(seconds=2))
    desk.discard("sora", run.id, later(seconds=3))
    with pytest.raises(Denied, match="ingest-not-open"):
        desk.again("sora", run.id, later(seconds=4))


def test_only_stewards_load_data(campus: Campus, desk: IngestsDesk) -> None:
    run = upload(desk, {"2월.csv": subway()})
    campus.person("minji")
    campus.person("auditor", Role.AUDITOR)
    for who in ("minji", "auditor"):
        for act in (
            lambda who=who: desk.runs(who, NOW),
            lambda who=who: desk.look(who, run.id, NOW),
            lambda who=who: desk.publish(who, run.id, {}, NOW),
            lambda who=who: desk.again(who, run.id, NOW),
            lambda who=who: desk.discard(who, run.id, NOW),
            lambda who=who: desk.quarantine(who, run.id),
        ):
            with pytest.raises(Denied, match="only-staff"):
                act()
    with pytest.raises(Missing):
        desk.look("sora", "0" * 20, NOW)


def test_a_run_that_dies_has_failed_and_can_be_tried_again(
    campus: Campus, desk: IngestsDesk, launcher: SimulatedLauncher
) -> None:
    launcher.dies = "before"
    run = upload(desk, {"2월.csv": subway()})
    assert (
        desk.look("sora", run.id, later(seconds=5)).run.status is IngestStatus.INSPECTING
    )  # may still start
    assert desk.look("sora", run.id, later(seconds=20)).run.status is IngestStatus.FAILED
    launcher.dies = ""
    desk.again("sora", run.id, later(seconds=30))
    assert desk.look("sora", run.id, later(seconds=31)).publishable
    launcher.dies = "before"
    desk.publish("sora", run.id, {}, later(seconds=40))
    assert desk.look("sora", run.id, later(seconds=60)).run.status is IngestStatus.FAILED
    assert launcher.warehouse.versions("subway_ridership") == ()
    assert campus.actions().count(Action.INGEST_FAILED) == 2


def test_dying_between_publishing_and_saying_so_is_still_published_and_recorded_once(
    campus: Campus, desk: IngestsDesk, launcher: SimulatedLauncher
) -> None:
    run = upload(desk, {"2월.csv": subway()})
    desk.look("sora", run.id, later(seconds=1))
    launcher.dies = "after"
    desk.publish("sora", run.id, {}, later(seconds=2))
    for second in (30, 31):
        done = desk.look("sora", run.id, later(seconds=second)).run
        assert (done.status, done.rows) == (IngestStatus.PUBLISHED, 56)
    assert done.snapshot == launcher.warehouse.snapshot("subway_ridership").snapshot_id
    recorded = [e for e in campus.events() if e.action is Action.DATASET_PUBLISHED]
    assert [(e.actor, e.detail["rows"]) for e in recorded] == [("sora", 56)]


def test_a_version_published_meanwhile_is_seen_before_publishing(
    desk: IngestsDesk, launcher: SimulatedLauncher
) -> None:
    first, second = upload(desk, {"2월.csv": subway()}), upload(desk, {"3월.csv": subway("202603")})
    for run in (first, second):
        desk.look("sora", run.id, later(seconds=1))
    desk.publish("sora", first.id, {}, later(seconds=2))
    desk.look("sora", first.id, later(seconds=3))
    desk.publish("sora", second.id, {}, later(seconds=4))
    look = desk.look("sora", second.id, later(seconds=5))
    assert look.run.status is IngestStatus.INSPECTED
    assert look.refused is not None and "다른 판" in look.refused.ko
    assert launcher.warehouse.snapshot("subway_ridership").rows == 56
    desk.publish("sora", second.id, {}, later(seconds=6))
    assert desk.look("sora", second.id, later(seconds=7)).run.status is IngestStatus.PUBLISHED
    assert launcher.warehouse.snapshot("subway_ridership").rows == 56 + 62


def test_uploads_changed_on_disk_are_not_published(desk: IngestsDesk, launcher: SimulatedLauncher) -> None:
    run = upload(desk, {"2월.csv": subway()})
    desk.look("sora", run.id, later(seconds=1))
    (name,) = blobs(desk, launcher)
    blob = launcher.uploads / "blobs" / name
    blob.chmod(0o600)
    blob.write_bytes(subway("202603"))
    desk.publish("sora", run.id, {}, later(seconds=2))
    look = desk.look("sora", run.id, later(seconds=3))
    assert look.refused is not None and "바뀌었습니다" in look.refused.ko
    assert launcher.warehouse.versions("subway_ridership") == ()


def test_an_order_out_of_form_does_nothing(desk: IngestsDesk, launcher: SimulatedLauncher) -> None:
    launcher.slow = True
    run = upload(desk, {"2월.csv": subway()})
    order = launcher.uploads / "runs" / run.id / "order.json"
    content = json.loads(order.read_text("utf-8"))
    changes: tuple[dict[str, object], ...] = (
        {"files": [{"name": "../x", "sha256": "0" * 64}]},
        {"files": [{"name": "x", "sha256": "../../etc/passwd"}]},
        {"files": []},
        {"step": "remove"},
        {"dataset": "../subway"},
    )
    for change in changes:
        order.write_text(json.dumps(content | change), "utf-8")
        with pytest.raises(Exception) as refused:
            launcher.work(run.id)
            raise RuntimeError(json.loads((order.parent / "result.json").read_text("utf-8"))["refused"]["en"])
        assert "order" in str(refused.value) or "no dataset" in str(refused.value)


def test_two_runs_work_at_once_and_a_third_waits(desk: IngestsDesk, launcher: SimulatedLauncher) -> None:
    launcher.slow = True
    for number in range(policy.WORKING_MAX):
        upload(desk, {f"{number}.csv": subway()})
    with pytest.raises(Denied, match="ingest-busy"):
        upload(desk, {"more.csv": subway("202603")})
    assert len(blobs(desk, launcher)) == 1  # the same content once, the refused one not at all


def test_discarding_removes_uploads_nobody_else_needs(desk: IngestsDesk, launcher: SimulatedLauncher) -> None:
    first = upload(desk, {"2월.csv": subway(), "3월.csv": subway("202603")})
    desk.look("sora", first.id, later(seconds=1))
    second = upload(desk, {"other.csv": subway()})
    desk.look("sora", second.id, later(seconds=1))
    desk.discard("sora", first.id, later(seconds=2))
    assert blobs(desk, launcher) == [second.files[0].sha256]
    desk.discard("sora", second.id, later(seconds=3))
    assert blobs(desk, launcher) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b.csv", "a\u202eb.csv", "a\nb.csv", " a.csv", "가" * 80])
def test_names_that_are_no_names(desk: IngestsDesk, name: str) -> None:
    with desk.receiving() as received, pytest.raises(Invalid, match="ingest-name"):
        received.open(name)


def test_a_browsers_path_is_only_a_name() -> None:
    assert policy.normal_name("C:\\fakepath\\2월.csv") == "2월.csv"
    assert policy.normal_name("../../etc/passwd") == "passwd"
    assert policy.normal_name("\u1112\u1161\u11ab.csv") == "한.csv"


def test_bounds_hold_while_files_arrive(
    desk: IngestsDesk, launcher: SimulatedLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FILE_MAX", 2000)
    monkeypatch.setattr(policy, "TOTAL_MAX", 3000)
    with pytest.raises(Invalid, match="ingest-file-too-large"):
        upload(desk, {"a.csv": b"x" * 2001})
    with pytest.raises(Invalid, match="ingest-too-large"):
        upload(desk, {"a.csv": b"x" * 1600, "b.csv": b"y" * 1600})
    with pytest.raises(Invalid, match="ingest-no-file"):
        upload(desk, {})
    with pytest.raises(Invalid, match="ingest-name-twice"), desk.receiving() as received:
        for name in ("A.csv", "a.csv"):
            received.open(name)
            received.close()
        desk.begin("sora", "subway_ridership", received, NOW)
    monkeypatch.setattr(uploads, "LEAST_FREE", 1 << 62)
    with pytest.raises(AccessError, match="ingest-disk-full"):
        upload(desk, {"a.csv": b"x"})
    assert blobs(desk, launcher) == []


def test_of_two_stewards_one_is_first(desk: IngestsDesk, campus: Campus, launcher: SimulatedLauncher) -> None:
    from access_control.ingests import store

    run = desk.look("sora", upload(desk, {"2월.csv": subway()}).id, later(seconds=1)).run
    desk.discard("sora", run.id, later(seconds=2))
    with pytest.raises(Conflict), campus.db.unit() as unit:
        store.save(unit.connection, run, run)


def test_every_state_but_the_last_two_leads_on() -> None:
    ended = {IngestStatus.PUBLISHED, IngestStatus.DISCARDED}
    assert {status for status, _ in TABLE} == set(IngestStatus) - ended
