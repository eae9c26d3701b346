"""What looking at a delivery found: values only. Knows no file, no check's rule and no page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from catalog.descriptions import Text
from catalog.ingest.model import IngestError

LISTED = 1000  # failing rows listed of one check and file


class Status(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  # what it compares with is not there; said, never hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """One failing row: where it is, what it holds and which rule it breaks.

    Parameters
    ----------
    line
        Line, spreadsheet row or record number from 1; None where rows are missing or a group is meant.
    rule
        The check's name, or the reason code of a refusal.
    """

    file: str
    line: int | None
    column: str
    value: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One check that one file fails: the first failure in words, how many there are, the first of them."""

    error: IngestError
    failing: int
    rows: tuple[BadRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one named check ended over the whole delivery.

    Parameters
    ----------
    failing
        Rows or groups that fail [rows]; `rows` lists the first of them.
    said
        The first failure in words, or why the check was skipped.
    """

    name: str
    title: Text
    status: Status
    failing: int
    said: Text | None
    rows: tuple[BadRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A file that could not be read at all: no exception can be made for it."""

    file: str
    line: int | None
    reason: str
    said: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeen:
    """One file as it was understood; `encoding` is empty for binary formats, `size` in bytes."""

    name: str
    sha256: str
    size: int
    layout: str
    title: Text
    encoding: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What publishing would change.

    Parameters
    ----------
    base
        The version compared with; None for the first.
    synthetic
        Whether that version is a synthetic sample, which gives way whole.
    rows_before, rows_given, rows_after
        Rows of the last version, of the delivery, and of the version it would make [rows].
    added, replaced
        Periods that are new, and periods given again.
    kept
        How many periods stay as they are.
    measure, total_before, total_given
        The main measure and its sums: of the last version's rows in the periods given again, else of all.
    """

    base: int | None
    synthetic: bool
    rows_before: int
    rows_given: int
    rows_after: int
    added: tuple[str, ...]
    replaced: tuple[str, ...]
    kept: int
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    measure: str
    total_before: float
    total_given: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Everything a steward sees before publishing.

    Parameters
    ----------
    columns, preview
        Column names, and the first rows as text.
    difference
        None where a file could not be read.
    """

    dataset: str
    recipe: str
    files: tuple[FileSeen, ...]
    columns: tuple[str, ...]
    preview: tuple[tuple[str, ...], ...]
    outcomes: tuple[Outcome, ...]
    refusals: tuple[Refusal, ...]
    difference: Difference | None

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of the checks that fail."""
        return tuple(o.name for o in self.outcomes if o.status is Status.FAILED)

    @property
    def quarantine(self) -> tuple[BadRow, ...]:
        """Every listed failing row, refused files first."""
        refused = tuple(
            BadRow(file=r.file, line=r.line, column="", value=r.said.ko, rule=r.reason) for r in self.refusals
        )
        return refused + tuple(row for o in self.outcomes for row in o.rows)
