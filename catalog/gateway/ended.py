"""A worker's word that a query is over, taken only where it can go on record as it stands. Ends nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.gateway.control import ControlClosed

MOST: Final = 1 << 53  # rows or bytes: what every reader of JSON holds exactly
_STATUS: Final = {"finished", "failed", "cancelled"}
_REASON: Final = re.compile(r"[a-z-]{0,40}")
_DIGEST: Final = re.compile(r"(?:[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a query ended; `bytes` of its rows as Arrow, `seconds` since its admission."""

    handle: str
    status: str
    rows: int
    bytes: int
    seconds: float
    reason: str
    digest: str = ""


def ended_of(message: Mapping[str, Any]) -> Ended:
    """What a worker said.

    An end that the log does not take would be owed for ever, and too many of them stop every admission.

    Raises
    ------
    ControlClosed
        It is no end.
    """
    try:
        ended = Ended(
            handle=str(message["handle"]),
            status=str(message["status"]),
            rows=int(message["rows"]),
            bytes=int(message["bytes"]),
            seconds=float(message["seconds"]),
            reason=str(message["reason"]),
            digest=str(message.get("digest", "")),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ControlClosed("malformed end") from error
    words = _REASON.fullmatch(ended.reason) and _DIGEST.fullmatch(ended.digest)
    counts = 0 <= ended.rows <= MOST and 0 <= ended.bytes <= MOST
    if not words or not counts or ended.status not in _STATUS:
        raise ControlClosed("malformed end")
    return ended
