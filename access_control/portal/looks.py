"""One file of a waiting request as its reviewer sees it. Knows the desk and the preview, no page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from access_control.exports.desk import ExportsDesk
from access_control.exports.model import ExportFile, ExportRequest
from access_control.people.model import Person
from access_control.portal.preview import Preview, preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A file and what is shown of it."""

    file: ExportFile
    preview: Preview


def look(exports: ExportsDesk, reviewer: Person, request: ExportRequest, no: int, now: datetime) -> Look:
    """Open a file for review, which is recorded, and prepare what is shown of it."""
    file, path = exports.open_for_review(reviewer, request.id, no, now)
    return Look(file=file, preview=preview(file.name, path))
