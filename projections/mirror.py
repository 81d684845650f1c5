"""The mirror: the deciders' fold and the feed, in an ordered store inside the process that reads them.

It answers what needs no Postgres: who has which role, whose fact this is, what became of a command, what is starred.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from domain.decider import Change, Entry
from domain.ruling import request_of, scope_key
from log import topic
from log.chain import Mark
from log.fold import Overlay, changes_of
from log.following import Decided
from log.log import Log
from log.store import MemoryStore, Store

Writer = Callable[[Overlay, Decided], Iterable[Change]]
"""Makes further keys of a decision; it sees the fold before the decision's own changes."""


def ruled_key(command_id: str) -> str:
    """Give the key that says where a scope was ruled on first: (partition, offset, request)."""
    return "ruled/" + scope_key(command_id)


class Mirror:
    """Follows contexts into one store, and tells waiters what passed."""

    def __init__(
        self,
        store: Store | MemoryStore,
        writers: Sequence[Writer] = (),
        on_decided: Callable[[Decided], None] = lambda _decided: None,
    ) -> None:
        self.store, self._writers, self._on_decided = store, writers, on_decided
        self._marks: dict[tuple[str, int], Mark] = {}
        self._moved = asyncio.Event()

    async def marks(self, context: str, partitions: int) -> Mapping[int, Mark]:
        """Say for each partition how far the store is."""
        name = topic.events(context)
        found = {partition: self.store.mark(name, partition) for partition in range(partitions)}
        self._marks |= {(context, partition): mark for partition, mark in found.items()}
        return found

    async def apply(self, context: str, decided: Sequence[Decided], marks: Mapping[int, Mark]) -> None:
        """Fold decisions into the store, then tell the waiters."""
        overlay = Overlay(self.store)
        changes: list[Change] = []
        for entry in decided:
            for change in self._changes(overlay, entry):
                overlay.put(change)
                changes.append(change)
        name = topic.events(context)
        self.store.write(changes, {(name, partition): mark for partition, mark in marks.items()})
        self._marks |= {(context, partition): mark for partition, mark in marks.items()}
        self._moved.set()
        self._moved = asyncio.Event()
        for entry in decided:
            self._on_decided(entry)

    def _changes(self, overlay: Overlay, entry: Decided) -> Iterable[Change]:
        for writer in self._writers:
            yield from writer(overlay, entry)
        decision = entry.decision
        key = ruled_key(decision.command_id)
        if decision.command_id and overlay.get(key) is None:
            yield key, (entry.partition, entry.offset, request_of(decision.command_id))
        yield from changes_of(overlay, decision)

    def get(self, key: str) -> Entry | None:
        """Give an entry of the fold."""
        return self.store.get(key)

    @property
    def reached(self) -> Mapping[tuple[str, int], int]:
        """Give for each (context, partition) that has any the offset of the last decision that is in the store."""
        return {where: mark.last for where, mark in self._marks.items() if mark.last >= 0}

    async def wait_for(self, positions: Mapping[tuple[str, int], int], timeout_s: float) -> bool:
        """Wait until these positions are in the store; say whether they are."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while any(where in self._marks and self._marks[where].next <= offset for where, offset in positions.items()):
            moved = self._moved
            try:
                await asyncio.wait_for(moved.wait(), max(0.0, deadline - loop.time()))
            except TimeoutError:
                return False
        return True


async def caught_up(log: Log, context: str, mirror: Mirror) -> bool:
    """Say whether a mirror holds all that a context's log held when this was asked."""
    name = topic.events(context)
    reader = await log.reader(name, dict.fromkeys(range(await log.partitions(name)), 0))
    try:
        ends = await reader.ends()
    finally:
        await reader.close()
    return await mirror.wait_for({(context, p): end - 1 for p, end in ends.items() if end}, 0.0)
