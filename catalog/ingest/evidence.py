"""Bytes to text by strict evidence, never lossy. Knows encodings and file signatures; nothing of columns."""

from __future__ import annotations

import codecs
import re
import stat
from pathlib import Path

from catalog.ingest.model import IngestError

LARGEST = 1 << 30
"""Largest file taken [bytes]."""
SIGNATURES = {
    b"PK\x03\x04": ("ZIP 압축 또는 엑셀", "ZIP or spreadsheet"),
    b"\x1f\x8b": ("gzip 압축", "gzip"),
    b"7z\xbc\xaf": ("7z 압축", "7z"),
    b"%PDF": ("PDF", "PDF"),
    b"\xd0\xcf\x11\xe0": ("옛 엑셀(xls) 또는 한글(hwp)", "old Excel or HWP"),
    b"PAR1": ("Parquet", "Parquet"),
    b"\x7fELF": ("실행 파일", "executable"),
}
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")


def read_bytes(path: Path) -> bytes:
    """The whole file.

    Raises
    ------
    IngestError
        `no-file`, `too-large` or `empty`.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise IngestError("no-file", file=path.name, line=None, ko="파일이 아닙니다", en="is not a file")
        if status.st_size > LARGEST:
            size = status.st_size
            raise IngestError(
                "too-large",
                file=path.name,
                line=None,
                ko=f"{size:,}바이트로 한도 {LARGEST:,}바이트를 넘습니다. 기간을 나누어 올리세요",
                en=f"{size:,} bytes exceed the limit of {LARGEST:,}; split it by period",
            )
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise IngestError(
            "no-file",
            file=path.name,
            line=None,
            ko=f"읽을 수 없습니다 ({reason})",
            en=f"cannot be read ({reason})",
        ) from error
    if not content.strip():
        raise IngestError("empty", file=path.name, line=None, ko="내용이 없습니다", en="is empty")
    return content


def decode(content: bytes, name: str) -> tuple[str, str]:
    """(text, encoding) by evidence: a byte-order mark, then strict UTF-8, then strict CP949.

    Raises
    ------
    IngestError
        `binary`, `wrong-encoding` or `damaged-text`; with the line of the first byte that does not fit.
    """
    for signature, (ko, en) in SIGNATURES.items():
        if content.startswith(signature):
            raise IngestError(
                "binary",
                file=name,
                line=None,
                ko=f"글자 파일이 아니라 {ko} 파일입니다. 풀어서 원본 파일을 올리세요",
                en=f"is not text but {en}; unpack it and give the original file",
            )
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise IngestError(
            "wrong-encoding",
            file=name,
            line=None,
            ko="UTF-16입니다. 제공기관의 원본(UTF-8 또는 CP949)을 올리세요",
            en="is UTF-16; give the publisher's original (UTF-8 or CP949)",
        )
    text, encoding = _decode(content, name)
    _no_damage(text, name)
    return text, encoding


def decode_declared(content: bytes, name: str, encoding: str, evidence: bytes) -> tuple[str, str]:
    """(text, encoding) of a file whose header proves a declared one-byte encoding.

    Raises
    ------
    IngestError
        `wrong-encoding`: a byte beyond ASCII is not among those that the header itself proves.
    """
    proven = {b for b in evidence if b >= 0x80}
    stray = next((i for i, b in enumerate(content) if b >= 0x80 and b not in proven), None)
    if stray is not None:
        raise IngestError(
            "wrong-encoding",
            file=name,
            line=content.count(b"\n", 0, stray) + 1,
            ko=f"{encoding}의 증거가 없는 바이트 0x{content[stray]:02X}가 있습니다. 인코딩이 섞였습니다",
            en=f"byte 0x{content[stray]:02X} has no evidence of being {encoding}; are encodings mixed?",
        )
    text = content.decode(encoding)
    _no_damage(text, name)
    return text, encoding


def _no_damage(text: str, name: str) -> None:
    damage = CONTROL.search(text)
    if damage:
        line = text.count("\n", 0, damage.start()) + 1
        raise IngestError(
            "damaged-text",
            file=name,
            line=line,
            ko=f"글자가 아닌 값(U+{ord(damage[0]):04X})이 있습니다. 파일이 손상되었습니다",
            en=f"holds U+{ord(damage[0]):04X}, which is no text; the file is damaged",
        )


def _decode(content: bytes, name: str) -> tuple[str, str]:
    if content.startswith(codecs.BOM_UTF8):
        try:
            return content.decode("utf-8-sig"), "utf-8-sig"
        except UnicodeDecodeError as error:
            raise _undecodable(content, name, error, "UTF-8 (BOM)") from error
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        not_utf8 = error
    first = content.split(b"\n", 1)[0]
    if not first.isascii() and _fits(first, "utf-8"):
        raise _undecodable(content, name, not_utf8, "UTF-8") from not_utf8
    try:
        return content.decode("cp949"), "cp949"
    except UnicodeDecodeError as error:
        raise _undecodable(content, name, error, "UTF-8·CP949") from error


def _fits(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _undecodable(content: bytes, name: str, error: UnicodeDecodeError, tried: str) -> IngestError:
    where = error.start + (len(codecs.BOM_UTF8) if tried.endswith("(BOM)") else 0)
    byte = content[where]
    return IngestError(
        "wrong-encoding",
        file=name,
        line=content.count(b"\n", 0, where) + 1,
        ko=f"{tried}로 읽을 수 없는 바이트 0x{byte:02X}가 있습니다. 글자를 버리지 않으므로 거절합니다",
        en=f"byte 0x{byte:02X} is not {tried}; refused because no character is ever dropped",
    )
