"""The log in one process: append a batch, durable, each event once. Knows no sockets and no people.

Failures are of two kinds. A full disk refuses the batch and leaves the log as it was, so the next batch may
succeed. Any other failure to write leaves what the disk holds unknown, so the log closes for good.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from access_control.audit import erasing, marks, segment
from access_control.audit.checkpoint import Signer
from access_control.audit.event import Action, AuditEvent, EventId, encode, stamp
from access_control.audit.ids import SortedIds, write_sorted
from access_control.audit.recovery import SET_ASIDE, recover
from access_control.audit.segment import Segment
from access_control.audit.side_store import FILE_BYTES, SideStore, side_of
from access_control.audit.tree import leaf_hash
from access_control.errors import AuditError, AuditRefused, AuditUnavailable

log = logging.getLogger(__name__)

SEGMENT_BYTES = 64 << 20
CHECKPOINT_EVENTS = 4096
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_RECORDS: Final[Mapping[bytes, bytes]] = MappingProxyType({})


class Log:
    """An append-only log in a folder, held by one process at a time.

    Parameters
    ----------
    folder
        Made if it is not there.
    signer
        Signs checkpoints; its public key is left in the folder.
    now
        When the log is opened, for the record of what recovery set aside.
    segment_bytes
        A segment file is finished when it is this large.
    checkpoint_events
        A checkpoint is signed at least every so many events, and on `close`.
    side_bytes
        A file of literals beside the log is finished when it is this large.

    Raises
    ------
    AuditUnavailable
        Another process holds the log.
    AuditDamaged
        The log is not what was written.
    """

    def __init__(
        self,
        folder: Path,
        signer: Signer,
        now: datetime,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        checkpoint_events: int = CHECKPOINT_EVENTS,
        side_bytes: int = FILE_BYTES,
    ) -> None:
        self.folder = folder
        self._signer = signer
        self._segment_bytes = segment_bytes
        self._checkpoint_events = checkpoint_events
        (folder / segment.SEGMENTS).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = self._hold(folder)
        self._failed = False
        try:
            self._publish_key()
            found = recover(folder, signer.public)
            self._tree, self._ids, self._offset = found.tree, found.ids, found.offset
            self._signed = found.signed
            self._side = SideStore(side_of(folder), self._knows, found.tree.size, file_bytes=side_bytes)
            self._fd = self._open(found.current)
            os.fdatasync(self._fd)
            self._marks = marks.MarkFile(folder)
            self._notes = marks.NotesFile(folder)
        except BaseException:
            os.close(self._lock)
            raise
        self._acknowledge()
        self._record_set_aside(now)

    @property
    def size(self) -> int:
        """How many events are recorded."""
        return self._tree.size

    @property
    def root(self) -> bytes:
        """Root of the Merkle tree over them."""
        return self._tree.root()

    @property
    def signed(self) -> int:
        """How many of them the newest checkpoint covers."""
        return self._signed

    def number_of(self, event_id: bytes) -> int | None:
        """The sequence number under which an event is recorded already."""
        return self._ids.find(event_id)

    def append(
        self,
        batch: Sequence[tuple[bytes, bytes]],
        received: datetime,
        records: Mapping[bytes, bytes] = NO_RECORDS,
    ) -> list[int]:
        """Record (identifier, canonical event) pairs; return the sequence number of each.

        An event that was recorded before keeps its number and is not recorded again. Literals (`records`, by
        identifier) are durable before the events that commit to them are written.

        Raises
        ------
        AuditRefused
            The disk is full; nothing of the batch was recorded.
        AuditUnavailable
            Writing failed in another way; the log is closed for good.
        """
        if self._failed:
            raise AuditUnavailable("audit-unavailable", problem="an earlier write failed")
        at = stamp(received).encode()
        tree = self._tree.copy()
        fresh: dict[bytes, int] = {}
        numbers: list[int] = []
        lines: list[bytes] = []
        for event_id, event in batch:
            seq = fresh.get(event_id)
            if seq is None:
                seq = self._ids.find(event_id)
            if seq is None:
                seq = fresh[event_id] = tree.size
                leaf = segment.body(event, at, seq)
                tree.append(leaf_hash(leaf))
                lines.append(segment.line(leaf))
            numbers.append(seq)
        kept = [records[event_id] for event_id in fresh if event_id in records] if records else []
        if kept:
            self._keep(kept)
        if lines:
            try:
                self._offset += self._write(b"".join(lines))
            except AuditRefused:
                self._forget(kept)  # after anything else the entries may be there, and need theirs
                raise
            self._tree = tree
            self._ids.current.update(fresh)
            self._acknowledge()
            self._tend()
        return numbers

    def erase(
        self, event_id: str, event: bytes, detail: Mapping[str, Any], ids: Sequence[str], received: datetime
    ) -> int:
        """Record an erasure, then overwrite the literals of the recorded events it names.

        Raises
        ------
        AuditRefused
            The event does not name exactly these, or one is not in the log; nothing was erased.
        AuditUnavailable
            Overwriting failed: what is left is overwritten when the log is opened again.
        """
        try:
            wanted = {self._ids.find(bytes.fromhex(each)): each for each in ids}
        except ValueError as error:
            raise AuditRefused("event-malformed", problem=str(error)[:200]) from None
        seqs = {seq: each for seq, each in wanted.items() if seq is not None}
        if len(seqs) != len(ids):
            raise AuditRefused("event-malformed", problem="events are not in the log, or are named twice")
        erasing.named(detail, seqs)
        try:
            what = erasing.spans(self._side.folder, seqs)
            erasing.intend(self._side.folder, event_id, what)
            [number] = self.append([(bytes.fromhex(event_id), event)], received)
            erasing.carry_out(self._side.folder, what)
        except OSError as error:
            if error.errno in FULL:
                raise AuditRefused("audit-full", problem=str(error.strerror)) from error
            self._failed = True
            raise AuditUnavailable("audit-unavailable", problem=str(error.strerror)) from error
        return number

    def checkpoint(self) -> str | None:
        """Sign what is recorded, unless that is signed already; return the note.

        Raises
        ------
        OSError
            It could not be written.
        """
        if self.size == self._signed:
            return None
        note = self._signer.sign(self.size, self.root)
        self._notes.append(note)
        self._signed = self.size
        return note

    def close(self) -> None:
        """Sign what is recorded and let the folder go."""
        if self._lock < 0:
            return
        try:
            if not self._failed:
                self.checkpoint()
        except OSError as error:
            log.warning("the last checkpoint could not be written: %s", error.strerror)
        finally:
            self._marks.close()
            self._notes.close()
            self._ids.close()
            self._side.close()
            os.close(self._fd)
            os.close(self._lock)
            self._lock = -1

    def _knows(self, event_id: bytes) -> bool:
        return self._ids.find(event_id) is not None

    def _keep(self, records: list[bytes]) -> None:
        try:
            self._side.append(records)
        except OSError as error:
            if error.errno in FULL:
                raise AuditRefused("audit-full", problem=str(error.strerror)) from error
            self._failed = True
            raise AuditUnavailable("audit-unavailable", problem=str(error.strerror)) from error

    def _forget(self, records: list[bytes]) -> None:
        """Literals of a batch that was not recorded; what stays is dropped at the next start."""
        try:
            if records:
                self._side.take_back()
        except OSError as error:
            log.warning("literals of a refused batch could not be dropped yet: %s", error.strerror)

    def _write(self, data: bytes) -> int:
        try:
            view = memoryview(data)
            done = 0
            while done < len(data):
                done += os.pwrite(self._fd, view[done:], self._offset + done)
            os.fdatasync(self._fd)
        except OSError as error:
            self._take_back(error)
        return len(data)

    def _take_back(self, error: OSError) -> None:
        """Leave the file as it was before the failed write, or close the log if that is not certain."""
        try:
            if error.errno not in FULL:
                raise error
            os.ftruncate(self._fd, self._offset)
            os.fdatasync(self._fd)
        except OSError as worse:
            self._failed = True
            raise AuditUnavailable("audit-unavailable", problem=str(worse.strerror)) from worse
        raise AuditRefused("audit-full", problem=str(error.strerror)) from error

    def _acknowledge(self) -> None:
        self._marks.put(marks.Mark(first=self._current.first, offset=self._offset, size=self.size))

    def _tend(self) -> None:
        """Checkpoint and finish the segment when due. The batch is durable: failing here only postpones."""
        try:
            if self.size - self._signed >= self._checkpoint_events:
                self.checkpoint()
            if self._offset >= self._segment_bytes:
                self._finish_segment()
            self._side.tend(self.size)
        except OSError as error:
            log.warning("the audit log could not be tended, trying again later: %s", error.strerror)

    def _finish_segment(self) -> None:
        """Go on in a new file. Creating it comes last: until then the old one stays the current one."""
        self.checkpoint()
        done = self._current
        write_sorted(done.ids, done.first, self._ids.current)
        finished = SortedIds(done.ids, done.first)
        marks.write_state(self.folder, self._tree)
        following = Segment(path=done.path.with_name(segment.name(self.size)), first=self.size)
        old, self._fd = self._fd, self._open(following)
        os.close(old)
        self._ids.finished.append(finished)
        self._ids.current = {}
        self._offset = 0
        self._acknowledge()

    def _open(self, current: Segment) -> int:
        new = not current.path.exists()
        fd = os.open(current.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            marks.sync_folder(current.path.parent)
        except OSError:
            os.close(fd)
            if new:
                current.path.unlink()
            raise
        self._current = current
        return fd

    def _publish_key(self) -> None:
        file = self.folder / "public_key"
        text = self._signer.public.text() + "\n"
        if not file.exists():
            marks.replace(file, text.encode())
        elif file.read_text("utf-8") != text:
            raise AuditError("audit-key", file=str(file), problem="the log was signed with another key")

    def _record_set_aside(self, now: datetime) -> None:
        """Record what recovery set aside, now or in an earlier start that was cut short."""
        batch = []
        for file in sorted((self.folder / SET_ASIDE).glob("[0-9]*")):
            event_id = hashlib.sha256(file.name.encode()).digest()[:16]
            event = AuditEvent(
                event_id=EventId(event_id.hex()),
                time=now,
                actor="campus",
                action=Action.AUDIT_RECOVERED,
                object=file.name,
                detail={
                    "bytes": file.stat().st_size,
                    "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                    "why": "written in part and never acknowledged",
                },
            )
            batch.append((event_id, encode(event)))
        if batch:
            self.append(batch, now)

    @staticmethod
    def _hold(folder: Path) -> int:
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise AuditUnavailable("audit-locked", folder=str(folder)) from None
        return fd
