"""Who loads data, and what an upload may be; pure. Knows no storage and no bytes.

A steward holds the role staff. Uploads are never executed and their names are labels, not paths: one part,
visible characters, each once in a run.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from access_control.decision import ALLOW, Decision, deny
from access_control.ingests.model import IngestRun, Uploaded
from access_control.people.model import Person, Role
from access_control.people.policy import must_hold
from access_control.text import clean_line, has_hidden

FILE_MAX = 1 << 30  # [bytes]
TOTAL_MAX = 4 << 30  # [bytes]
FILES_MAX = 60
NAME_MAX = 200  # [bytes] in UTF-8
WORKING_MAX = 2  # runs at work at once, of all stewards
REASON_MIN, REASON_MAX = 5, 1000  # characters


def may_steward(actor: Person) -> Decision:
    """Whether this person loads data."""
    return must_hold(actor, Role.STAFF)


def may_start(working: int) -> Decision:
    """Whether another run may begin to work now."""
    return ALLOW if working < WORKING_MAX else deny("ingest-busy", limit=WORKING_MAX)


def normal_name(name: str) -> str:
    """A name as it is kept: what a browser gave after its last separator, in NFC."""
    return unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])


def check_name(name: str) -> Decision:
    """Whether a normal name is one visible part of a path."""
    shown = clean_line(name)[:80]
    if name in {"", ".", ".."} or "/" in name or has_hidden(name) or name != name.strip():
        return deny("ingest-name-refused", name=shown)
    if len(name.encode()) > NAME_MAX:
        return deny("ingest-name-too-long", name=shown, limit=NAME_MAX)
    return ALLOW


def check_files(files: Sequence[Uploaded]) -> Decision:
    """Whether these files make a run."""
    if not files:
        return deny("ingest-no-file")
    if len(files) > FILES_MAX:
        return deny("ingest-too-many-files", limit=FILES_MAX)
    names = [f.name.casefold() for f in files]
    for file in files:
        if names.count(file.name.casefold()) > 1:
            return deny("ingest-name-twice", name=file.name)
    return ALLOW


def check_size(name: str, size: int, total: int) -> Decision:
    """Whether a file of `size` bytes fits, with everything before it `total` bytes."""
    if size > FILE_MAX:
        return deny("ingest-file-too-large", name=clean_line(name)[:80], limit=FILE_MAX >> 20)
    return ALLOW if total <= TOTAL_MAX else deny("ingest-too-large", limit=TOTAL_MAX >> 20)


def check_reason(check: str, reason: str) -> Decision:
    """Whether a cleaned reason for an exception says something."""
    if REASON_MIN <= len(reason) <= REASON_MAX:
        return ALLOW
    return deny("ingest-reason-missing", check=check[:80], minimum=REASON_MIN)


def check_exceptions(named: Sequence[str], failing: Sequence[str], run: IngestRun) -> Decision:
    """Whether exactly the failing checks are named."""
    for check in failing:
        if check not in named:
            return deny("ingest-check-fails", check=check, number=run.number)
    for check in named:
        if check not in failing:
            return deny("ingest-exception-unneeded", check=check[:80])
    return ALLOW
