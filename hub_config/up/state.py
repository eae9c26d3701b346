"""The state folder: its layout, version, secrets and owners. Knows nothing of what services keep in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hub_config.settings import Settings

STATE_VERSION = "1"
LEAST_FREE = 300 << 20  # bytes: the sample data, logs and a first session need about half of it
FOLDERS = (
    "access",
    "audit",
    "audit-key",
    "authority",
    "audit-literals",
    "catalog",
    "dashboards",
    "exports",
    "exports/blobs",
    "homes",
    "hub",
    "ingest",
    "logs",
    "remote",
    "secrets",
    "uploads",
    "uploads/blobs",
    "uploads/runs",
    "warehouse",
)
SERVICES = ("launcher", "audit", "gateway", "entrance", "portal", "hub", "gate")  # what has a socket
SECRETS = ("hub_api.token", "internal.token", "hub_cookie.secret")


@dataclass(frozen=True, slots=True)
class CannotStart(Exception):
    """The product cannot start here; says why and what to do, Korean first."""

    ko: str
    en: str

    def __str__(self) -> str:
        return f"{self.ko}\n        {self.en}"


def prepare(settings: Settings, owner: int | None) -> None:
    """Create what is missing in the state folder.

    Parameters
    ----------
    settings
        Where the folder is.
    owner
        User id that the services run under, or None where that is the caller.

    Raises
    ------
    CannotStart
        The folder belongs to another version, cannot be written, or its disk is nearly full.
    """
    state = settings.state
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_version(state)
        _check_disk(state)
        make_run(settings.run, {os.getuid(), owner})
        for name in FOLDERS:
            (state / name).mkdir(mode=0o700, exist_ok=True)
        sockets = [settings.socket(name).parent for name in SERVICES]
        for folder in (settings.run / "sessions", settings.run / "gateway", *sockets):
            folder.mkdir(mode=0o711, exist_ok=True)
        for name in SECRETS:
            _make_secret(state / "secrets" / name)
        if owner is not None:
            _give_to(
                owner,
                [
                    settings.run,
                    settings.run / "gateway",
                    *sockets,
                    *(state / n for n in FOLDERS if n != "homes"),
                ],
            )
            _give_to(owner, [state / "secrets" / n for n in SECRETS])
    except PermissionError as error:
        raise CannotStart(
            f"상태 폴더에 쓸 수 없습니다: {error.filename}. 소유자를 바꾸거나 다른 --state 를 지정하세요.",
            f"cannot write to the state folder: {error.filename}. Change its owner, or name another --state.",
        ) from error


def lock(settings: Settings) -> IO[str]:
    """Hold the state folder for one running product; released when the file is closed.

    Raises
    ------
    CannotStart
        Another Campus already runs on this folder.
    """
    handle = (settings.run / "campus.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise CannotStart(
            f"이 상태 폴더로 이미 실행 중입니다: {settings.state}. 먼저 끝내거나 --state 를 지정하세요.",
            f"Campus already runs on {settings.state}. Stop it first, or name another folder with --state.",
        ) from error
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def leave_no_sockets(settings: Settings) -> None:
    """Remove what the sandboxes' sockets leave, and the whole folder where it lies outside the state folder.

    The gateway's journal of queries whose end is not on record yet stays, and with it the folder.
    """
    run, journal = settings.run, settings.run / "gateway" / "open"
    if not run.is_relative_to(settings.state) and not any(journal.glob("*.json")):
        shutil.rmtree(run, ignore_errors=True)
        return
    settings.socket("entrance").unlink(missing_ok=True)  # of a gateway that was killed
    for room in (run / "gateway", run / "sessions"):
        for left in room.iterdir():
            if left != journal:
                shutil.rmtree(left, ignore_errors=True)


def check_port(settings: Settings) -> None:
    """Find out before anything starts whether the public ports are free.

    Raises
    ------
    CannotStart
        A port is taken, or may not be used by this user.
    """
    _check_port(settings.bind, settings.port, "--port")
    if settings.remote_port:
        _check_port(settings.remote_bind, settings.remote_port, "remote_port")


def _check_port(bind: str, port: int, name: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise CannotStart(
                f"포트 {port} 을(를) 쓸 수 없습니다 ({why}). 다른 {name} 를 지정하세요.",
                f"port {port} cannot be used ({why}). Choose another with {name}.",
            ) from error


def make_run(run: Path, ours: Collection[int | None]) -> None:
    """The folder of the sockets; in the temporary folder anybody can guess its name and make it first.

    Raises
    ------
    CannotStart
        Somebody else did.
    """
    with contextlib.suppress(FileExistsError):
        run.mkdir(mode=0o711)
        return
    found = run.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours or found.st_mode & 0o022:
        raise CannotStart(
            f"소켓 폴더 {run} 을(를) 믿을 수 없습니다: 이 사용자의 것이 아니거나 남이 쓸 수 있습니다. "
            "그것을 지우거나, 경로가 더 짧은 --state 를 지정하세요.",
            f"the socket folder {run} cannot be trusted: not this user's own, or others may write to it. "
            "Remove it, or name a --state with a shorter path.",
        )
    run.chmod(0o711)


def _check_version(state: Path) -> None:
    file = state / "VERSION"
    if not file.exists():
        if any(p.name not in {"campus.toml", "relay", "run"} for p in state.iterdir()):
            raise CannotStart(
                f"{state} 은(는) 비어 있지도 않고 Campus 상태 폴더도 아닙니다. 다른 --state 를 지정하세요.",
                f"{state} is neither empty nor a Campus state folder. Name another one with --state.",
            )
        file.write_text(STATE_VERSION + "\n", "utf-8")
        return
    found = file.read_text("utf-8").strip()
    if found != STATE_VERSION:
        raise CannotStart(
            f"상태 폴더의 형식이 다릅니다: {state} 은(는) {found[:20]!r}, 이 버전은 {STATE_VERSION!r}. "
            "그 폴더를 만든 버전으로 실행하거나 --state 로 새 폴더를 지정하세요.",
            f"{state} has state format {found[:20]!r}; this Campus needs {STATE_VERSION!r}. "
            "Run the version that made it, or name a new folder with --state.",
        )


def _check_disk(state: Path) -> None:
    free = shutil.disk_usage(state).free
    if free < LEAST_FREE:
        raise CannotStart(
            f"디스크가 가득 찼습니다: {state} 에 {free >> 20} MB 남음, 최소 {LEAST_FREE >> 20} MB 필요.",
            f"the disk is full: {free >> 20} MB free at {state}, {LEAST_FREE >> 20} MB needed.",
        )


def _make_secret(file: Path) -> None:
    if file.exists():
        return
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_hex(32))


def _give_to(owner: int, paths: list[Path]) -> None:
    for path in paths:
        os.chown(path, owner, owner)
