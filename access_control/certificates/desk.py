"""The use cases of certificates: what was issued to whom, and what holds no longer. Signs nothing itself.

Whoever signs one calls `issued` before it is handed out: what is not on the list is let in nowhere.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from access_control.audit.event import Action, AuditEvent
from access_control.certificates import policy, store
from access_control.certificates.model import Certificate, Serial
from access_control.database import Database
from access_control.errors import Missing
from access_control.sessions import store as sessions
from access_control.sessions.model import Session


class CertificatesDesk:
    """Keeps the list of certificates."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def session_for(self, session_id: str) -> Session:
        """The session a certificate may be made for.

        Raises
        ------
        Missing, Denied
            `certificate-session-unknown`; `certificate-session-stopped`.
        """
        with self._db.read() as connection:
            return _certifiable(connection, session_id)

    def issued(self, session_id: str, serial: str, until: datetime, by: str, now: datetime) -> Certificate:
        """Put a certificate on the list; `by` is whoever had it made, at the machine itself.

        Raises
        ------
        Missing, Denied
            As `session_for`.
        """
        with self._db.unit() as unit:
            session = _certifiable(unit.connection, session_id)
            made = Certificate(
                serial=Serial(serial),
                session_id=session.session_id,
                issued=now,
                until=until,
                issued_by=by[:64],
                revoked=None,
                reason="",
            )
            store.add(unit.connection, made)
            unit.record(_event(Action.CERTIFICATE_ISSUED, made, session, by, now, until=until.isoformat()))
        return made

    def revoke(self, serial: str, reason: str, by: str, now: datetime) -> Certificate:
        """Take a certificate off the list; once is enough, twice is fine.

        Raises
        ------
        Missing
            `certificate-unknown`.
        """
        with self._db.unit() as unit:
            found = store.find(unit.connection, serial)
            if found is None:
                raise Missing("certificate-unknown", serial=serial[:40])
            why = policy.revocation_reason(reason)
            if store.revoke(unit.connection, serial, why, now):
                session = sessions.find(unit.connection, found.session_id)
                assert session is not None
                unit.record(_event(Action.CERTIFICATE_REVOKED, found, session, by, now, reason=why))
            changed = store.find(unit.connection, serial)
            assert changed is not None
            return changed

    def standing(self, now: datetime) -> tuple[tuple[Certificate, Session], ...]:
        """Certificates that still stand for a session, and that session; the newest first."""
        with self._db.read() as connection:
            found = [
                (made, session)
                for made in store.standing(connection, now)
                if (session := sessions.find(connection, made.session_id)) is not None
            ]
        return tuple(pair for pair in found if policy.stands(*pair, now))


def bearer(connection: sa.Connection, serial: str, now: datetime) -> Session | None:
    """The session a certificate stands for now."""
    found = store.find(connection, serial) if policy.is_serial(serial) else None
    session = None if found is None else sessions.find(connection, found.session_id)
    if found is None or session is None or not policy.stands(found, session, now):
        return None
    return session


def _certifiable(connection: sa.Connection, session_id: str) -> Session:
    session = sessions.find(connection, session_id)
    if session is None:
        raise Missing("certificate-session-unknown", session=session_id[:40])
    policy.may_certify(session).require()
    return session


def _event(
    action: Action, made: Certificate, session: Session, by: str, now: datetime, **detail: object
) -> AuditEvent:
    return AuditEvent(
        time=now,
        actor=by,
        action=action,
        project=session.project,
        session_id=session.session_id,
        object=f"certificate:{made.serial}",
        detail={"person": session.person, **detail},
    )
