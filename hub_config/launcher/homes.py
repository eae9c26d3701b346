"""A person's folder in a project: made once, with lessons and outbox; knows nothing of who may have one."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from catalog.sandbox.model import Isolation, Mode
from hub_config.launcher import folders, places, refusal
from hub_config.settings import Settings

OUTBOX = "outbox"
LESSONS = "lessons"


def prepare(settings: Settings, isolation: Isolation, person: str, project: str, uid: int) -> None:
    """Make the home, unless it exists; an existing one must belong to `uid`.

    A new home is built where only the launcher can reach it and then moved into place, so nothing is ever
    written or given away in a folder its owner could be changing.

    Raises
    ------
    LauncherError
        `home-missing`: it exists but is a link, a file or somebody else's.
    """
    target = places.home(settings, person, project)
    target.parent.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    with folders.opened(target.parent.parent) as homes, folders.made(homes, person, mode=0o711) as folder:
        try:
            found = os.stat(project, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            _build(settings, isolation, target, uid)
            found = os.stat(project, dir_fd=folder, follow_symlinks=False)
        owner = uid if isolation.mode is Mode.ROOT else os.geteuid()
        try:
            os.close(
                os.open(project, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            )
        except OSError as error:
            raise refusal.missing("home", f"{person}/{project}") from error
        if found.st_uid != owner:
            raise refusal.missing("home", f"{person}/{project}")


def owner(settings: Settings, person: str, project: str) -> int:
    """Numeric user a home belongs to.

    Raises
    ------
    LauncherError
        `home-missing`.
    """
    try:
        return places.home(settings, person, project).lstat().st_uid
    except OSError as error:
        raise refusal.missing("home", f"{person}/{project}") from error


def _build(settings: Settings, isolation: Isolation, target: Path, uid: int) -> None:
    fresh = target.parent / f".new-{secrets.token_hex(8)}"
    fresh.mkdir(mode=0o700)
    try:
        lessons = settings.repo / "notebooks" / LESSONS
        if lessons.is_dir():
            shutil.copytree(lessons, fresh / LESSONS, ignore=_uncopied, copy_function=_copy)
        (fresh / LESSONS).mkdir(exist_ok=True)
        (fresh / OUTBOX).mkdir()
        for folder in (fresh, *(path for path in fresh.rglob("*") if path.is_dir())):
            folder.chmod(0o700)
        if isolation.mode is Mode.ROOT:
            folders.hand_over(fresh, uid)
        fresh.rename(target)
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(fresh)


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(0o600)


def _uncopied(folder: str, names: list[str]) -> set[str]:
    hidden = {name for name in names if name.startswith(".") or name == "__pycache__"}
    return hidden | {name for name in names if Path(folder, name).is_symlink()}
