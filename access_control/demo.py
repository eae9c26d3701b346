"""One person a role for a demonstration, with sign-in links instead of passwords. Knows no page and no data.

Safe to repeat: people who are there stay as they are, and each gets a fresh link that replaces the last one.
Somebody real who has a name of the cast is told by the address, left alone and gets no link.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from access_control.people.desk import PeopleDesk
from access_control.people.model import Kind, Person, Role

LINK_DAYS: Final = 7  # a demonstration is started again to go on longer


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPerson:
    """Somebody a demonstration begins with."""

    handle: str
    display_name: str
    kind: Kind
    roles: frozenset[Role]

    @property
    def email(self) -> str:
        """An address that can receive nothing (RFC 2606 §2)."""
        return f"{self.handle}@campus.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoLink:
    """A person and the secret that signs them in, to be shown once."""

    person: Person
    token: str


CAST: Final = (
    DemoPerson(
        handle="minji",
        display_name="김민지",
        kind=Kind.CITIZEN,
        roles=frozenset({Role.CITIZEN}),
    ),
    DemoPerson(
        handle="checker",
        display_name="이서준",
        kind=Kind.STAFF,
        roles=frozenset({Role.CITIZEN, Role.CHECKER}),
    ),
    DemoPerson(
        handle="custodian",
        display_name="박지우",
        kind=Kind.STAFF,
        roles=frozenset({Role.CITIZEN, Role.CUSTODIAN}),
    ),
    DemoPerson(
        handle="auditor",
        display_name="최하윤",
        kind=Kind.STAFF,
        roles=frozenset({Role.CITIZEN, Role.AUDITOR}),
    ),
    DemoPerson(
        handle="administrator",
        display_name="정도현",
        kind=Kind.STAFF,
        roles=frozenset({Role.CITIZEN, Role.STAFF, Role.ADMINISTRATOR}),
    ),
)


def seed(people: PeopleDesk, now: datetime, days: int = LINK_DAYS) -> tuple[DemoLink, ...]:
    """Everybody of the cast, made if missing, each with a fresh link good for some days.

    A suspended person of the cast gets no link, and neither does somebody real of the same name.
    """
    links = []
    for role in CAST:
        person = people.person(role.handle) or people.enrol(
            role.handle, role.display_name, role.email, role.kind, role.roles, now
        )
        if person.active and person.email == role.email:
            links.append(DemoLink(person=person, token=people.sign_in_link(person, now, days)))
    return tuple(links)
