"""What changed from one version to the next: rows, columns, periods, made up or real. Pure; reads no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.warehouse.model import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A version beside the one before it.

    Attributes
    ----------
    added, gone
        Columns that are new, and that are no more, by their lasting field id.
    renamed, retyped
        (name before, name now); (name, type before, type now).
    periods_new, periods_gone, periods_revised
        Periods by whether their rows are counted before and now; revised ones have another number of rows.
    """

    rows_before: int
    rows_after: int
    added: tuple[str, ...]
    gone: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    retyped: tuple[tuple[str, str, str], ...]
    periods_new: tuple[str, ...]
    periods_gone: tuple[str, ...]
    periods_revised: tuple[str, ...]
    to_real: bool
    to_synthetic: bool

    @property
    def rows(self) -> int:
        """Rows more, or less, than before."""
        return self.rows_after - self.rows_before

    @property
    def same(self) -> bool:
        """Whether nothing that is looked at changed."""
        found = (self.added, self.gone, self.renamed, self.retyped)
        periods = (self.periods_new, self.periods_gone, self.periods_revised)
        return not (self.rows or any(found) or any(periods) or self.to_real or self.to_synthetic)


def difference(
    before: Snapshot,
    after: Snapshot,
    periods_before: Mapping[str, int] | None = None,
    periods_after: Mapping[str, int] | None = None,
) -> Difference:
    """Compare two versions of one dataset.

    Parameters
    ----------
    periods_before, periods_after
        Period → rows, where the dataset has periods and they were counted for both.
    """
    old = {field.field_id: field for field in before.fields}
    new = {field.field_id: field for field in after.fields}
    stayed = [(old[i], new[i]) for i in sorted(old.keys() & new.keys())]
    had, has = (periods_before, periods_after) if periods_before and periods_after else ({}, {})
    return Difference(
        rows_before=before.rows,
        rows_after=after.rows,
        added=tuple(new[i].name for i in sorted(new.keys() - old.keys())),
        gone=tuple(old[i].name for i in sorted(old.keys() - new.keys())),
        renamed=tuple((a.name, b.name) for a, b in stayed if a.name != b.name),
        retyped=tuple(
            (b.name, a.duckdb_type, b.duckdb_type) for a, b in stayed if a.duckdb_type != b.duckdb_type
        ),
        periods_new=tuple(sorted(has.keys() - had.keys())),
        periods_gone=tuple(sorted(had.keys() - has.keys())),
        periods_revised=tuple(sorted(p for p in had.keys() & has.keys() if had[p] != has[p])),
        to_real=before.synthetic and not after.synthetic,
        to_synthetic=after.synthetic and not before.synthetic,
    )
