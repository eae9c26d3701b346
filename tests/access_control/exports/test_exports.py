"""Asking for files to leave, reviewing and downloading them, through the desk."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from access_control.audit.client import AuditClient
from access_control.audit.event import Action
from access_control.database import Database
from access_control.errors import AccessError, AuditUnavailable, Denied, Invalid, Missing
from access_control.exports import desk, policy
from access_control.exports.model import ExportStatus, Incoming
from access_control.exports.store import export_request
from access_control.people.model import Person, Role
from catalog.descriptions import Text
from tests.access_control.campus import NOW, Campus, later

PURPOSE = "보고서에 실을 표입니다"


@pytest.fixture
def minji(campus: Campus) -> Person:
    """A citizen with results."""
    return campus.person("minji")


def names_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_the_author_downloads_exactly_the_reviewed_bytes(campus: Campus, minji: Person) -> None:
    checker = campus.checker()
    data = os.urandom(3_000_000)
    request = campus.export(minji, {"결과.bin": data, "표/비율.csv": b"a,b\n"})
    assert request.number == 1
    assert [f.sha256 for f in request.files] == [
        hashlib.sha256(data).hexdigest(),
        hashlib.sha256(b"a,b\n").hexdigest(),
    ]
    assert [f.media_type for f in request.files] == ["application/octet-stream", "text/csv"]
    assert campus.exports.queue(checker) == (request,)
    seen, path = campus.exports.open_for_review(checker, request.id, 1, NOW)
    assert path.read_bytes() == data
    released = campus.exports.approve(checker, request.id, "비율만 있습니다", later(hours=1), request.digest)
    assert released.status is ExportStatus.RELEASED
    assert (released.decided_by, released.comment) == ("checker", "비율만 있습니다")
    file, path = campus.exports.open_file(minji, request.id, 1, later(hours=2))
    assert (file, path.read_bytes()) == (seen, data)
    assert campus.exports.mine(minji) == (released,)
    assert campus.exports.queue(checker) == ()
    assert campus.exports.decided(checker) == (released,)
    about = [e for e in campus.events() if e.object == f"export:{request.id}"]
    assert [e.action for e in about] == [
        Action.EXPORT_SUBMITTED,
        Action.EXPORT_VIEWED,
        Action.EXPORT_APPROVED,
        Action.EXPORT_RELEASED,
        Action.EXPORT_DOWNLOADED,
    ]
    assert {e.detail["digest"] for e in about} == {request.digest}


def test_what_is_changed_after_submission_does_not_change_the_request(
    campus: Campus, minji: Person, tmp_path: Path
) -> None:
    file = tmp_path / "result.csv"
    file.write_bytes(b"reviewed")
    with file.open("r+b") as opened:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        request = campus.exports.submit(minji, "open-data", [Incoming(name="r.csv", source=fd)], PURPOSE, NOW)
        os.close(fd)
        opened.write(b"smuggled")
    campus.exports.approve(campus.checker(), request.id, "", NOW)
    _, path = campus.exports.open_file(minji, request.id, 1, NOW)
    assert path.read_bytes() == b"reviewed"


def test_nobody_reviews_what_is_their_own(campus: Campus, minji: Person) -> None:
    author = campus.checker("author")
    member = campus.checker("member")
    officer = campus.person("officer", Role.STAFF)
    campus.projects.create(
        officer, "shops", Text(ko="상권", en="Shops"), "상권을 봅니다", [author, member], NOW
    )
    shared, private = campus.export(author), campus.export(author, project="shops")

    def refused(actor: Person, request_id: str) -> str:
        reasons = set()
        with pytest.raises(Denied) as approving:
            campus.exports.approve(actor, request_id, "", NOW)
        reasons.add(approving.value.reason)
        with pytest.raises(Denied) as rejecting:
            campus.exports.reject(actor, request_id, "안 됩니다", NOW)
        reasons.add(rejecting.value.reason)
        with pytest.raises(Denied) as looking:
            campus.exports.open_for_review(actor, request_id, 1, NOW)
        reasons.add(looking.value.reason)
        [reason] = reasons
        return reason

    assert refused(author, shared.id) == "export-own"
    assert refused(member, private.id) == "export-own-project"
    assert refused(campus.administrator(), shared.id) == "only-checker", "no administrator bypasses review"
    assert refused(officer, shared.id) == "only-checker"
    assert refused(minji, shared.id) == "only-checker"
    assert campus.exports.queue(author) == ()
    assert campus.exports.queue(member) == (shared,), "being in the shared project with everybody is no bar"
    assert campus.exports.get(author, shared.id).status is ExportStatus.SUBMITTED
    outsider = campus.checker("outsider")
    assert campus.exports.approve(outsider, private.id, "", NOW).status is ExportStatus.RELEASED


def test_a_request_exists_for_its_author_and_reviewers_only(campus: Campus, minji: Person) -> None:
    request = campus.export(minji)
    campus.person("jiwoo")
    auditor = campus.person("auditor", Role.AUDITOR)
    for nosy in ("jiwoo", auditor, campus.administrator()):
        with pytest.raises(Missing):
            campus.exports.get(nosy, request.id)
    assert campus.exports.get(minji, request.id) == request
    assert campus.exports.get(campus.checker(), request.id) == request
    with pytest.raises(Missing):
        campus.exports.get(minji, "0" * 20)
    assert campus.exports.mine("jiwoo") == ()


def test_a_rejected_request_says_why_and_never_leaves(campus: Campus, minji: Person) -> None:
    request, checker = campus.export(minji), campus.checker()
    with pytest.raises(Invalid):
        campus.exports.reject(checker, request.id, " \u200b ", NOW)
    rejected = campus.exports.reject(checker, request.id, "원값이 들어 있습니다", NOW)
    assert (rejected.status, rejected.reason) == (ExportStatus.REJECTED, "원값이 들어 있습니다")
    with pytest.raises(Denied) as late:
        campus.exports.approve(checker, request.id, "", NOW)
    assert late.value.reason == "export-not-open"
    with pytest.raises(Denied) as refused:
        campus.exports.open_file(minji, request.id, 1, NOW)
    assert refused.value.reason == "export-not-released"


def test_the_author_withdraws_only_while_it_waits(campus: Campus, minji: Person) -> None:
    checker = campus.checker()
    first, second = campus.export(minji), campus.export(minji)
    with pytest.raises(Denied):
        campus.exports.withdraw(checker, first.id, NOW)
    assert campus.exports.withdraw(minji, first.id, NOW).status is ExportStatus.WITHDRAWN
    with pytest.raises(Denied):
        campus.exports.approve(checker, first.id, "", NOW)
    with pytest.raises(Denied):
        campus.exports.open_for_review(checker, first.id, 1, NOW)
    campus.exports.approve(checker, second.id, "", NOW)
    with pytest.raises(Denied):
        campus.exports.withdraw(minji, second.id, NOW)


def test_only_the_author_downloads_and_only_while_they_may_act(campus: Campus, minji: Person) -> None:
    checker = campus.checker()
    request = campus.export(minji)
    with pytest.raises(Denied) as early:
        campus.exports.open_file(minji, request.id, 1, NOW)
    assert early.value.reason == "export-not-released"
    campus.exports.approve(checker, request.id, "", NOW)
    with pytest.raises(Denied) as other:
        campus.exports.open_file(checker, request.id, 1, NOW)
    assert other.value.reason == "export-not-yours"
    with pytest.raises(Denied):
        campus.exports.open_for_review(checker, request.id, 1, NOW)
    with pytest.raises(Missing):
        campus.exports.open_file(minji, request.id, 2, NOW)
    campus.people.suspend(campus.administrator(), "minji", "규정 위반", NOW)
    with pytest.raises(Denied) as suspended:
        campus.exports.open_file(minji, request.id, 1, NOW)
    assert suspended.value.reason == "person-suspended"


def test_approvals_at_once_make_one_release(campus: Campus, minji: Person) -> None:
    checkers = [campus.checker(f"checker-{n}") for n in range(4)]
    request = campus.export(minji)
    outcomes: list[str] = []

    def approve(checker: Person) -> None:
        try:
            campus.exports.approve(checker, request.id, "", NOW)
            outcomes.append("released")
        except Denied as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=approve, args=(checker,)) for checker in checkers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["export-not-open"] * 3 + ["released"]
    assert campus.actions().count(Action.EXPORT_RELEASED) == 1


def spoil(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"somebody else's bytes")


def test_an_approval_is_void_when_the_bytes_are_no_longer_what_was_submitted(
    campus: Campus, minji: Person
) -> None:
    checker, request = campus.checker(), campus.export(minji)
    spoil(campus.blobs / request.files[0].sha256)
    with pytest.raises(Denied) as refused:
        campus.exports.approve(checker, request.id, "", NOW)
    assert refused.value.reason == "export-changed"
    assert campus.exports.get(minji, request.id).status is ExportStatus.RELEASE_FAILED
    assert campus.actions()[-1] is Action.EXPORT_RELEASE_FAILED


def test_an_approval_is_void_when_the_record_was_changed(campus: Campus, minji: Person) -> None:
    checker, request = campus.checker(), campus.export(minji)
    with pytest.raises(Denied) as outdated:
        campus.exports.approve(checker, request.id, "", NOW, seen="0" * 64)
    assert outdated.value.reason == "export-changed"
    assert campus.exports.get(minji, request.id).status is ExportStatus.SUBMITTED
    with campus.db.unit() as unit:
        unit.connection.execute(sa.update(export_request).values(purpose="다른 목적"))
    with pytest.raises(Denied):
        campus.exports.approve(checker, request.id, "", NOW)
    assert campus.exports.get(minji, request.id).status is ExportStatus.RELEASE_FAILED


def test_released_bytes_that_changed_do_not_leave(campus: Campus, minji: Person) -> None:
    request = campus.export(minji)
    campus.exports.approve(campus.checker(), request.id, "", NOW)
    spoil(campus.blobs / request.files[0].sha256)
    with pytest.raises(Denied) as refused:
        campus.exports.open_file(minji, request.id, 1, NOW)
    assert refused.value.reason == "export-file-damaged"
    assert campus.exports.get(minji, request.id).status is ExportStatus.RELEASE_FAILED
    again = campus.export(minji)
    campus.exports.approve("checker", again.id, "", NOW)
    _, path = campus.exports.open_file(minji, again.id, 1, NOW)
    assert path.read_bytes().startswith(b"gu,ratio"), "submitting the content again heals what is kept"


@pytest.mark.parametrize(
    ("files", "purpose", "reason"),
    [
        ({}, PURPOSE, "export-empty"),
        ({f"{n}.csv": b"" for n in range(101)}, PURPOSE, "export-too-many-files"),
        ({"../a.csv": b"x"}, PURPOSE, "export-name-not-a-path"),
        ({"a.csv": b"x"}, "왜", "export-purpose-too-short"),
        ({"a.csv": b"x"}, "가" * 4001, "export-purpose-too-long"),
    ],
)
def test_a_request_that_cannot_be_accepted_leaves_nothing(
    campus: Campus, minji: Person, files: dict[str, bytes], purpose: str, reason: str
) -> None:
    incoming = [Incoming(name=name, source=io.BytesIO(data)) for name, data in files.items()]
    with pytest.raises(Invalid) as refused:
        campus.exports.submit(minji, "open-data", incoming, purpose, NOW)
    assert refused.value.reason == reason
    assert campus.exports.mine(minji) == ()
    assert names_of(campus.blobs) == set()


class Endless(io.RawIOBase):
    """A file that grows as it is read, and says how much was taken."""

    taken = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        return b"\0" * size


def test_sizes_are_limited_while_copying(
    campus: Campus, minji: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FILE_MAX", 3 << 20)
    monkeypatch.setattr(policy, "TOTAL_MAX", 5 << 20)
    endless = Endless()
    files = [Incoming(name="ok", source=io.BytesIO(b"x")), Incoming(name="big", source=endless)]  # type: ignore[arg-type]
    with pytest.raises(Invalid) as refused:
        campus.exports.submit(minji, "open-data", files, PURPOSE, NOW)
    assert refused.value.reason == "export-file-too-large"
    assert endless.taken <= 5 << 20, "reading stops at the limit"
    with pytest.raises(Invalid) as refused:
        campus.export(minji, {f"{n}": bytes(3 << 20) for n in range(2)})
    assert refused.value.reason == "export-too-large"
    assert names_of(campus.blobs) == set()


def test_what_is_not_a_file_is_refused(campus: Campus, minji: Person) -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(Invalid) as refused:
            campus.exports.submit(minji, "open-data", [Incoming(name="a", source=reading)], PURPOSE, NOW)
    finally:
        os.close(reading)
        os.close(writing)
    assert refused.value.reason == "export-not-a-file"


def test_a_full_disk_is_said_and_keeps_nothing(campus: Campus, minji: Person) -> None:
    class Full(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(28, "No space left on device")

    files = [Incoming(name="a", source=io.BytesIO(b"x")), Incoming(name="b", source=Full())]
    with pytest.raises(AccessError) as refused:
        campus.exports.submit(minji, "open-data", files, PURPOSE, NOW)
    assert refused.value.reason == "export-disk-full"
    assert names_of(campus.blobs) == set()
    assert campus.exports.mine(minji) == ()


def test_without_the_audit_log_nothing_is_asked_for(campus: Campus, minji: Person, tmp_path: Path) -> None:
    away = Database(campus.db.url, AuditClient(tmp_path / "nobody.sock", patience=0.1))
    with pytest.raises(AuditUnavailable):
        desk.ExportsDesk(away, campus.blobs).submit(
            minji, "open-data", [Incoming(name="a", source=io.BytesIO(b"x"))], PURPOSE, NOW
        )
    away.close()
    assert campus.exports.mine(minji) == ()
    assert campus.exports.sweep(later(days=400)) == 1, "the copy nobody asked for is swept"


def test_a_person_may_not_flood_the_reviewers(
    campus: Campus, minji: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "WAITING_MAX", 2)
    first = campus.export(minji)
    campus.export(minji)
    with pytest.raises(Denied) as refused:
        campus.export(minji)
    assert refused.value.reason == "export-too-many-waiting"
    campus.exports.withdraw(minji, first.id, NOW)
    assert campus.export(minji).number == 3


def test_only_members_submit_for_a_project(campus: Campus, minji: Person) -> None:
    officer = campus.person("officer", Role.STAFF)
    campus.projects.create(officer, "shops", Text(ko="상권", en="Shops"), "상권을 봅니다", [], NOW)
    with pytest.raises(Denied) as refused:
        campus.export(minji, project="shops")
    assert refused.value.reason == "not-a-member"
    with pytest.raises(Missing):
        campus.export(minji, project="nowhere")


def test_sweeping_removes_only_what_no_request_names(campus: Campus, minji: Person) -> None:
    request = campus.export(minji)
    orphan, cut = campus.blobs / ("f" * 64), campus.blobs / ".incoming-dead"
    for path in (orphan, cut):
        path.write_bytes(b"left by a crash")
        os.utime(path, (NOW.timestamp() - 7200,) * 2)
    os.utime(campus.blobs / request.files[0].sha256, (NOW.timestamp() - 7200,) * 2)
    assert campus.exports.sweep(NOW) == 2
    assert names_of(campus.blobs) == {request.files[0].sha256}


def test_media_types_are_the_same_on_every_machine() -> None:
    wanted = {
        "a.csv": "text/csv",
        "그림/b.PNG": "image/png",
        "c": desk.UNKNOWN_TYPE,
        "d.tar.gz": desk.UNKNOWN_TYPE,
    }
    assert {name: desk.media_type(name) for name in wanted} == wanted
