"""Brings an installation to any state through its real use cases, for tests."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

from access_control.audit.client import AuditClient
from access_control.audit.event import Action, AuditEvent
from access_control.audit.reader import AuditReader
from access_control.database import Database
from access_control.exports.desk import ExportsDesk
from access_control.exports.model import ExportRequest, Incoming
from access_control.grants.desk import GrantsDesk
from access_control.people.desk import PeopleDesk
from access_control.people.model import Kind, Person, Role
from access_control.projects.desk import ProjectsDesk
from access_control.requests.desk import RequestsDesk
from access_control.sessions.desk import SessionsDesk
from access_control.sessions.model import Session
from catalog.descriptions import load_all

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PASSWORD = "한강에서 자전거를 탄다"
OPEN = ("card_sales", "living_population")
DATASETS = load_all(Path(__file__).resolve().parents[2] / "datasets")


class Campus:
    """The desks over one database, one audit log and one folder of exported files."""

    def __init__(self, db: Database, audit: AuditClient, log: Path, blobs: Path) -> None:
        self.db = db
        self.audit = audit
        self.blobs = blobs
        self.people = PeopleDesk(db)
        self.projects = ProjectsDesk(db)
        self.grants = GrantsDesk(db, DATASETS)
        self.requests = RequestsDesk(db, DATASETS)
        self.sessions = SessionsDesk(db)
        self.exports = ExportsDesk(db, blobs)
        self._log = log
        self._before = audit.status().size
        self._administrator: Person | None = None

    def events(self) -> list[AuditEvent]:
        """What was durably recorded in this installation's time, oldest first."""
        return [entry.event for entry in AuditReader(self._log).everything() if entry.seq >= self._before]

    def actions(self) -> list[Action]:
        """What happened, oldest first."""
        return [event.action for event in self.events()]

    def administrator(self) -> Person:
        """The first administrator, set up through the link."""
        if self._administrator is None:
            token = self.people.begin_setup(NOW)
            assert token is not None
            self._administrator = self.people.complete_setup(
                token, "boss", "정도현", "boss@city.example", PASSWORD, NOW
            )
        return self._administrator

    def person(self, handle: str, *roles: Role, kind: Kind = Kind.CITIZEN) -> Person:
        """Somebody who applied and was approved; then given roles, if any."""
        by = self.administrator()
        application = self.people.apply(
            handle,
            f"이용자 {handle}",
            f"{handle}@mail.example",
            kind,
            "서울시민",
            "생활인구 분석을 합니다",
            PASSWORD,
            True,
            NOW,
        )
        person = self.people.approve(by, application.id, NOW)
        return self.people.assign_roles(by, handle, frozenset(roles), NOW) if roles else person

    def checker(self, handle: str = "checker") -> Person:
        """Somebody who reviews exports."""
        return self.person(handle, Role.CITIZEN, Role.CHECKER)

    def session(self, person: Person, project: str = "open-data") -> Session:
        """A running session."""
        opened = self.sessions.open(person, project, NOW)
        return self.sessions.started(opened.session_id, NOW)

    def export(
        self, person: Person, files: dict[str, bytes] | None = None, project: str = "open-data"
    ) -> ExportRequest:
        """A request that waits for review."""
        contents = {"결과.csv": b"gu,ratio\n11010,0.4\n"} if files is None else files
        incoming = [Incoming(name=name, source=io.BytesIO(data)) for name, data in contents.items()]
        return self.exports.submit(person, project, incoming, "보고서에 실을 비율 표입니다", NOW)


def later(**parts: float) -> datetime:
    """A moment after `NOW`."""
    return NOW + timedelta(**parts)
