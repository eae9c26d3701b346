"""Which pages a person finds in the menu, by the rules that guard those pages. Knows no page's content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from access_control.people.model import Person, Role

EVERYONE: Final[frozenset[Role]] = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: the key of its words, where it leads, and whether we are there."""

    key: str
    path: str
    current: bool


PUBLIC: Final = (("menu-datasets", "/datasets"), ("menu-dashboards", "/dashboards"))
FOR: Final = (
    ("menu-projects", "/projects", EVERYONE),
    ("menu-requests", "/requests", EVERYONE),
    ("menu-exports", "/exports", EVERYONE),
    ("menu-accesses", "/accesses", EVERYONE),
    ("menu-reviews", "/reviews", frozenset({Role.CHECKER})),
    ("menu-applications", "/applications", frozenset({Role.STAFF, Role.ADMINISTRATOR})),
    ("menu-decisions", "/decisions", frozenset({Role.CUSTODIAN, Role.ADMINISTRATOR})),
    ("menu-grants", "/grants", frozenset({Role.CUSTODIAN, Role.STAFF, Role.ADMINISTRATOR})),
    ("menu-ingest", "/ingest", frozenset({Role.STAFF})),
    ("menu-people", "/people", frozenset({Role.STAFF, Role.ADMINISTRATOR})),
    ("menu-audit", "/audit", frozenset({Role.AUDITOR})),
    ("menu-erasures", "/erasures", frozenset({Role.PRIVACY})),
)


def menu_of(person: Person | None, path: str) -> tuple[Entry, ...]:
    """The menu of this person, or of the public, with the entry of this page marked."""
    entries = list(PUBLIC)
    if person is None:
        entries.append(("menu-apply", "/apply"))
    else:
        entries += [(key, where) for key, where, roles in FOR if roles & person.roles]
    return tuple(Entry(key, where, path == where or path.startswith(where + "/")) for key, where in entries)
