"""Turns a policy's no about a value into `Invalid`, and one about a person into `Denied`. Knows no rule."""

from __future__ import annotations

from access_control.decision import Decision, Deny
from access_control.errors import Invalid


def accept(*decisions: Decision) -> None:
    """Go on if every value is acceptable.

    Raises
    ------
    Invalid
        The first one that is not, with its reason and parameters.
    """
    for decision in decisions:
        if isinstance(decision, Deny):
            raise Invalid(decision.reason, **decision.params)
