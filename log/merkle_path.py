"""Merkle paths of a chain's blocks: from a transaction up to the root that a block's header names (BRC-74).

Hashes are SHA-256 twice. A transaction's id and a root are 64 hex digits in the order that people read, which is that
of the bytes turned around.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

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


def twice(content: bytes) -> bytes:
    """Give SHA-256 of SHA-256."""
    return hashlib.sha256(hashlib.sha256(content).digest()).digest()


def readable(digest: bytes) -> str:
    """Give a hash as people read it."""
    return digest[::-1].hex()


def lying(readable_hash: str) -> bytes:
    """Give a hash as it lies in blocks. Raises ValueError."""
    return bytes.fromhex(readable_hash)[::-1]


def compact_size(number: int) -> bytes:
    """Write a number as Bitcoin's CompactSize."""
    for prefix, size in ((b"", 1), (b"\xfd", 2), (b"\xfe", 4)):
        if number < (0xFD if size == 1 else 1 << 8 * size):
            return prefix + number.to_bytes(size, "little")
    return b"\xff" + number.to_bytes(8, "little")


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
    return readable(_levels(txids)[-1][0])


def bump_of(height: int, txids: Sequence[str], txid: str) -> bytes:
    """Write the path of a transaction in the block of a height. Raises ValueError where the block doesn't have it."""
    at, levels = txids.index(txid), _levels(txids)
    written = [compact_size(height), bytes([max(1, len(levels) - 1)])]
    if len(txids) == 1:
        return b"".join([*written, compact_size(1), compact_size(0), bytes([TRANSACTION]), lying(txid)])
    for depth, level in enumerate(levels[:-1]):
        beside = at ^ 1
        leaf = compact_size(beside) + (bytes([DATA]) + level[beside] if beside < len(level) else bytes([DUPLICATE]))
        leaves = [leaf]
        if depth == 0:
            leaves.insert(at & 1, compact_size(at) + bytes([TRANSACTION]) + level[at])
        written += [compact_size(len(leaves)), *leaves]
        at >>= 1
    return b"".join(written)


class _Reading:
    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, size: int) -> bytes:
        taken = self._content[self._at : self._at + size]
        if len(taken) < size:
            raise InvalidMerklePath("the Merkle path is cut off")
        self._at += size
        return taken

    def number(self) -> int:
        first = self.take(1)[0]
        return first if first < 0xFD else int.from_bytes(self.take(1 << first - 0xFC), "little")

    def at_end(self) -> bool:
        return self._at == len(self._content)


def _read(bump: bytes) -> tuple[int, list[dict[int, Leaf]]]:
    reading = _Reading(bump)
    height, deep = reading.number(), reading.take(1)[0]
    if not 1 <= deep <= DEEPEST:
        raise InvalidMerklePath("a Merkle path has 1 to 64 levels")
    levels = list[dict[int, Leaf]]()
    for _ in range(deep):
        level = dict[int, Leaf]()
        for _ in range(reading.number()):
            offset, flag = reading.number(), reading.take(1)[0]
            if flag not in {DATA, DUPLICATE, TRANSACTION} or offset in level:
                raise InvalidMerklePath("a leaf of the Merkle path is there twice, or of no known kind")
            level[offset] = Leaf(None if flag == DUPLICATE else reading.take(32), flag == TRANSACTION)
        levels.append(level)
    if not reading.at_end():
        raise InvalidMerklePath("something follows the Merkle path")
    return height, levels


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
