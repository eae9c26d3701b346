"""One recorded act and its canonical bytes. Knows who did what to which object, not where it is kept."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NewType

from access_control.audit.literals import FIELD, Literals
from access_control.errors import AuditRefused

EventId = NewType("EventId", str)

VERSION = 1
LARGEST_EVENT = 256 << 10  # [bytes] of canonical JSON
LONGEST_NAME = 1024  # characters of actor, project, session or object


class Action(StrEnum):
    """Everything that is recorded. A name is never reused for another meaning."""

    SETUP_LINK_ISSUED = "setup.link_issued"
    SETUP_COMPLETED = "setup.completed"
    PERSON_CREATED = "person.created"
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_SIGN_IN_FAILED = "person.sign_in_failed"
    PERSON_LOCKED_OUT = "person.locked_out"
    PERSON_SIGNED_OUT = "person.signed_out"
    PERSON_LINK_ISSUED = "person.link_issued"
    PERSON_LINK_REDEEMED = "person.link_redeemed"
    PERSON_TICKET_ISSUED = "person.ticket_issued"
    PERSON_TICKET_REDEEMED = "person.ticket_redeemed"
    PERSON_PASSWORD_CHANGED = "person.password_changed"  # noqa: S105
    PERSON_ROLES_ASSIGNED = "person.roles_assigned"
    PERSON_SUSPENDED = "person.suspended"
    PERSON_REINSTATED = "person.reinstated"
    APPLICATION_SUBMITTED = "application.submitted"
    APPLICATION_APPROVED = "application.approved"
    APPLICATION_REJECTED = "application.rejected"
    PROJECT_CREATED = "project.created"
    PROJECT_MEMBER_ADDED = "project.member_added"
    PROJECT_MEMBER_REMOVED = "project.member_removed"
    GRANT_GIVEN = "grant.given"
    GRANT_REVOKED = "grant.revoked"
    GRANT_REQUESTED = "grant.requested"
    GRANT_REQUEST_APPROVED = "grant.request_approved"
    GRANT_REQUEST_REJECTED = "grant.request_rejected"
    GRANT_REQUEST_WITHDRAWN = "grant.request_withdrawn"
    SESSION_REQUESTED = "session.requested"
    SESSION_MOUNTED = "session.mounted"
    SESSION_STARTED = "session.started"
    SESSION_STOPPED = "session.stopped"
    SESSION_REFUSED = "session.refused"
    CERTIFICATE_ISSUED = "certificate.issued"
    CERTIFICATE_REVOKED = "certificate.revoked"
    AUTHORITY_CHANGED = "authority.changed"
    QUERY_ADMITTED = "query.admitted"
    QUERY_FINISHED = "query.finished"
    QUERY_REFUSED = "query.refused"
    QUERY_FAILED = "query.failed"
    QUERY_CANCELLED = "query.cancelled"
    EXPORT_SUBMITTED = "export.submitted"
    EXPORT_APPROVED = "export.approved"
    EXPORT_REJECTED = "export.rejected"
    EXPORT_WITHDRAWN = "export.withdrawn"
    EXPORT_RELEASED = "export.released"
    EXPORT_RELEASE_FAILED = "export.release_failed"
    EXPORT_VIEWED = "export.viewed"
    EXPORT_DOWNLOADED = "export.downloaded"
    DATASET_PUBLISHED = "dataset.published"
    INGEST_REQUESTED = "ingest.requested"
    INGEST_INSPECTED = "ingest.inspected"
    INGEST_REFUSED = "ingest.refused"
    INGEST_PUBLISH_REQUESTED = "ingest.publish_requested"
    INGEST_PUBLISHED = "ingest.published"
    INGEST_FAILED = "ingest.failed"
    INGEST_DISCARDED = "ingest.discarded"
    AUDIT_READ = "audit.read"
    AUDIT_VERIFIED = "audit.verified"
    AUDIT_STARTED = "audit.started"
    AUDIT_STOPPED = "audit.stopped"
    AUDIT_RECOVERED = "audit.recovered"
    AUDIT_LITERALS_ERASED = "audit.literals_erased"


class ActorAs(StrEnum):
    """How `actor` names the person: by handle, or by a pseudonym that can be unlinked to erase a person."""

    HANDLE = "handle"
    PSEUDONYM = "pseudonym"


def new_event_id() -> EventId:
    """A fresh identifier: 32 hex digits, a UUID version 7 (RFC 9562 §5.7), so identifiers sort by birth."""
    born = time.time_ns() // 1_000_000
    return EventId(
        f"{born & (1 << 48) - 1:012x}7{secrets.randbits(12):03x}{0b10 << 62 | secrets.randbits(62):016x}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to which object, in which project and session.

    Parameters
    ----------
    time
        When it happened, aware; stamped by the caller. The writer adds the sequence and when it received it.
    actor
        Handle of the person, or the name of the part that acted on its own, such as `campus`.
    project, session_id, object
        Empty where there is none. `object` names what was acted on, such as `export:17`.
    detail
        Further facts: JSON values only.
    literals
        What was taken out of `detail` so that it can be erased; kept beside the log, which holds a
        commitment. None when it is read back.
    """

    time: datetime
    actor: str
    action: Action
    project: str = ""
    session_id: str = ""
    object: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    event_id: EventId = field(default_factory=new_event_id)
    actor_as: ActorAs = ActorAs.HANDLE
    literals: Literals | None = field(default=None, compare=False, repr=False)


