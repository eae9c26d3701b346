"""Loads publisher files once, within walls: named files for the command line, or a run's order.

`… --state VAR --by WHO [--check] [--accept CHECK=REASON]… DATASET FILE…` prints one JSON object a line:
`{"progress": sentence}`, `{"meter": {…}}`, `{"inspected": …}`, then `{"published": …}` or
`{"refused": {"ko": …, "en": …}}`.
`… --state VAR --run ID` does what the order in that run's folder says, answers there and prints nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from access_control.audit.client import AuditClient
from access_control.audit.event import AuditEvent
from access_control.errors import AuditError
from access_control.ingests.record import publication_event
from catalog.descriptions import Dataset, load_all
from catalog.errors import CatalogError
from catalog.ingest import IngestError, Published, inspect, publish
from catalog.ingest.ingest import WORK
from catalog.ingest.meter import Progress
from catalog.ingest.report import to_json
from catalog.ingest.rows import Bounds
from catalog.ingest.run import Order, perform
from catalog.warehouse import AcceptedException, Warehouse
from hub_config.settings import Settings, load

_answers: TextIO = sys.stdout


def main() -> int:
    """Load, record, report; 0 also where it refused, since it said so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--run")
    parser.add_argument("--by")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--accept", action="append", default=[])
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    global _answers
    _answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that draws a bar there must not break an answer
    settings = load({"state": given.state})
    if given.run is not None:
        return _run(settings, given.run)
    try:
        exceptions = tuple(_exception(text) for text in given.accept)
        _ingest(settings, given.by, given.dataset, given.files, exceptions, check_only=given.check)
    except CatalogError as error:
        _say(refused={"ko": error.ko, "en": error.en})
    except AuditError as error:
        ko = f"감사 기록에 쓸 수 없어 적재하지 않았습니다. ({error})"
        _say(refused={"ko": ko, "en": f"the audit log cannot be written, so nothing was loaded ({error})"})
    return 0


def _run(settings: Settings, run_id: str) -> int:
    """What a steward ordered on a page; a run that ends here without a result counts as failed there."""
    uploads = settings.state / "uploads"
    audit = _audit(settings)

    def record(order: Order, done: Published) -> None:
        audit.append(_event(order.by, order.now, done, order.exceptions, order.event_id))

    with tempfile.TemporaryDirectory() as scratch:
        perform(
            uploads / "runs" / run_id,
            uploads / "blobs",
            Path(scratch),
            load_all(settings.repo / "datasets"),
            Warehouse(settings.warehouse, settings.catalog_db),
            record,
            work=settings.state / WORK,
            bounds=_bounds(settings),
        )
    return 0


def _ingest(
    settings: Settings,
    by: str,
    name: str,
    files: list[Path],
    exceptions: Sequence[AcceptedException],
    *,
    check_only: bool,
) -> None:
    dataset = _dataset(settings, name)
    audit = _audit(settings)
    warehouse = Warehouse(settings.warehouse, settings.catalog_db)
    work = settings.state / WORK
    delivery = inspect(
        dataset, files, warehouse, _sentence, meter=_meter, work=work, bounds=_bounds(settings)
    )
    _say(inspected=to_json(delivery.inspection))
    if check_only:
        return
    now = datetime.now(UTC)
    done = publish(dataset, delivery, warehouse, now, by, exceptions, _sentence, meter=_meter)
    audit.append(_event(by, now, done, exceptions))
    _say(
        published={
            "dataset": name,
            "snapshot": done.snapshot_id,
            "rows": done.rows,
            "total_rows": done.total_rows,
            "replaced_synthetic": done.replaced_synthetic,
        }
    )


def _bounds(settings: Settings) -> Bounds:
    """A sixth for the engine of the checks; the sort of a publication has its own bound."""
    return Bounds(engine=settings.ingest_memory // 6)


def _dataset(settings: Settings, name: str) -> Dataset:
    descriptions = load_all(settings.repo / "datasets")
    if name not in descriptions:
        known = ", ".join(sorted(descriptions))
        raise CatalogError(
            "dataset-unknown",
            ko=f"'{name}' 데이터셋은 없습니다. 있는 것: {known}",
            en=f"there is no dataset '{name}'; there are: {known}",
        )
    return descriptions[name]


def _audit(settings: Settings) -> AuditClient:
    """The log's client, once the log answers: what cannot be recorded is not done."""
    audit = AuditClient(settings.socket("audit"))
    audit.ping()
    return audit


def _event(
    by: str,
    now: datetime,
    done: Published,
    exceptions: Sequence[AcceptedException],
    event_id: str | None = None,
) -> AuditEvent:
    files = [(f.name, f.sha256) for f in done.files]
    return publication_event(by, now, done.dataset, done.snapshot_id, done.rows, files, exceptions, event_id)


def _exception(text: str) -> AcceptedException:
    check, _, reason = text.partition("=")
    if not check or not reason.strip():
        raise IngestError(
            "exception-malformed",
            file="--accept",
            line=None,
            ko=f"검사이름=사유 꼴로 적으세요: {text[:80]!r}",
            en=f"write CHECK=REASON, not {text[:80]!r}",
        )
    return AcceptedException(check=check.strip(), reason=reason.strip())


def _sentence(text: str) -> None:
    _say(progress=text)


def _meter(progress: Progress) -> None:
    _say(meter=dataclasses.asdict(progress))


def _say(**values: object) -> None:
    _answers.write(json.dumps(values, ensure_ascii=False) + "\n")
    _answers.flush()


if __name__ == "__main__":
    raise SystemExit(main())
