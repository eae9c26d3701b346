"""Gives matplotlib a Korean font in every Python of a session, at the first plot and not before.

Knows only where the installed font files are; changes nothing when matplotlib or the fonts are missing.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

WATCHED = "matplotlib.font_manager"
FAMILY = "NanumGothic"
FACES = ("NanumGothic.ttf", "NanumGothicBold.ttf")


class KoreanFont(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Runs the real font manager, then registers the font: importing nothing costs a kernel nothing."""

    def __init__(self) -> None:
        self._real: Any = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The real module's spec with this loader around its own."""
        if fullname != WATCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.loader is None:
            return None
        self._real, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the real loader does."""
        module: ModuleType | None = self._real.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run the real module, then add the faces and put the family first."""
        self._real.exec_module(module)
        module.__loader__ = self._real
        _use_korean(module)


def _use_korean(font_manager: Any) -> None:
    found = importlib.util.find_spec("koreanize_matplotlib")  # found, not imported: it needs distutils
    if found is None or found.origin is None:
        return
    files = [Path(found.origin).parent / "fonts" / face for face in FACES]
    for file in files:
        if file.is_file():
            font_manager.fontManager.addfont(file)
    import matplotlib

    for settings in (matplotlib.rcParams, matplotlib.rcParamsDefault):
        settings["font.family"] = [FAMILY, "DejaVu Sans"]  # glyphs the first lacks come from the second
        settings["font.sans-serif"] = [FAMILY, *(n for n in settings["font.sans-serif"] if n != FAMILY)]
        settings["axes.unicode_minus"] = False


if os.getppid() == 1:  # in a sandbox the server may be pid 1; a kernel would think itself an orphan and end
    os.environ.pop("JPY_PARENT_PID", None)
sys.meta_path.insert(0, KoreanFont())
