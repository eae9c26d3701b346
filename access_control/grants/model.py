"""What a grant (이용 권한) is: parts of a dataset's variant, for a project and a purpose, until a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from access_control.projects.model import Slug
from catalog.descriptions.scope import WHOLE, Scope

GrantId = NewType("GrantId", int)

MAIN = "main"  # the variant every dataset has
TWIN = "twin"  # the synthetic twin of a private one, open to everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Permission to read. Never deleted and never widened: `revoked` since then, or None.

    Parameters
    ----------
    partitions
        The parts of the dataset it names; the empty scope is all of them.
    """

    id: GrantId
    project: Slug
    dataset: str
    variant: str
    purpose: str
    expires: datetime
    given_by: str
    given: datetime
    revoked: datetime | None
    partitions: Scope = WHOLE

    def effective(self, now: datetime) -> bool:
        """Whether it can be used at this moment."""
        return self.revoked is None and self.given <= now < self.expires
