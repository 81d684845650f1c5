"""Files of this machine, as they are sent and received: a piece at a time, never whole in memory."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

PIECE_BYTES: Final = 1 << 20

Progress = Callable[[int, int], None]
"""Hears how many bytes have passed, and of how many."""


class Source:
    """A file that is sent, more than once if need be; ``changed`` once it isn't the size that it had."""

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self._path, self._progress = path, progress
        self.changed = False

    async def measured(self) -> tuple[int, str]:
        """Give its size in bytes and its SHA-256 in hex. Raises OSError."""
        return await asyncio.to_thread(self._measured)

    def _measured(self) -> tuple[int, str]:
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            return file.tell(), digest.hexdigest()

    async def pieces(self, size: int, moved: Callable[[], None]) -> AsyncIterator[bytes]:
        """Give its first so many bytes; ``moved`` hears of each piece that was asked for."""
        at = 0
        file = await asyncio.to_thread(self._path.open, "rb")
        try:
            while at < size:
                moved()
                piece = await asyncio.to_thread(file.read, min(PIECE_BYTES, size - at))
                if not piece:
                    self.changed = True
                    raise EOFError
                at += len(piece)
                yield piece
                if self._progress is not None:
                    self._progress(at, size)
            moved()
        finally:
            file.close()


class Target:
    """What is received, hashed while it is written down; ``file`` has no name of its own until all of it is there."""

    def __init__(self, file: Any) -> None:
        self._file, self._held = file, bytearray()

    async def take(self, piece: bytes) -> None:
        """Take the next piece. Raises OSError."""
        self._held += piece
        if len(self._held) >= PIECE_BYTES:
            await self._write()

    async def _write(self) -> None:
        held, self._held = self._held, bytearray()
        await asyncio.to_thread(self._file.write, held)

    async def keep(self, path: Path) -> None:
        """Give it its name, durably; raises FileExistsError for one that is taken."""
        await self._write()
        await asyncio.to_thread(self._keep, path)

    def _keep(self, path: Path) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        os.link(self._file.name, path)
