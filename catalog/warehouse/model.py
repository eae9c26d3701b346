"""What a published version is: frozen values. Opens no file and imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from catalog.descriptions import PeriodUnit
from catalog.errors import CatalogError

MAIN = "main"


class WarehouseError(CatalogError):
    """A dataset or version is missing, busy, or does not fit its description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A publisher's file that went into a version; `size` [bytes], `rows` [rows taken from it]."""

    name: str
    sha256: str
    size: int
    rows: int
    layout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedException:
    """A named check that failed, and why a steward published all the same."""

    check: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Who published what, when, from which files, over which failing checks; kept in the snapshot.

    Attributes
    ----------
    compaction_of
        The version whose very rows this one holds in fewer files; None for a version of its own.
    key
        Columns of which no two rows of the version have the same values: looked up in all rows by whoever
        publishes them. Empty where that was not done.
    """

    now: datetime
    by: str
    synthetic: bool
    source: str
    recipe: str
    files: tuple[SourceFile, ...] = ()
    exceptions: tuple[AcceptedException, ...] = ()
    compaction_of: int | None = None
    key: tuple[str, ...] = ()

    def properties(self) -> dict[str, str]:
        """As properties of an Iceberg snapshot."""
        files = [
            {"name": f.name, "sha256": f.sha256, "size": f.size, "rows": f.rows, "layout": f.layout}
            for f in self.files
        ]
        made = {
            "campus.published-at": self.now.isoformat(),
            "campus.published-by": self.by,
            "campus.synthetic": "true" if self.synthetic else "false",
            "campus.source": self.source,
            "campus.recipe": self.recipe,
            "campus.files": json.dumps(files, ensure_ascii=False),
            "campus.exceptions": json.dumps(
                [{"check": e.check, "reason": e.reason} for e in self.exceptions], ensure_ascii=False
            ),
        }
        if self.key:
            made["campus.key"] = json.dumps(self.key, ensure_ascii=False)
        if self.compaction_of is not None:
            made["campus.compaction-of"] = str(self.compaction_of)
        return made

    @staticmethod
    def of(properties: Mapping[str, str]) -> Publication:
        """Read back what `properties` wrote."""
        return Publication(
            now=datetime.fromisoformat(properties["campus.published-at"]),
            by=properties["campus.published-by"],
            synthetic=properties["campus.synthetic"] == "true",
            source=properties["campus.source"],
            recipe=properties["campus.recipe"],
            files=tuple(SourceFile(**f) for f in json.loads(properties["campus.files"])),
            exceptions=tuple(
                AcceptedException(**e) for e in json.loads(properties.get("campus.exceptions", "[]"))
            ),
            compaction_of=int(properties["campus.compaction-of"])
            if "campus.compaction-of" in properties
            else None,
            key=tuple(map(str, json.loads(properties.get("campus.key", "[]")))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """The periods a publication replaces; rows of all other periods stay."""

    column: str
    unit: PeriodUnit
    periods: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One immutable Parquet file; `path` is relative to the warehouse folder, `size` in bytes.

    Attributes
    ----------
    partition
        (partition's name, value as text) of every declared partition, the same for all rows of the
        file; a month as `2025-05`. Empty for files of a table that has none, or had none then.
    bounds
        Its columns' lowest and highest values, as `bounds.file_bounds` words them; empty if not known.
    """

    path: str
    rows: int
    size: int
    row_groups: tuple[int, ...]
    partition: tuple[tuple[str, str], ...] = ()
    bounds: str = field(default="", compare=False, repr=False)

    @property
    def bytes(self) -> int:
        """Size on disk [bytes]."""
        return self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a version, by its lasting Iceberg field id."""

    field_id: int
    name: str
    duckdb_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartedBy:
    """What a value in `DataFile.partition` says of a column, for every file that has one by that name.

    Attributes
    ----------
    field_id
        The column it was made from.
    transform
        How, in Iceberg's words: `identity`, `truncate[5]` (the first 5 characters) or `month`.
    """

    name: str
    field_id: int
    transform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One immutable version of a dataset's variant.

    Attributes
    ----------
    parted
        What partitions mean, of those that never meant anything else in this table.
    """

    dataset: str
    variant: str
    snapshot_id: int
    files: tuple[DataFile, ...]
    fields: tuple[Field, ...]
    publication: Publication
    parted: tuple[PartedBy, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(f.rows for f in self.files)

    @property
    def size(self) -> int:
        """Size of all data files [bytes]."""
        return sum(f.size for f in self.files)

    @property
    def content_id(self) -> int:
        """The version that first had these very rows: itself, or the one it is a compaction of."""
        return self.publication.compaction_of or self.snapshot_id

    @property
    def published_at(self) -> datetime:
        """When it was published (UTC)."""
        return self.publication.now

    @property
    def synthetic(self) -> bool:
        """Whether the rows are made up (합성 데이터)."""
        return self.publication.synthetic

    @property
    def source(self) -> str:
        """Where the rows come from, in one line."""
        return self.publication.source
