"""Which session may have a certificate, and when one still stands for its session; pure. Knows no storage.

A certificate is worth what the list of issued ones says: one that is not on it is nobody's, whoever signed
it. It falls with its session at once, with its revocation, and at its end.
"""

from __future__ import annotations

import re
from datetime import datetime

from access_control.certificates.model import Certificate
from access_control.decision import ALLOW, Decision, deny
from access_control.sessions.model import Session
from access_control.text import clean_line

REASON_MAX = 200  # characters


def may_certify(session: Session) -> Decision:
    """Whether a session may be given a certificate."""
    if not session.live:
        return deny("certificate-session-stopped", session=session.session_id, why=session.reason)
    return ALLOW


def stands(certificate: Certificate, session: Session, now: datetime) -> Decision:
    """Whether a certificate still stands for its session."""
    if certificate.session_id != session.session_id:
        return deny("certificate-of-another", serial=certificate.serial)
    if certificate.revoked is not None:
        return deny("certificate-revoked", serial=certificate.serial, why=certificate.reason)
    if certificate.until <= now:
        return deny("certificate-ended", serial=certificate.serial)
    return may_certify(session)


def is_serial(text: str) -> bool:
    """Whether this can be a certificate's serial number."""
    return re.fullmatch(r"[0-9a-f]{40}", text) is not None


def revocation_reason(reason: str) -> str:
    """A reason as it is kept: one line, never empty."""
    return clean_line(reason)[:REASON_MAX] or "unknown"
