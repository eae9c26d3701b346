"""The use cases of grants: giving, taking back, asking which hold. Knows no file and no page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from access_control.accept import accept
from access_control.database import Database
from access_control.errors import Missing
from access_control.grants import policy, store
from access_control.grants.model import Grant
from access_control.grants.standing import record_given, record_revoked
from access_control.people import store as people
from access_control.people.model import Person
from access_control.people.policy import check_reason
from access_control.projects import store as projects
from access_control.projects.model import Project, slug_of
from access_control.text import clean_block
from catalog.descriptions import Dataset
from catalog.descriptions.scope import WHOLE, Scope
from catalog.descriptions.variants import tier_of


class GrantsDesk:
    """Gives projects permission to read, and takes it back."""

    def __init__(self, db: Database, datasets: Mapping[str, Dataset]) -> None:
        self._db = db
        self._datasets = datasets

    def effective(self, project: Project | str, now: datetime) -> tuple[Grant, ...]:
        """The grants a project can use now."""
        with self._db.read() as connection:
            return store.effective(connection, slug_of(project), now)

    def of_project(self, slug: Project | str) -> tuple[Grant, ...]:
        """Every grant a project ever had."""
        with self._db.read() as connection:
            return store.of_project(connection, slug_of(slug))

    def all_effective(self, actor: Person | str, now: datetime) -> tuple[Grant, ...]:
        """The grants of every project, for custodians and those who give them."""
        with self._db.read() as connection:
            policy.may_list(people.get_person(connection, actor)).require()
            return store.effective(connection, None, now)

    def give(
        self,
        actor: Person | str,
        project: Project | str,
        dataset: str,
        variant: str,
        purpose: str,
        expires: datetime,
        now: datetime,
        partitions: Scope = WHOLE,
    ) -> Grant:
        """Let a project read a variant of a dataset, or parts of it, for a purpose until a moment.

        Raises
        ------
        Denied, Invalid, Missing
            As the rules say; `dataset-unknown`, `project-unknown`.
        """
        purpose = clean_block(purpose)
        accept(policy.check_grant(dataset, variant, purpose, expires, now))
        described = self._datasets.get(dataset)
        if described is None:
            raise Missing("dataset-unknown", dataset=dataset[:64])
        accept(policy.check_scope(described, variant, partitions))
        slug = slug_of(project)
        with self._db.unit() as unit:
            by = people.get_person(unit.connection, actor)
            found = projects.find(unit.connection, slug)
            if found is None:
                raise Missing("project-unknown", project=slug[:64])
            member = projects.is_member(unit.connection, slug, by.handle)
            policy.may_give(by, found, tier_of(described, variant), member=member).require()
            grant = store.add(
                unit.connection,
                project=slug,
                dataset=dataset,
                variant=variant,
                purpose=purpose,
                expires=expires,
                given_by=by.handle,
                now=now,
                partitions=partitions,
            )
            record_given(unit, grant, by.handle, now, expires=expires)
            return grant

    def revoke(self, actor: Person | str, grant_id: int, reason: str, now: datetime) -> Grant:
        """Take a grant back; queries of its project lose it with their next statement."""
        reason = clean_block(reason)
        accept(check_reason(reason))
        with self._db.unit() as unit:
            by = people.get_person(unit.connection, actor)
            grant = store.find(unit.connection, grant_id)
            if grant is None:
                raise Missing("grant-unknown", id=grant_id)
            policy.may_revoke(by, grant).require()
            store.revoke(unit.connection, grant_id, by.handle, reason, now)
            record_revoked(unit, grant, by.handle, reason, now)
            revoked = store.find(unit.connection, grant_id)
            assert revoked is not None
            return revoked
