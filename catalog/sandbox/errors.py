"""Why a sandbox could not be built, started or asked for; knows nothing of who wanted it.

SandboxError
└── LauncherError    the launcher refused a request, or does not answer
"""

from __future__ import annotations

from catalog.errors import CatalogError


class SandboxError(CatalogError):
    """A wall could not be built, so nothing was started."""


class LauncherError(SandboxError):
    """The launcher refused a request or could not be reached."""
