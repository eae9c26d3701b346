"""What a policy returns: yes, or no with its reason. Knows no rule and no wording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from access_control.errors import Denied


@dataclass(frozen=True, slots=True)
class Allow:
    """Yes."""

    allowed: Literal[True] = field(default=True, init=False)

    def __bool__(self) -> Literal[True]:
        return True

    def require(self) -> None:
        """Go on."""


@dataclass(frozen=True, slots=True)
class Deny:
    """No, because of `reason`; `params` are the values its wording names."""

    reason: str
    params: Mapping[str, object] = field(default_factory=dict, hash=False)
    allowed: Literal[False] = field(default=False, init=False)

    def __bool__(self) -> Literal[False]:
        return False

    def require(self) -> None:
        """Stop.

        Raises
        ------
        Denied
            Always, with the same reason and parameters.
        """
        raise Denied(self.reason, **self.params)


Decision = Allow | Deny
ALLOW: Final = Allow()


def deny(reason: str, **params: object) -> Deny:
    """`Deny` with its parameters by name."""
    return Deny(reason, params)


def first_denial(*decisions: Decision) -> Decision:
    """The first no among several rules, or yes when every one says yes."""
    return next((decision for decision in decisions if not decision), ALLOW)
