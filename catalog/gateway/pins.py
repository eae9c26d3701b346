"""Earlier versions that one session has asked for and keeps mounted. Decides no grant."""

from __future__ import annotations

from typing import Final

from catalog.gateway import refusals
from catalog.gateway.sql.tree import fold
from catalog.gateway.workspace import Versions, Workspace, asked_versions, pinned

MOST: Final = 4  # earlier versions one session has mounted at once


class Pins:
    """The versions (`table@version`) a session keeps; safe to use from several threads."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._pins: list[tuple[str, int]] = []  # replaced whole, so readers need no lock

    def kept(self, workspace: Workspace) -> Workspace:
        """The workspace with the versions kept so far."""
        try:
            return pinned(workspace, self._pins, self._versions) if self._pins else workspace
        except refusals.QueryRefused:  # a version that was kept is no more
            self._pins = []
            return workspace

    def asked(self, workspace: Workspace, text: str) -> Workspace:
        """Keep the earlier versions a statement names; the least lately asked for give way.

        The worker is made anew for a version it has not mounted yet, and keeps it for the next statement.

        Raises
        ------
        QueryRefused
            `too-many-versions`, or `no-version`.
        """
        asked = [
            (fold(name), version)
            for name, version in asked_versions(text)
            if any(fold(known) == fold(name) for known in workspace.tables)
        ]
        if not asked:
            return workspace
        if len(asked) > MOST:
            raise refusals.too_many_versions(MOST)
        kept = [pin for pin in self._pins if pin not in asked]
        pins = [*kept, *asked][-MOST:]
        made = pinned(workspace, pins, self._versions)
        self._pins = pins
        return made
