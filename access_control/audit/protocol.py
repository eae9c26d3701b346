"""The writer's wire format: one JSON object a line over a unix socket. Knows no log and no event fields.

A client sends `{"id":N,"event":{…}}` (with `"literals":{…}` where the event commits to some),
`{"id":N,"do":"erase","event":{…},"events":[identifiers]}` or `{"id":N,"do":"ping"}` and may send on without
waiting. The writer answers each line once, in any order: `{"id":N,"seq":M}`, for a ping
`{"id":N,"size":M,"signed":M,"root":"hex"}`, or `{"id":N,"error":reason,"params":{…}}`. `id` is null where the
line could not be read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from access_control.audit.event import LARGEST_EVENT, AuditEvent, EventId, encode
from access_control.audit.literals import LARGEST_LITERALS
from access_control.errors import AuditError, AuditRefused, AuditUnavailable

LONGEST_LINE = LARGEST_EVENT + LARGEST_LITERALS + 4096  # [bytes] of a request


def request(number: int, **fields: Any) -> bytes:
    """One line from client to writer."""
    return json.dumps({"id": number, **fields}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def event_request(number: int, event: bytes, literals: bytes = b"") -> bytes:
    """One line that asks to record an event given as canonical bytes, and its literals, if it has any."""
    if literals:
        return b'{"id":%d,"event":%b,"literals":%b}\n' % (number, event, literals)
    return b'{"id":%d,"event":%b}\n' % (number, event)


def recording(number: int, event: AuditEvent) -> bytes:
    """The same of an event.

    Raises
    ------
    AuditRefused
        It cannot be recorded; says why. One too large is told here: the writer hangs up on such a line, and
        whoever only sees that cannot know whether it is on record.
    """
    line = event_request(number, encode(event), event.literals.wire if event.literals else b"")
    if len(line) > LONGEST_LINE:
        raise AuditRefused("event-too-large", size=len(line), largest=LONGEST_LINE)
    return line


def erasing(number: int, event: AuditEvent, events: Sequence[EventId]) -> bytes:
    """One line that asks to erase the literals of recorded events, and to record that by this event."""
    names = json.dumps(list(events)).encode()
    return b'{"id":%d,"do":"erase","event":%b,"events":%b}\n' % (number, encode(event), names)


def answer(number: int | None, **fields: Any) -> bytes:
    """One line from writer to client."""
    return json.dumps({"id": number, **fields}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def recorded(number: int, seq: int) -> bytes:
    """The usual answer: durable under this sequence number."""
    return b'{"id":%d,"seq":%d}\n' % (number, seq)


def refusal(number: int | None, error: AuditError) -> bytes:
    """The answer that an event was not recorded, and why."""
    params = {name: value for name, value in error.params.items() if isinstance(value, (str, int))}
    return answer(number, error=error.reason, params=params)


def raised(values: dict[str, Any]) -> AuditError | None:
    """The error an answer carries, if it carries one."""
    reason = values.get("error")
    if reason is None:
        return None
    params = values.get("params")
    kind = AuditUnavailable if reason == "audit-unavailable" else AuditRefused
    return kind(str(reason), **(params if isinstance(params, dict) else {}))


def parse(line: bytes) -> dict[str, Any]:
    """The object in a line.

    Raises
    ------
    AuditRefused
        The bytes are not one JSON object.
    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise AuditRefused("event-malformed", problem=f"not JSON: {error}"[:200]) from None
    if not isinstance(values, dict):
        raise AuditRefused("event-malformed", problem="not an object")
    return values
