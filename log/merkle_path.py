"""Merkle paths of a chain's blocks: from a transaction up to the root that a block's header names (BRC-74).

A transaction's id and a root are 64 hex digits in the order that people read.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from log.bitcoin_bytes import HASH_BYTES, Reading, compact_size, lying, readable, twice

DATA: Final = 0
DUPLICATE: Final = 1
TRANSACTION: Final = 2
"""Flags of a leaf: a hash, its neighbour's hash once more, the hash of the transaction that the path is for."""
DEEPEST: Final = 64


class InvalidMerklePath(ValueError):
    """The bytes are no Merkle path, or none of that transaction."""


class Leaf(NamedTuple):
    """A leaf of a level: its hash as it lies there, none where it is its neighbour's once more."""

    hash: bytes | None
    transaction: bool


class MerkleTree:
    """The tree over a block's transactions, in their order; built once, it gives the path of each of them."""

    def __init__(self, txids: Sequence[str]) -> None:
        self._txids, self._levels = txids, _levels(txids)

    @property
    def root(self) -> str:
        """Give what the block's header names."""
        return readable(self._levels[-1][0])

    def bump(self, height: int, txid: str) -> bytes:
        """Write the path of a transaction in the block of a height. Raises ValueError where the block hasn't it."""
        at, levels = self._txids.index(txid), self._levels
        besides = [(level, at >> depth ^ 1) for depth, level in enumerate(levels[:-1])]
        return bump_of_branch(height, at, [level[at] if at < len(level) else None for level, at in besides], txid)


def _levels(txids: Sequence[str]) -> list[list[bytes]]:
    level = [lying(txid) for txid in txids]
    levels = [level]
    while len(level) > 1:
        paired = [*level, level[-1]] if len(level) % 2 else level
        level = [twice(paired[at] + paired[at + 1]) for at in range(0, len(paired), 2)]
        levels.append(level)
    return levels


def merkle_root(txids: Sequence[str]) -> str:
    """Give the root over a block's transactions, in their order."""
    return MerkleTree(txids).root


def bump_of(height: int, txids: Sequence[str], txid: str) -> bytes:
    """Write the path of a transaction in the block of a height. Raises ValueError where the block doesn't have it."""
    return MerkleTree(txids).bump(height, txid)


def bump_of_branch(height: int, at: int, besides: Sequence[bytes | None], txid: str) -> bytes:
    """Write the path of a transaction, the one of that number in its block, from the hashes beside it, level by level.

    None is the hash on its left once more. Raises ValueError.
    """
    written = [compact_size(height), bytes([max(1, len(besides))])]
    if not besides:
        return b"".join([*written, compact_size(1), compact_size(0), bytes([TRANSACTION]), lying(txid)])
    for depth, digest in enumerate(besides):
        beside = at >> depth ^ 1
        leaves = [compact_size(beside) + (bytes([DUPLICATE]) if digest is None else bytes([DATA]) + digest)]
        if depth == 0:
            leaves.insert(at & 1, compact_size(at) + bytes([TRANSACTION]) + lying(txid))
        written += [compact_size(len(leaves)), *leaves]
    return b"".join(written)


def _read(bump: bytes) -> tuple[int, list[dict[int, Leaf]]]:
    reading = Reading(bump, InvalidMerklePath)
    height, deep = reading.size(), reading.number(1)
    if not 1 <= deep <= DEEPEST:
        raise InvalidMerklePath("a Merkle path has 1 to 64 levels")
    levels = [_read_level(reading, depth) for depth in range(deep)]
    if not reading.at_end:
        raise InvalidMerklePath("something follows the Merkle path")
    return height, levels


def _read_level(reading: Reading, depth: int) -> dict[int, Leaf]:
    level = dict[int, Leaf]()
    for _ in range(reading.size()):
        offset, flag = reading.size(), reading.number(1)
        if flag not in {DATA, DUPLICATE, TRANSACTION} or offset in level:
            raise InvalidMerklePath("a leaf of the Merkle path is there twice, or of no known kind")
        if flag == TRANSACTION and depth > 0:
            raise InvalidMerklePath("a transaction lies above the lowest level of the Merkle path")
        level[offset] = Leaf(None if flag == DUPLICATE else reading.take(HASH_BYTES), flag == TRANSACTION)
    return level


def height_and_root(bump: bytes, txid: str) -> tuple[int, str]:
    """Give the height that a path names, and the root that follows from it and a transaction.

    Raises InvalidMerklePath, also where the path is of other transactions only.
    """
    height, levels = _read(bump)
    digest = lying(txid)
    at = next((offset for offset, leaf in levels[0].items() if leaf == Leaf(digest, transaction=True)), None)
    if at is None:
        raise InvalidMerklePath("the Merkle path is of another transaction")
    if len(levels) == 1 and len(levels[0]) == 1:
        if at != 0:
            raise InvalidMerklePath("the only transaction of a block is its first")
        return height, txid
    if at >> len(levels):
        raise InvalidMerklePath("the transaction lies beside the Merkle path's tree")
    for level in levels:
        beside = level.get(at ^ 1)
        if beside is None:
            raise InvalidMerklePath("the Merkle path lacks a leaf")
        other = digest if beside.hash is None else beside.hash
        if beside.hash is None and at & 1:
            raise InvalidMerklePath("what is there once more lies on the right")
        digest = twice(other + digest if at & 1 else digest + other)
        at >>= 1
    return height, readable(digest)
