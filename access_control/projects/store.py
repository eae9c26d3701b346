"""The tables of projects and members and every read and write of them. Knows no rule and no audit."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from access_control.database import UtcDateTime, metadata
from access_control.people import store as people
from access_control.people.model import Person
from access_control.projects.model import Project, ProjectKind, Slug
from catalog.descriptions import Text

project = sa.Table(
    "project",
    metadata,
    sa.Column("slug", sa.String(64), primary_key=True),
    sa.Column("title_ko", sa.String(80), nullable=False),
    sa.Column("title_en", sa.String(80), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("closed", UtcDateTime, nullable=True),
)
member = sa.Table(
    "project_member",
    metadata,
    sa.Column("project", sa.ForeignKey("project.slug"), primary_key=True),
    sa.Column("person", sa.ForeignKey("person.handle"), primary_key=True, index=True),
    sa.Column("added", UtcDateTime, nullable=False),
)


def find(connection: sa.Connection, slug: str) -> Project | None:
    """The project with this slug."""
    row = connection.execute(sa.select(project).where(project.c.slug == slug)).first()
    return None if row is None else _project(row)


def of_person(connection: sa.Connection, handle: str) -> tuple[Project, ...]:
    """The projects a person is a member of, the first joined first."""
    query = (
        sa.select(project)
        .join(member)
        .where(member.c.person == handle)
        .order_by(member.c.added, project.c.slug)
    )
    return tuple(_project(row) for row in connection.execute(query))


def add(connection: sa.Connection, new: Project) -> None:
    """Keep a new project."""
    connection.execute(
        sa.insert(project).values(
            slug=new.slug,
            title_ko=new.title.ko,
            title_en=new.title.en,
            purpose=new.purpose,
            kind=new.kind.value,
            created=new.created,
            closed=new.closed,
        )
    )


def retitle(connection: sa.Connection, slug: str, title: Text) -> None:
    """Give a project another title."""
    connection.execute(
        sa.update(project).where(project.c.slug == slug).values(title_ko=title.ko, title_en=title.en)
    )


def is_member(connection: sa.Connection, slug: str, handle: str) -> bool:
    """Whether a person belongs to a project."""
    query = sa.select(member.c.person).where(member.c.project == slug, member.c.person == handle)
    return connection.execute(query).first() is not None


def add_member(connection: sa.Connection, slug: str, handle: str, now: datetime) -> bool:
    """Let a person belong to a project; False if they did already."""
    if is_member(connection, slug, handle):
        return False
    connection.execute(sa.insert(member).values(project=slug, person=handle, added=now))
    return True


def remove_member(connection: sa.Connection, slug: str, handle: str) -> bool:
    """Let a person belong to a project no longer; False if they did not."""
    gone = connection.execute(sa.delete(member).where(member.c.project == slug, member.c.person == handle))
    return gone.rowcount == 1


def of_people(connection: sa.Connection) -> tuple[Project, ...]:
    """Every project people work in, the newest first."""
    query = (
        sa.select(project)
        .where(project.c.kind != ProjectKind.DASHBOARD.value)
        .order_by(project.c.created.desc(), project.c.slug)
    )
    return tuple(_project(row) for row in connection.execute(query))


def set_kind(connection: sa.Connection, slug: str, kind: ProjectKind) -> None:
    """Say for whom a project is."""
    connection.execute(sa.update(project).where(project.c.slug == slug).values(kind=kind.value))


def members(connection: sa.Connection, slug: str) -> tuple[Person, ...]:
    """The people who belong to a project."""
    return people.people_named(connection, sa.select(member.c.person).where(member.c.project == slug))


def _project(row: sa.Row[tuple[object, ...]]) -> Project:
    return Project(
        slug=Slug(row.slug),
        title=Text(ko=row.title_ko, en=row.title_en),
        purpose=row.purpose,
        kind=ProjectKind(row.kind),
        created=row.created,
        closed=row.closed,
    )
