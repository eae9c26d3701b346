"""What one session may read now, as files and views for its worker. Knows no statement and no process."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from catalog.descriptions.scope import Scope, wanted
from catalog.descriptions.variants import sql_name
from catalog.gateway import refusals
from catalog.gateway.guard import GrantedTable, ScannedTable, SessionId
from catalog.gateway.sql.show import CATALOG, SCHEMA
from catalog.gateway.sql.tree import fold
from catalog.warehouse import (
    Snapshot,
    Warehouse,
    WarehouseError,
    duckdb_relation_sql,
    granted_files,
)

_PINNED: Final = re.compile(r'"([A-Za-z][A-Za-z0-9_]{0,80})@([0-9]{1,19})"')
MOST_CUTS: Final = 512  # versions cut down to grants that are kept ready
FRESH: Final = 1.0  # how long a looked-up version counts as the newest [s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where sockets and files are, seen from outside and from inside the sandboxes.

    Attributes
    ----------
    run
        Folder of the gateway's sockets, outside.
    warehouse
        Folder of the data files, outside.
    walled
        Whether sandboxes have their own view (`/data`, `/run/campus`); False for plain processes.
    """

    run: Path
    warehouse: Path
    walled: bool

    def session(self, session_id: SessionId) -> Path:
        """The session's socket folder, outside."""
        return self.run / "gateway" / session_id

    def data(self, path: str) -> str:
        """A warehouse file as the worker sees it."""
        return f"/data/{path}" if self.walled else str(self.warehouse / path)

    def worker_socket(self, session_id: SessionId, generation: int) -> str:
        """A worker's socket as the worker and the session see it."""
        folder = "/run/campus" if self.walled else str(self.session(session_id))
        return f"{folder}/data/worker-{generation}.sock"

    def spill(self, session_id: SessionId) -> str:
        """Folder for what does not fit in memory, as the worker sees it."""
        return "/tmp/spill" if self.walled else str(self.session(session_id) / "data" / "spill")  # noqa: S108


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One granted dataset variant under the name it has in SQL.

    Attributes
    ----------
    grants
        By which its files are read, the one that lasts longest first; never empty.
    snapshot
        A version cut down to the granted files: what is not granted is not even named.
    """

    name: str
    grants: tuple[GrantedTable, ...]
    snapshot: Snapshot

    @property
    def grant(self) -> GrantedTable:
        """The grant that lasts longest."""
        return self.grants[0]

    @property
    def key(self) -> tuple[str, ...]:
        """Columns whose values no two rows share, as was found when the version was published; or nothing.

        A part of the rows has the same key as the whole.
        """
        key = self.snapshot.publication.key
        return key if set(key) <= {field.name for field in self.snapshot.fields} else ()

    @property
    def scanned(self) -> tuple[ScannedTable, ...]:
        """The same for the access log, grant by grant."""
        return tuple(
            ScannedTable(
                dataset=grant.dataset,
                variant=grant.variant,
                snapshot_id=self.snapshot.snapshot_id,
                grant_id=grant.grant_id,
                partitions=grant.partitions,
            )
            for grant in self.grants
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Granted tables by name, and the names of grants that lapsed.

    Attributes
    ----------
    pinned
        Earlier versions that the session asked for, as `name@version`; covered by the table's own grant.
    """

    tables: Mapping[str, Table]
    expired: Mapping[str, datetime]
    pinned: Mapping[str, Table] = field(default_factory=dict)

    @property
    def readable(self) -> Mapping[str, Table]:
        """Every table a statement may name."""
        return {**self.tables, **self.pinned}

    @property
    def files(self) -> tuple[str, ...]:
        """Every data file once; versions of one dataset share files."""
        return tuple(dict.fromkeys(f.path for t in self.readable.values() for f in t.snapshot.files))

    @property
    def versions(self) -> Mapping[str, int]:
        """The version that every readable name stands for."""
        return {name: t.snapshot.snapshot_id for name, t in self.readable.items()}

    @property
    def key(self) -> object:
        """Changes whenever a worker made for it may no longer serve."""
        return tuple(
            sorted(
                (t.name, t.grant.dataset, t.grant.variant, t.snapshot.snapshot_id, t.snapshot.files)
                for t in self.readable.values()
            )
        )

    def demand(self, names: Sequence[str]) -> tuple[Table, ...]:
        """Tables of these names.

        Raises
        ------
        QueryRefused
            `grant-expired` or `table-not-granted`.
        """
        found = []
        for name in names:
            table = next((t for t in self.readable.values() if fold(t.name) == fold(name)), None)
            if table is None:
                self.refuse_expired(name)
                raise refusals.table_not_granted(name, self.tables)
            found.append(table)
        return tuple(found)

    def refuse_expired(self, name: str) -> None:
        """Say so if this name's grant has lapsed."""
        for known, when in self.expired.items():
            if fold(known) == fold(name.split(".")[-1]):
                raise refusals.grant_expired(known, f"{when:%Y-%m-%d %H:%M} UTC")


