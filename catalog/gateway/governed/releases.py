"""What each project was answered from restricted data, in one SQLite file. Judges nothing.

A row a query: it holds what a later query has to be compared with, and the companion evidence by which an
export can be traced to the query that made it. Rows are written before the answer is given and never removed:
an answer that was not fetched counts, since nobody can know.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from catalog.gateway.governed.compose import Cells
from catalog.gateway.governed.plan import Choice, Level, Shape

BUSY: Final = 10.0  # how long another process may hold the file [s]
_TABLE: Final = """CREATE TABLE IF NOT EXISTS releases (
    query_id TEXT PRIMARY KEY, project TEXT NOT NULL, dataset TEXT NOT NULL, snapshot TEXT NOT NULL,
    files TEXT NOT NULL, shape TEXT NOT NULL, merged INTEGER NOT NULL, given INTEGER NOT NULL,
    charged INTEGER NOT NULL, minimum INTEGER NOT NULL, groups TEXT NOT NULL, statement TEXT NOT NULL,
    at TEXT NOT NULL, digest TEXT NOT NULL DEFAULT '') STRICT"""
_INDEX: Final = "CREATE INDEX IF NOT EXISTS releases_of ON releases (project, dataset, snapshot)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as it was counted: its keys as text, and how many units and rows it has.

    Attributes
    ----------
    unit_key, row_key
        Its cell keys, where counts are told with noise; not kept.
    """

    keys: tuple[str | None, ...]
    units: int
    rows: int
    unit_key: int = 0
    row_key: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One governed answer: the companion evidence of a query.

    Attributes
    ----------
    files
        sha256 of the names of the files it was computed from.
    merged
        Groups that went into the remainder [groups].
    groups
        As counted, before any noise; the remainder is the last, without keys. Empty where nothing was given.
    statement
        Without its literals, as the audit log has it; the chosen levels and values are in `shape`.
    charged
        Groups counted against the project's budget; 0 where it had been answered before.
    digest
        sha256 of the result as an Arrow IPC stream of one batch; empty until the query has finished.
    """

    query_id: str
    project: str
    dataset: str
    snapshot_id: int
    files: str
    shape: Shape
    merged: int
    groups: tuple[Group, ...]
    charged: int
    minimum: int
    statement: str
    at: datetime
    digest: str = ""

    @property
    def cells(self) -> Cells:
        """What differences are computed from."""
        return Cells(shape=self.shape, merged=self.merged)


class Releases:
    """The store; safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, timeout=BUSY, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # an answer that was given must not be forgotten
        self._db.execute(_TABLE)
        self._db.execute(_INDEX)

    def remember(self, release: Release) -> None:
        """Keep it; durable when this returns."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    release.query_id,
                    release.project,
                    release.dataset,
                    str(release.snapshot_id),
                    release.files,
                    json.dumps(asdict(release.shape), ensure_ascii=False),
                    release.merged,
                    len(release.groups),
                    release.charged,
                    release.minimum,
                    json.dumps([[list(g.keys), g.units, g.rows] for g in release.groups], ensure_ascii=False),
                    release.statement,
                    release.at.isoformat(),
                    release.digest,
                ),
            )

    def finished(self, query_id: str, digest: str) -> None:
        """Add the digest of the result that was given."""
        with self._transaction() as db:
            db.execute("UPDATE releases SET digest = ? WHERE query_id = ?", (digest, query_id))

    def given(self, project: str, dataset: str, snapshot_id: int) -> tuple[Release, ...]:
        """Every answer of a project from one version, oldest first; those that gave nothing are left out."""
        return self._found(
            "project = ? AND dataset = ? AND snapshot = ? AND given > 0", project, dataset, str(snapshot_id)
        )

    def evidence(self, query_id: str) -> Release | None:
        """The evidence of one query."""
        found = self._found("query_id = ?", query_id)
        return found[0] if found else None

    def used(self, project: str, dataset: str) -> int:
        """Groups a project has been given of a dataset, of all versions together."""
        with self._lock:
            (count,) = self._db.execute(
                "SELECT coalesce(sum(charged), 0) FROM releases WHERE project = ? AND dataset = ?",
                (project, dataset),
            ).fetchone()
        return int(count)

    def close(self) -> None:
        """Nothing is kept back."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._db  # each statement commits by itself

    def _found(self, where: str, *values: str) -> tuple[Release, ...]:
        columns = (
            "query_id, project, dataset, snapshot, files, shape, merged, groups, charged, minimum, "
            "statement, at, digest"
        )
        with self._lock:
            rows = self._db.execute(
                f"SELECT {columns} FROM releases WHERE {where} ORDER BY rowid",  # noqa: S608
                values,
            ).fetchall()
        return tuple(_release(row) for row in rows)


def _release(row: tuple[Any, ...]) -> Release:
    return Release(
        query_id=row[0],
        project=row[1],
        dataset=row[2],
        snapshot_id=int(row[3]),
        files=row[4],
        shape=_shape(json.loads(row[5])),
        merged=row[6],
        groups=tuple(Group(keys=tuple(k), units=u, rows=n) for k, u, n in json.loads(row[7])),
        charged=row[8],
        minimum=row[9],
        statement=row[10],
        at=datetime.fromisoformat(row[11]),
        digest=row[12],
    )


def _shape(value: dict[str, Any]) -> Shape:
    return Shape(
        levels=tuple(Level(**level) for level in value["levels"]),
        choices=tuple(
            Choice(level=Level(**c["level"]), between=c["between"], values=tuple(c["values"]))
            for c in value["choices"]
        ),
    )
