"""The table of certificates and every read and write of it. Knows no rule and no audit."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from access_control.certificates.model import Certificate, Serial
from access_control.database import UtcDateTime, metadata
from access_control.sessions.model import SessionId

certificate = sa.Table(
    "session_certificate",
    metadata,
    sa.Column("serial", sa.String(40), primary_key=True),
    sa.Column("session_id", sa.ForeignKey("session.session_id"), nullable=False, index=True),
    sa.Column("issued", UtcDateTime, nullable=False),
    sa.Column("until", UtcDateTime, nullable=False),
    sa.Column("issued_by", sa.String(64), nullable=False),
    sa.Column("revoked", UtcDateTime, nullable=True),
    sa.Column("reason", sa.String(200), nullable=False),
)


def add(connection: sa.Connection, new: Certificate) -> None:
    """Keep a new certificate."""
    connection.execute(
        sa.insert(certificate).values(
            serial=new.serial,
            session_id=new.session_id,
            issued=new.issued,
            until=new.until,
            issued_by=new.issued_by,
            revoked=new.revoked,
            reason=new.reason,
        )
    )


def find(connection: sa.Connection, serial: str) -> Certificate | None:
    """The certificate with this serial number."""
    row = connection.execute(sa.select(certificate).where(certificate.c.serial == serial)).first()
    return None if row is None else _certificate(row)


def standing(connection: sa.Connection, now: datetime) -> tuple[Certificate, ...]:
    """Those that were not revoked and have not ended, the newest first; of sessions live or not."""
    query = (
        sa.select(certificate)
        .where(certificate.c.revoked.is_(None), certificate.c.until > now)
        .order_by(certificate.c.issued.desc(), certificate.c.serial)
    )
    return tuple(_certificate(row) for row in connection.execute(query))


def revoke(connection: sa.Connection, serial: str, reason: str, now: datetime) -> bool:
    """Mark one revoked; False if it was."""
    changed = connection.execute(
        sa.update(certificate)
        .where(certificate.c.serial == serial, certificate.c.revoked.is_(None))
        .values(revoked=now, reason=reason)
    )
    return changed.rowcount == 1


def _certificate(row: sa.Row[tuple[object, ...]]) -> Certificate:
    return Certificate(
        serial=Serial(row.serial),
        session_id=SessionId(row.session_id),
        issued=row.issued,
        until=row.until,
        issued_by=row.issued_by,
        revoked=row.revoked,
        reason=row.reason,
    )
