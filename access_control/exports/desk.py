"""The use cases of taking results out: asking, reviewing, taking back, downloading. Knows no page.

Files are copied and hashed before the database is locked, and every rule is asked again once it is.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from access_control.accept import accept
from access_control.audit.event import Action
from access_control.database import Database, Unit
from access_control.decision import Decision
from access_control.errors import Denied, Missing
from access_control.exports import policy, store
from access_control.exports.blobs import Blobs, Copied
from access_control.exports.model import (
    ExportFile,
    ExportRequest,
    ExportStatus,
    Incoming,
    digest_now,
)
from access_control.exports.names import check_names, normal_name
from access_control.exports.states import Step, advance, event, may_advance
from access_control.people import store as people
from access_control.people.model import SYSTEM, Handle, Person, handle_of
from access_control.people.policy import check_reason
from access_control.projects import store as projects
from access_control.projects.model import Project, Slug, slug_of
from access_control.text import clean_block

Rule = Callable[[sa.Connection, Person, ExportRequest], Decision]
UNKNOWN_TYPE = "application/octet-stream"
ORPHAN_AGE = timedelta(hours=1)
TYPES = (
    mimetypes.MimeTypes()
)  # the table of the language, not the machine's, so a type is the same everywhere


class ExportsDesk:
    """Keeps what asks to leave, has it reviewed, and hands out exactly what was approved."""

    def __init__(self, db: Database, blobs: Path) -> None:
        self._db = db
        self._blobs = Blobs(blobs)

    def submit(
        self,
        person: Person | str,
        project: Project | str,
        files: Sequence[Incoming],
        purpose: str,
        now: datetime,
    ) -> ExportRequest:
        """Copy the files as they are now and ask for their release. The caller closes what it opened.

        Raises
        ------
        Invalid
            `export-…`: the purpose, a name, a size or the number of files cannot be accepted.
        Denied, Missing
            The person may not work in the project now, or has too many requests waiting.
        AccessError
            `export-disk-full`, `export-storage-failed`; nothing is kept.
        """
        purpose = clean_block(purpose)
        named = [Incoming(name=normal_name(file.name), source=file.source) for file in files]
        accept(
            policy.check_purpose(purpose),
            policy.check_count(len(named)),
            check_names([file.name for file in named]),
        )
        handle, slug = handle_of(person), slug_of(project)
        with self._db.read() as connection:
            _may_submit(connection, handle, slug).require()
        with self._blobs.copy_in(named, _within_limits) as copied:
            with self._db.unit() as unit:
                _may_submit(unit.connection, handle, slug).require()
                self._blobs.publish(copied)
                request = store.add(unit.connection, _request(handle, slug, purpose, named, copied, now))
                listed = [[file.name, file.sha256, file.size] for file in request.files]
                unit.record(
                    event(Action.EXPORT_SUBMITTED, request, handle, now, purpose=purpose, files=listed)
                )
            return request

    def mine(self, person: Person | str) -> tuple[ExportRequest, ...]:
        """A person's own requests, the newest first."""
        with self._db.read() as connection:
            return store.of_person(connection, handle_of(person))

    def queue(self, actor: Person | str) -> tuple[ExportRequest, ...]:
        """The requests this reviewer may decide about now, the oldest first."""
        with self._db.read() as connection:
            reviewer = people.get_person(connection, actor)
            policy.may_queue(reviewer).require()
            return tuple(
                request for request in store.waiting(connection) if _may_review(connection, reviewer, request)
            )

    def decided(self, actor: Person | str) -> tuple[ExportRequest, ...]:
        """What this reviewer decided, the newest first."""
        with self._db.read() as connection:
            reviewer = people.get_person(connection, actor)
            policy.may_queue(reviewer).require()
            return store.decided_by(connection, reviewer.handle)

    def get(self, actor: Person | str, request_id: str) -> ExportRequest:
        """A request, for its author and its reviewers; to anybody else it does not exist."""
        with self._db.read() as connection:
            request = store.get(connection, request_id)
            reader = people.get_person(connection, actor)
            if reader.handle != request.person and not policy.may_queue(reader):
                raise Missing("export-unknown", id=request_id[:40])
            member = projects.is_member(connection, request.project, reader.handle)
            policy.may_read(reader, request, member=member).require()
            return request

    def approve(
        self,
        actor: Person | str,
        request_id: str,
        comment: str,
        now: datetime,
        seen: str | None = None,
    ) -> ExportRequest:
        """Approve and release exactly what was submitted.

        Parameters
        ----------
        seen
            Digest of what the reviewer looked at, if the caller knows it; another one voids the approval.

        Raises
        ------
        Denied
            As the rules say; `export-changed` when the files or the record are no longer what was submitted:
            the request has then failed for good, and the failure is recorded.
        """
        comment = clean_block(comment)
        accept(policy.check_comment(comment))
        with self._db.read() as connection:
            request = store.get(connection, request_id)
            reviewer = people.get_person(connection, actor)
            _may_review(connection, reviewer, request).require()
        whole = self._is_whole(request)
        with self._db.unit() as unit:
            request = store.get(unit.connection, request_id)
            reviewer = people.get_person(unit.connection, actor)
            _may_review(unit.connection, reviewer, request).require()
            if request.status is ExportStatus.SUBMITTED and not (
                whole and digest_now(request) == request.digest
            ):
                released = None
                self._fail(unit, request, "content is not what was submitted", now)
            elif seen is not None and seen != request.digest:
                raise Denied("export-changed", number=request.number)
            else:
                approved, done = advance(request, Step.APPROVE, reviewer.handle, now, note=comment)
                unit.record(done)
                released, done = advance(approved, Step.RELEASE, SYSTEM, now)
                unit.record(done)
                store.save(unit.connection, request, released)
        if released is None:
            raise Denied("export-changed", number=request.number)
        return released

    def reject(self, actor: Person | str, request_id: str, reason: str, now: datetime) -> ExportRequest:
        """Refuse a request (반려), saying why."""
        reason = clean_block(reason)
        accept(check_reason(reason))
        with self._db.unit() as unit:
            request = store.get(unit.connection, request_id)
            reviewer = people.get_person(unit.connection, actor)
            _may_review(unit.connection, reviewer, request).require()
            return self._step(unit, request, Step.REJECT, reviewer.handle, reason, now)

    def withdraw(self, actor: Person | str, request_id: str, now: datetime) -> ExportRequest:
        """Take one's own waiting request back."""
        with self._db.unit() as unit:
            request = store.get(unit.connection, request_id)
            author = people.get_person(unit.connection, actor)
            policy.may_withdraw(author, request).require()
            return self._step(unit, request, Step.WITHDRAW, author.handle, "", now)

    def open_file(
        self, actor: Person | str, request_id: str, file_no: int, now: datetime
    ) -> tuple[ExportFile, Path]:
        """A released file for its author: hashed again, then recorded as downloaded.

        Raises
        ------
        Denied
            As the rules say; `export-file-damaged` when the bytes are not what was reviewed: nothing of this
            request leaves any more.
        """
        return self._open(actor, request_id, file_no, now, Action.EXPORT_DOWNLOADED, _may_download)

    def open_for_review(
        self, actor: Person | str, request_id: str, file_no: int, now: datetime
    ) -> tuple[ExportFile, Path]:
        """A waiting file for a reviewer: hashed again, then recorded as viewed."""
        return self._open(actor, request_id, file_no, now, Action.EXPORT_VIEWED, _may_open_for_review)

    def sweep(self, now: datetime) -> int:
        """Remove copies no request names, left by a crash more than an hour ago; return how many."""
        with self._db.unit() as unit:
            return self._blobs.sweep(store.hashes(unit.connection), (now - ORPHAN_AGE).timestamp())

    def _open(
        self,
        actor: Person | str,
        request_id: str,
        file_no: int,
        now: datetime,
        action: Action,
        rule: Rule,
    ) -> tuple[ExportFile, Path]:
        with self._db.read() as connection:
            request = store.get(connection, request_id)
            rule(connection, people.get_person(connection, actor), request).require()
        file = next((file for file in request.files if file.no == file_no), None)
        if file is None:
            raise Missing("export-file-unknown", no=file_no)
        whole = self._blobs.holds(file.sha256, file.size)
        with self._db.unit() as unit:
            request = store.get(unit.connection, request_id)
            reader = people.get_person(unit.connection, actor)
            rule(unit.connection, reader, request).require()
            if whole:
                unit.record(event(action, request, reader.handle, now, file=file.name, sha256=file.sha256))
            else:
                self._fail(unit, request, f"{file.name}: stored bytes do not match", now)
        if not whole:
            raise Denied("export-file-damaged", number=request.number, name=file.name)
        return file, self._blobs.path(file.sha256)

    def _step(
        self, unit: Unit, request: ExportRequest, step: Step, actor: str, note: str, now: datetime
    ) -> ExportRequest:
        after, done = advance(request, step, actor, now, note=note)
        store.save(unit.connection, request, after)
        unit.record(done)
        return after

    def _fail(self, unit: Unit, request: ExportRequest, why: str, now: datetime) -> None:
        if may_advance(request, Step.FAIL, SYSTEM):
            self._step(unit, request, Step.FAIL, SYSTEM, why, now)

    def _is_whole(self, request: ExportRequest) -> bool:
        return all(self._blobs.holds(file.sha256, file.size) for file in request.files)


