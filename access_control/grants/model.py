"""What a grant (이용 권한) is: one variant of a dataset, for one project and purpose, until a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from access_control.projects.model import Slug

GrantId = NewType("GrantId", int)

MAIN = "main"  # the variant every dataset has
TWIN = "twin"  # the synthetic twin of a private one, open to everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Permission to read. Never deleted: `revoked` since then, or None."""

    id: GrantId
    project: Slug
    dataset: str
    variant: str
    purpose: str
    expires: datetime
    given_by: str
    given: datetime
    revoked: datetime | None

    def effective(self, now: datetime) -> bool:
        """Whether it can be used at this moment."""
        return self.revoked is None and self.given <= now < self.expires
