"""Who may submit, review and download an export; pure. Knows no storage and no bytes.

What leaves is decided by somebody else than who asks:

- A reviewer holds the role checker. No other role reviews, the administrator's included.
- The author never reviews their own request.
- A member of the project does not review its requests either, because they share its interest, with one
  exception: the shared default project, in which everybody is. There only authorship bars.
- Reviewers read the files while the request waits; each opening is recorded.
- Released files go to the author alone, as long as they may act and are still a member of the project.
"""

from __future__ import annotations

from access_control.decision import ALLOW, Decision, deny
from access_control.exports.model import ExportRequest, ExportStatus
from access_control.people.model import Person, Role
from access_control.people.policy import may_act, must_hold
from access_control.projects.model import OPEN_DATA, Project
from access_control.projects.policy import may_work_in
from access_control.text import has_letters

POLICY_VERSION = "2026-11"
PURPOSE_MIN, PURPOSE_MAX = 5, 4000  # characters
COMMENT_MAX = 2000  # characters
FILE_MAX = 200 << 20  # [bytes]
TOTAL_MAX = 500 << 20  # [bytes]
FILES_MAX = 100
WAITING_MAX = 20  # requests of one person


def check_purpose(purpose: str) -> Decision:
    """Whether a cleaned purpose says what the files are for."""
    if not has_letters(purpose) or len(purpose) < PURPOSE_MIN:
        return deny("export-purpose-too-short", minimum=PURPOSE_MIN)
    return ALLOW if len(purpose) <= PURPOSE_MAX else deny("export-purpose-too-long", limit=PURPOSE_MAX)


def check_comment(comment: str) -> Decision:
    """Whether a cleaned comment is not too long; an approval needs none."""
    return ALLOW if len(comment) <= COMMENT_MAX else deny("export-comment-too-long", limit=COMMENT_MAX)


def check_count(files: int) -> Decision:
    """Whether a request has files, and not too many."""
    if files == 0:
        return deny("export-empty")
    return ALLOW if files <= FILES_MAX else deny("export-too-many-files", files=files, limit=FILES_MAX)


def check_size(name: str, size: int, total: int) -> Decision:
    """Whether a file of `size` bytes fits, with everything before it `total` bytes."""
    if size > FILE_MAX:
        return deny("export-file-too-large", name=name, limit=FILE_MAX >> 20)
    if total > TOTAL_MAX:
        return deny("export-too-large", limit=TOTAL_MAX >> 20)
    return ALLOW


def may_submit(person: Person, project: Project, *, member: bool, waiting: int) -> Decision:
    """Whether a person may ask for files of this project to leave; `waiting` counts their open requests."""
    if not (decision := may_work_in(person, project, member=member)):
        return decision
    return ALLOW if waiting < WAITING_MAX else deny("export-too-many-waiting", limit=WAITING_MAX)


def may_queue(actor: Person) -> Decision:
    """Whether this person reviews at all."""
    return must_hold(actor, Role.CHECKER)


def may_review(actor: Person, request: ExportRequest, *, member: bool) -> Decision:
    """Whether this person may decide about this request; `member`: whether its project is theirs."""
    if not (decision := may_queue(actor)):
        return decision
    if actor.handle == request.person:
        return deny("export-own", number=request.number)
    if member and request.project != OPEN_DATA:
        return deny("export-own-project", number=request.number, project=request.project)
    return ALLOW


def may_read(actor: Person, request: ExportRequest, *, member: bool) -> Decision:
    """Whether this person may see that a request exists and what it says: its author and its reviewers."""
    if actor.handle == request.person:
        return may_act(actor)
    return may_review(actor, request, member=member)


def may_open_for_review(actor: Person, request: ExportRequest, *, member: bool) -> Decision:
    """Whether this person may read the files to review them: only while the request waits."""
    if not (decision := may_review(actor, request, member=member)):
        return decision
    if request.status is not ExportStatus.SUBMITTED:
        return deny("export-not-open", number=request.number, status=request.status)
    return ALLOW


def may_withdraw(actor: Person, request: ExportRequest) -> Decision:
    """Whether this person may take the request back."""
    if not (decision := may_act(actor)):
        return decision
    return ALLOW if actor.handle == request.person else deny("export-not-yours", number=request.number)


def may_download(actor: Person, request: ExportRequest, *, member: bool) -> Decision:
    """Whether this person may take released files away."""
    if actor.handle != request.person:
        return deny("export-not-yours", number=request.number)
    if request.status is not ExportStatus.RELEASED:
        return deny("export-not-released", number=request.number, status=request.status)
    if not actor.active:
        return may_act(actor)
    return ALLOW if member else deny("not-a-member", handle=actor.handle, project=request.project)
