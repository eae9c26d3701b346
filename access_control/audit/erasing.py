"""Erases literals: written down, recorded in the log, then overwritten, so a crash cannot lose half of it.

`erasing.json` beside the literals says what is about to be overwritten, and by which event of the log. If the
writer dies after that event is recorded, it overwrites the rest when it starts again; if before, nothing was
promised and nothing is erased. Knows places in files, not what stands there, nor who may erase.
Blocks of the disk that an earlier version of a file lay on are out of its reach.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from access_control.audit import marks
from access_control.audit.side_reader import ERASED, SUFFIX, SideReader
from access_control.errors import AuditDamaged, AuditRefused

INTENT: Final = "erasing.json"
MOST: Final = 10_000  # entries of one erasure, so that its event can name them all

Span = tuple[str, int, int]
"""Name of a file, where a line starts in it, and how long it is without its line end [bytes]."""


def ranges(numbers: Iterable[int]) -> str:
    """Numbers of entries as an event names them: `3,7-9`."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in parts)


def numbers(text: Any) -> list[int]:
    """The numbers that `ranges` wrote.

    Raises
    ------
    ValueError
        It did not write this.
    """
    found: list[int] = []
    for part in str(text).split(","):
        first, dash, last = part.partition("-")
        if not (part.isascii() and len(part) < 40 and first.isdigit() and last.isdigit() == bool(dash)):
            raise ValueError("entries are not numbers and ranges of numbers")
        low, high = int(first), int(last or first)
        if high < low or (found and low <= found[-1]) or high - low >= MOST or len(found) > MOST:
            raise ValueError(f"entries are not in order, or more than {MOST}")
        found += range(low, high + 1)
    return found


def named(detail: Mapping[str, Any], seqs: Iterable[int]) -> None:
    """Check that an erasure's event names exactly the entries it is about.

    Raises
    ------
    AuditRefused
        It does not.
    """
    wanted = sorted(seqs)
    try:
        if not wanted or numbers(detail.get("entries")) != wanted or detail.get("count") != len(wanted):
            raise ValueError("the event does not name the entries that are to be erased")
    except ValueError as error:
        raise AuditRefused("event-malformed", problem=str(error)[:200]) from None


def spans(folder: Path, wanted: Mapping[int, str]) -> list[Span]:
    """Where the literals of these entries stand: number → identifier; those not here are left out."""
    reader = SideReader(folder)
    found = (reader.line(seq, wanted[seq]) for seq in sorted(wanted))
    return [(place[0].name, place[1].offset, place[1].size - 1) for place in found if place is not None]


def intend(folder: Path, event_id: str, what: list[Span]) -> None:
    """Write down, durably, what the event with this identifier will erase."""
    marks.replace(folder / INTENT, json.dumps({"event_id": event_id, "spans": what}).encode())
    marks.sync_folder(folder)


def carry_out(folder: Path, what: Iterable[Span]) -> None:
    """Overwrite, durably, and forget the intent."""
    by_file: dict[str, list[tuple[int, int]]] = {}
    for name, offset, size in what:
        by_file.setdefault(name, []).append((offset, size))
    for name, places in by_file.items():
        if not (folder / name).exists():
            continue
        fd = os.open(folder / name, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            end = os.fstat(fd).st_size
            for offset, size in places:
                os.pwrite(fd, ERASED * max(0, min(size, end - offset)), offset)
            os.fsync(fd)
        finally:
            os.close(fd)
    (folder / INTENT).unlink(missing_ok=True)
    marks.sync_folder(folder)


def finish(folder: Path, known: Callable[[bytes], bool]) -> None:
    """Do what an earlier writer recorded and did not finish; forget what it did not record.

    Raises
    ------
    AuditDamaged
        The intent cannot be read.
    """
    try:
        values = json.loads((folder / INTENT).read_bytes())
        what = [(Path(name).name, int(offset), int(size)) for name, offset, size in values["spans"]]
        recorded = known(bytes.fromhex(values["event_id"]))
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError) as error:
        raise AuditDamaged(
            "audit-damaged", file=INTENT, line=1, offset=0, problem="it does not say what is to be erased"
        ) from error
    carry_out(folder, [span for span in what if recorded and span[0].endswith(SUFFIX)])
