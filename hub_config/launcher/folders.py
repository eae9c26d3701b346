"""Makes and hands over folders in trees that services may write; goes by descriptor, follows no link."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.sandbox.beneath import open_folder

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Descriptor of a folder that is not a link."""
    fd = os.open(folder, _FLAGS)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def made(
    parent: int, name: str, *, mode: int, uid: int | None = None, gid: int | None = None
) -> Iterator[int]:
    """The folder `name` in `parent`, made where missing, with this mode and owner."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
    fd = open_folder(parent, name)
    try:
        if uid is not None:
            os.fchown(fd, uid, uid if gid is None else gid)
        os.fchmod(fd, mode)
        yield fd
    finally:
        os.close(fd)


def hand_over(folder: Path, uid: int) -> None:
    """Give a tree nobody else can reach yet to `uid`."""
    for above, _, files, fd in os.fwalk(folder):
        del above
        os.fchown(fd, uid, uid)
        for name in files:
            os.chown(name, uid, uid, dir_fd=fd, follow_symlinks=False)


def remove(parent: Path, name: str) -> None:
    """Delete a folder and all in it; quietly does nothing where it is gone."""
    with contextlib.suppress(OSError), opened(parent) as fd:
        shutil.rmtree(name, ignore_errors=True, dir_fd=fd)
