"""What a statement reads: columns by the engine's plan, files by what its scans demand. Decides no grant.

Asked once for a statement over the same files with the same values, and remembered: one asked again and again
pays for it once. What cannot be told is recorded as not known, and never keeps a query from running.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, Protocol

from catalog.descriptions.scope import WHOLE, scope_of
from catalog.gateway.admission import Work
from catalog.gateway.guard import Scan
from catalog.gateway.pruning import Index, index_of, kept
from catalog.gateway.sql.demands import Demand
from catalog.gateway.sql.tree import fold
from catalog.gateway.workspace import Places, Table
from catalog.warehouse import Snapshot

MOST: Final = 256  # statements of one session that are remembered
MOST_INDEXES: Final = 128  # versions, as granted, of which is remembered what is known of their files
LONGEST: Final = 1 << 14  # characters of one that is
SILENT: Final = "?"  # among the columns a worker says: see `catalog.workers.plan`
SECONDS: Final = 2.0  # how long the engine may take to plan before it goes on record as not known
Read = tuple[Mapping[str, tuple[str, ...]], tuple[Scan, ...]]
"""As `Work.files` and `Work.scans`."""


class Planner(Protocol):
    """The part of a worker that is asked here."""

    @property
    def generation(self) -> int:
        """Its number in the session; another one may have other files."""
        ...

    def plan(self, order: Mapping[str, Any], seconds: float) -> Collection[str] | None:
        """The columns, as `table.column`, that the engine would read for an order; None if it cannot say."""
        ...


class Footprints:
    """What the statements of one session read; safe to use from several threads."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, Read] = OrderedDict()

    def measured(self, worker: Planner, tables: Sequence[Table], work: Work) -> Work:
        """The work with the files it needs and what it reads.

        Parameters
        ----------
        tables
            That it is recorded to come from; those of saved tables among them are not read again.
        """
        if work.explain and "ANALYZE" not in work.explain:
            tables = ()  # a plan reads no row
        elif work.demands is not None:
            tables = [table for table in tables if table.name in work.demands]
        if not tables:
            return work
        kinds = tuple(kind for kind, _ in work.parameters.values.values())  # 5 may be a number of any type
        key = worker.generation, work.runs, work.lists, work.explain, work.parameters.literals, kinds
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
        if known is None:
            known, told = self._read(worker, tables, work)
            if told and not work.saved and len(work.runs) <= LONGEST:
                self._remember(key, known)
        return replace(work, files=known[0], scans=known[1])

    def _remember(self, key: Hashable, read: Read) -> None:
        with self._lock:
            self._known[key] = read
            while len(self._known) > MOST:
                self._known.popitem(last=False)

    def _read(self, worker: Planner, tables: Sequence[Table], work: Work) -> tuple[Read, bool]:
        """What is read, and whether the engine could say which columns."""
        chosen = {table.name: self._chosen(table, work) for table in tables}
        files = {
            table.name: tuple(self._places.data(table.snapshot.files[i].path) for i in chosen[table.name])
            for table in tables
            if len(chosen[table.name]) < len(table.snapshot.files) and table.name not in work.part
        }
        columns = worker.plan(replace(work, files=files).order, SECONDS)
        scans = tuple(_scan(table, chosen[table.name], columns, work.named) for table in tables)
        return (files, scans), columns is not None

    def _chosen(self, table: Table, work: Work) -> tuple[int, ...]:
        """Numbers of the files that are read; one at least, since the engine reads no empty list."""
        number = len(table.snapshot.files)
        if table.name in work.part:
            return (work.part[table.name],)
        scans: Sequence[Demand | None] = (None,) if work.demands is None else work.demands[table.name]
        if number < 2 or None in scans:
            return tuple(range(number))
        return kept(_index(_Same(table.snapshot)), number, scans, work.parameters) or (0,)


class _Same:
    """A version that is itself only: comparing two of thousands of files takes longer than asking one."""

    __slots__ = ("snapshot",)

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.snapshot is other.snapshot

    def __hash__(self) -> int:
        return id(self.snapshot)


@lru_cache(maxsize=MOST_INDEXES)
def _index(version: _Same) -> Index:
    """One for all sessions that read the same files."""
    return index_of(version.snapshot)


def _scan(
    table: Table, chosen: Sequence[int], columns: Collection[str] | None, named: Collection[str] | None
) -> Scan:
    """A worker's word is believed only for columns that there are.

    Where the engine keeps silent on a scan, the columns that the statement names stand in for it.
    """
    snapshot = table.snapshot
    silent = columns is not None and SILENT in columns
    values: dict[str, set[str]] = {}
    if len(chosen) < len(snapshot.files):
        for number in chosen:
            for name, value in snapshot.files[number].partition:
                values.setdefault(name, set()).add(value)
    return Scan(
        dataset=table.grant.dataset,
        variant=table.grant.variant,
        snapshot_id=snapshot.snapshot_id,
        columns=None
        if columns is None
        else tuple(
            f.name
            for f in snapshot.fields
            if f"{table.name}.{f.name}" in columns or (silent and (named is None or fold(f.name) in named))
        ),
        files=len(chosen),
        granted=len(snapshot.files),
        partitions=scope_of(values) if values else WHOLE,
    )
