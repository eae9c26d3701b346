"""What an export request (반출신청) is: files by content, a purpose, and where its review stands. No I/O.

The thing reviewed is `digest`: a hash over the files in order, the purpose, the person, the project and the
version of the review rules.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, NewType

from access_control.people.model import Handle
from access_control.projects.model import Slug

ExportId = NewType("ExportId", str)

DIGEST_FORMAT = "campus-export-1"


class ExportStatus(StrEnum):
    """Where a request stands."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    RELEASED = "released"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    RELEASE_FAILED = "release_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A file that asks to leave: its name, and an open descriptor or stream positioned at its beginning."""

    name: str
    source: int | BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """A file as it was submitted; `no` counts from 1, `size` is in bytes."""

    no: int
    name: str
    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """A request with its files; `reason` of a rejection or failure, `comment` of an approval."""

    id: ExportId
    number: int
    person: Handle
    project: Slug
    purpose: str
    status: ExportStatus
    files: tuple[ExportFile, ...]
    digest: str
    policy_version: str
    submitted: datetime
    decided_by: Handle | None = None
    decided: datetime | None = None
    reason: str = ""
    comment: str = ""

    @property
    def size(self) -> int:
        """All files together [bytes]."""
        return sum(file.size for file in self.files)


def digest_of(
    *, files: Sequence[ExportFile], purpose: str, person: str, project: str, policy_version: str
) -> str:
    """SHA-256 of what is reviewed, as canonical JSON: sorted keys, no spaces, UTF-8."""
    reviewed = {
        "format": DIGEST_FORMAT,
        "files": [[file.no, file.name, file.sha256, file.size, file.media_type] for file in files],
        "purpose": purpose,
        "person": person,
        "project": project,
        "policy": policy_version,
    }
    text = json.dumps(reviewed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_now(request: ExportRequest) -> str:
    """The digest of a request as it is, to compare with the one it was submitted with."""
    return digest_of(
        files=request.files,
        purpose=request.purpose,
        person=request.person,
        project=request.project,
        policy_version=request.policy_version,
    )
