"""Which files of a version a grant on some of its partitions covers. Pure; opens nothing."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.warehouse.model import DataFile, Snapshot


def granted_files(snapshot: Snapshot, wanted: Mapping[str, frozenset[str]]) -> tuple[DataFile, ...]:
    """The files all of whose rows lie in wanted partitions, in the version's order.

    Parameters
    ----------
    wanted
        Partition's name → the values granted, as `DataFile.partition` words them; a name that is
        not there is not restricted, and an empty mapping means every file.

    Returns
    -------
    tuple of DataFile
        A file without a value for a wanted name is left out: what is not known to be granted is not.
    """
    return tuple(f for f in snapshot.files if _covered(dict(f.partition), wanted))


def partition_values(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Partition's name → the values it has in this version, in order."""
    found: dict[str, set[str]] = {}
    for file in snapshot.files:
        for name, value in file.partition:
            found.setdefault(name, set()).add(value)
    return {name: tuple(sorted(values)) for name, values in sorted(found.items())}


def _covered(has: Mapping[str, str], wanted: Mapping[str, frozenset[str]]) -> bool:
    return all(has.get(name) in values for name, values in wanted.items())
