"""The Merkle tree of RFC 6962 §2.1: hashes in, root and proofs out. Knows no events and no files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

HASH_SIZE = 32  # [bytes], SHA-256
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of one entry: SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """What is needed to go on appending: one hash for each one-bit of the size, largest subtree first."""

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if len(self.hashes) != size.bit_count() or any(len(each) != HASH_SIZE for each in self.hashes):
            raise ValueError(f"a tree of {size} entries is not described by {len(self.hashes)} hashes")

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash: amortised one node hash."""
        ones = self.size
        while ones & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            ones >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """MTH of all leaves so far: O(log n)."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def copy(self) -> CompactRange:
        """An independent range with the same leaves."""
        return CompactRange(self.size, self.hashes)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """MTH of leaf hashes."""
    grown = CompactRange()
    for leaf in leaves:
        grown.append(leaf)
    return grown.root()


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(index, leaves) of §2.1.1: proves that a leaf is in the tree.

    Raises
    ------
    IndexError
        No such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} in a tree of {len(leaves)}")
    path: list[bytes] = []
    start, stop = 0, len(leaves)
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(root_of(leaves[middle:stop]))
            stop = middle
        else:
            path.append(root_of(leaves[start:middle]))
            start = middle
    return path[::-1]


def consistency_proof(older: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(older, leaves) of §2.1.2: proves that the tree of the first `older` leaves is a prefix.

    Raises
    ------
    IndexError
        `older` is not between 1 and the number of leaves.
    """
    if not 0 < older <= len(leaves):
        raise IndexError(f"no tree of {older} leaves inside one of {len(leaves)}")
    proof: list[bytes] = []
    start, stop, whole = 0, len(leaves), True
    while older != stop - start:
        middle = _split(stop - start)
        if older <= middle:
            proof.append(root_of(leaves[start + middle : stop]))
            stop = start + middle
        else:
            proof.append(root_of(leaves[start : start + middle]))
            start, older, whole = start + middle, older - middle, False
    if not whole:
        proof.append(root_of(leaves[start:stop]))
    return proof[::-1]


def included(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that `leaf` is entry `index` of the tree (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, grown = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            grown = node_hash(step, grown)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            grown = node_hash(grown, step)
        at, last = at >> 1, last >> 1
    return last == 0 and grown == root


def consistent(older: int, newer: int, proof: Sequence[bytes], older_root: bytes, newer_root: bytes) -> bool:
    """Whether the proof shows that the newer tree only added to the older one (RFC 9162 §2.1.4.2)."""
    if not 0 < older <= newer:
        return False
    if older == newer:
        return not proof and older_root == newer_root
    steps = list(proof)
    if older & (older - 1) == 0:
        steps.insert(0, older_root)
    if not steps:
        return False
    at, last = older - 1, newer - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    return last == 0 and first == older_root and second == newer_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
