"""Which encoding bytes are in, by strict evidence and never lossy. Knows file signatures; nothing of columns.

The evidence is looked at block by block, so that a file of any size is judged in bounded memory: a byte-order
mark, then strict UTF-8, then strict CP949; or the proof that a declared one-byte encoding's own header gives.
"""

from __future__ import annotations

import codecs
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.ingest.model import IngestError

LARGEST_WHOLE = 128 << 20
"""Largest file of a format that is read whole: JSON, spreadsheet, shapefile part [bytes]."""
SIGNATURES = {
    b"PK\x03\x04": ("ZIP 압축 또는 엑셀", "ZIP or spreadsheet"),
    b"\x1f\x8b": ("gzip 압축", "gzip"),
    b"7z\xbc\xaf": ("7z 압축", "7z"),
    b"%PDF": ("PDF", "PDF"),
    b"\xd0\xcf\x11\xe0": ("옛 엑셀(xls) 또는 한글(hwp)", "old Excel or HWP"),
    b"PAR1": ("Parquet", "Parquet"),
    b"\x7fELF": ("실행 파일", "executable"),
}
CONTROLS = bytes({*range(9), 11, 12, *range(14, 32), 127})
HARMLESS = bytes(set(range(256)) - set(CONTROLS))
REPLACEMENT = "\ufffd".encode()
ASCII = bytes(range(128))
UTF8, UTF8_MARKED, CP949 = "utf-8", "utf-8-sig", "cp949"


