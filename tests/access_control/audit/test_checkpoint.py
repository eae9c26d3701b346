"""Checkpoints are C2SP signed notes that others can check, and nothing else passes for one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_control.audit.checkpoint import Checkpoint, load_signer, parse_public
from access_control.audit.tree import leaf_hash
from access_control.errors import AuditError
from tests.access_control.audit.builders import REPO, SIGNER

# The example of the signed-note reference implementation (golang.org/x/mod/sumdb/note).
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
NEUMANN_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501
)


def test_a_published_note_is_verified_and_is_no_checkpoint_of_ours() -> None:
    key = parse_public(NEUMANN)
    with pytest.raises(ValueError, match="not a checkpoint of this log"):
        key.open(NEUMANN_NOTE)
    with pytest.raises(ValueError, match="signature of PeterNeumann is not valid"):
        key.open(NEUMANN_NOTE.replace("problem is", "problem was"))


def test_a_published_signing_key_is_read(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(NEUMANN_SECRET + "\n")
    file.chmod(0o600)
    assert load_signer(file, create=False).public.text() == NEUMANN


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "audit.key"
    made = load_signer(file, create=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_signer(file, create=True).public == made.public
    assert parse_public(made.public.text()) == made.public


def test_a_key_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    load_signer(file, create=True)
    file.chmod(0o640)
    with pytest.raises(AuditError, match="others can read it"):
        load_signer(file, create=True)


def test_a_missing_key_of_an_existing_log_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(AuditError) as refused:
        load_signer(tmp_path / "gone", create=False)
    assert refused.value.reason == "audit-key"
    assert not (tmp_path / "gone").exists()


@given(st.integers(0, 2**60), st.binary(min_size=1))
def test_what_is_signed_is_read_back(size: int, data: bytes) -> None:
    root = leaf_hash(data)
    note = SIGNER.sign(size, root)
    assert SIGNER.public.open(note) == Checkpoint(origin="campus-audit-test", size=size, root=root)


@given(st.data())
def test_no_changed_byte_passes(draw: st.DataObject) -> None:
    good = SIGNER.public.open(SIGNER.sign(1234, leaf_hash(b"x")))
    note = bytearray(SIGNER.sign(1234, leaf_hash(b"x")).encode())
    at = draw.draw(st.integers(0, len(note) - 1))
    note[at] ^= draw.draw(st.integers(1, 255))
    try:
        opened = SIGNER.public.open(note.decode("utf-8", "replace"))
    except ValueError:
        return
    assert opened == good, "a changed note may only pass if it states the same"


@given(st.text(max_size=300))
def test_no_text_crashes_the_reader(text: str) -> None:
    for reader in (SIGNER.public.open, parse_public):
        with pytest.raises(ValueError):
            reader(text)


def test_the_example_in_the_documentation_verifies() -> None:
    page = (REPO / "docs" / "audit.md").read_text("utf-8")
    [key] = re.findall(r"`(campus-audit-test\+[^`]+)`", page)
    [note] = re.findall(r"```\n(campus-audit-test\n.*?)```", page, re.DOTALL)
    assert parse_public(key).open(note).size == 1