class Versions:
    """The newest version of each dataset variant, looked up at most once in `FRESH` seconds, as granted."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._known: dict[tuple[str, str], tuple[float, Snapshot | None]] = {}
        self._cuts: dict[tuple[object, ...], tuple[Snapshot, tuple[int, ...]]] = {}
        self._lock = threading.Lock()

    def newest(self, dataset: str, variant: str) -> Snapshot | None:
        """None where nothing is published."""
        with self._lock:
            when, snapshot = self._known.get((dataset, variant), (-FRESH, None))
            if time.monotonic() - when < FRESH:
                return snapshot
        try:
            snapshot = self._warehouse.snapshot(dataset, variant)
        except WarehouseError:
            snapshot = None
        with self._lock:
            self._known[dataset, variant] = (time.monotonic(), snapshot)
        return snapshot

    def version(self, table: Table, snapshot_id: int) -> Snapshot:
        """One version of a granted table, whole.

        Raises
        ------
        QueryRefused
            `no-version`, listing the newest there are.
        """
        grant = table.grant
        try:
            return self._warehouse.snapshot(grant.dataset, grant.variant, snapshot_id)
        except WarehouseError:
            known = [str(s.snapshot_id) for s in self.all(table)]
            raise refusals.no_version(table.name, snapshot_id, known) from None

    def granted(self, name: str, grants: Sequence[GrantedTable], snapshot: Snapshot) -> Table:
        """A table of the files that grants cover; each file is read by the first grant that covers it.

        Grants that add no file are left out, except that a table always keeps one.
        """
        if not grants[0].partitions:
            return Table(name=name, grants=(grants[0],), snapshot=snapshot)
        key = (snapshot.snapshot_id, *(grant.partitions for grant in grants))
        with self._lock:
            known = self._cuts.get(key)
        if known is None:
            known = _cut(snapshot, [grant.partitions for grant in grants])
            with self._lock:
                if len(self._cuts) >= MOST_CUTS:
                    self._cuts.clear()
                self._cuts[key] = known
        cut, used = known
        return Table(name=name, grants=tuple(grants[i] for i in used) or (grants[0],), snapshot=cut)

    def all(self, table: Table) -> tuple[Snapshot, ...]:
        """Every version of a granted table, newest first."""
        return self._warehouse.versions(table.grant.dataset, table.grant.variant)


def _cut(snapshot: Snapshot, scopes: Sequence[Scope]) -> tuple[Snapshot, tuple[int, ...]]:
    """A version's files in any of the scopes, and which scopes add files to those before them."""
    paths: set[str] = set()
    used = []
    for number, scope in enumerate(scopes):
        added = {file.path for file in granted_files(snapshot, wanted(scope))} - paths
        if added:
            used.append(number)
            paths |= added
    files = tuple(file for file in snapshot.files if file.path in paths)
    return replace(snapshot, files=files), tuple(used)


