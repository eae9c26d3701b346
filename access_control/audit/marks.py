"""The small files beside the entries: how far was acknowledged, what was signed, where the tree stood.

`acknowledged`  where the last acknowledged batch ends; overwritten in place without fsync, so after a power
                cut it may lag behind, never run ahead
`checkpoints`   every signed note, oldest first; only appended to
`checkpoint`    the newest note, for whoever fetches it
`public_key`    the verifier key of the notes
`state.json`    the compact range at the start of the newest segment; believed only if a signed note agrees
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from access_control.audit.checkpoint import NOTE_LINES, Checkpoint, PublicKey
from access_control.audit.tree import CompactRange
from access_control.errors import AuditDamaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The last acknowledged batch ends at `offset` of segment `first`; `size` entries were acknowledged."""

    first: int
    offset: int
    size: int

    def data(self) -> bytes:
        """As it is kept."""
        text = b"%012d %012d %012d" % (self.first, self.offset, self.size)
        return b"%b %08x\n" % (text, zlib.crc32(text))


def read_mark(folder: Path) -> Mark | None:
    """How far was acknowledged, as far as that is known."""
    try:
        data = (folder / "acknowledged").read_bytes()
    except FileNotFoundError:
        return None
    text, _, checksum = data.rpartition(b" ")
    if checksum != b"%08x\n" % zlib.crc32(text):
        return None
    first, offset, size = map(int, text.split())
    return Mark(first=first, offset=offset, size=size)


class MarkFile:
    """Keeps the mark while the log is open."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / "acknowledged", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def put(self, mark: Mark) -> None:
        """Overwrite in place. A mark that lags is safe, so a failure here fails nothing."""
        try:
            os.pwrite(self._fd, mark.data(), 0)
        except OSError:
            return

    def close(self) -> None:
        """Let the file go."""
        os.close(self._fd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One signed note, unverified, and the line of `checkpoints` it starts at."""

    text: str
    line: int
    offset: int

    def open(self, key: PublicKey) -> Checkpoint:
        """What it states.

        Raises
        ------
        AuditDamaged
            The key did not sign it.
        """
        try:
            return key.open(self.text)
        except ValueError as error:
            raise AuditDamaged(
                "audit-damaged", file="checkpoints", line=self.line, offset=self.offset, problem=str(error)
            ) from None


def read_notes(folder: Path) -> Iterator[Note]:
    """The whole notes of `checkpoints`, oldest first; a torn last one is left out."""
    try:
        file = (folder / "checkpoints").open("rb")
    except FileNotFoundError:
        return
    with file:
        line, offset = 1, 0
        while True:
            lines = [file.readline() for _ in range(NOTE_LINES)]
            if not lines[-1].endswith(b"\n"):
                return
            data = b"".join(lines)
            yield Note(text=data.decode("utf-8", "replace"), line=line, offset=offset)
            line, offset = line + NOTE_LINES, offset + len(data)


class NotesFile:
    """Appends notes while the log is open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = os.open(folder / "checkpoints", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size, newest = 0, b""
        for note in read_notes(folder):
            newest = note.text.encode()
            self._size += len(newest)
        os.ftruncate(self._fd, self._size)
        if newest:
            replace(folder / "checkpoint", newest)

    def append(self, note: str) -> None:
        """Add a note, durable, and make it the newest; on failure the file is as it was.

        Raises
        ------
        OSError
            It could not be written, for example because the disk is full.
        """
        data = note.encode()
        try:
            written = os.pwrite(self._fd, data, self._size)
            if written != len(data):
                raise OSError(28, "the note was written in part")
            os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)
        replace(self._folder / "checkpoint", data, durable=False)  # the same note is durable above

    def close(self) -> None:
        """Let the file go."""
        os.close(self._fd)


def read_state(folder: Path) -> CompactRange | None:
    """Where the tree stood at the start of the newest segment, unverified."""
    try:
        values = json.loads((folder / "state.json").read_bytes())
        return CompactRange(int(values["size"]), [bytes.fromhex(each) for each in values["hashes"]])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_state(folder: Path, tree: CompactRange) -> None:
    """Keep where the tree stands."""
    values = {"size": tree.size, "hashes": [each.hex() for each in tree.hashes]}
    replace(folder / "state.json", json.dumps(values).encode() + b"\n")


def replace(file: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a small file; it appears whole or not at all."""
    draft = file.with_name(f".{file.name}.draft")
    with draft.open("wb") as out:
        out.write(data)
        out.flush()
        if durable:
            os.fsync(out.fileno())
    draft.replace(file)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
