"""A file on its way into the media storage, sealed, and out of it again, opened; never whole in memory."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from log.sealed_chunks import (
    CHUNK_BYTES,
    HEADER_BYTES,
    ChunkKey,
    chunks_of,
    new_header,
    sealed_place,
)
from log.sealing import CannotUnseal
from processors.media_storage import MediaStorage, StorageUnavailable

BLOCK_BYTES: Final = 4 * CHUNK_BYTES
"""What is sealed at once, in a thread, while the block before it is written."""
WINDOW_CHUNKS: Final = 16
"""What is read at once, while the window before it is sent: 4 MiB."""
CLEAR_WINDOW_BYTES: Final = 4 << 20

journal = logging.getLogger("muniment.media")


class Mismatch(Exception):
    """What came is not what was reserved: other bytes, fewer, or more."""


class Damaged(StorageUnavailable):
    """What the storage holds of a file was not sealed with its owner's key, or was changed."""


class Sealing:
    """Seals a stream as a file whose size and SHA-256 are known before; to be iterated once."""

    def __init__(self, key: bytes, file_id: str, *, size: int, sha256: str) -> None:
        self._header = new_header()
        self._key = ChunkKey(key, self._header, file_id)
        self._size, self._sha256 = size, sha256
        self._digest = hashlib.sha256()
        self._number = 0

    async def sealed(self, clear: AsyncIterator[bytes]) -> AsyncIterator[bytes | bytearray]:
        """Give the sealed file in pieces of about a MiB. Raises Mismatch before the last of them."""
        yield self._header
        working: asyncio.Task[bytearray] | None = None
        try:
            async for block, ends in _blocks(clear, self._size):
                # One block at a time: the digest takes them in their order.
                done = None if working is None else await working
                working = asyncio.create_task(asyncio.to_thread(self._work, block, ends=ends))
                if done is not None:
                    yield done
            if working is not None:
                last = await working
                if self._digest.hexdigest() != self._sha256:
                    raise Mismatch
                yield last
        finally:
            if working is not None and not working.done():
                working.cancel()

    def _work(self, block: bytearray, *, ends: bool) -> bytearray:
        self._digest.update(block)
        first, self._number = self._number, self._number + BLOCK_BYTES // CHUNK_BYTES
        return self._key.seal(block, first, ends=ends)


async def _blocks(clear: AsyncIterator[bytes], size: int) -> AsyncIterator[tuple[bytearray, bool]]:
    """Cut a stream of a known size into blocks, each with whether it is the last. Raises Mismatch for another size."""
    held, left = bytearray(), size
    async for piece in clear:
        left -= len(piece)
        if left < 0:
            raise Mismatch
        held += piece
        # More than a block: what is left when the stream ends is the last one, and never nothing.
        while len(held) > BLOCK_BYTES:
            yield held[:BLOCK_BYTES], False
            del held[:BLOCK_BYTES]
    if left:
        raise Mismatch
    yield held, True


async def clear_object(storage: MediaStorage, path: str, size: int) -> AsyncIterator[bytes]:
    """Give an object that lies in clear, window by window. Raises NotStored, StorageUnavailable."""
    for start in range(0, size, CLEAR_WINDOW_BYTES):
        window = await storage.read(path, start, min(start + CLEAR_WINDOW_BYTES, size))
        for piece in range(0, len(window), BLOCK_BYTES):
            yield window[piece : piece + BLOCK_BYTES]


class Opening:
    """Opens a sealed file of the storage, from one of its bytes up to another."""

    def __init__(self, storage: MediaStorage, path: str, key: bytes, file_id: str, size: int) -> None:
        self._storage, self._path, self._key, self._file_id = storage, path, key, file_id
        self._chunks, self._size = chunks_of(size), size
        self._opener: ChunkKey | None = None

    async def opened(self, start: int, end: int) -> AsyncGenerator[bytearray, None]:
        """Give the bytes from ``start`` up to ``end`` in pieces of at most 4 MiB; the next is read while one is used.

        Raises NotStored, StorageUnavailable, Damaged.
        """
        stop = (end - 1) // CHUNK_BYTES + 1 if end else 1
        coming = asyncio.create_task(self._window(start // CHUNK_BYTES, stop))
        try:
            for first in range(start // CHUNK_BYTES, stop, WINDOW_CHUNKS):
                clear = await coming
                if first + WINDOW_CHUNKS < stop:
                    coming = asyncio.create_task(self._window(first + WINDOW_CHUNKS, stop))
                begins = first * CHUNK_BYTES
                yield clear[max(start - begins, 0) : end - begins]
        finally:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await coming

    async def _window(self, first: int, stop: int) -> bytearray:
        stop = min(first + WINDOW_CHUNKS, stop)
        try:
            return await self._open(first, stop)
        except CannotUnseal:
            # The same file may have been sealed once more meanwhile, under another header.
            self._opener = None
        try:
            return await self._open(first, stop)
        except CannotUnseal:
            journal.error("media_damaged", extra={"media_id": self._file_id, "chunk": first})
            raise Damaged("what is stored of this file does not open") from None

    async def _open(self, first: int, stop: int) -> bytearray:
        sealed = self._storage.read(self._path, sealed_place(first), sealed_place(stop))
        if self._opener is None:
            header, window = await asyncio.gather(self._storage.read(self._path, 0, HEADER_BYTES), sealed)
            self._opener = ChunkKey(self._key, header, self._file_id)
        else:
            window = await sealed
        clear = await asyncio.to_thread(self._opener.open, window, first, ends=stop == self._chunks)
        whole = min(stop * CHUNK_BYTES, self._size) - first * CHUNK_BYTES
        if len(clear) != whole:
            raise CannotUnseal("this is not as long as it was")
        return clear