def regular(path: Path) -> int:
    """Size of a regular file [bytes].

    Raises
    ------
    IngestError
        `no-file`: it is none, or cannot be looked at.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path.name, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise IngestError("no-file", file=path.name, line=None, ko="파일이 아닙니다", en="is not a file")
    return status.st_size


def unreadable(name: str, error: OSError) -> IngestError:
    """A refusal for what the system says."""
    reason = error.strerror or str(error)
    ko, en = f"읽을 수 없습니다 ({reason})", f"cannot be read ({reason})"
    return IngestError("no-file", file=name, line=None, ko=ko, en=en)


def empty(name: str) -> IngestError:
    """A refusal for nothing but blanks."""
    return IngestError("empty", file=name, line=None, ko="내용이 없습니다", en="is empty")


def read_bytes(path: Path) -> bytes:
    """The whole file, of a format that cannot be read in pieces.

    Raises
    ------
    IngestError
        `no-file`, `too-large` or `empty`.
    """
    size = regular(path)
    if size > LARGEST_WHOLE:
        raise IngestError(
            "too-large",
            file=path.name,
            line=None,
            ko=f"{size:,}바이트입니다. 이 형식은 통째로 읽으므로 {LARGEST_WHOLE:,}바이트까지 받습니다. "
            "기간을 나누거나 CSV로 받아 올리세요",
            en=f"{size:,} bytes; this format is read whole and taken up to {LARGEST_WHOLE:,}; "
            "split it by period, or get it as CSV",
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path.name, error) from error
    if not content.strip():
        raise empty(path.name)
    return content


def decode(content: bytes, name: str) -> tuple[str, str]:
    """(text, encoding) of content that is in memory whole.

    Raises
    ------
    IngestError
        `binary`, `wrong-encoding` or `damaged-text`; with the line of the first byte that does not fit.
    """
    evidence = Evidence(name, content.split(b"\n", 1)[0], lambda start: [content[start:]])
    evidence.see(content)
    encoding = evidence.settle()
    return content.decode(encoding), encoding


class Evidence:
    """What the blocks seen so far, in order, prove about the encoding of a file.

    Parameters
    ----------
    first
        The first line, without its end.
    again
        The bytes seen so far from an offset on, once more, in pieces that break no character.
    declared
        A one-byte encoding that a layout declares and the bytes of the header that are proof of it.
    """

    def __init__(
        self,
        name: str,
        first: bytes,
        again: Callable[[int], Iterable[bytes]],
        declared: tuple[str, bytes] | None = None,
    ) -> None:
        self._name = name
        self._first = first
        self._again = again
        self._declared = declared
        self._encoding = declared[0] if declared is not None else UTF8
        self._offset = 0
        self._lines = 0
        self._foreign: tuple[int, int] | None = None  # (offset, lines before) of the first non-ASCII block
        self._damage: list[tuple[int, int, int]] = []  # (offset, line, character) of controls
        self._lost: tuple[int, int, int] | None = None  # the same of a replacement character, were it UTF-8

    def see(self, block: bytes) -> None:
        """Take the next block into account; it breaks no character.

        Raises
        ------
        IngestError
            `binary` or `wrong-encoding`.
        """
        if self._offset == 0:
            self._begin(block)
        if block.translate(None, HARMLESS) and not self._damage:
            table = np.isin(np.frombuffer(block, np.uint8), np.frombuffer(CONTROLS, np.uint8))
            self._damage.append(self._at(block, int(np.argmax(table)), block[int(np.argmax(table))]))
        if not block.isascii():
            self._foreign = self._foreign or (self._offset, self._lines)
            self._foreign_bytes(block)
        self._lines += block.count(b"\n")
        self._offset += len(block)

    def settle(self) -> str:
        """The encoding of the whole.

        Raises
        ------
        IngestError
            `damaged-text`: a character that is no text; with its line.
        """
        damage = list(self._damage)
        if self._lost is not None and self._encoding in {UTF8, UTF8_MARKED}:
            damage.append(self._lost)
        if damage:
            _, line, character = min(damage)
            raise IngestError(
                "damaged-text",
                file=self._name,
                line=line,
                ko=f"글자가 아닌 값(U+{character:04X})이 있습니다. 파일이 손상되었습니다",
                en=f"holds U+{character:04X}, which is no text; the file is damaged",
            )
        return self._encoding

    def _begin(self, block: bytes) -> None:
        for signature, (ko, en) in SIGNATURES.items():
            if block.startswith(signature):
                raise IngestError(
                    "binary",
                    file=self._name,
                    line=None,
                    ko=f"글자 파일이 아니라 {ko} 파일입니다. 풀어서 원본 파일을 올리세요",
                    en=f"is not text but {en}; unpack it and give the original file",
                )
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise IngestError(
                "wrong-encoding",
                file=self._name,
                line=None,
                ko="UTF-16입니다. 제공기관의 원본(UTF-8 또는 CP949)을 올리세요",
                en="is UTF-16; give the publisher's original (UTF-8 or CP949)",
            )
        if self._declared is None and block.startswith(codecs.BOM_UTF8):
            self._encoding = UTF8_MARKED

    def _foreign_bytes(self, block: bytes) -> None:
        if self._declared is not None:
            self._proven(block, *self._declared)
            return
        if self._encoding == CP949:
            self._cp949(block, self._lines)
            return
        wrong = _not_utf8(block)
        if wrong is None:
            if self._lost is None and (at := block.find(REPLACEMENT)) >= 0:
                self._lost = self._at(block, at, 0xFFFD)
            return
        if self._encoding == UTF8_MARKED:
            raise self._undecodable(block, wrong, self._lines, "UTF-8 (BOM)")
        if not self._first.isascii() and _not_utf8(self._first) is None:
            raise self._undecodable(block, wrong, self._lines, "UTF-8")
        self._encoding = CP949
        assert self._foreign is not None
        offset, lines = self._foreign
        if offset < self._offset:  # blocks that fitted UTF-8 must fit CP949 as well
            left = self._offset - offset
            for piece in self._again(offset):
                part = piece[:left]
                self._cp949(part, lines)
                lines += part.count(b"\n")
                left -= len(part)
                if not left:
                    break
        self._cp949(block, self._lines)

    def _cp949(self, block: bytes, lines: int) -> None:
        try:
            block.decode(CP949)
        except UnicodeDecodeError as error:
            raise self._undecodable(block, error.start, lines, "UTF-8·CP949") from error

    def _proven(self, block: bytes, encoding: str, evidence: bytes) -> None:
        allowed = ASCII + bytes({b for b in evidence if b >= 0x80})
        if block.translate(None, allowed):
            table = np.isin(np.frombuffer(block, np.uint8), np.frombuffer(allowed, np.uint8))
            at = int(np.argmin(table))
            raise IngestError(
                "wrong-encoding",
                file=self._name,
                line=self._at(block, at, 0)[1],
                ko=f"{encoding}의 증거가 없는 바이트 0x{block[at]:02X}가 있습니다. 인코딩이 섞였습니다",
                en=f"byte 0x{block[at]:02X} has no evidence of being {encoding}; are encodings mixed?",
            )

    def _at(self, block: bytes, index: int, character: int) -> tuple[int, int, int]:
        return self._offset + index, self._lines + block.count(b"\n", 0, index) + 1, character

    def _undecodable(self, block: bytes, at: int, lines: int, tried: str) -> IngestError:
        byte = block[at]
        return IngestError(
            "wrong-encoding",
            file=self._name,
            line=lines + block.count(b"\n", 0, at) + 1,
            ko=f"{tried}로 읽을 수 없는 바이트 0x{byte:02X}가 있습니다. 글자를 버리지 않으므로 거절합니다",
            en=f"byte 0x{byte:02X} is not {tried}; refused because no character is ever dropped",
        )


def _not_utf8(block: bytes) -> int | None:
    """Where strict UTF-8 ends; None where all of it is. Arrow checks several times faster than Python."""
    ends = pa.py_buffer(np.array([0, len(block)], np.int64).tobytes())
    whole: Any = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(block)])
    try:
        whole.cast(pa.large_string())
    except pa.ArrowInvalid:
        try:
            block.decode(UTF8)
        except UnicodeDecodeError as error:
            return error.start
    return None
