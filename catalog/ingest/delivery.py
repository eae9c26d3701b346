"""A delivery as inspected, and the rules of when it may be published. Reads rows only to show the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from catalog.descriptions import Text
from catalog.ingest.checks import Check, Kind
from catalog.ingest.compare import Comparison
from catalog.ingest.evaluate import CodeTable, shown
from catalog.ingest.findings import LISTED, BadRow, Failure, Inspection, Outcome, Refusal, Status
from catalog.ingest.model import IngestError
from catalog.ingest.rows import Rows
from catalog.warehouse import AcceptedException, SourceFile

PREVIEWED = 10  # rows
SHORTEST_REASON, LONGEST_REASON = 5, 1000  # characters
DELIVERY = "-"  # file of a problem that is about all files together
NOTHING_TO_COMPARE = Text(
    ko="비교할 실제 자료의 판이 없어 확인하지 않았습니다",
    en="not checked: there is no real version to compare with",
)
NO_CODE_TABLE = Text(
    ko="코드표의 실제 판이 공개되지 않아 확인하지 않았습니다",
    en="not checked: the code table has no real version yet",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What `inspect` found, and the rows `publish` would take.

    Parameters
    ----------
    rows
        The spooled rows of every file that could be read.
    periods
        Periods that they hold; empty where the dataset has none.
    problems
        Every refusal and failing check, in the order they were found.
    """

    inspection: Inspection
    rows: tuple[Rows, ...]
    periods: tuple[str, ...]
    sources: tuple[SourceFile, ...]
    problems: tuple[IngestError, ...]

    @property
    def count(self) -> int:
        """Rows of all files [rows]."""
        return sum(r.count for r in self.rows)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every row in the description's columns and types."""
        for rows in self.rows:
            yield from rows.described()

    def release(self) -> None:
        """Leave the spooled rows for a later run, which then need not read the files again."""
        for rows in self.rows:
            rows.close()
            rows.spool.release()

    def remove(self) -> None:
        """Give the spooled rows' disk space back."""
        for rows in self.rows:
            rows.close()
            rows.spool.remove()


def require_publishable(delivery: Delivery, exceptions: Sequence[AcceptedException]) -> None:
    """Stop unless every file was read and exactly the failing checks are excepted.

    Raises
    ------
    IngestError
        The first problem; `exception-unneeded`, `exception-twice` or `exception-without-reason`.
    """
    inspection = delivery.inspection
    if inspection.refusals:
        raise delivery.problems[0]
    named = [e.check for e in exceptions]
    for exception in exceptions:
        if named.count(exception.check) > 1:
            raise _exception("exception-twice", exception.check, "두 번 적었습니다", "is given twice")
        if exception.check not in inspection.failing:
            failing = ", ".join(inspection.failing) or "-"
            raise _exception(
                "exception-unneeded",
                exception.check,
                f"실패한 검사가 아닙니다. 실패한 검사: {failing}",
                f"is no failing check; failing: {failing}",
            )
        if not SHORTEST_REASON <= len(exception.reason.strip()) <= LONGEST_REASON:
            raise _exception(
                "exception-without-reason",
                exception.check,
                f"예외의 사유를 {SHORTEST_REASON}자 이상 적으세요",
                f"an exception needs a reason of at least {SHORTEST_REASON} characters",
            )
    if set(inspection.failing) - set(named):
        left = {row.rule for row in inspection.quarantine} - set(named)
        raise next((p for p in delivery.problems if _about(p, inspection, left)), delivery.problems[0])


def changed_since(dataset: str) -> IngestError:
    """Another version was published between looking and publishing."""
    return IngestError(
        "changed-since",
        file=dataset,
        line=None,
        ko="검사한 뒤에 다른 판이 공개되었습니다. 다시 검사하고 차이를 확인하세요",
        en="another version was published since the inspection; inspect again and look at the difference",
    )


def outcome(
    check: Check, failures: Sequence[Failure], comparison: Comparison | None, codes: CodeTable
) -> Outcome:
    """One check over all files."""
    status, said = Status.PASSED, None
    rows = tuple(row for failure in failures for row in failure.rows)[:LISTED]
    failing = sum(f.failing for f in failures)
    if failures:
        status, said = Status.FAILED, Text(ko=failures[0].error.ko, en=failures[0].error.en)
    elif comparison is None or (check.kind is Kind.DRIFT and _nothing_before(comparison)):
        status, said = Status.SKIPPED, NOTHING_TO_COMPARE
    elif check.kind is Kind.CODES and codes(check.table, check.others[0]) is None:
        status, said = Status.SKIPPED, NO_CODE_TABLE
    elif check.kind is Kind.DRIFT and (drift := comparison.drift(check)) is not None:
        status, said, failing = Status.FAILED, drift, 1
        rows = (BadRow(file=DELIVERY, line=None, column=check.total, value=drift.ko, rule=check.name),)
    return Outcome(name=check.name, title=check.title, status=status, failing=failing, said=said, rows=rows)


def drifted(found: Outcome) -> IngestError:
    """A failing check that is about all files together, as an error."""
    assert found.said is not None
    return IngestError("drift", file=DELIVERY, line=None, ko=found.said.ko, en=found.said.en)


def refusal(error: IngestError) -> Refusal:
    """A file that could not be read."""
    said = Text(ko=error.ko, en=error.en)
    return Refusal(file=error.file, line=error.line, reason=error.reason, said=said)


def first_rows(rows: Sequence[Rows]) -> tuple[tuple[str, ...], ...]:
    """The first rows as text."""
    for first in rows[:1]:
        for batch in first.described():
            return tuple(tuple(shown(v) for v in row.values()) for row in batch[:PREVIEWED].to_pylist())
    return ()


def _nothing_before(comparison: Comparison) -> bool:
    return comparison.base is None or comparison.base.synthetic


def _about(problem: IngestError, inspection: Inspection, left: set[str]) -> bool:
    """Whether a problem is what one of the checks in `left` said first."""
    return any(o.name in left and o.said is not None and o.said.ko == problem.ko for o in inspection.outcomes)


def _exception(reason: str, check: str, ko: str, en: str) -> IngestError:
    return IngestError(reason, file=f"'{check}'", line=None, ko=ko, en=en)
