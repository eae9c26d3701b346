"""The shared default project: everybody approved works there on open data. Knows nothing of its grants.

A session and a home belong to one person in one project, so members of the default project share no file.
"""

from __future__ import annotations

from datetime import datetime

from access_control.audit.event import Action, AuditEvent
from access_control.database import Unit
from access_control.people.model import SYSTEM
from access_control.projects import store
from access_control.projects.model import (
    OPEN_DATA,
    OPEN_DATA_PURPOSE,
    OPEN_DATA_TITLE,
    Project,
    ProjectKind,
)
from catalog.descriptions import Text


def ensure_project(unit: Unit, wanted: Project) -> Project:
    """The project, made by the installation itself if it is not there yet; its title follows `wanted`."""
    found = store.find(unit.connection, wanted.slug)
    if found is None:
        store.add(unit.connection, wanted)
        unit.record(
            AuditEvent(
                time=wanted.created,
                actor=SYSTEM,
                action=Action.PROJECT_CREATED,
                project=wanted.slug,
                object=f"project:{wanted.slug}",
                detail={"kind": wanted.kind.value},
            )
        )
        return wanted
    if found.title != wanted.title:
        store.retitle(unit.connection, wanted.slug, Text(ko=wanted.title.ko, en=wanted.title.en))
    return found


def ensure_open_data(unit: Unit, now: datetime) -> Project:
    """The shared default project, made if it is not there yet."""
    return ensure_project(
        unit,
        Project(
            slug=OPEN_DATA,
            title=OPEN_DATA_TITLE,
            purpose=OPEN_DATA_PURPOSE,
            kind=ProjectKind.SHARED,
            created=now,
        ),
    )


def join_open_data(unit: Unit, handle: str, by: str, now: datetime) -> None:
    """Let a person belong to the shared default project."""
    ensure_open_data(unit, now)
    if store.add_member(unit.connection, OPEN_DATA, handle, now):
        unit.record(
            AuditEvent(
                time=now,
                actor=by,
                action=Action.PROJECT_MEMBER_ADDED,
                project=OPEN_DATA,
                object=f"person:{handle}",
            )
        )
