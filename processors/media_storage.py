"""Media storage: objects on the local disk, or in any S3-compatible store; obstore's only door.

An object is there whole or not at all, and once ``put`` has returned it outlasts a crash of the machine. No error says
where the storage is, or what opens it.
"""

import asyncio
import contextlib
import errno
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from processors.media_disk import flush, remove_older, settle
from processors.media_place import Bucket, InvalidStorage
from processors.media_source import Octets, Source

journal = logging.getLogger("muniment.media")

PART_BYTES: Final = 5 << 20
"""The smallest part that S3 takes; what is smaller goes in one request."""
PARTS_AT_ONCE: Final = 2
DISK_PART_BYTES: Final = 1 << 20
FLUSHED_BYTES: Final = 8 << 20
CONNECT_TIMEOUT: Final = timedelta(seconds=5)
REQUEST_TIMEOUT: Final = timedelta(seconds=20)
"""How long one request to S3 may take, from connecting to the last byte of at most a part."""
RETRIES: Final = 2
RETRY_TIMEOUT: Final = timedelta(seconds=40)
ANSWER_TIMEOUT_S: Final = 70.0
"""How long anything but a write may take with its retries, on the disk too."""
ABORT_TIMEOUT_S: Final = 10.0
DELETED_AT_ONCE: Final = 500
STAGED: Final = "staged"
"""The folder of what is not whole yet, on the local disk."""
NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StorageUnavailable(ConnectionError):
    """The storage can't be reached, refuses us, or did not answer in time; a write that met this left nothing."""


class StorageFull(StorageUnavailable):
    """The storage has no room for this; nothing of it was kept."""


class NotStored(LookupError):
    """There is no such object."""


class Stored(NamedTuple):
    """An object that is there: its size in bytes, and when it was written (ms)."""

    path: str
    size: int
    written_at: int


class MediaStorage:
    """Objects by their path. Its methods raise StorageUnavailable."""

    part_bytes = PART_BYTES
    takes_uploads = False
    """Whether others can write to it, with a URL of ours."""

    def __init__(self, store: LocalStore | S3Store) -> None:
        self._store = store

    async def put(self, path: str, chunks: AsyncIterator[Octets]) -> None:
        """Write an object from chunks of at most a MiB each; durable when this returns.

        What the chunks raise is raised, and leaves nothing. Memory: about three parts of 5 MiB. Raises StorageFull.
        """
        await self._put(path, chunks)

    async def _put(self, path: str, chunks: AsyncIterator[Octets]) -> None:
        head = bytearray()
        async for chunk in chunks:
            head += chunk
            if len(head) >= self.part_bytes:
                break
        else:
            with _named_errors("put", missing=False):
                await obstore.put_async(self._store, path, head, use_multipart=False)
            return
        source = Source(head, chunks)
        started = obstore.put_async(
            self._store, path, source, chunk_size=self.part_bytes, max_concurrency=PARTS_AT_ONCE
        )
        writing = asyncio.ensure_future(started)
        try:
            await asyncio.wait({writing})
        except asyncio.CancelledError:
            # A write that is let go leaves its parts in S3 for good; one whose source fails takes them back.
            source.break_off()
            await asyncio.wait({writing}, timeout=ABORT_TIMEOUT_S)
            if writing.done():
                writing.exception()
            raise
        if source.error is not None:
            writing.exception()
            raise source.error
        with _named_errors("put", missing=False):
            writing.result()

    async def read(self, path: str, start: int, end: int) -> bytes:
        """Give the bytes of an object from ``start`` up to ``end``, fewer where it ends before. Raises NotStored."""
        with _named_errors("read"):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                try:
                    return bytes(await obstore.get_range_async(self._store, path, start=start, end=end))
                except BaseError:
                    if (await obstore.head_async(self._store, path))["size"] > start:
                        raise
                    return b""

    async def size(self, path: str) -> int:
        """Give an object's size in bytes. Raises NotStored."""
        with _named_errors("size"):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return int((await obstore.head_async(self._store, path))["size"])

    async def delete(self, paths: Iterable[str]) -> None:
        """Remove objects; those that aren't there count as removed."""
        left = list(paths)
        while left:
            batch, left = left[:DELETED_AT_ONCE], left[DELETED_AT_ONCE:]
            with _named_errors("delete"):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await self._delete(batch)

    async def _delete(self, paths: list[str]) -> None:
        await obstore.delete_async(self._store, paths)

    async def listed(self, prefix: str) -> AsyncIterator[Stored]:
        """Give the objects below a prefix, which ends where a ``/`` would follow, in no order."""
        found = obstore.list(self._store, prefix=prefix, chunk_size=DELETED_AT_ONCE)
        while True:
            with _named_errors("list"):
                try:
                    async with asyncio.timeout(ANSWER_TIMEOUT_S):
                        batch = await anext(found)
                except StopAsyncIteration:
                    return
            for each in batch:
                yield Stored(each["path"], each["size"], int(each["last_modified"].timestamp() * 1000))

    async def upload_url(self, path: str, lifetime_s: int) -> str | None:  # noqa: ARG002  # the local disk has none
        """Give a URL that takes one object by PUT for so long, where the storage can be written to from outside."""
        return None

    async def forget_unfinished(self, before: int) -> int:  # noqa: ARG002  # S3 has rules of its own for that
        """Remove what writes that never ended left before a time (ms); give how many that were."""
        return 0


