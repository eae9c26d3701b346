"""A delivery as inspected, and the rules of when it may be published. Pure: reads and writes no file."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from catalog.descriptions import Text
from catalog.ingest.checks import Check, Kind
from catalog.ingest.compare import Comparison
from catalog.ingest.evaluate import LISTED, CodeTable, Failure, shown
from catalog.ingest.findings import BadRow, FileSeen, Inspection, Outcome, Refusal, Status
from catalog.ingest.model import Format, IngestError, Parsed
from catalog.warehouse import AcceptedException, SourceFile

PREVIEWED = 10  # rows
SHORTEST_REASON, LONGEST_REASON = 5, 1000  # characters
CHUNK = 1 << 20  # [bytes]
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
        None where no file could be read.
    problems
        Every refusal and failing check, in the order they were found.
    """

    inspection: Inspection
    rows: pa.Table | None
    sources: tuple[SourceFile, ...]
    problems: tuple[IngestError, ...]


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


def file_seen(source: SourceFile, parsed: Parsed, content: bytes) -> FileSeen:
    """How a file was understood."""
    text = parsed.layout.format not in {Format.XLSX, Format.SHAPEFILE}
    return FileSeen(
        name=source.name,
        sha256=source.sha256,
        size=source.size,
        layout=parsed.layout.name,
        title=parsed.layout.title,
        encoding=(parsed.layout.encoding or _encoding(content)) if text else "",
        rows=parsed.rows,
    )


def first_rows(rows: pa.Table | None) -> tuple[tuple[str, ...], ...]:
    """The first rows as text."""
    if rows is None:
        return ()
    return tuple(tuple(shown(v) for v in row.values()) for row in rows.slice(0, PREVIEWED).to_pylist())


def _encoding(content: bytes) -> str:
    """The encoding of text that was read strictly: without a declared one, only these are possible."""
    if content.startswith(codecs.BOM_UTF8):
        return "UTF-8 (BOM)"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), CHUNK):
            decoder.decode(content[start : start + CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "CP949"
    return "UTF-8"


def _nothing_before(comparison: Comparison) -> bool:
    return comparison.base is None or comparison.base.synthetic


def _about(problem: IngestError, inspection: Inspection, left: set[str]) -> bool:
    """Whether a problem is what one of the checks in `left` said first."""
    return any(o.name in left and o.said is not None and o.said.ko == problem.ko for o in inspection.outcomes)


def _exception(reason: str, check: str, ko: str, en: str) -> IngestError:
    return IngestError(reason, file=f"'{check}'", line=None, ko=ko, en=en)
