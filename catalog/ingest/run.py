"""One run in a folder of its own: the order in, progress, report, quarantine and result out. Knows no rights.

`order.json` says what to do with which uploads. Everything else is written here, each file as a whole:
`progress.json`, `report.json`, `quarantine.csv`, and last `result.json`. A run that dies leaves no result.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from catalog.descriptions import Dataset, Text
from catalog.errors import CatalogError
from catalog.ingest.delivery import Delivery
from catalog.ingest.findings import Inspection
from catalog.ingest.ingest import DATASETS, Published, inspect, publish
from catalog.ingest.meter import Phase, Progress
from catalog.ingest.model import IngestError
from catalog.ingest.report import of_json, quarantine_csv, read_json, to_json, write_json, write_whole
from catalog.ingest.rows import BOUNDS, Bounds
from catalog.warehouse import AcceptedException, Warehouse

ORDER, PROGRESS, REPORT, RESULT = "order.json", "progress.json", "report.json", "result.json"
QUARANTINE = "quarantine.csv"
SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_SAID = 200  # sentences of progress kept


class RunStep(StrEnum):
    """What a run does."""

    INSPECT = "inspect"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedFile:
    """An upload: the name it was given with, and its content."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do.

    Parameters
    ----------
    attempt
        Counts the starts of this run; a result answers one of them.
    event_id
        Identifier of the audit event that publishing is recorded with, by whoever records it first.
    base
        Version the steward saw compared with, when publishing; None for the first version.
    """

    attempt: int
    step: RunStep
    dataset: str
    files: tuple[OrderedFile, ...]
    by: str
    now: datetime
    event_id: str
    base: int | None
    exceptions: tuple[AcceptedException, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended; `refused` where publishing was, or where nothing could be inspected."""

    attempt: int
    snapshot: int | None
    rows: int
    total_rows: int
    refused: Text | None


def write_order(folder: Path, order: Order) -> None:
    """Give the order; what an earlier attempt left is answered by its number."""
    content = dataclasses.asdict(order) | {"now": order.now.isoformat()}
    write_json(folder / ORDER, content)


def read_order(folder: Path) -> Order:
    """The order of this run.

    Raises
    ------
    CatalogError
        `order-malformed`: it is missing, or no order.
    """
    try:
        content = read_json(folder / ORDER)
        assert content is not None
        order = Order(
            **(
                content
                | {
                    "step": RunStep(content["step"]),
                    "files": tuple(OrderedFile(**f) for f in content["files"]),
                    "now": datetime.fromisoformat(content["now"]),
                    "exceptions": tuple(AcceptedException(**e) for e in content["exceptions"]),
                }
            )
        )
        assert order.files and all(SHA256.fullmatch(f.sha256) and plain(f.name) for f in order.files)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise CatalogError(
            "order-malformed",
            ko="적재 지시를 읽을 수 없습니다. 파일을 다시 올려 주세요",
            en="the order of this run cannot be read; upload the files again",
        ) from error
    return order


def plain(name: str) -> bool:
    """Whether a name is one part of a path, and so stays in its folder."""
    return bool(name) and "/" not in name and "\0" not in name and name not in {".", ".."}


