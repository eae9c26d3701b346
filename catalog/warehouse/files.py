"""Opens stable addresses inside the real warehouse folder, durably and readable by all services.

Loaded by the Iceberg library by name; knows nothing of tables. Addresses outside the warehouse are refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import Any

from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties

from catalog.warehouse.metadata import relative

ROOT = "campus.root"
"""Property of the catalogue, never of a table: the real warehouse folder."""
IMPLEMENTATION = "catalog.warehouse.files.MappedFileIO"


class DurableFile(BufferedWriter):
    """A file that is on disk, not only in memory, once it is closed.

    Parameters
    ----------
    later
        Leave that to `sync_files`, which does it for many files at once.
    """

    def __init__(self, path: Path, *, overwrite: bool, later: bool = False) -> None:
        super().__init__(FileIO(path, "w" if overwrite else "x"))
        path.chmod(0o644)
        self._later = later

    def close(self) -> None:
        """Flush, sync and close; closing twice is harmless."""
        if not self.closed:
            self.flush()
            if not self._later:
                os.fsync(self.fileno())
        super().close()


class MappedFile(PyArrowFile):
    """One file of the warehouse."""

    def create(self, overwrite: bool = False) -> OutputStream:
        """Open for writing; folders on the way are made 0755, the file 0644."""
        path = Path(self._path)
        make_folder(path.parent)
        return DurableFile(path, overwrite=overwrite)


class MappedFileIO(PyArrowFileIO):
    """The Iceberg library's way to files, mapped."""

    @staticmethod
    def parse_location(location: str, properties: Properties = EMPTY_DICT) -> tuple[str, str, str]:
        """(scheme, host, path) of the real file behind a stable address."""
        return "file", "", str(Path(properties[ROOT]) / relative(location))

    def new_output(self, location: str) -> MappedFile:
        """A file to write."""
        scheme, host, path = self.parse_location(location, self.properties)
        filesystem: Any = self.fs_by_scheme(scheme, host)
        return MappedFile(fs=filesystem, location=location, path=path)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, readable by all services whatever the umask."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o755)


def sync_files(paths: Iterable[Path]) -> None:
    """Have files, and the folders that list them, on disk; many at once wait for one journal."""
    found = list(paths)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_sync, found))
        list(pool.map(_sync, {path.parent for path in found}))


def sync_folder(folder: Path) -> None:
    """Have a folder's own list of names on disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
