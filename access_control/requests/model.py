"""What a request (이용 권한 신청) is: which data, for which project and purpose, until when. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from access_control.grants.model import GrantId
from access_control.people.model import Handle
from access_control.projects.model import Slug
from catalog.descriptions.scope import Scope

RequestId = NewType("RequestId", int)


class RequestStatus(StrEnum):
    """Where a request stands."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRequest:
    """A request, kept after it is decided.

    Parameters
    ----------
    person, project
        Who asks, and for which project of theirs.
    partitions, expires
        What is asked for; what was given is in the grant.
    reason
        Of a rejection, or the comment of an approval.
    granted
        The grant an approval made.
    """

    id: RequestId
    person: Handle
    project: Slug
    dataset: str
    variant: str
    partitions: Scope
    purpose: str
    expires: datetime
    status: RequestStatus
    submitted: datetime
    decided_by: Handle | None = None
    decided: datetime | None = None
    reason: str = ""
    granted: GrantId | None = None

    @property
    def waiting(self) -> bool:
        """Whether somebody has to decide about it."""
        return self.status is RequestStatus.SUBMITTED


def seen_of(request: GrantRequest, members: Iterable[str]) -> str:
    """SHA-256 of what is decided about: the request, and who would read with the grant."""
    seen: list[object] = [request.id, request.status, request.person, request.project]
    seen += [request.dataset, request.variant, request.partitions, request.purpose]
    seen += [request.expires.isoformat(), sorted(members)]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False).encode()).hexdigest()
