"""What a person, an application and a role are. Knows no rule about them and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

Handle = NewType("Handle", str)
ApplicationId = NewType("ApplicationId", int)

FIRST_NUMBER = 1000  # Person.number of the first person; as root, a session runs under uid base + number
SYSTEM = "campus"  # actor of what the installation does by itself; reserved, so never a person's handle


class Role(StrEnum):
    """What a person may do beyond being signed in."""

    CITIZEN = "citizen"
    STAFF = "staff"
    CHECKER = "checker"
    CUSTODIAN = "custodian"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    PRIVACY = "privacy"


class Kind(StrEnum):
    """As whom a person applied."""

    CITIZEN = "citizen"
    STARTUP = "startup"
    STAFF = "staff"


class PersonStatus(StrEnum):
    """Whether a person may act at all."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class ApplicationStatus(StrEnum):
    """Where an application (이용신청) stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account. `number` never changes and is never used again."""

    number: int
    handle: Handle
    display_name: str
    email: str
    kind: Kind
    roles: frozenset[Role]
    status: PersonStatus
    created: datetime

    @property
    def active(self) -> bool:
        """Whether this person may act."""
        return self.status is PersonStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A request for an account, kept after it is decided."""

    id: ApplicationId
    handle: Handle
    display_name: str
    email: str
    kind: Kind
    affiliation: str
    purpose: str
    status: ApplicationStatus
    reason: str
    submitted: datetime
    decided: datetime | None
    decided_by: Handle | None


def handle_of(person: Person | str) -> str:
    """The handle, given the person or the handle."""
    return person.handle if isinstance(person, Person) else person
