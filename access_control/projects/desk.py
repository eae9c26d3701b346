"""The use cases of projects: making them, who belongs to them, and those the installation keeps itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from access_control.accept import accept
from access_control.audit.event import Action, AuditEvent
from access_control.database import Database
from access_control.decision import Decision
from access_control.errors import Conflict, Missing
from access_control.grants import store as grants
from access_control.grants.model import MAIN, TWIN
from access_control.grants.standing import keep_up
from access_control.people import store as people
from access_control.people.model import SYSTEM, Handle, Person, handle_of
from access_control.projects import policy, store
from access_control.projects.default import ensure_open_data, ensure_project
from access_control.projects.model import (
    OPEN_DATA,
    OPEN_DATA_PURPOSE,
    Project,
    ProjectKind,
    Slug,
    dashboard_slug,
    slug_of,
)
from access_control.text import clean_block, clean_line
from catalog.descriptions import Text


class ProjectsDesk:
    """Makes and finds projects."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, person: Person | str) -> tuple[Project, ...]:
        """The projects a person is a member of, the first joined first."""
        with self._db.read() as connection:
            return store.of_person(connection, handle_of(person))

    def project(self, slug: str) -> Project | None:
        """The project with this slug."""
        with self._db.read() as connection:
            return store.find(connection, slug)

    def members(self, slug: Project | str) -> tuple[Person, ...]:
        """The people who belong to a project, the first with an account first."""
        with self._db.read() as connection:
            return store.members(connection, slug_of(slug))

    def every(self, actor: Person | str) -> tuple[Project, ...]:
        """Every project people work in, for those who administer them; the newest first."""
        with self._db.read() as connection:
            policy.administers(people.get_person(connection, actor)).require()
            return store.of_people(connection)

    def look(self, actor: Person | str, slug: str) -> tuple[Project, tuple[Person, ...]]:
        """A project and who belongs to it, for its members and those who administer.

        Raises
        ------
        Missing
            There is none, or it is not for this person to know.
        """
        with self._db.read() as connection:
            by = people.get_person(connection, actor)
            project = _found(connection, slug)
            if not policy.may_see(by, member=store.is_member(connection, slug, by.handle)):
                raise Missing("project-unknown", project=slug[:64])
            return project, store.members(connection, slug)

    def may_add(self, actor: Person | str, slug: str, now: datetime) -> Decision:
        """Whether this person could add somebody who may act, other than themselves."""
        with self._db.read() as connection:
            by = people.get_person(connection, actor)
            other = replace(by, handle=Handle(""))
            return _may_add(connection, by, other, _found(connection, slug), now)

    def add_member(self, actor: Person | str, slug: str, handle: str, now: datetime) -> None:
        """Let a person belong to a project.

        Raises
        ------
        Denied, Missing
            As the rules say; `person-unknown`.
        Conflict
            `project-member-already`
        """
        with self._db.unit() as unit:
            by = people.get_person(unit.connection, actor)
            project = _found(unit.connection, slug)
            policy.may_change(by, project, member=_is_member(unit.connection, project, by)).require()
            added = people.get_person(unit.connection, handle)
            _may_add(unit.connection, by, added, project, now).require()
            if not store.add_member(unit.connection, slug, added.handle, now):
                raise Conflict("project-member-already", handle=added.handle, project=slug)
            _set_kind(unit.connection, project)
            unit.record(_event(Action.PROJECT_MEMBER_ADDED, project, by, now, f"person:{added.handle}"))

    def remove_member(self, actor: Person | str, slug: str, handle: str, now: datetime) -> None:
        """Take a person out of a project; their session there reads nothing from then on.

        Raises
        ------
        Denied, Missing
            As the rules say; `not-a-member`.
        """
        with self._db.unit() as unit:
            by = people.get_person(unit.connection, actor)
            project = _found(unit.connection, slug)
            count = len(store.members(unit.connection, slug))
            member = _is_member(unit.connection, project, by)
            policy.may_remove(by, project, member=member, members=count).require()
            if not store.remove_member(unit.connection, slug, handle):
                raise Missing("not-a-member", handle=handle[:40], project=slug)
            _set_kind(unit.connection, project)
            unit.record(_event(Action.PROJECT_MEMBER_REMOVED, project, by, now, f"person:{handle}"))

    def create(
        self,
        actor: Person | str,
        slug: str,
        title: Text,
        purpose: str,
        members: Iterable[Person | str],
        now: datetime,
    ) -> Project:
        """Make a project with its first members; personal with one, shared with more.

        Raises
        ------
        Denied, Invalid, Missing
            `only-staff` to one who makes a project for others alone, `projects-too-many`; `project-…`;
            `person-unknown`.
        Conflict
            `project-slug-taken`
        """
        title = Text(ko=clean_line(title.ko), en=clean_line(title.en))
        purpose = clean_block(purpose)
        handles = sorted({handle_of(member) for member in members})
        accept(policy.check_slug(slug), policy.check_project(title, purpose, len(handles)))
        with self._db.unit() as unit:
            by = people.get_person(unit.connection, actor)
            own = sum(p.slug != OPEN_DATA for p in store.of_person(unit.connection, by.handle))
            policy.may_create(by, joining=by.handle in handles, projects=own).require()
            if store.find(unit.connection, slug) is not None:
                raise Conflict("project-slug-taken", slug=slug)
            kind = _kind(len(handles))
            project = Project(slug=Slug(slug), title=title, purpose=purpose, kind=kind, created=now)
            store.add(unit.connection, project)
            for handle in handles:
                people.get_person(unit.connection, handle)
                store.add_member(unit.connection, slug, handle, now)
            detail = {"kind": kind.value, "purpose": purpose, "members": handles}
            unit.record(_event(Action.PROJECT_CREATED, project, by, now, f"project:{slug}", detail))
            return project

    def ensure_default(
        self,
        now: datetime,
        open_datasets: Iterable[str],
        twins: Iterable[str] = (),
        variants: Iterable[tuple[str, str]] = (),
    ) -> Project:
        """The shared default project, with standing grants on exactly the open data.

        Parameters
        ----------
        open_datasets, twins
            Datasets whose main variant, and whose synthetic twin, is open.
        variants
            (dataset, variant) of further open variants.
        """
        tables = [(name, MAIN) for name in open_datasets] + [(name, TWIN) for name in twins] + list(variants)
        with self._db.unit() as unit:
            project = ensure_open_data(unit, now)
            keep_up(unit, project.slug, tables, OPEN_DATA_PURPOSE, now)
            return project

    def ensure_dashboard(self, name: str, title: Text, datasets: Iterable[str], now: datetime) -> Project:
        """The project a dashboard reads with, with standing grants on exactly the datasets it declares."""
        accept(policy.check_dashboard(name))
        wanted = Project(
            slug=dashboard_slug(name),
            title=Text(ko=clean_line(title.ko), en=clean_line(title.en)),
            purpose=f"공개 대시보드 / Public dashboard: {name}",
            kind=ProjectKind.DASHBOARD,
            created=now,
        )
        with self._db.unit() as unit:
            project = ensure_project(unit, wanted)
            keep_up(unit, project.slug, [(name, MAIN) for name in datasets], project.purpose, now)
            return project