def stamp(moment: datetime) -> str:
    """A moment as RFC 3339 text in UTC with microseconds, so that text order is time order."""
    if moment.tzinfo is None:
        raise AuditRefused("event-malformed", problem="time has no time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def canonical(values: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces and raw UTF-8: one value, one sequence of bytes.

    Raises
    ------
    AuditRefused
        A value JSON cannot hold, such as a NaN, a lone surrogate or an object of another type.
    """
    try:
        return _ENCODER.encode(values).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise AuditRefused("event-malformed", problem=str(error)[:200]) from None


def encode(event: AuditEvent) -> bytes:
    """The event's canonical bytes; of its literals the commitment.

    Raises
    ------
    AuditRefused
        The event cannot be recorded; says why.
    """
    detail = dict(event.detail)
    try:
        if event.literals is not None:
            detail[FIELD] = event.literals.stated(event.event_id)
    except ValueError as error:  # a lone surrogate
        raise AuditRefused("event-malformed", problem=str(error)[:200]) from None
    return checked(
        {
            "v": VERSION,
            "event_id": event.event_id,
            "time": stamp(event.time),
            "actor": event.actor,
            "actor_as": str(event.actor_as),
            "action": str(event.action),
            "project": event.project,
            "session_id": event.session_id,
            "object": event.object,
            "detail": detail,
        }
    )


def checked(values: Any) -> bytes:
    """Canonical bytes of what claims to be an event, after looking at every field.

    Raises
    ------
    AuditRefused
        A field missing, of the wrong form or unknown, or an event above `LARGEST_EVENT`.
    """
    problem = _problem(values)
    if problem:
        raise AuditRefused("event-malformed", problem=problem)
    body = canonical(values)
    if len(body) > LARGEST_EVENT:
        raise AuditRefused("event-too-large", size=len(body), largest=LARGEST_EVENT)
    return body


def decode(values: Mapping[str, Any]) -> AuditEvent:
    """The event of a parsed record. Inverse of `encode`.

    Raises
    ------
    AuditRefused
        The record is no event of a version this release knows.
    """
    problem = _problem(values)
    if problem:
        raise AuditRefused("event-malformed", problem=problem)
    return AuditEvent(
        event_id=EventId(values["event_id"]),
        time=datetime.strptime(values["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
        actor=values["actor"],
        actor_as=ActorAs(values["actor_as"]),
        action=Action(values["action"]),
        project=values["project"],
        session_id=values["session_id"],
        object=values["object"],
        detail=values["detail"],
    )


_FIELDS = frozenset(
    "v event_id time actor actor_as action project session_id object detail".split()  # noqa: SIM905
)
_ACTIONS = frozenset(map(str, Action))
_EVENT_ID = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def _problem(values: Any) -> str:
    """Why this is no event; empty when it is one. Ordered so that the usual event passes quickly."""
    if not isinstance(values, dict) or values.keys() != _FIELDS:
        return f"an event has exactly the fields {', '.join(sorted(_FIELDS))}"
    if type(values["v"]) is not int or values["v"] != VERSION:
        return f"v is not {VERSION}"
    for name in ("actor", "project", "session_id", "object"):
        if type(values[name]) is not str or len(values[name]) > LONGEST_NAME:
            return f"{name} is not text of at most {LONGEST_NAME} characters"
    if not values["actor"]:
        return "actor is empty"
    if type(values["event_id"]) is not str or not _EVENT_ID.fullmatch(values["event_id"]):
        return "event_id is not 32 lowercase hexadecimal digits"
    if type(values["action"]) is not str or values["action"] not in _ACTIONS:
        return "action is not a known action"
    if values["actor_as"] not in ("handle", "pseudonym"):
        return "actor_as is neither handle nor pseudonym"
    if type(values["detail"]) is not dict:
        return "detail is not an object"
    return _time_problem(values["time"])


def _time_problem(value: Any) -> str:
    if type(value) is str and _TIME.fullmatch(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return "time is no moment that exists"
        return ""
    return "time is not YYYY-MM-DDThh:mm:ss.ffffffZ"