def asked_versions(text: str) -> tuple[tuple[str, int], ...]:
    """(table, version) of every `"table@version"` that a statement names."""
    return tuple((name, int(version)) for name, version in dict.fromkeys(_PINNED.findall(text)))


def pinned(workspace: Workspace, pins: Sequence[tuple[str, int]], versions: Versions) -> Workspace:
    """The workspace with earlier versions of tables that are granted now; others are left out."""
    found = {}
    for name, snapshot_id in pins:
        table = next((t for t in workspace.tables.values() if fold(t.name) == fold(name)), None)
        if table is not None:
            full = f"{table.name}@{snapshot_id}"
            found[full] = versions.granted(full, table.grants, versions.version(table, snapshot_id))
    return replace(workspace, pinned=found)


def resolve(grants: Sequence[GrantedTable], versions: Versions, now: datetime) -> Workspace:
    """Grants to tables: each has the files of the newest version that its grants cover together."""
    held: dict[str, list[GrantedTable]] = {}
    expired: dict[str, datetime] = {}
    for grant in sorted(grants, key=_lasts, reverse=True):
        name = sql_name(grant.dataset, grant.variant)
        if grant.expires is not None and grant.expires <= now:
            expired.setdefault(name, grant.expires)
        else:
            held.setdefault(name, []).append(grant)
    tables: dict[str, Table] = {}
    for name, together in held.items():
        snapshot = versions.newest(together[0].dataset, together[0].variant)
        if snapshot is not None:
            tables[name] = versions.granted(name, together, snapshot)
    return Workspace(tables=tables, expired={n: w for n, w in expired.items() if n not in tables})


def _lasts(grant: GrantedTable) -> tuple[bool, datetime, str]:
    return grant.expires is None, grant.expires or datetime.min.replace(tzinfo=UTC), grant.grant_id


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def views(workspace: Workspace, places: Places) -> list[dict[str, str]]:
    """The statements that make the worker's views."""
    made = []
    for table in workspace.readable.values():
        files = [places.data(f.path) for f in table.snapshot.files]
        select = duckdb_relation_sql(table.snapshot, files, mark=table.name, chosen_by=table.name)
        text = f"CREATE VIEW {CATALOG}.{SCHEMA}.{quoted(table.name)} AS {select}"
        made.append({"name": table.name, "text": text})
    return made


def code_systems(workspace: Workspace, codes: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Table → every column → its code system, empty where it has none."""
    return {
        table.name: {
            f.name: codes.get(table.grant.dataset, {}).get(f.name, "") for f in table.snapshot.fields
        }
        for table in workspace.readable.values()
    }


def columns_of(workspace: Workspace) -> dict[str, tuple[tuple[str, str], ...]]:
    """Table → its columns with the engine's types, in order."""
    return {
        table.name: tuple((f.name, f.duckdb_type) for f in table.snapshot.fields)
        for table in workspace.readable.values()
    }


def keys_of(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """Table → its key, of those that have one."""
    return {table.name: table.key for table in workspace.readable.values() if table.key}


def names_of(tables: Iterable[Table]) -> frozenset[str]:
    """Of the tables and their columns, folded to lower case: names that say nothing of a person."""
    return frozenset(
        name.lower() for t in tables for name in (t.name, *(field.name for field in t.snapshot.fields))
    )


def facts(tables: Sequence[Table], geometry: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """What a reader should know of a result: labels and geometry columns ({name: crs})."""
    return {
        "tables": [t.name for t in tables],
        "synthetic": sorted(t.name for t in tables if t.snapshot.synthetic),
        "snapshots": {t.name: str(t.snapshot.snapshot_id) for t in tables},
        "geometry": {
            geometry[t.grant.dataset][0]: geometry[t.grant.dataset][1]
            for t in tables
            if t.grant.dataset in geometry
        },
    }
