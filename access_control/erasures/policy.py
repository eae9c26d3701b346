"""Who may erase literals, and what has to be said; pure. Knows no storage.

Who erases neither audits nor administers: an auditor must not remove what they audit, and nobody who can give
roles should erase on their own. Nobody erases their own. A reason is on record beside what was erased.
"""

from __future__ import annotations

import re
from datetime import datetime

from access_control.decision import ALLOW, Decision, deny
from access_control.erasures.model import Selection
from access_control.people.model import Person, Role
from access_control.people.policy import check_reason, must_hold

_QUERY = re.compile(r"[0-9a-f]{16}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def may_erase(actor: Person) -> Decision:
    """Whether this person may see what could be erased, and erase it."""
    return must_hold(actor, Role.PRIVACY)


def check_selection(selection: Selection, now: datetime) -> Decision:
    """Whether a selection is one: not everything, and well formed."""
    if selection.empty:
        return deny("erasure-nothing-chosen")
    if selection.query and not _QUERY.fullmatch(selection.query):
        return deny("erasure-query-malformed", query=selection.query[:40])
    for name in filter(None, (selection.person, selection.project)):
        if not _NAME.fullmatch(name):
            return deny("erasure-name-malformed", name=name[:40])
    if selection.before is not None and selection.before > now:
        return deny("erasure-day-ahead")
    return ALLOW


def check_erasure(selection: Selection, reason: str, seen: int, found: int, now: datetime) -> Decision:
    """Whether this may be erased: chosen, with a reason, and as many as the person was shown."""
    if not (decision := check_selection(selection, now)):
        return decision
    if not (decision := check_reason(reason)):
        return decision
    if not found:
        return deny("erasure-nothing-found")
    return ALLOW if seen == found else deny("erasure-changed", seen=seen, found=found)
