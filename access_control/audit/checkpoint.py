"""Signed statements of the tree: C2SP tlog-checkpoint in a C2SP signed note, Ed25519. Knows no events.

A checkpoint is the text `origin LF size LF base64(root) LF`; a note adds an empty line and one line
`— name base64(key id ‖ signature)` for each signature (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from access_control.errors import AuditError

ED25519 = b"\x01"  # signature type of signed-note keys
NOTE_LINES = 5  # of a checkpoint without extension lines and with one signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log called `origin` had `size` entries and this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A name and an Ed25519 key that verifies notes signed under it."""

    name: str
    raw: bytes

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:4]

    def text(self) -> str:
        """The verifier key as one line: `name+id+base64(0x01 ‖ key)`."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.raw).decode()}"

    def open(self, note: str) -> Checkpoint:
        """The checkpoint a note holds, if this key signed it.

        Raises
        ------
        ValueError
            No note, no checkpoint, or not signed by this key.
        """
        text, separator, signatures = note.rpartition("\n\n")
        text += "\n"
        if not separator or not signatures.endswith("\n"):
            raise ValueError("not a signed note")
        for line in signatures[:-1].split("\n"):
            if self._signed(text, line):
                return _parse(text, self.name)
        raise ValueError(f"not signed by {self.name}")

    def _signed(self, text: str, line: str) -> bool:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "—" or name != self.name:
            return False
        signature = _base64(encoded)
        if signature[:4] != self.key_id:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature[4:], text.encode())
        except InvalidSignature:
            raise ValueError(f"the signature of {self.name} is not valid") from None
        return True


class Signer:
    """The private half: signs checkpoints under its name."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(name, self._key.public_key().public_bytes_raw())

    def sign(self, size: int, root: bytes) -> str:
        """A note that says: the log had `size` entries and this root."""
        text = Checkpoint(origin=self.public.name, size=size, root=root).text()
        signature = base64.b64encode(self.public.key_id + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self.public.name} {signature}\n"


def parse_public(text: str) -> PublicKey:
    """The key written by `PublicKey.text`.

    Raises
    ------
    ValueError
        It is no such key.
    """
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _base64(encoded)
    if not name or len(raw) != 33 or raw[:1] != ED25519:
        raise ValueError("not an Ed25519 verifier key")
    key = PublicKey(name, raw[1:])
    if key.key_id.hex() != key_id:
        raise ValueError("the key and its identifier do not belong together")
    return key


def load_signer(file: Path, *, create: bool) -> Signer:
    """The signing key in a file that only its owner can read, made on first use when `create`.

    Raises
    ------
    AuditError
        The file cannot be used; says why.
    """
    if create and not file.exists():
        _create(file)
    try:
        if file.stat().st_mode & 0o077:
            raise ValueError("others can read it; its mode has to be 0600")
        kind, _, rest = file.read_text("ascii").strip().partition("+KEY+")
        name, key_id, encoded = rest.split("+", 2)
        raw = _base64(encoded)
        if kind != "PRIVATE" or len(raw) != 33 or raw[:1] != ED25519:
            raise ValueError("not an Ed25519 signing key")
        signer = Signer(name, raw[1:])
        if signer.public.key_id.hex() != key_id:
            raise ValueError("the key and its identifier do not belong together")
    except (OSError, ValueError) as error:
        raise AuditError("audit-key", file=str(file), problem=str(error)) from error
    return signer


def _create(file: Path) -> None:
    seed = secrets.token_bytes(32)
    signer = Signer(f"campus-audit-{secrets.token_hex(4)}", seed)
    encoded = base64.b64encode(ED25519 + seed).decode()
    line = f"PRIVATE+KEY+{signer.public.name}+{signer.public.key_id.hex()}+{encoded}\n"
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(line)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)


def _parse(text: str, name: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != name:
        raise ValueError("not a checkpoint of this log")
    if not lines[1].isascii() or not lines[1].isdigit() or (len(lines[1]) > 1 and lines[1][0] == "0"):
        raise ValueError("the size is no decimal number")
    root = _base64(lines[2])
    if len(root) != 32:
        raise ValueError("the root is no SHA-256 hash")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None
