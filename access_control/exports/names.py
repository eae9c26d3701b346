"""Which names a file that leaves may have. Pure; knows no file.

A released file is opened on other machines, so a name holds nothing that Windows, macOS or a browser would
read in another way: the narrowest of them decides.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from access_control.decision import ALLOW, Decision, deny
from access_control.text import has_hidden

PART_MAX, WHOLE_MAX, DEEPEST = 255, 1024, 16  # [bytes], [bytes], folders
FORBIDDEN = frozenset('<>:"|?*\\')
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))})


def normal_name(name: str) -> str:
    """A name as it is kept: in NFC, because macOS hands out decomposed Hangul."""
    return unicodedata.normalize("NFC", name)


def check_names(names: Sequence[str]) -> Decision:
    """Whether normal names can be kept side by side on any machine."""
    seen: set[str] = set()
    for name in names:
        if not (decision := check_name(name)):
            return decision
        folded = unicodedata.normalize("NFC", name.casefold())
        if folded in seen:
            return deny("export-name-twice", name=name)
        seen.add(folded)
    return ALLOW


def check_name(name: str) -> Decision:
    """Whether one normal name is a plain relative path; folders are separated by `/`."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in name[:120])
    if has_hidden(name) or not name.isprintable():  # a blank of another kind looks like none, or like a dash
        return deny("export-name-hidden-characters", name=shown)
    parts = name.split("/")
    if any(part in {"", ".", ".."} for part in parts) or len(parts) > DEEPEST:
        return deny("export-name-not-a-path", name=shown)
    if len(name.encode()) > WHOLE_MAX or any(len(part.encode()) > PART_MAX for part in parts):
        return deny("export-name-too-long", name=shown, limit=PART_MAX)
    if FORBIDDEN & set(name) or any(
        part != part.strip() or part.endswith(".") or part.partition(".")[0].lower() in DEVICES
        for part in parts
    ):
        return deny("export-name-not-portable", name=shown)
    return ALLOW
