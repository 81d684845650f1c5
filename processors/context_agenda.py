"""An agenda follows contexts into a store of its own: what there is to be asked for, and how far it has read."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from domain.decider import Change
from log import topic
from log.chain import Mark
from log.fold import Overlay
from log.following import Decided
from log.store import MemoryStore, Store

Changes: TypeAlias = Callable[[Overlay, Any, int, str], Iterable[Change]]
"""The fold so far, an event, the log's time of its decision (ms) and its position give what changes."""


class ContextAgenda:
    """Follows contexts into a store of its own; every change it makes is seen by the next one.

    ``reached`` is, by (context, partition), the offset below which all is folded.
    """

    def __init__(self, store: Store | MemoryStore, changes: Changes) -> None:
        self.store, self._changes = store, changes
        self.reached: dict[tuple[str, int], int] = {}
        self._moved = asyncio.Event()

    async def marks(self, context: str, partitions: int) -> Mapping[int, Mark]:
        """Say for each partition how far the store is."""
        found = {partition: self.store.mark(topic.events(context), partition) for partition in range(partitions)}
        self._reach(context, found)
        return found

    async def apply(self, context: str, decided: Sequence[Decided], marks: Mapping[int, Mark]) -> None:
        """Fold decisions into the store."""
        overlay, made = Overlay(self.store), list[Change]()
        for entry in decided:
            where = f"{context}/{entry.partition}/{entry.offset}"
            for event in entry.payloads:
                for change in self._changes(overlay, event, entry.decision.at, where):
                    overlay.put(change)
                    made.append(change)
        # Durable from here: what there is to ask for, and the marks. A crash before reads the same decisions again.
        self.store.write(made, {(topic.events(context), partition): mark for partition, mark in marks.items()})
        self._reach(context, marks)
        self._moved.set()
        self._moved = asyncio.Event()

    def _reach(self, context: str, marks: Mapping[int, Mark]) -> None:
        self.reached |= {(context, partition): mark.next for partition, mark in marks.items()}

    async def reaches(self, context: str, ends: Mapping[int, int], timeout_s: float) -> bool:
        """Wait until all of a context below these offsets is folded, but not longer than this; say whether it is."""
        deadline = time.monotonic() + timeout_s
        while any(self.reached.get((context, partition), 0) < end for partition, end in ends.items()):
            if time.monotonic() >= deadline:
                return False
            await self.moved(deadline - time.monotonic())
        return True

    async def moved(self, timeout_s: float) -> None:
        """Wait until something was written, but not longer than this."""
        moved = self._moved
        try:
            async with asyncio.timeout(timeout_s):
                await moved.wait()
        except TimeoutError:
            return
