"""Chunks on their way into the media storage."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias

Octets: TypeAlias = bytes | bytearray
"""Bytes that nobody changes any more."""


class Source:
    """Hands chunks to the storage one after the other; can be broken off, and keeps what went wrong with them."""

    def __init__(self, head: Octets, chunks: AsyncIterator[Octets]) -> None:
        self._head: Octets | None = head
        self._chunks = chunks
        self._awaiting: asyncio.Task[object] | None = None
        self._broken = False
        self.error: BaseException | None = None

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> Octets:
        """Give the next chunk, the one that was taken already first."""
        if self._broken:
            raise asyncio.CancelledError
        if self._head is not None:
            head, self._head = self._head, None
            return head
        self._awaiting = asyncio.current_task()
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self.error = error
            raise
        finally:
            self._awaiting = None

    def break_off(self) -> None:
        """Let the next chunk fail, or the one that is waited for."""
        self._broken = True
        if self._awaiting is not None:
            self._awaiting.cancel()
