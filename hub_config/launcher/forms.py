"""The form of every parameter a client may send; pure, and refuses what it does not know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from catalog.sandbox.launcher import OpenVersion
from hub_config.launcher import places, refusal

_SESSION = re.compile(r"[0-9a-f]{20}")
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,30}")
_DASHBOARD = re.compile(r"[a-z][a-z0-9_-]{1,40}")
_SANDBOX = re.compile(r"(session|worker|parser|dashboard|ingest)-[0-9a-f]{20}(-[0-9]{1,9})?")
_PREFIX = re.compile(r"/(?:[A-Za-z0-9_-]{1,64}/){0,8}")
_STEP = re.compile(r"[A-Za-z0-9_=][A-Za-z0-9_.=+-]{0,200}")
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,126}")
_VERSION = re.compile(r"[0-9]{1,19}")
_MOST_FILES = 10_000
_MOST_OPEN = 500
_MOST_NAMES = 1_000
_SHORTEST_MEMORY = 64 << 20
_LONGEST_GRACE = 60.0


def session_id(given: Mapping[str, Any]) -> str:
    """Twenty lowercase hexadecimal digits."""
    return _matching(given, "session_id", _SESSION)


def run_id(given: Mapping[str, Any]) -> str:
    """Id of an ingest run: the form of a session's."""
    return _matching(given, "run_id", _SESSION)


def slug(given: Mapping[str, Any], parameter: str) -> str:
    """A person's handle, a project's slug or a dashboard's name."""
    return _matching(given, parameter, _SLUG)


def dashboard(given: Mapping[str, Any]) -> str:
    """A dashboard's name: like a slug, underscores allowed."""
    return _matching(given, "name", _DASHBOARD)


def sandbox_id(given: Mapping[str, Any]) -> str:
    """An id the launcher itself could have given."""
    return _matching(given, "sandbox_id", _SANDBOX)


def prefix(given: Mapping[str, Any], expected: str | None = None) -> str:
    """Path the sandbox serves below, with slashes at both ends."""
    found = _matching(given, "prefix", _PREFIX)
    if expected is not None and found != expected:
        raise refusal.malformed("prefix")
    return found


def number(given: Mapping[str, Any], parameter: str, least: int, most: int) -> int:
    """A whole number in [least, most]."""
    value = given.get(parameter)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise refusal.malformed(parameter)
    return value


def memory(given: Mapping[str, Any], most: int) -> int:
    """Memory of a worker [bytes]."""
    return number(given, "memory", _SHORTEST_MEMORY, most)


def grace(given: Mapping[str, Any]) -> float:
    """How long a sandbox may take to end by itself [s]."""
    value = given.get("grace", 5.0)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LONGEST_GRACE:
        raise refusal.malformed("grace")
    return float(value)


def names(given: Mapping[str, Any]) -> list[str]:
    """Paths below an outbox, as text; whether they may be opened is decided where they are opened."""
    value = given.get("names")
    if not isinstance(value, list) or len(value) > _MOST_NAMES or len(set(map(str, value))) != len(value):
        raise refusal.malformed("names")
    if not all(isinstance(name, str) for name in value):
        raise refusal.malformed("names")
    return value


def files(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs (path below the warehouse, absolute path inside, below /data), every target once."""
    value = given.get("files")
    if not isinstance(value, list) or len(value) > _MOST_FILES:
        raise refusal.malformed("files")
    out = [_pair(pair) for pair in value]
    targets = {target for _, target in out}
    above = {
        "/".join(target.split("/")[:depth]) for target in targets for depth in range(target.count("/") + 1)
    }
    if len(targets) != len(out) or targets & above:
        raise refusal.malformed("files")
    return out


def opened(given: Mapping[str, Any]) -> list[OpenVersion]:
    """(dataset, variant, version, name inside) of open versions to mount; every name once."""
    value = given.get("open", [])
    if not isinstance(value, list) or len(value) > _MOST_OPEN:
        raise refusal.malformed("open")
    found = [_open_version(entry) for entry in value]
    if len({name for *_, name in found}) != len(found):
        raise refusal.malformed("open")
    return found


def _open_version(entry: object) -> OpenVersion:
    forms = (_TABLE, _TABLE, _VERSION, _TABLE)
    if not isinstance(entry, Sequence) or isinstance(entry, str) or len(entry) != len(forms):
        raise refusal.malformed("open")
    for value, form in zip(entry, forms, strict=True):
        if not isinstance(value, str) or not form.fullmatch(value):
            raise refusal.malformed("open")
    dataset, variant, version, name = entry
    return dataset, variant, version, name


def only(given: Mapping[str, Any], *parameters: str) -> None:
    """Refuse a parameter that the call does not have."""
    for name in given:
        if name not in parameters and name != "call":
            raise refusal.malformed(str(name)[:40])


def _pair(pair: object) -> tuple[str, str]:
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise refusal.malformed("files")
    source, target = pair
    if not isinstance(source, str) or not isinstance(target, str):
        raise refusal.malformed("files")
    target = target.removeprefix(f"{places.DATA}/")
    for path in (source, target):
        if len(path) > 1000 or not all(_STEP.fullmatch(step) for step in path.split("/")):
            raise refusal.malformed("files")
    return source, f"{places.DATA}/{target}"


def _matching(given: Mapping[str, Any], parameter: str, form: re.Pattern[str]) -> str:
    value = given.get(parameter)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise refusal.malformed(parameter)
    return value
