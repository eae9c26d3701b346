"""Which small files of a version are worth merging. Pure; opens no file.

Files of one partition grow many where deliveries are small. They are merged once `FEW` of them are small,
so that a row is rewritten a few times only, and files of one partition stay few. Files from before the
dataset was parted are rewritten too: no grant on a part could name them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from catalog.descriptions import Dataset
from catalog.warehouse.model import DataFile

FEW: Final = 8
SMALL: Final = 1 << 20  # [rows]; half a full file


def to_merge(files: tuple[DataFile, ...], dataset: Dataset, few: int = FEW) -> frozenset[str]:
    """Paths of the files to write anew; empty where it is not worthwhile.

    Parameters
    ----------
    few
        From so many small files of one partition on they are merged.
    """
    names = {p.name for p in dataset.partitions}
    small: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    out: set[str] = set()
    for file in files:
        if {name for name, _ in file.partition} != names:
            out.add(file.path)
        elif file.rows < SMALL:
            small[file.partition].append(file.path)
    for paths in small.values():
        if len(paths) >= max(few, 2):
            out.update(paths)
    return frozenset(out)
