"""What a query worker has as its data: a folder of hard links to exactly the granted files. Decides no grant.

A mount of its own for each file is slow: each further one takes bubblewrap longer than the one before, and
some thousands are more than it takes. The folders lie in the warehouse, since a hard link stays on its disk,
and nobody but the launcher can reach into them from outside a sandbox.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FOLDER: Final = ".views"


def make(root: Path, files: Iterable[tuple[int, str]]) -> Path:
    """A new folder of links.

    Parameters
    ----------
    root
        The warehouse.
    files
        Open descriptors of its files, good for one step each, and the path of each in the folder, checked.

    Raises
    ------
    OSError
        The disk has no hard links, or no room.
    """
    views = root / FOLDER
    views.mkdir(mode=0o700, exist_ok=True)
    view = views / secrets.token_hex(8)
    view.mkdir(mode=0o700)
    own = os.open("/proc/self/fd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for fd, path in files:
            target = view / path
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            os.link(str(fd), target, src_dir_fd=own, follow_symlinks=True)  # the very file that was opened
        for folder, _, _ in os.walk(view):
            Path(folder).chmod(0o755)  # the engine's user reads here, through its sandbox alone
    except BaseException:
        remove(view)
        raise
    finally:
        os.close(own)
    return view


def remove(view: Path) -> None:
    """Take the links away; the files keep their other names."""
    shutil.rmtree(view, ignore_errors=True)


def sweep(root: Path) -> None:
    """Remove what an earlier launcher left; to be called while no worker runs."""
    remove(root / FOLDER)