def result_of(folder: Path, attempt: int) -> Result | None:
    """How this attempt ended; None where it has not, or died."""
    content = read_json(folder / RESULT)
    if content is None or content["attempt"] != attempt:
        return None
    refused = content["refused"]
    return Result(**(content | {"refused": None if refused is None else Text(**refused)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an attempt said so far, and how far it is in numbers; None before the first."""

    sentences: tuple[str, ...]
    meter: Progress | None


def progress_of(folder: Path, attempt: int) -> Said:
    """How far this attempt is."""
    content = read_json(folder / PROGRESS)
    if content is None or content["attempt"] != attempt:
        return Said(sentences=(), meter=None)
    meter = content.get("meter")
    return Said(
        sentences=tuple(content["said"]),
        meter=None if meter is None else Progress(**(meter | {"phase": Phase(meter["phase"])})),
    )


def inspection_of(folder: Path) -> Inspection | None:
    """What the last inspection found."""
    content = read_json(folder / REPORT)
    return None if content is None else of_json(content)


def perform(
    folder: Path,
    blobs: Path,
    scratch: Path,
    descriptions: Mapping[str, Dataset],
    warehouse: Warehouse,
    record: Callable[[Order, Published], None],
    *,
    work: Path | None = None,
    bounds: Bounds = BOUNDS,
    datasets: Path = DATASETS,
) -> Result:
    """Do what the order says and write down how it went.

    Parameters
    ----------
    blobs
        Folder of the uploads by content hash.
    scratch
        An empty folder of this run alone, where uploads get back the names they were given with.
    record
        Called after a version was published.
    work
        Folder of the spooled rows; beside the warehouse where none is given.
    bounds
        What reading may take in memory.
    """
    order = read_order(folder)
    telling = Telling(folder, order.attempt)
    try:
        result = _do(
            order, folder, blobs, scratch, descriptions, warehouse, record, telling, work, bounds, datasets
        )
    except CatalogError as error:
        result = _result(order, refused=Text(ko=error.ko, en=error.en))
    write_json(folder / RESULT, dataclasses.asdict(result))
    return result


class Telling:
    """Writes down what is said and how far things are; the page may look at any moment."""

    def __init__(self, folder: Path, attempt: int) -> None:
        self._file = folder / PROGRESS
        self._attempt = attempt
        self._said: list[str] = []
        self._meter: Progress | None = None

    def say(self, text: str) -> None:
        """One more sentence."""
        self._said.append(text)
        self._write()

    def meter(self, progress: Progress) -> None:
        """So far."""
        self._meter = progress
        self._write()

    def _write(self) -> None:
        meter = None if self._meter is None else dataclasses.asdict(self._meter)
        said = self._said[-MOST_SAID:]
        write_json(self._file, {"attempt": self._attempt, "said": said, "meter": meter})


def _do(
    order: Order,
    folder: Path,
    blobs: Path,
    scratch: Path,
    descriptions: Mapping[str, Dataset],
    warehouse: Warehouse,
    record: Callable[[Order, Published], None],
    telling: Telling,
    work: Path | None,
    bounds: Bounds,
    datasets: Path,
) -> Result:
    dataset = descriptions.get(order.dataset)
    if dataset is None:
        raise CatalogError(
            "dataset-unknown",
            ko=f"'{order.dataset}' 데이터셋은 없습니다",
            en=f"there is no dataset '{order.dataset}'",
        )
    files = []
    for file in order.files:
        link = scratch / file.name
        link.symlink_to(blobs / file.sha256)
        files.append(link)
    delivery = inspect(
        dataset,
        files,
        warehouse,
        telling.say,
        meter=telling.meter,
        datasets=datasets,
        work=work,
        bounds=bounds,
    )
    _same_content(order, delivery)
    write_whole(folder / QUARANTINE, quarantine_csv(delivery.inspection))
    write_json(folder / REPORT, to_json(delivery.inspection))
    if order.step is RunStep.INSPECT:
        return _result(order)
    difference = delivery.inspection.difference
    if difference is not None and difference.base != order.base:
        raise IngestError(
            "changed-since",
            file=order.dataset,
            line=None,
            ko="검사한 뒤에 다른 판이 공개되었습니다. 새로 나온 차이를 확인하고 다시 공개하세요",
            en="another version was published since you looked; look at the new difference and publish again",
        )
    done = publish(
        dataset,
        delivery,
        warehouse,
        order.now,
        order.by,
        order.exceptions,
        telling.say,
        meter=telling.meter,
    )
    record(order, done)
    return _result(order, done=done)


def _same_content(order: Order, delivery: Delivery) -> None:
    """What was read is what was uploaded, byte for byte."""
    ordered: dict[str, Any] = {f.name: f.sha256 for f in order.files}
    for source in delivery.sources:
        if ordered.get(source.name) != source.sha256:
            raise IngestError(
                "upload-changed",
                file=source.name,
                line=None,
                ko="올린 뒤에 내용이 바뀌었습니다. 다시 올려 주세요",
                en="its content changed after the upload; upload it again",
            )


def _result(order: Order, *, done: Published | None = None, refused: Text | None = None) -> Result:
    return Result(
        attempt=order.attempt,
        snapshot=None if done is None else done.snapshot_id,
        rows=0 if done is None else done.rows,
        total_rows=0 if done is None else done.total_rows,
        refused=refused,
    )