def _found(connection: sa.Connection, slug: str) -> Project:
    project = store.find(connection, slug)
    if project is None:
        raise Missing("project-unknown", project=slug[:64])
    return project


def _is_member(connection: sa.Connection, project: Project, person: Person) -> bool:
    return store.is_member(connection, project.slug, person.handle)


def _may_add(
    connection: sa.Connection, by: Person, added: Person, project: Project, now: datetime
) -> Decision:
    held = grants.effective(connection, project.slug, now)
    return policy.may_add(
        by,
        added,
        project,
        member=_is_member(connection, project, by),
        members=len(store.members(connection, project.slug)),
        granted=any(grant.given_by != SYSTEM for grant in held),
    )


def _kind(members: int) -> ProjectKind:
    return ProjectKind.PERSONAL if members == 1 else ProjectKind.SHARED


def _set_kind(connection: sa.Connection, project: Project) -> None:
    store.set_kind(connection, project.slug, _kind(len(store.members(connection, project.slug))))


def _event(
    action: Action,
    project: Project,
    by: Person,
    now: datetime,
    about: str,
    detail: Mapping[str, object] | None = None,
) -> AuditEvent:
    return AuditEvent(
        time=now, actor=by.handle, action=action, project=project.slug, object=about, detail=detail or {}
    )
