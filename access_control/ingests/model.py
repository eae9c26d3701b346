"""What an ingest run is: files somebody uploaded for a dataset, and how far they came. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from access_control.people.model import Handle
from catalog.warehouse import AcceptedException

RunId = NewType("RunId", str)


class IngestStatus(StrEnum):
    """Where a run stands."""

    INSPECTING = "inspecting"
    INSPECTED = "inspected"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    FAILED = "failed"
    DISCARDED = "discarded"


WORKING = (IngestStatus.INSPECTING, IngestStatus.PUBLISHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """One uploaded file: the name it came with, its SHA-256, its size [bytes]."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRun:
    """A run, kept after it ended.

    Parameters
    ----------
    attempt
        How often work was started.
    event_id
        Of the event that its publication is recorded with.
    base
        Version the last inspection compared with.
    snapshot, rows
        What was published; `rows` of the delivery [rows].
    exceptions
        As named when publishing was asked for.
    """

    id: RunId
    number: int
    dataset: str
    person: Handle
    status: IngestStatus
    attempt: int
    event_id: str
    base: int | None
    snapshot: int | None
    rows: int
    created: datetime
    changed: datetime
    files: tuple[Uploaded, ...]
    exceptions: tuple[AcceptedException, ...]

    @property
    def working(self) -> bool:
        """Whether a process is, or should be, at work on it."""
        return self.status in WORKING

    @property
    def size(self) -> int:
        """All files together [bytes]."""
        return sum(f.size for f in self.files)
