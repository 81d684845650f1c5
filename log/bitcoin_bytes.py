"""How Bitcoin's formats lie in bytes: little-endian numbers, sizes in their shortest spelling, hashes turned around.

Hashes are SHA-256 twice. People read a transaction's id, a block's hash and a Merkle root as 64 hex digits of the
bytes in the opposite order. Source: the protocol's reference.
"""

from __future__ import annotations

import hashlib
from typing import Final

HASH_BYTES: Final = 32
_widths: Final = {0xFD: 2, 0xFE: 4, 0xFF: 8}


def twice(content: bytes) -> bytes:
    """Give SHA-256 of SHA-256."""
    return hashlib.sha256(hashlib.sha256(content).digest()).digest()


def readable(digest: bytes) -> str:
    """Give a hash as people read it."""
    return digest[::-1].hex()


def lying(readable_hash: str) -> bytes:
    """Give a hash as it lies in blocks, of its 64 hex digits in lower case. Raises ValueError."""
    digest = bytes.fromhex(readable_hash)
    if len(digest) != HASH_BYTES or digest.hex() != readable_hash:
        raise ValueError("a hash is 64 hex digits in lower case")
    return digest[::-1]


def compact_size(number: int) -> bytes:
    """Write a number as Bitcoin's CompactSize."""
    if number < min(_widths):
        return bytes([number])
    code, width = next(each for each in _widths.items() if number < 1 << 8 * each[1])
    return bytes([code]) + number.to_bytes(width, "little")


def sized(content: bytes) -> bytes:
    """Write bytes behind their length."""
    return compact_size(len(content)) + content


class Reading:
    """Reads bytes from front to back, and raises ``fault`` where they end too early or spell a size too long."""

    __slots__ = ("_at", "_content", "_fault")

    def __init__(self, content: bytes, fault: type[ValueError]) -> None:
        self._content, self._fault, self._at = content, fault, 0

    def take(self, size: int) -> bytes:
        """Take that many bytes."""
        taken = self._content[self._at : self._at + size]
        if len(taken) < size:
            raise self._fault("the bytes are cut off")
        self._at += size
        return taken

    def number(self, width: int) -> int:
        """Take a number of that many bytes."""
        return int.from_bytes(self.take(width), "little")

    def size(self) -> int:
        """Take a CompactSize."""
        first = self.number(1)
        number = self.number(_widths[first]) if first in _widths else first
        if first in _widths and compact_size(number)[0] != first:
            raise self._fault("a size is not in its shortest spelling")
        return number

    def hash(self) -> str:
        """Take a hash, as people read it."""
        return readable(self.take(HASH_BYTES))

    @property
    def at_end(self) -> bool:
        """Tell whether nothing is left."""
        return self._at == len(self._content)