def media_type(name: str) -> str:
    """The media type a name promises; what cannot be told is bytes."""
    found, encoding = TYPES.guess_type(name.rpartition("/")[2])
    return UNKNOWN_TYPE if found is None or encoding is not None else found


def _request(
    handle: str,
    slug: str,
    purpose: str,
    named: Sequence[Incoming],
    copied: Sequence[Copied],
    now: datetime,
) -> ExportRequest:
    files = tuple(
        ExportFile(
            no=no, name=file.name, sha256=copy.sha256, size=copy.size, media_type=media_type(file.name)
        )
        for no, (file, copy) in enumerate(zip(named, copied, strict=True), 1)
    )
    unsealed = ExportRequest(
        id=store.new_id(),
        number=0,
        person=Handle(handle),
        project=Slug(slug),
        purpose=purpose,
        status=ExportStatus.SUBMITTED,
        files=files,
        digest="",
        policy_version=policy.POLICY_VERSION,
        submitted=now,
    )
    return replace(unsealed, digest=digest_now(unsealed))


def _within_limits(name: str, size: int, total: int) -> None:
    accept(policy.check_size(name, size, total))


def _may_submit(connection: sa.Connection, handle: str, slug: str) -> Decision:
    person = people.get_person(connection, handle)
    project = projects.find(connection, slug)
    if project is None:
        raise Missing("project-unknown", project=slug[:64])
    member = projects.is_member(connection, slug, handle)
    return policy.may_submit(person, project, member=member, waiting=store.count_waiting(connection, handle))


def _may_review(connection: sa.Connection, actor: Person, request: ExportRequest) -> Decision:
    member = projects.is_member(connection, request.project, actor.handle)
    return policy.may_review(actor, request, member=member)


def _may_open_for_review(connection: sa.Connection, actor: Person, request: ExportRequest) -> Decision:
    member = projects.is_member(connection, request.project, actor.handle)
    return policy.may_open_for_review(actor, request, member=member)


def _may_download(connection: sa.Connection, actor: Person, request: ExportRequest) -> Decision:
    member = projects.is_member(connection, request.project, actor.handle)
    return policy.may_download(actor, request, member=member)
