"""What a log on disk holds when it is opened: the tree, the identifiers, and a torn end set aside.

A crash can leave at most one thing wrong: the last line, written in part and never acknowledged. That is
moved to `set_aside/`. Every other difference from what was written, from what was acknowledged or from what
was signed halts, with the log untouched.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from access_control.audit import marks, segment
from access_control.audit.checkpoint import Checkpoint, PublicKey
from access_control.audit.ids import Ids, SortedIds, write_sorted
from access_control.audit.segment import Segment, damaged, read_segment
from access_control.audit.tree import CompactRange, leaf_hash
from access_control.errors import AuditDamaged

SET_ASIDE = "set_aside"
_ID_KEY = b'"event_id":"'


@dataclass(slots=True, kw_only=True)
class Recovered:
    """A log that is what was written: where to go on."""

    tree: CompactRange
    ids: Ids
    current: Segment
    offset: int
    signed: int  # size of the newest checkpoint


def recover(folder: Path, key: PublicKey) -> Recovered:
    """Read the log and check everything since the newest segment began; set a torn end aside.

    Raises
    ------
    AuditDamaged
        The log is not what was written.
    """
    found = segment.segments(folder)
    if not found:
        found = [Segment(path=folder / segment.SEGMENTS / segment.name(0), first=0)]
        found[0].path.touch(mode=0o600)
    if found[0].first != 0:
        raise _missing(found[0], "the first segment is not here")
    notes = list(marks.read_notes(folder))
    tree = _start(folder, found, notes, key)
    signed = _signed_since(notes, key, tree.size)
    ids = Ids()
    start = tree.size
    offset = 0
    for number, each in enumerate(found):
        last = number == len(found) - 1
        if each.first >= start:
            if each.first != tree.size:
                raise _missing(each, f"entries {tree.size} to {each.first} are missing before it")
            offset, ids.current = _scan(folder, each, tree, signed, last=last)
        if not last:
            ids.finished.append(_finished(each, found[number + 1].first))
    newest = max(signed, default=0)
    mark = marks.read_mark(folder)
    if tree.size < newest or (mark and tree.size < mark.size):
        wanted = max(newest, mark.size if mark else 0)
        raise _missing(found[-1], f"{wanted} entries were acknowledged and {tree.size} are here", offset)
    return Recovered(tree=tree, ids=ids, current=found[-1], offset=offset, signed=newest)


def event_id_of(leaf: bytes) -> bytes:
    """The identifier inside a leaf. The fields after it are plain text, which escapes every quote."""
    start = leaf.rindex(_ID_KEY) + len(_ID_KEY)
    return bytes.fromhex(leaf[start : start + 32].decode("ascii"))


def _start(folder: Path, found: list[Segment], notes: list[marks.Note], key: PublicKey) -> CompactRange:
    """The tree at the start of the newest segment if a signed note confirms it, else the empty tree."""
    state = marks.read_state(folder)
    if state and state.size == found[-1].first:
        stated = f"\n{state.size}\n"
        for note in reversed(notes):
            if stated in note.text and note.open(key).root == state.root():
                return state
    return CompactRange()


def _signed_since(notes: list[marks.Note], key: PublicKey, size: int) -> dict[int, Checkpoint]:
    found: dict[int, Checkpoint] = {}
    for note in reversed(notes):
        checkpoint = note.open(key)
        if checkpoint.size < size:
            break
        found[checkpoint.size] = checkpoint
    return found


def _scan(
    folder: Path, each: Segment, tree: CompactRange, signed: dict[int, Checkpoint], *, last: bool
) -> tuple[int, dict[bytes, int]]:
    ids: dict[bytes, int] = {}
    offset = 0
    try:
        for line in read_segment(each):
            ids[event_id_of(line.leaf)] = tree.size
            tree.append(leaf_hash(line.leaf))
            offset = line.offset + line.size
            checkpoint = signed.get(tree.size)
            if checkpoint and checkpoint.root != tree.root():
                raise damaged(each, line.number, line.offset, "the entries up to here are not those signed")
    except AuditDamaged as error:
        if not (last and error.params["offset"] == offset and _torn(folder, each, offset)):
            raise
        _set_aside(folder, each, offset)
    return offset, ids


def _torn(folder: Path, each: Segment, offset: int) -> bool:
    """Whether all from `offset` on is one line written in part, after everything acknowledged."""
    mark = marks.read_mark(folder)
    if mark and (mark.first > each.first or (mark.first == each.first and mark.offset > offset)):
        return False
    with each.path.open("rb") as file:
        file.seek(offset)
        return b"\n" not in file.read()


def _set_aside(folder: Path, each: Segment, offset: int) -> None:
    with each.path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    (folder / SET_ASIDE).mkdir(exist_ok=True, mode=0o700)
    digest = hashlib.sha256(data).hexdigest()
    marks.replace(folder / SET_ASIDE / f"{each.first:012d}-{offset:012d}-{digest[:16]}", data)
    marks.sync_folder(folder / SET_ASIDE)
    marks.sync_folder(folder)
    os.truncate(each.path, offset)


def _finished(each: Segment, after: int) -> SortedIds:
    """The identifiers of a finished segment, written anew if they are not there or not complete."""
    try:
        found = SortedIds(each.ids, each.first)
        if found.count == after - each.first:
            return found
        found.close()
    except (OSError, ValueError):
        pass
    ids = {event_id_of(line.leaf): each.first + n for n, line in enumerate(read_segment(each))}
    if len(ids) != after - each.first:
        raise _missing(each, f"it holds {len(ids)} entries of {after - each.first}")
    write_sorted(each.ids, each.first, ids)
    return SortedIds(each.ids, each.first)


def _missing(each: Segment, problem: str, offset: int = 0) -> AuditDamaged:
    return AuditDamaged("audit-damaged", file=each.path.name, line=0, offset=offset, problem=problem)
