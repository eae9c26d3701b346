"""Whether a log is what was written: needs only its folder and the public key, never the writer.

Every line's checksum and number, the Merkle tree over all lines, every signed checkpoint against the tree
at its size, and so every checkpoint against the ones before it. Checkpoints kept elsewhere can be handed in:
they also show a rewrite by whoever holds the signing key. Literals beside the log are held against the
commitments in it; they may be missing only where the log has their erasure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from access_control.audit import marks, segment
from access_control.audit.checkpoint import Checkpoint, PublicKey, parse_public
from access_control.audit.committed import Committed
from access_control.audit.segment import Segment, read_segment
from access_control.audit.tree import CompactRange, leaf_hash
from access_control.errors import AuditDamaged

PROGRESS_EVERY = 1 << 22  # [bytes]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as it was written; `line` is 0 where the whole file is meant."""

    file: str
    line: int
    offset: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} (byte {self.offset}): {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found.

    Parameters
    ----------
    events, root
        Entries read and the root over them; where a line is bad, up to that line.
    covered
        How many of the entries a good checkpoint covers; the ones after it can still be changed unseen.
    checkpoints
        How many good checkpoints there are.
    kept, erased
        Entries whose literals are here and the right ones, and those whose literals were erased on record.
    unfinished
        Bytes of a last line not yet whole, as a running writer may leave for a moment [bytes].
    """

    ok: bool
    events: int
    root: bytes
    problems: tuple[Problem, ...]
    covered: int
    checkpoints: int
    unfinished: int
    kept: int
    erased: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    checkpoint: Checkpoint
    file: str
    line: int
    offset: int


def verify(
    folder: Path,
    public_key: str,
    progress: Progress | None = None,
    held: Sequence[str] = (),
    *,
    literals: bool = True,
) -> Verification:
    """Check a whole log in one pass with little memory.

    Parameters
    ----------
    public_key
        The verifier key as text, `name+id+base64`, from a source the reader trusts.
    progress
        Called now and then with bytes done and bytes in all.
    held
        Signed notes that were kept somewhere else.
    literals
        Whether the literals lie beside the log and are checked; a copy for somebody else comes without.

    Raises
    ------
    ValueError
        The public key is none.
    """
    key = parse_public(public_key)
    mark = marks.read_mark(folder)
    notes, problems = _open_notes(folder, key, held)
    tree = CompactRange()
    pending = sorted(notes, key=lambda each: each.checkpoint.size)
    good: list[_Signed] = []
    committed = Committed(folder)
    unfinished = 0
    try:
        _compare(tree, pending, good, problems)
        for leaf in _leaves(folder, progress):
            if literals:
                committed.see(tree.size, leaf)
            tree.append(leaf_hash(leaf))
            if pending and pending[0].checkpoint.size == tree.size:
                _compare(tree, pending, good, problems)
    except AuditDamaged as error:
        unfinished = _unfinished(folder, error, tree.size, mark)
        if not unfinished:
            problems.append(_problem(error))
    if mark and mark.size > tree.size and not problems:
        what = f"{mark.size} entries were acknowledged, {tree.size} are here"
        problems.append(Problem(file="acknowledged", line=0, offset=0, what=what))
    for each in pending:
        what = f"{each.checkpoint.size} entries were signed, only {tree.size} good ones are here"
        problems.append(Problem(file=each.file, line=each.line, offset=each.offset, what=what))
    for what in committed.problems():
        problems.append(Problem(file="literals", line=0, offset=0, what=what))
    return Verification(
        ok=not problems,
        events=tree.size,
        root=tree.root(),
        problems=tuple(problems),
        covered=max((each.checkpoint.size for each in good), default=0),
        checkpoints=len(good),
        unfinished=unfinished,
        kept=committed.kept,
        erased=committed.erased,
    )


def _open_notes(folder: Path, key: PublicKey, held: Sequence[str]) -> tuple[list[_Signed], list[Problem]]:
    found: list[_Signed] = []
    problems: list[Problem] = []
    size = 0
    for note in marks.read_notes(folder):
        try:
            checkpoint = note.open(key)
        except AuditDamaged as error:
            problems.append(_problem(error))
            continue
        if checkpoint.size < size:
            what = f"the checkpoint of {checkpoint.size} entries follows one of {size}"
            problems.append(Problem(file="checkpoints", line=note.line, offset=note.offset, what=what))
        size = checkpoint.size
        found.append(_Signed(checkpoint=checkpoint, file="checkpoints", line=note.line, offset=note.offset))
    for number, text in enumerate([*held, *_newest(folder)], start=1):
        file = f"held checkpoint {number}" if number <= len(held) else "checkpoint"
        try:
            found.append(_Signed(checkpoint=key.open(text), file=file, line=1, offset=0))
        except ValueError as error:
            problems.append(Problem(file=file, line=1, offset=0, what=str(error)))
    return found, problems


def _newest(folder: Path) -> list[str]:
    try:
        return [(folder / "checkpoint").read_text("utf-8", "replace")]
    except FileNotFoundError:
        return []


def _compare(
    tree: CompactRange, pending: list[_Signed], good: list[_Signed], problems: list[Problem]
) -> None:
    """Take off every pending checkpoint of this size and compare its root."""
    while pending and pending[0].checkpoint.size == tree.size:
        each = pending.pop(0)
        if each.checkpoint.root == tree.root():
            good.append(each)
            continue
        since = max((one.checkpoint.size for one in good), default=0)
        what = f"an entry from {since} to {tree.size - 1} is not the one that was signed"
        problems.append(Problem(file=each.file, line=each.line, offset=each.offset, what=what))


def _leaves(folder: Path, progress: Progress | None) -> Iterator[bytes]:
    """The leaf of every line; the segments have to follow on one another."""
    found = segment.segments(folder)
    if not found:
        raise AuditDamaged(
            "audit-damaged", file=segment.SEGMENTS, line=0, offset=0, problem="there is no log in this folder"
        )
    whole = sum(each.path.stat().st_size for each in found)
    done = reported = seq = 0
    for number, each in enumerate(found):
        if each.first != seq:
            raise _gap(each, f"the segment starts at {each.first}, expected was {seq}")
        try:
            for line in read_segment(each):
                yield line.leaf
                seq += 1
                done += line.size
                if progress and done - reported >= PROGRESS_EVERY:
                    reported = done
                    progress(done, max(whole, done))
        except AuditDamaged as error:
            error.params["last"] = number == len(found) - 1
            raise
    if progress:
        progress(done, done)


def _unfinished(folder: Path, error: AuditDamaged, size: int, mark: marks.Mark | None) -> int:
    """The bytes of a last line still being written; 0 if the error is anything else."""
    if not error.params.get("last") or (mark and mark.size > size):
        return 0
    path = folder / segment.SEGMENTS / str(error.params["file"])
    with path.open("rb") as file:
        file.seek(int(str(error.params["offset"])))
        rest = file.read()
    return 0 if b"\n" in rest else len(rest)


def _gap(each: Segment, problem: str) -> AuditDamaged:
    return AuditDamaged("audit-damaged", file=each.path.name, line=0, offset=0, problem=problem)


def _problem(error: AuditDamaged) -> Problem:
    values = error.params
    return Problem(
        file=str(values["file"]),
        line=int(str(values["line"])),
        offset=int(str(values["offset"])),
        what=str(values["problem"]),
    )
