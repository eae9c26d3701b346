"""What was taken out of a recorded statement, and the commitment that the log holds to it. Knows no file.

The log holds HMAC-SHA256 (RFC 2104) under a random key of 256 bits that belongs to this one entry and lies
beside the literals. With both at hand anybody can check that they are the ones recorded. Without them the
commitment says nothing, not even of a value that could be guessed: a guess cannot be checked without the key.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from access_control.errors import AuditRefused

KEY_BYTES: Final = 32
LARGEST_LITERALS: Final = 4 << 20  # [bytes] of one entry's, as JSON: the longest statement the gateway takes
FIELD: Final = "literals"  # of an event's detail
_CONTEXT: Final = b"campus literals v1\0"
_ENCODER: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Literals:
    """The literals of one entry in the order of their placeholders, and the key of its commitment."""

    values: tuple[str, ...]
    key: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False)

    def commitment(self, event_id: str) -> str:
        """What the log holds: HMAC-SHA256(key, context ‖ identifier ‖ JSON of the values), hexadecimal."""
        return hmac.digest(self.key, _CONTEXT + bytes.fromhex(event_id) + _json(self.values), "sha256").hex()

    def stated(self, event_id: str) -> dict[str, object]:
        """The same for an event's detail, with how many there are."""
        return {"count": len(self.values), "commitment": self.commitment(event_id)}

    @property
    def wire(self) -> bytes:
        """For the writer."""
        return b'{"key":"%b","values":%b}' % (self.key.hex().encode(), _json(self.values))

    def record(self, event_id: str) -> bytes:
        """The JSON of one line of the side store."""
        return b'{"event_id":"%b","key":"%b","values":%b}' % (
            event_id.encode(), self.key.hex().encode(), _json(self.values),
        )  # fmt: skip


def commitment_of(event: Mapping[str, Any]) -> str | None:
    """The commitment that a recorded event holds, if it holds one."""
    stated = event["detail"].get(FIELD)
    commitment = stated.get("commitment") if isinstance(stated, dict) else None
    return commitment if isinstance(commitment, str) else None


def parse(values: Any) -> Literals:
    """Literals from parsed JSON.

    Raises
    ------
    ValueError
        They are none.
    """
    if not isinstance(values, dict):
        raise ValueError("literals are not an object")
    found, key = values.get("values"), values.get("key")
    if not isinstance(found, list) or not all(type(value) is str for value in found):
        raise ValueError("literals are not a list of texts")
    if type(key) is not str or len(key) != 2 * KEY_BYTES:
        raise ValueError("the key of literals is not 64 hexadecimal digits")
    return Literals(values=tuple(found), key=bytes.fromhex(key))


def accepted(event: Mapping[str, Any], given: Any) -> bytes:
    """The side store's line for an event that was found well formed; empty where it has no literals.

    Raises
    ------
    AuditRefused
        Event and literals do not belong together, one comes without the other, or they are too large.
    """
    commitment = commitment_of(event)
    if commitment is None and given is None:
        return b""
    try:
        literals = parse(given)
        if commitment is None or literals.stated(event["event_id"]) != event["detail"][FIELD]:
            raise ValueError("the literals are not those the event commits to")
        record = literals.record(event["event_id"])
    except ValueError as error:
        raise AuditRefused("event-malformed", problem=str(error)[:200]) from None
    if len(record) > LARGEST_LITERALS:
        raise AuditRefused("event-too-large", size=len(record), largest=LARGEST_LITERALS)
    return record


def _json(values: Sequence[str]) -> bytes:
    return _ENCODER.encode(list(values)).encode()
