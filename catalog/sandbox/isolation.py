"""Which walls this machine can build, found by building one; knows nothing of what will run behind them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from catalog.sandbox import process
from catalog.sandbox.bubblewrap import BWRAP, SETPRIV
from catalog.sandbox.errors import SandboxError
from catalog.sandbox.model import Isolation, Limits, Mode, Sandbox

__all__ = ["Isolation", "Mode", "choose", "probe"]

_OPTIONAL = ("--disable-userns", "--size")
_NEEDED = ("--clearenv", "--perms", "--args", "--block-fd", "--info-fd", "--seccomp", "--die-with-parent")
_NOBODY = 65534


def probe() -> Isolation:
    """The strongest mode that works here: root, user namespaces, or none with the reason."""
    if not Path(BWRAP).exists():
        return Isolation(mode=Mode.NONE, reason=f"{BWRAP} is not installed")
    helped = subprocess.run([BWRAP, "--help"], capture_output=True, text=True, timeout=20, check=False).stdout
    missing = [switch for switch in _NEEDED if switch not in helped]
    if missing:
        return Isolation(mode=Mode.NONE, reason=f"{BWRAP} is too old: no {', '.join(missing)}")
    switches = frozenset(switch for switch in _OPTIONAL if switch in helped)
    reasons: list[str] = []
    modes = [Mode.ROOT, Mode.USERNS] if os.geteuid() == 0 else [Mode.USERNS]
    for mode in modes:
        if mode is Mode.ROOT and not Path(SETPRIV).exists():
            reasons.append(f"{SETPRIV} is not installed")
            continue
        found = Isolation(mode=mode, reason="bubblewrap built a sandbox", switches=switches)
        failure = _try(found)
        if failure is None:
            return found
        reasons.append(f"{mode}: {failure}")
    return Isolation(mode=Mode.NONE, reason="; ".join(reasons))


def choose(wanted: str) -> Isolation:
    """The mode a setting asks for; `auto` never means none.

    Raises
    ------
    SandboxError
        The machine cannot build the walls asked for.
    """
    if wanted == Mode.NONE:
        return Isolation(mode=Mode.NONE, reason="chosen in the settings")
    found = probe()
    if wanted == "auto" and found.mode is not Mode.NONE:
        return found
    if wanted == found.mode:
        return found
    if wanted == Mode.USERNS and found.mode is Mode.ROOT:
        lesser = Isolation(mode=Mode.USERNS, reason="chosen in the settings", switches=found.switches)
        failure = _try(lesser)
        if failure is None:
            return lesser
        found = Isolation(mode=Mode.NONE, reason=f"userns: {failure}")
    raise SandboxError(
        "no-walls",
        ko=f"이 컴퓨터에서 격리 방식 '{wanted}'을(를) 쓸 수 없습니다: {found.reason}. "
        "해결: sudo apt-get install bubblewrap. 개발용으로만: --isolation=none.",
        en=f"isolation '{wanted}' is not possible here: {found.reason}; "
        "remedy: sudo apt-get install bubblewrap; for development only: --isolation=none",
    )


def _try(isolation: Isolation) -> str | None:
    """Why a trivial sandbox fails in this mode; None if it works."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        trial = Sandbox(name=f"probe-{os.getpid()}", argv=("/usr/bin/true",), uid=_NOBODY, limits=Limits())
        running = process.start(trial, isolation, output=writer)
        code = running.wait(20)
        if code == 0:
            return None
        running.kill()
        os.set_blocking(reader, False)
        return f"exit code {code} {_said(reader)}".strip()
    except SandboxError as error:
        os.set_blocking(reader, False)
        return _said(reader) or error.en
    finally:
        os.close(reader)
        os.close(writer)


def _said(reader: int) -> str:
    try:
        return os.read(reader, 2000).decode("utf-8", "replace").strip()
    except BlockingIOError:
        return ""
