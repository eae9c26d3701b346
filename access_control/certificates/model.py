"""What a session's certificate (세션 인증서) is to the rules: a number. Knows no cryptography."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from access_control.sessions.model import SessionId

Serial = NewType("Serial", str)  # 40 hex digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate that was issued to a session, kept after it ended."""

    serial: Serial
    session_id: SessionId
    issued: datetime
    until: datetime
    issued_by: str
    revoked: datetime | None
    reason: str
