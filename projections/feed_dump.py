"""Everything in a feed's store, for whoever wants to compare it with the log."""

import heapq
from collections.abc import Iterator
from pathlib import Path

from domain.catalog import CONTEXTS
from domain.decider import Entry
from log import topic
from log.chain import Mark
from log.store import MemoryStore, Store
from log.topic import FACTS_INGEST
from projections.feed_generations import Generations
from projections.feed_keys import FEED_PREFIXES

NOT_COMPARED = ("\x00", "scope/", "ruled/")
"""Marks are compared by themselves; which partition ruled first on a scope that two were asked for, no log says."""


def dump_feed(store: Store | MemoryStore) -> Iterator[tuple[str, Entry]]:
    """Stream every key of the feed with its value, in the order of the keys."""
    return heapq.merge(*(store.scan(prefix) for prefix in FEED_PREFIXES))


def dump_fold(store: Store | MemoryStore) -> Iterator[tuple[str, Entry]]:
    """Stream every key that follows from the log alone: the feed's and those of the deciders' fold."""
    return ((key, entry) for key, entry in store.scan("", "\x01") if not key.startswith(NOT_COMPARED))


def marks_of(store: Store | MemoryStore, partitions: int) -> tuple[dict[tuple[str, int], Mark], int]:
    """Give for each (context, partition) how far a store is, and the next offset of the queue."""
    marks = {
        (context, partition): store.mark(topic.events(context), partition)
        for context in CONTEXTS
        for partition in range(partitions)
    }
    return marks, store.mark(FACTS_INGEST, 0).next


def open_running(folder: Path) -> Store | None:
    """Open the store of a running api as it is now, read-only; ``folder`` is the one of its generations."""
    return Generations(folder).read()
