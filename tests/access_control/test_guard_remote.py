"""What the gateway is told of who comes from another machine, and what the record says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from access_control.audit.event import Action
from access_control.certificates.desk import CertificatesDesk
from access_control.guard import CampusGuard
from catalog.gateway.guard import QueryEvent, QueryEventKind, QueryId, Route, Transport
from catalog.sandbox.launcher import Launcher
from tests.access_control.campus import NOW, OPEN, Campus, later
from tests.access_control.test_guard import identity


@pytest.fixture
def guard(campus: Campus, tmp_path: Path) -> CampusGuard:
    """The guard over an installation with open data; nobody starts anything here."""
    campus.projects.ensure_default(NOW, OPEN)
    return CampusGuard(campus.db, campus.exports, campus.audit, Launcher(tmp_path / "none.sock"))


def test_a_certificate_stands_while_it_its_session_and_its_person_do(
    campus: Campus, guard: CampusGuard
) -> None:
    desk, number = CertificatesDesk(campus.db), "5e" * 20
    minji = campus.person("minji")
    session = campus.session(minji)
    assert guard.bearer(number, NOW) is None, "never issued"
    desk.issued(session.session_id, number, later(hours=12), "operator", NOW)
    assert guard.bearer(number, NOW) == identity(session)
    assert guard.bearer(number, later(hours=12)) is None, "it has ended"
    for nonsense in ("", "x", number.upper(), number + "0", "%"):
        assert guard.bearer(nonsense, NOW) is None
    newer = campus.session(minji)
    assert guard.bearer(number, NOW) is None, "another start took its session's place"
    second, third = "6f" * 20, "70" * 20
    for other in (second, third):
        desk.issued(newer.session_id, other, later(hours=12), "operator", NOW)
    desk.revoke(second, "도난", "operator", NOW)
    assert guard.bearer(second, NOW) is None, "revoked"
    assert guard.bearer(third, NOW) == identity(newer)
    campus.people.suspend(campus.administrator(), "minji", "조사 중입니다", NOW)
    assert guard.bearer(third, NOW) is None, "its person may not work"


def test_the_record_says_how_a_statement_came(campus: Campus, guard: CampusGuard) -> None:
    who = identity(campus.session(campus.person("minji")))
    event = QueryEvent(
        kind=QueryEventKind.ADMITTED, query_id=QueryId("q1"), identity=who, time=NOW, statement="SELECT 1"
    )
    guard.record(event)
    remote = Route(transport=Transport.TLS, certificate="5e" * 20)
    guard.record(replace(event, query_id=QueryId("q2"), route=remote))
    near, far = (e.detail for e in campus.events() if e.action is Action.QUERY_ADMITTED)
    assert "route" not in near
    assert far["route"] == {"transport": "tls", "certificate": "5e" * 20}
