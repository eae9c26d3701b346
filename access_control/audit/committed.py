"""Whether the literals beside a log are those its entries commit to, or were erased on record.

Fed with the entries in order, as `verify` reads them; only the log says what may be missing. Changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from access_control.audit import erasing, segment
from access_control.audit.event import Action
from access_control.audit.literals import commitment_of
from access_control.audit.segment import read_segment
from access_control.audit.side_reader import SideReader
from access_control.audit.side_store import side_of

MOST: Final = 20  # entries that are named; of more only the number is said
_MARKS: Final = (b'"commitment":"', b'"%b"' % str(Action.AUDIT_LITERALS_ERASED).encode())


class Committed:
    """What the entries seen so far say of their literals.

    Attributes
    ----------
    kept, erased
        Entries whose literals are here and the right ones, and those whose literals were erased on record.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader = SideReader(side_of(folder))
        self._missing: set[int] = set()
        self._changed: list[int] = []
        self._unsure: dict[int, int] = {}  # erased on record, but were here: by which entry
        self.kept = self.erased = 0

    def see(self, seq: int, leaf: bytes) -> None:
        """Look at one entry."""
        if not any(mark in leaf for mark in _MARKS):
            return
        event = json.loads(leaf)["event"]
        if event["action"] == Action.AUDIT_LITERALS_ERASED:
            self._erasure(seq, event["detail"])
        elif (commitment := commitment_of(event)) is not None:
            literals = self._reader.find(seq, event["event_id"])
            if literals is None:
                self._missing.add(seq)
            elif literals.commitment(event["event_id"]) != commitment:
                self._changed.append(seq)
            else:
                self.kept += 1

    def problems(self) -> list[str]:
        """What is not as it should be, after the last entry."""
        still = self._still_here()
        return [
            *_said("is not here whole, and no erasure of it is on record", sorted(self._missing)),
            *_said("is not what was recorded", self._changed),
            *_said("is still here, though its erasure is on record", still),
        ]

    def _erasure(self, seq: int, detail: dict[str, Any]) -> None:
        try:
            named = erasing.numbers(detail.get("entries"))
        except ValueError:  # the writer takes no such event
            return
        for number in named:
            if number in self._missing:
                self._missing.remove(number)
                self.erased += 1
            elif number < seq:
                self._unsure[number] = seq

    def _still_here(self) -> list[int]:
        """Of the erased entries that were here when they were read, those that are here now."""
        found: list[int] = []
        if not self._unsure:
            return found
        for each in segment.segments(self._folder):
            for place, line in enumerate(read_segment(each)):
                seq = each.first + place
                if seq not in self._unsure:
                    continue
                event = json.loads(line.leaf)["event"]
                if commitment_of(event) is not None and self._reader.line(seq, event["event_id"]) is not None:
                    found.append(seq)
        return found


def _said(problem: str, entries: Sequence[int]) -> list[str]:
    more = [f"{len(entries) - MOST} more entries whose literal part {problem}"] if len(entries) > MOST else []
    return [f"the literal part of entry {seq} {problem}" for seq in entries[:MOST]] + more
