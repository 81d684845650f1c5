"""A file at rest is sealed in chunks with its owner's key (XChaCha20-Poly1305), so that any range of it opens alone.

It begins with a header: ``MUN1`` and 16 random bytes. Then follow its chunks of 256 KiB, the last one shorter, each
longer by its tag of 16 bytes; an empty file has one, of nothing. A chunk's nonce is the random bytes and its number (8
bytes, big-endian). With it are authenticated the file's id, its number and whether it is the last, so that no chunk
counts in another place, or in another file, and none can be left out.
"""

import os
import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from log.sealing import CannotUnseal

Octets: TypeAlias = bytes | bytearray | memoryview
MAGIC: Final = b"MUN1"
RANDOM_BYTES: Final = 16
TAG_BYTES: Final = 16
HEADER_BYTES: Final = len(MAGIC) + RANDOM_BYTES
CHUNK_BYTES: Final = 256 << 10
SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES


def new_header() -> bytes:
    """Make the header of a file that is to be sealed; one is for one file, once."""
    return MAGIC + os.urandom(RANDOM_BYTES)


def chunks_of(size: int) -> int:
    """Give how many chunks a file of this size (bytes) has."""
    return max(1, -(-size // CHUNK_BYTES))


def sealed_size(size: int) -> int:
    """Give the size of a file (bytes) once it is sealed."""
    return HEADER_BYTES + size + chunks_of(size) * TAG_BYTES


def sealed_place(number: int) -> int:
    """Give where in a sealed file a chunk begins."""
    return HEADER_BYTES + number * SEALED_CHUNK_BYTES


class ChunkKey:
    """Seals and opens the chunks of one file, in any order. Its work may be done in a thread."""

    def __init__(self, key: bytes, header: Octets, file_id: str) -> None:
        """Take a key of 32 bytes. Raises CannotUnseal for what is no header of ours."""
        if len(header) != HEADER_BYTES or header[: len(MAGIC)] != MAGIC:
            raise CannotUnseal("this is no sealed file")
        # XChaCha20 derives a key from the first 16 bytes of the nonce: here they are the file's, so it is done once.
        self._cipher = ChaCha20Poly1305(hchacha20(key, header[len(MAGIC) :]))
        self._file = file_id.encode()

    def seal(self, clear: Octets, first: int, *, ends: bool) -> bytearray:
        """Seal the chunks from a number on; ``ends`` says that the file ends with them."""
        sealed = bytearray(len(clear) + chunks_of(len(clear)) * TAG_BYTES)
        for number, last, part, place in self._parts(clear, sealed, CHUNK_BYTES, SEALED_CHUNK_BYTES, first, ends=ends):
            self._cipher.encrypt_into(_nonce(number), part, self._bound(number, last), place)
        return sealed

    def open(self, sealed: Octets, first: int, *, ends: bool) -> bytearray:
        """Open the chunks from a number on. Raises CannotUnseal: another key sealed them, or they were changed."""
        count = max(1, -(-len(sealed) // SEALED_CHUNK_BYTES))
        clear = bytearray(max(0, len(sealed) - count * TAG_BYTES))
        try:
            for number, last, part, place in self._parts(
                sealed, clear, SEALED_CHUNK_BYTES, CHUNK_BYTES, first, ends=ends
            ):
                self._cipher.decrypt_into(_nonce(number), part, self._bound(number, last), place)
        except (InvalidTag, ValueError):
            raise CannotUnseal("this was not sealed with this key, or was changed") from None
        return clear

    def _bound(self, number: int, last: bool) -> bytes:  # noqa: FBT001  # a byte of what is authenticated
        return number.to_bytes(8) + bytes([last]) + self._file

    @staticmethod
    def _parts(
        given: Octets, made: bytearray, size: int, made_size: int, first: int, *, ends: bool
    ) -> Iterator[tuple[int, bool, memoryview, memoryview]]:
        source, target = memoryview(given), memoryview(made)
        count = max(1, -(-len(given) // size))
        for index in range(count):
            part = source[index * size : (index + 1) * size]
            place = target[index * made_size : (index + 1) * made_size]
            yield first + index, ends and index == count - 1, part, place


def _nonce(number: int) -> bytes:
    return bytes(4) + number.to_bytes(8)


CONSTANTS: Final = struct.unpack("<4L", b"expand 32-byte k")
QUARTERS: Final = (
    *((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)),
    *((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)),
)
DOUBLE_ROUNDS: Final = 10
WORD: Final = 0xFFFFFFFF


def hchacha20(key: bytes, nonce: Octets) -> bytes:
    """Derive the key that XChaCha20 goes on with, from a key and 16 bytes (draft-irtf-cfrg-xchacha-03, 2.2)."""
    state = [*CONSTANTS, *struct.unpack("<8L", key), *struct.unpack("<4L", nonce)]
    for _ in range(DOUBLE_ROUNDS):
        for a, b, c, d in QUARTERS:
            for to, by, turned, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                state[to] = (state[to] + state[by]) & WORD
                mixed = state[turned] ^ state[to]
                state[turned] = (mixed << bits | mixed >> (32 - bits)) & WORD
    return struct.pack("<8L", *state[:4], *state[12:])