class LocalDisk(MediaStorage):
    """A folder on this machine's disk."""

    part_bytes = DISK_PART_BYTES

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / STAGED).mkdir(exist_ok=True)
            super().__init__(LocalStore(prefix=folder))
        except (BaseError, OSError):
            raise InvalidStorage("lies in a folder that can't be made or read") from None
        self._folder = folder

    async def put(self, path: str, chunks: AsyncIterator[Octets]) -> None:
        """Write an object beside its place, and put it there once the disk has it."""
        staged = f"{STAGED}/{secrets.token_hex(16)}"
        await self._put(staged, self._flushed(self._folder / f"{staged}#1", chunks))
        with _named_errors("put"):
            await asyncio.to_thread(settle, self._folder / staged, self._folder / path)

    async def _flushed(self, draft: Path, chunks: AsyncIterator[Octets]) -> AsyncIterator[Octets]:
        """Have the disk write while more comes, or all of it would have to be waited for at the end."""
        unwritten, flushing = 0, None
        async for chunk in chunks:
            yield chunk
            unwritten += len(chunk)
            if unwritten >= FLUSHED_BYTES and (flushing is None or flushing.done()):
                with _named_errors("flush", missing=False):
                    if flushing is not None:
                        flushing.result()
                flushing, unwritten = asyncio.ensure_future(asyncio.to_thread(flush, draft)), 0
                flushing.add_done_callback(lambda done: done.cancelled() or done.exception())
        if flushing is not None:
            with _named_errors("flush", missing=False):
                await flushing

    async def _delete(self, paths: list[str]) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                await obstore.delete_async(self._store, path)

    async def forget_unfinished(self, before: int) -> int:
        """Remove what a crash left behind; obstore lists none of what is half written."""
        with _named_errors("forget_unfinished"):
            return await asyncio.to_thread(remove_older, self._folder / STAGED, before)


class S3(MediaStorage):
    """A bucket, or a prefix in one; whoever has a URL of ours can upload to it without passing by us."""

    _store: S3Store
    takes_uploads = True

    def __init__(self, bucket: Bucket) -> None:
        options = {"endpoint": bucket.endpoint, "region": bucket.region}
        try:
            store = S3Store(
                bucket.name,
                prefix=bucket.prefix,
                config={name: value for name, value in options.items() if value is not None},  # type: ignore[arg-type]
                client_options={
                    "allow_http": bucket.in_clear,
                    "connect_timeout": CONNECT_TIMEOUT,
                    "timeout": REQUEST_TIMEOUT,
                },
                retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_TIMEOUT},
            )
        except (BaseError, ValueError):
            raise InvalidStorage("is no bucket that can be asked with these AWS_* variables") from None
        super().__init__(store)

    async def upload_url(self, path: str, lifetime_s: int) -> str | None:
        """Presign a PUT."""
        with _named_errors("sign"):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return str(await obstore.sign_async(self._store, "PUT", path, timedelta(seconds=lifetime_s)))


def open_storage(place: Path | Bucket) -> MediaStorage:
    """Open a folder of the local disk, or a bucket. Raises InvalidStorage."""
    return LocalDisk(place) if isinstance(place, Path) else S3(place)


@contextlib.contextmanager
def _named_errors(doing: str, *, missing: bool = True) -> Iterator[None]:
    """Give obstore's and the disk's errors our names; theirs say where the storage is, and what S3 answered."""
    started = time.monotonic()
    try:
        yield
    except FileNotFoundError as error:
        if missing:
            raise NotStored("there is no such object") from None
        failed: Exception = error  # a bucket or a folder that is gone
    except (BaseError, OSError) as error:
        failed = error
    else:
        return
    full = _says_full(failed)
    took = round(time.monotonic() - started, 3)
    fields = {"doing": doing, "error": type(failed).__name__, "full": full, "after_s": took}
    journal.warning("media_storage_failed", extra=fields)
    if full:
        raise StorageFull("the media storage has no room") from None
    raise StorageUnavailable("the media storage did not do this") from None


def _says_full(error: Exception) -> bool:
    """Tell whether what went wrong is that there is no room: obstore says so only in words."""
    return any(f"os error {number})" in str(error) for number in NO_ROOM) or getattr(error, "errno", None) in NO_ROOM
