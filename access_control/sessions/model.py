"""What a session (분석 세션) is: one start of one person's sandbox in one project. Knows no sandbox."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from access_control.people.model import Handle
from access_control.projects.model import DASHBOARD_PREFIX, Slug

SessionId = NewType("SessionId", str)
NOBODY = Handle("")  # the person of a dashboard's session


class SessionStatus(StrEnum):
    """Where a session stands."""

    OPENING = "opening"
    RUNNING = "running"
    STOPPED = "stopped"


LIVE = (SessionStatus.OPENING, SessionStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session, kept after it stopped. `person` is empty for a dashboard."""

    session_id: SessionId
    person: Handle
    project: Slug
    site: str
    status: SessionStatus
    started: datetime
    stopped: datetime | None
    reason: str

    @property
    def live(self) -> bool:
        """Whether it may still ask for data."""
        return self.status in LIVE


def new_session_id() -> SessionId:
    """20 hex digits, new for every start."""
    return SessionId(secrets.token_hex(10))


def site(person: str, project: str) -> str:
    """DNS label of a person's work in a project, stable; the dashboard's own for nobody."""
    if person == NOBODY and project.startswith(DASHBOARD_PREFIX):
        return "d-" + project.removeprefix(DASHBOARD_PREFIX)
    digest = hashlib.sha256(f"{person}/{project}".encode()).digest()
    return "s-" + base64.b32encode(digest).decode()[:16].lower()
