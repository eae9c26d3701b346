"""What the record of an admission says was read, in words for the auditor. Knows no request and no log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from access_control.portal.scopes import worded
from access_control.portal.wording import Wording
from catalog.descriptions import Dataset
from catalog.descriptions.scope import scope_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One version that a query reads.

    Attributes
    ----------
    columns
        In words, by name; None where the engine could not say.
    partitions
        (title, values); empty where every granted file is read.
    files, granted
        That are read, and that might be [files].
    """

    title: str
    columns: tuple[tuple[str, str], ...] | None
    partitions: tuple[tuple[str, str], ...]
    files: int
    granted: int


def reads(t: Wording, datasets: Mapping[str, Dataset], detail: Mapping[str, Any]) -> tuple[Read, ...] | None:
    """What is read, version by version; None where the event does not say: no admission, or an old one."""
    scans = detail.get("scans")
    if not isinstance(scans, list):
        return None
    return tuple(_read(t, datasets.get(str(scan["dataset"])), scan) for scan in scans)


def _read(t: Wording, dataset: Dataset | None, scan: Mapping[str, Any]) -> Read:
    name, variant = str(scan["dataset"]), str(scan["variant"])
    titles = {c.name: t.pick(c.title) for c in dataset.columns} if dataset else {}
    columns = scan["columns"]
    return Read(
        title=f"{t.pick(dataset.title) if dataset else name} ({name}/{variant}@{scan['snapshot']})",
        columns=None if columns is None else tuple((c, titles.get(c, "")) for c in columns),
        partitions=tuple(worded(t, dataset, variant, scope_of(scan["partitions"]))),
        files=int(scan["files"]),
        granted=int(scan["granted_files"]),
    )
