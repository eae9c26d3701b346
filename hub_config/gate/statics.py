"""Finds static files in the trusted session environment, so none comes out of a sandbox. Knows no request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from hub_config.gate.hosts import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Statics:
    """Folders of one environment by the route they are served at; the first folder that has the file wins."""

    session: tuple[tuple[str, tuple[Path, ...]], ...]
    dashboard: tuple[tuple[str, tuple[Path, ...]], ...]

    def find(self, kind: Kind, path: str) -> Path | None:
        """The file at a static route, or None; links that lead out of its folder are not followed.

        Parameters
        ----------
        path
            Below the prefix, undecoded.
        """
        for route, folders in self.session if kind is Kind.SITE else self.dashboard:
            if path.startswith(route):
                inside = unquote(path[len(route) :])
                return next((f for folder in folders if (f := _beneath(folder, inside)) is not None), None)
        return None


def of_environment(env: Path) -> Statics:
    """The static folders of a session environment."""
    share = env / "share" / "jupyter"
    packages = next(iter(sorted((env / "lib").glob("python3.*/site-packages"))), env / "lib")
    server = packages / "jupyter_server" / "static"
    extensions = share / "labextensions"
    templates = tuple(
        share / app / "templates" / name / "static"
        for name in ("lab", "base")
        for app in ("voila", "nbconvert")
    )
    return Statics(
        session=(
            ("/static/lab/", (share / "lab" / "static",)),
            ("/static/", (server,)),
            ("/lab/extensions/", (extensions,)),
            ("/lab/api/themes/", (share / "lab" / "themes", extensions)),
            ("/kernelspecs/python3/", (share / "kernels" / "python3",)),
        ),
        dashboard=(
            ("/voila/static/", (*templates, packages / "voila" / "static", server)),
            ("/voila/templates/lab/static/", templates),
            ("/voila/labextensions/", (share / "voila" / "labextensions", extensions)),
            ("/voila/api/themes/", (share / "voila" / "themes", extensions)),
            ("/static/", (server,)),
        ),
    )


def _beneath(folder: Path, inside: str) -> Path | None:
    root = folder.resolve()
    file = (root / inside.lstrip("/")).resolve()
    return file if file.is_relative_to(root) and file.is_file() else None
