"""Which certificates stand, and that everything about them is on record."""

from __future__ import annotations

import secrets

import pytest

from access_control.audit.event import Action
from access_control.certificates import policy
from access_control.certificates.desk import CertificatesDesk
from access_control.decision import Deny
from access_control.errors import Denied, Missing
from tests.access_control.campus import NOW, OPEN, Campus, later


@pytest.fixture
def desk(campus: Campus) -> CertificatesDesk:
    campus.projects.ensure_default(NOW, OPEN)
    return CertificatesDesk(campus.db)


def serial() -> str:
    return secrets.token_hex(20)


def test_a_certificate_is_issued_listed_and_revoked_on_record(campus: Campus, desk: CertificatesDesk) -> None:
    session = campus.session(campus.person("minji"))
    number = serial()
    made = desk.issued(session.session_id, number, later(hours=12), "operator", NOW)
    assert desk.standing(NOW) == ((made, session),)
    assert desk.standing(later(hours=12)) == ()
    gone = desk.revoke(number, "도난\n", "operator", later(hours=1))
    assert desk.revoke(number, "again", "operator", later(hours=2)) == gone
    assert (gone.reason, gone.revoked) == ("도난", later(hours=1))
    assert desk.standing(later(hours=1)) == ()
    issued, revoked = (e for e in campus.events() if e.action.startswith("certificate."))
    assert [issued.action, revoked.action] == [Action.CERTIFICATE_ISSUED, Action.CERTIFICATE_REVOKED]
    for event in (issued, revoked):
        assert (event.actor, event.session_id) == ("operator", session.session_id)
        assert event.object == f"certificate:{number}"
        assert event.detail["person"] == "minji"
    assert issued.detail["until"] == later(hours=12).isoformat()
    assert revoked.detail["reason"] == "도난"


def test_only_a_live_session_is_certified(campus: Campus, desk: CertificatesDesk) -> None:
    session = campus.session(campus.person("minji"))
    assert desk.session_for(session.session_id) == session
    made = desk.issued(session.session_id, serial(), later(hours=12), "operator", NOW)
    campus.sessions.stopped(session.session_id, "idle", NOW)
    assert desk.standing(NOW) == (), "it falls with its session"
    for ask in (
        lambda: desk.session_for(session.session_id),
        lambda: desk.issued(session.session_id, serial(), later(hours=12), "operator", NOW),
    ):
        with pytest.raises(Denied) as refused:
            ask()
        assert refused.value.reason == "certificate-session-stopped"
    with pytest.raises(Missing) as missing:
        desk.session_for("0" * 20)
    assert missing.value.reason == "certificate-session-unknown"
    with pytest.raises(Missing) as unknown:
        desk.revoke("0" * 40, "why", "operator", NOW)
    assert unknown.value.reason == "certificate-unknown"
    assert len([a for a in campus.actions() if a.startswith("certificate.")]) == 1
    assert made.session_id == session.session_id


def test_a_certificate_stands_for_its_own_session_alone(campus: Campus, desk: CertificatesDesk) -> None:
    mine, theirs = campus.session(campus.person("minji")), campus.session(campus.person("jiwoo"))
    made = desk.issued(mine.session_id, serial(), later(hours=1), "operator", NOW)
    assert policy.stands(made, mine, NOW)
    for decision, reason in (
        (policy.stands(made, theirs, NOW), "certificate-of-another"),
        (policy.stands(made, mine, later(hours=1)), "certificate-ended"),
        (policy.stands(desk.revoke(made.serial, "", "operator", NOW), mine, NOW), "certificate-revoked"),
    ):
        assert isinstance(decision, Deny)
        assert decision.reason == reason
