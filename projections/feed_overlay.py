"""A fold with changes on top that can also be read in order, as the feed's rules need it."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Protocol

from domain.decider import Change, Entry
from log.fold import Overlay
from projections.feed_keys import STAR_PREFIX


class Ordered(Protocol):
    """Entries by key, and ranges of them in order."""

    def get(self, key: str) -> Entry | None:
        """Give an entry, or nothing."""

    def scan(self, prefix: str, start: str | None = None) -> Iterator[tuple[str, Entry]]:
        """Give the entries whose key has this prefix, in order, from ``start`` on."""


class OrderedOverlay(Overlay):
    """An overlay that keeps the keys of active stars in order, on top of a store that does."""

    __slots__ = ("_keys", "_store")

    def __init__(self, store: Ordered) -> None:
        super().__init__(store)
        self._store = store
        self._keys: list[str] = []

    def put(self, change: Change) -> None:
        """Lay one change on top."""
        key = change[0]
        if key.startswith(STAR_PREFIX) and key not in self._top:
            insort(self._keys, key)
        super().put(change)

    def scan(self, prefix: str, start: str | None = None) -> Iterator[tuple[str, Entry]]:
        """Give the active stars whose key has this prefix, in order, with the changes on top."""
        below = ((key, entry) for key, entry in self._store.scan(prefix, start) if key not in self._top)
        return heapq.merge(below, self._scan_top(prefix, start or prefix))

    def _scan_top(self, prefix: str, start: str) -> Iterator[tuple[str, Entry]]:
        for index in range(bisect_left(self._keys, start), len(self._keys)):
            key = self._keys[index]
            if not key.startswith(prefix):
                return
            entry = self._top[key]
            if entry is not None:
                yield key, entry
