"""What is chosen to be erased, and what a choice finds. Knows no rule and no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from access_control.audit.event import EventId


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which queries' literals go: all that is given has to hold. `before` is the moment of the query."""

    query: str = ""
    person: str = ""
    project: str = ""
    before: datetime | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was chosen, which would be everything."""
        return not (self.query or self.person or self.project or self.before)

    @property
    def recorded(self) -> Mapping[str, str]:
        """The same for the record."""
        before = self.before.isoformat() if self.before else ""
        every = {"query": self.query, "person": self.person, "project": self.project, "before": before}
        return {name: value for name, value in every.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the log whose literals are here."""

    seq: int
    event_id: EventId
    actor: str
    project: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a selection finds now.

    Attributes
    ----------
    entries
        Newest first, without those of the person who asks.
    own
        How many of that person's own there are, which somebody else has to erase.
    more
        Whether there may be older ones beyond what is erased at once.
    """

    entries: tuple[Entry, ...]
    own: int
    more: bool

    @property
    def people(self) -> tuple[str, ...]:
        """Who asked these queries."""
        return tuple(sorted({entry.actor for entry in self.entries}))

    @property
    def projects(self) -> tuple[str, ...]:
        """In which projects."""
        return tuple(sorted({entry.project for entry in self.entries}))
