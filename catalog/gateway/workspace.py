"""What one session may read now, as files and views for its worker. Knows no statement and no process."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from catalog.descriptions.variants import sql_name
from catalog.gateway import refusals
from catalog.gateway.guard import GrantedTable, ScannedTable, SessionId
from catalog.gateway.sql.tree import CATALOG, SCHEMA, fold
from catalog.warehouse import Snapshot, Warehouse, WarehouseError, duckdb_relation_sql

_PINNED: Final = re.compile(r'"([A-Za-z][A-Za-z0-9_]{0,80})@([0-9]{1,19})"')
MOST_PINS: Final = 4  # earlier versions one session has mounted at once
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
    """One granted dataset variant under the name it has in SQL."""

    name: str
    grant: GrantedTable
    snapshot: Snapshot

    @property
    def scanned(self) -> ScannedTable:
        """The same for the access log."""
        return ScannedTable(
            dataset=self.grant.dataset,
            variant=self.grant.variant,
            snapshot_id=self.snapshot.snapshot_id,
            grant_id=self.grant.grant_id,
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
    def key(self) -> tuple[tuple[str, str, str, int], ...]:
        """Changes whenever a worker made for it may no longer serve."""
        return tuple(
            sorted(
                (t.name, t.grant.dataset, t.grant.variant, t.snapshot.snapshot_id)
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
    """The newest version of each dataset variant, looked up at most once in `FRESH` seconds."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._known: dict[tuple[str, str], tuple[float, Snapshot | None]] = {}
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
        """One version of a granted table.

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

    def all(self, table: Table) -> tuple[Snapshot, ...]:
        """Every version of a granted table, newest first."""
        return self._warehouse.versions(table.grant.dataset, table.grant.variant)


def asked_versions(text: str) -> tuple[tuple[str, int], ...]:
    """(table, version) of every `"table@version"` that a statement names."""
    return tuple((name, int(version)) for name, version in dict.fromkeys(_PINNED.findall(text)))


def wanted_pins(
    workspace: Workspace, text: str, kept: Sequence[tuple[str, int]]
) -> list[tuple[str, int]] | None:
    """Earlier versions to mount for a statement, the least lately asked for given up; None where it has none.

    Raises
    ------
    QueryRefused
        `too-many-versions`.
    """
    asked = [
        (fold(name), version)
        for name, version in asked_versions(text)
        if any(fold(known) == fold(name) for known in workspace.tables)
    ]
    if len(asked) > MOST_PINS:
        raise refusals.too_many_versions(MOST_PINS)
    return [*(pin for pin in kept if pin not in asked), *asked][-MOST_PINS:] if asked else None


def pinned(workspace: Workspace, pins: Sequence[tuple[str, int]], versions: Versions) -> Workspace:
    """The workspace with earlier versions of tables that are granted now; others are left out."""
    found = {}
    for name, snapshot_id in pins:
        table = next((t for t in workspace.tables.values() if fold(t.name) == fold(name)), None)
        if table is not None:
            full = f"{table.name}@{snapshot_id}"
            snapshot = versions.version(table, snapshot_id)
            found[full] = Table(name=full, grant=table.grant, snapshot=snapshot)
    return replace(workspace, pinned=found)


def resolve(grants: Sequence[GrantedTable], versions: Versions, now: datetime) -> Workspace:
    """Grants to tables; the longest grant of a dataset variant counts."""
    tables: dict[str, Table] = {}
    expired: dict[str, datetime] = {}
    for grant in sorted(grants, key=lambda g: (g.expires is None, g.expires, g.grant_id)):
        name = sql_name(grant.dataset, grant.variant)
        if grant.expires is not None and grant.expires <= now:
            expired[name] = grant.expires
            continue
        snapshot = versions.newest(grant.dataset, grant.variant)
        if snapshot is not None:
            tables[name] = Table(name=name, grant=grant, snapshot=snapshot)
    return Workspace(tables=tables, expired={n: w for n, w in expired.items() if n not in tables})


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def views(workspace: Workspace, places: Places) -> list[dict[str, str]]:
    """The statements that make the worker's views."""
    made = []
    for table in workspace.readable.values():
        select = duckdb_relation_sql(table.snapshot, [places.data(f.path) for f in table.snapshot.files])
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
