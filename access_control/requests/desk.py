"""The use cases of requests: asking, taking back, deciding. Knows no page and no file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from access_control.accept import accept
from access_control.audit.event import Action
from access_control.database import Database
from access_control.decision import Decision
from access_control.errors import Conflict, Missing
from access_control.grants import store as grants
from access_control.grants.model import Grant
from access_control.grants.policy import check_grant, check_scope
from access_control.grants.standing import record_given
from access_control.people import store as people
from access_control.people.model import Person, handle_of
from access_control.people.policy import check_reason
from access_control.projects import store as projects
from access_control.projects.model import Project, slug_of
from access_control.projects.policy import may_work_in
from access_control.requests import policy, store
from access_control.requests.model import GrantRequest, seen_of
from access_control.requests.states import Step, advance, event
from access_control.text import clean_block
from catalog.descriptions import Dataset, Tier
from catalog.descriptions.scope import Scope
from catalog.descriptions.variants import tier_of


class RequestsDesk:
    """Keeps what people ask for, and has it decided by somebody else."""

    def __init__(self, db: Database, datasets: Mapping[str, Dataset]) -> None:
        self._db = db
        self._datasets = datasets

    def submit(
        self,
        person: Person | str,
        project: Project | str,
        dataset: str,
        variant: str,
        partitions: Scope,
        purpose: str,
        expires: datetime,
        now: datetime,
    ) -> GrantRequest:
        """Ask for a grant.

        Raises
        ------
        Invalid
            `grant-…`: the scope, the purpose or the end cannot be accepted.
        Denied, Missing
            As the rules say; `dataset-unknown`, `project-unknown`.
        """
        purpose = clean_block(purpose)
        accept(check_grant(dataset, variant, purpose, expires, now))
        described = self._described(dataset)
        accept(check_scope(described, variant, partitions))
        handle, slug = handle_of(person), slug_of(project)
        with self._db.unit() as unit:
            _may_ask(unit.connection, handle, slug, tier_of(described, variant)).require()
            request = store.add(
                unit.connection,
                person=handle,
                project=slug,
                dataset=dataset,
                variant=variant,
                partitions=partitions,
                purpose=purpose,
                expires=expires,
                now=now,
            )
            unit.record(event(Action.GRANT_REQUESTED, request, handle, now, purpose=purpose))
            return request

    def mine(self, person: Person | str) -> tuple[GrantRequest, ...]:
        """A person's own requests, the newest first."""
        with self._db.read() as connection:
            return store.of_person(connection, handle_of(person))

    def queue(self, actor: Person | str) -> tuple[GrantRequest, ...]:
        """The requests this person may decide about now, the oldest first."""
        with self._db.read() as connection:
            by = people.get_person(connection, actor)
            policy.may_queue(by).require()
            return tuple(r for r in store.waiting(connection) if _may_decide(connection, by, r))

    def decided(self, actor: Person | str) -> tuple[GrantRequest, ...]:
        """What this person decided, the newest first."""
        with self._db.read() as connection:
            by = people.get_person(connection, actor)
            policy.may_queue(by).require()
            return store.decided_by(connection, by.handle)

    def get(
        self, actor: Person | str, request_id: int
    ) -> tuple[GrantRequest, Grant | None, tuple[Person, ...], Decision]:
        """A request, the grant it brought, its project's members, and whether the reader may decide it.

        Raises
        ------
        Missing
            There is none, or it is not for this person to know.
        """
        with self._db.read() as connection:
            request, by = _readable(connection, actor, request_id)
            grant = None if request.granted is None else grants.find(connection, request.granted)
            members = projects.members(connection, request.project)
            return request, grant, members, _may_decide(connection, by, request)

    def approve(
        self,
        actor: Person | str,
        request_id: int,
        partitions: Scope,
        expires: datetime,
        comment: str,
        now: datetime,
        seen: str | None = None,
    ) -> GrantRequest:
        """Give what was asked for, or less.

        Parameters
        ----------
        seen
            `seen_of` what the decider looked at, if the caller knows it; anything else voids the approval.

        Raises
        ------
        Denied, Invalid, Missing
            As the rules say; `request-widened`, `request-lengthened`, `grant-…`.
        Conflict
            `request-changed`
        """
        comment = clean_block(comment)
        accept(policy.check_comment(comment))
        with self._db.unit() as unit:
            connection = unit.connection
            request, by = _readable(connection, actor, request_id)
            _may_decide(connection, by, request).require()
            members = [person.handle for person in projects.members(connection, request.project)]
            if seen is not None and seen != seen_of(request, members):
                raise Conflict("request-changed", id=request.id)
            described = self._described(request.dataset)
            accept(
                policy.check_narrowed(request, partitions, expires),
                check_grant(request.dataset, request.variant, request.purpose, expires, now),
                check_scope(described, request.variant, partitions),
            )
            applicant = people.get_person(connection, request.person)
            project = projects.find(connection, request.project)
            assert project is not None
            may_work_in(applicant, project, member=applicant.handle in members).require()
            grant = grants.add(
                connection,
                project=request.project,
                dataset=request.dataset,
                variant=request.variant,
                purpose=request.purpose,
                expires=expires,
                given_by=by.handle,
                now=now,
                partitions=partitions,
            )
            after, done = advance(
                request, Step.APPROVE, by.handle, now, reason=comment, granted=grant.id, members=members
            )
            store.save(connection, request, after)
            unit.record(done)
            record_given(unit, grant, by.handle, now, expires=expires)
            return after

    def reject(self, actor: Person | str, request_id: int, reason: str, now: datetime) -> GrantRequest:
        """Refuse a request (반려), saying why."""
        reason = clean_block(reason)
        accept(check_reason(reason))
        return self._step(actor, request_id, Step.REJECT, reason, now)

    def withdraw(self, actor: Person | str, request_id: int, now: datetime) -> GrantRequest:
        """Take one's own waiting request back."""
        return self._step(actor, request_id, Step.WITHDRAW, "", now)

    def _step(
        self, actor: Person | str, request_id: int, step: Step, reason: str, now: datetime
    ) -> GrantRequest:
        with self._db.unit() as unit:
            request, by = _readable(unit.connection, actor, request_id)
            if step is not Step.WITHDRAW:
                _may_decide(unit.connection, by, request).require()
            after, done = advance(request, step, by.handle, now, reason=reason)
            store.save(unit.connection, request, after)
            unit.record(done)
            return after

    def _described(self, dataset: str) -> Dataset:
        found = self._datasets.get(dataset)
        if found is None:
            raise Missing("dataset-unknown", dataset=dataset[:64])
        return found


def _readable(connection: sa.Connection, actor: Person | str, request_id: int) -> tuple[GrantRequest, Person]:
    request = store.get(connection, request_id)
    by = people.get_person(connection, actor)
    if not policy.may_read(by, request, member=projects.is_member(connection, request.project, by.handle)):
        raise Missing("request-unknown", id=request_id)
    return request, by


def _may_ask(connection: sa.Connection, handle: str, slug: str, tier: Tier) -> Decision:
    person = people.get_person(connection, handle)
    project = projects.find(connection, slug)
    member = projects.is_member(connection, slug, handle)
    if project is None or not member:
        raise Missing("project-unknown", project=slug[:64])
    return policy.may_ask(
        person, project, tier, member=member, waiting=store.count_waiting(connection, handle)
    )


def _may_decide(connection: sa.Connection, by: Person, request: GrantRequest) -> Decision:
    return policy.may_decide(by, request, member=projects.is_member(connection, request.project, by.handle))
