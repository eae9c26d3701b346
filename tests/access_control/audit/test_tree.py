"""The tree is RFC 6962's: its published vectors, an independent implementation, and forged proofs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from access_control.audit.tree import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    consistent,
    included,
    inclusion_proof,
    leaf_hash,
    root_of,
)

# The entries and roots of the certificate-transparency reference implementation.
ENTRIES = [
    bytes.fromhex(each)
    for each in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"
    )
]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
entries = st.lists(st.binary(max_size=40), min_size=1, max_size=70)


def leaves(data: list[bytes]) -> list[bytes]:
    return [leaf_hash(each) for each in data]


def test_published_roots() -> None:
    tree = CompactRange()
    assert tree.root() == EMPTY_ROOT
    for entry, root in zip(ENTRIES, ROOTS, strict=True):
        tree.append(leaf_hash(entry))
        assert tree.root().hex() == root


def test_published_inclusion_proof() -> None:
    assert [each.hex() for each in inclusion_proof(0, leaves(ENTRIES))] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


@given(entries)
def test_same_root_as_an_independent_implementation(data: list[bytes]) -> None:
    other = InmemoryTree(algorithm="sha256")
    tree = CompactRange()
    for entry in data:
        other.append(entry)
        tree.append(leaf_hash(entry))
        assert tree.root() == other.get_state()


@given(entries, st.data())
def test_inclusion_proofs_hold_and_forgeries_do_not(data: list[bytes], draw: st.DataObject) -> None:
    hashes = leaves(data)
    index = draw.draw(st.integers(0, len(data) - 1))
    proof, root, size = inclusion_proof(index, hashes), root_of(hashes), len(data)
    assert included(index, size, hashes[index], proof, root)
    assert not included(index, size, leaf_hash(data[index] + b"x"), proof, root)
    assert not included(index, size, hashes[index], [*proof, root], root)
    assert not included(size, size, hashes[index], proof, root)
    if proof:
        at = draw.draw(st.integers(0, len(proof) - 1))
        forged = [*proof[:at], leaf_hash(proof[at]), *proof[at + 1 :]]
        assert not included(index, size, hashes[index], forged, root)
        assert not included(index, size, hashes[index], proof[:-1], root)


@given(entries, st.data())
def test_consistency_proofs_hold_and_forgeries_do_not(data: list[bytes], draw: st.DataObject) -> None:
    hashes = leaves(data)
    older, newer = draw.draw(st.integers(1, len(data))), len(data)
    proof = consistency_proof(older, hashes)
    old_root, root = root_of(hashes[:older]), root_of(hashes)
    assert consistent(older, newer, proof, old_root, root)
    assert not consistent(older, newer, proof, leaf_hash(old_root), root)
    assert not consistent(older, newer, proof, old_root, leaf_hash(root))
    if proof:
        at = draw.draw(st.integers(0, len(proof) - 1))
        forged = [*proof[:at], leaf_hash(proof[at]), *proof[at + 1 :]]
        assert not consistent(older, newer, forged, old_root, root)
        assert not consistent(older, newer, proof[:-1], old_root, root)


@given(entries, st.data())
def test_a_range_goes_on_from_its_saved_state(data: list[bytes], draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(data)))
    first = CompactRange()
    for entry in data[:cut]:
        first.append(leaf_hash(entry))
    second = CompactRange(first.size, first.hashes)
    for entry in data[cut:]:
        second.append(leaf_hash(entry))
    assert second.root() == root_of(leaves(data))
    assert first.size == cut
