"""RocksDB's only door: an ordered store that holds a fold and the marks it stands at, written together."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from rocksdict import AccessType, BlockBasedIndexType, BlockBasedOptions, Cache, Options, Rdict, ReadOptions, WriteBatch

from domain.decider import Change, Entry
from log.chain import Mark

MARK_PREFIX = b"\x00mark/"
CACHE_BYTES = 32 << 20
WRITE_BUFFER_BYTES = 32 << 20
BLOOM_BITS_PER_KEY = 10


class StoreInUse(RuntimeError):
    """Another process holds this store."""


def _options() -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(Cache(CACHE_BYTES))
    table.set_bloom_filter(BLOOM_BITS_PER_KEY, block_based=False)
    # Indexes and filters count against the cache, so that memory doesn't grow with the log, and lie in it in parts: a
    # file's whole filter is larger than a shard of the cache, and was read from disk at every look-up.
    table.set_cache_index_and_filter_blocks(True)
    table.set_index_type(BlockBasedIndexType.two_level_index_search())
    table.set_partition_filters(True)
    table.set_pin_top_level_index_and_filter(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)  # noqa: FBT003  # its only form
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_keep_log_file_num(2)
    options.increase_parallelism(2)
    return options


class Store:
    """Keys are text in the order of their UTF-8 bytes; entries are tuples of JSON's values."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open or create a store. Raises StoreInUse."""
        self.path = path
        if not read_only:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        access = AccessType.read_only() if read_only else AccessType.read_write()
        try:
            self._db = Rdict(str(path), options=_options(), access_type=access)
        except Exception as error:  # rocksdict raises bare exceptions; the lock is the one that has a name here
            if "lock" in str(error).lower():
                raise StoreInUse(f"another process holds the store {path.name}") from error
            raise

    def get(self, key: str) -> Entry | None:
        """Give an entry, or nothing."""
        found = self._db.get(key.encode())
        return None if found is None else tuple(orjson.loads(found))

    def write(self, changes: Iterable[Change], marks: Mapping[tuple[str, int], Mark]) -> None:
        """Apply changes and move the marks of (topic, partition), all or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key, entry in changes:
            if entry is None:
                batch.delete(key.encode())
            else:
                batch.put(key.encode(), orjson.dumps([*entry]))
        for (topic, partition), mark in marks.items():
            batch.put(_mark_key(topic, partition), json.dumps([mark.next, mark.chain.hex(), mark.last]).encode())
        self._db.write(batch)

    def mark(self, topic: str, partition: int) -> Mark:
        """Say how far the fold of a partition is."""
        found = self._db.get(_mark_key(topic, partition))
        if found is None:
            return Mark.start(topic, partition)
        offset, chain, last = json.loads(found)
        return Mark(offset, bytes.fromhex(chain), last)

    def scan(self, prefix: str, start: str | None = None) -> Iterator[tuple[str, Entry]]:
        """Give the entries whose key has this prefix, in order, from ``start`` on."""
        bound = prefix.encode()
        first = (start if start is not None else prefix).encode()
        for key, value in self._db.items(from_key=first, read_opt=ReadOptions()):
            if not isinstance(key, bytes) or not key.startswith(bound):
                return
            yield key.decode(), tuple(orjson.loads(value))

    def close(self) -> None:
        """Flush and let go of the folder."""
        self._db.close()

    def destroy(self) -> None:
        """Close the store and remove its folder: it can be folded again from the log."""
        self.close()
        shutil.rmtree(self.path)


def _mark_key(topic: str, partition: int) -> bytes:
    return MARK_PREFIX + f"{topic}/{partition}".encode()


class MemoryStore:
    """The same store in memory."""

    def __init__(self) -> None:
        self._entries: dict[str, Any] = {}
        self._marks: dict[tuple[str, int], Mark] = {}

    def get(self, key: str) -> Entry | None:
        """Give an entry, or nothing."""
        return self._entries.get(key)

    def write(self, changes: Iterable[Change], marks: Mapping[tuple[str, int], Mark]) -> None:
        """Apply changes and move the marks."""
        for key, entry in changes:
            if entry is None:
                self._entries.pop(key, None)
            else:
                self._entries[key] = entry
        self._marks.update(marks)

    def mark(self, topic: str, partition: int) -> Mark:
        """Say how far the fold of a partition is."""
        return self._marks.get((topic, partition)) or Mark.start(topic, partition)

    def scan(self, prefix: str, start: str | None = None) -> Iterator[tuple[str, Entry]]:
        """Give the entries whose key has this prefix, in order."""
        for key in sorted(self._entries):
            if key.startswith(prefix) and key >= (start or prefix):
                yield key, self._entries[key]

    def close(self) -> None:
        """Hold on to nothing."""

    def destroy(self) -> None:
        """Hold on to nothing: what was folded goes with the object."""
