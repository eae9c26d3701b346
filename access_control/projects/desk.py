"""The use cases of projects: making them, finding them, and the ones the installation keeps itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from access_control.accept import accept
from access_control.audit.event import Action, AuditEvent
from access_control.database import Database
from access_control.errors import Conflict
from access_control.grants.model import MAIN, TWIN
from access_control.grants.standing import keep_up
from access_control.people import store as people
from access_control.people.model import Person, handle_of
from access_control.projects import policy, store
from access_control.projects.default import ensure_open_data, ensure_project
from access_control.projects.model import (
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
            `only-staff`; `project-…`; `person-unknown`.
        Conflict
            `project-slug-taken`
        """
        title = Text(ko=clean_line(title.ko), en=clean_line(title.en))
        purpose = clean_block(purpose)
        handles = sorted({handle_of(member) for member in members})
        accept(policy.check_slug(slug), policy.check_project(title, purpose, len(handles)))
        with self._db.unit() as unit:
            by = people.get_person(unit.connection, actor)
            policy.may_create(by).require()
            if store.find(unit.connection, slug) is not None:
                raise Conflict("project-slug-taken", slug=slug)
            kind = ProjectKind.PERSONAL if len(handles) == 1 else ProjectKind.SHARED
            project = Project(slug=Slug(slug), title=title, purpose=purpose, kind=kind, created=now)
            store.add(unit.connection, project)
            for handle in handles:
                people.get_person(unit.connection, handle)
                store.add_member(unit.connection, slug, handle, now)
            detail = {"kind": kind.value, "purpose": purpose, "members": handles}
            unit.record(
                AuditEvent(
                    time=now,
                    actor=by.handle,
                    action=Action.PROJECT_CREATED,
                    project=slug,
                    object=f"project:{slug}",
                    detail=detail,
                )
            )
            return project

    def ensure_default(
        self, now: datetime, open_datasets: Iterable[str], twins: Iterable[str] = ()
    ) -> Project:
        """The shared default project, with standing grants on exactly the open datasets and these twins."""
        tables = [*((name, MAIN) for name in open_datasets), *((name, TWIN) for name in twins)]
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
