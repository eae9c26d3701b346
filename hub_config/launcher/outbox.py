"""Reads what a person put in the outbox, while that person may be changing it; judges files, not contents."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from catalog.sandbox.beneath import NotRegular, open_folder, open_regular
from hub_config.launcher import places, refusal
from hub_config.launcher.homes import OUTBOX
from hub_config.settings import Settings

MOST_FILES = 100  # opened in one request
MOST_BYTES = 1 << 30  # opened in one request
MOST_LISTED = 1000
DEEPEST = 8
LONGEST_NAME = 500  # characters of a path below the outbox


def entries(settings: Settings, person: str, project: str) -> list[tuple[str, int, float]]:
    """(path below the outbox, size [bytes], last change [s since the epoch]) of its regular files, sorted."""
    found: list[tuple[str, int, float]] = []
    with _outbox(settings, person, project) as (outbox, owner):
        if outbox is not None:
            _walk(outbox, "", owner, DEEPEST, found)
    return sorted(found)


def open_files(settings: Settings, person: str, project: str, names: Sequence[str]) -> list[int]:
    """Read-only descriptors of outbox files; the caller closes them.

    Raises
    ------
    LauncherError
        `file-refused` for anything but a plain file of the person's own; `too-much` over a limit.
    """
    if len(names) > MOST_FILES:
        raise refusal.too_much("files", MOST_FILES)
    with ExitStack() as undo, _outbox(settings, person, project) as (outbox, owner):
        fds: list[int] = []
        total = 0
        for name in names:
            if outbox is None or not acceptable(name):
                raise refusal.file_refused(name[:LONGEST_NAME], "no such file")
            try:
                fd, found = open_regular(outbox, name, owner=owner)
            except NotRegular as error:
                raise refusal.file_refused(name, "not a plain file") from error
            except OSError as error:
                raise refusal.file_refused(name, os.strerror(error.errno or 0)) from error
            undo.callback(os.close, fd)
            fds.append(fd)
            total += found.st_size
            if total > MOST_BYTES:
                raise refusal.too_much("bytes", MOST_BYTES)
        undo.pop_all()
        return fds


def acceptable(name: str) -> bool:
    """Whether a path below the outbox can be shown and asked for."""
    parts = name.split("/")
    return (
        0 < len(name) <= LONGEST_NAME
        and len(parts) <= DEEPEST
        and all(part not in ("", ".", "..") for part in parts)
        and name.isprintable()
    )


@contextmanager
def _outbox(settings: Settings, person: str, project: str) -> Iterator[tuple[int | None, int]]:
    """Descriptor of the outbox, or None where its owner removed it, and the owner's number."""
    try:
        home = os.open(
            places.home(settings, person, project),
            os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
        )
    except OSError as error:
        raise refusal.missing("home", f"{person}/{project}") from error
    try:
        owner = os.fstat(home).st_uid
        try:
            outbox = open_folder(home, OUTBOX)
        except OSError:
            yield None, owner
            return
        try:
            yield outbox, owner
        finally:
            os.close(outbox)
    finally:
        os.close(home)


def _walk(folder: int, prefix: str, owner: int, depth: int, found: list[tuple[str, int, float]]) -> None:
    with os.scandir(folder) as scan:
        for seen, entry in enumerate(scan):
            name = prefix + entry.name
            if seen >= 10 * MOST_LISTED or len(found) >= MOST_LISTED:
                raise refusal.too_much("files", MOST_LISTED)
            if not acceptable(name):
                continue
            try:
                status = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == owner:
                    found.append((name, status.st_size, status.st_mtime))
                elif stat.S_ISDIR(status.st_mode) and depth > 1:
                    with folders_below(folder, entry.name) as below:
                        _walk(below, f"{name}/", owner, depth - 1, found)
            except OSError:
                continue  # removed or replaced while being read


@contextmanager
def folders_below(folder: int, name: str) -> Iterator[int]:
    """Descriptor of a folder in an open folder."""
    fd = open_folder(folder, name)
    try:
        yield fd
    finally:
        os.close(fd)
