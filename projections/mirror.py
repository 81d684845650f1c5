"""The mirror: the deciders' fold and the feed, in an ordered store inside the process that reads them.

It answers what needs no Postgres: who has which role, whose fact this is, what became of a command, what is starred.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from domain.catalog import evolve
from domain.decider import Change, Entry
from domain.ruling import Scope, request_of, scope_key
from log import topic
from log.chain import Mark
from log.following import Decided
from log.log import Log
from log.store import MemoryStore, Store
from projections.feed_overlay import OrderedOverlay

Writer = Callable[[OrderedOverlay, Decided], Iterable[Change]]
"""Makes further keys of a decision; it sees the fold before the decision, and its own changes as it makes them."""

Marks = Mapping[tuple[str, int], Mark]
"""For each (context, partition) how far a fold is."""


def ruled_key(command_id: str) -> str:
    """Give the key that says where a scope was ruled on first: (partition, offset, request, context)."""
    return "ruled/" + scope_key(command_id)


def place_of(ruled: Entry) -> tuple[str, int, int]:
    """Give the context, the partition and the offset at which a scope was ruled on."""
    partition, offset, _, context = ruled
    return context, partition, offset


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
        self._partitions: dict[str, int] = {}
        self._times: dict[tuple[str, int], int] = {}
        self._moved = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._switching = asyncio.Lock()

    async def marks(self, context: str, partitions: int) -> Mapping[int, Mark]:
        """Say for each partition how far the store is."""
        name = topic.events(context)
        found = {partition: self.store.mark(name, partition) for partition in range(partitions)}
        self._marks |= {(context, partition): mark for partition, mark in found.items()}
        self._partitions[context] = partitions
        return found

    async def apply(self, context: str, decided: Sequence[Decided], marks: Mapping[int, Mark]) -> None:
        """Fold decisions into the store, then tell the waiters."""
        await self._open.wait()
        name = topic.events(context)
        # A store that was adopted may be ahead of the loop that calls this; what it holds already is not folded again.
        before = {partition: self.store.mark(name, partition) for partition in marks}
        overlay = OrderedOverlay(self.store)
        changes: list[Change] = []
        for entry in decided:
            if entry.offset < before[entry.partition].next:
                continue
            for change in self._changes(overlay, entry):
                overlay.put(change)
                changes.append(change)
        after = {(name, p): mark for p, mark in marks.items() if mark.next > before[p].next}
        # Durable from here: what these decisions changed and the marks behind them, in one write.
        self.store.write(changes, after)
        self._marks |= {(context, partition): mark for (_, partition), mark in after.items()}
        self._times |= {(context, entry.partition): entry.decision.at for entry in decided}
        self._tell()
        for entry in decided:
            self._on_decided(entry)

    def _tell(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def _changes(self, overlay: OrderedOverlay, entry: Decided) -> Iterable[Change]:
        decision = entry.decision
        key, request = ruled_key(decision.command_id), request_of(decision.command_id)
        ruled = overlay.get(key) if decision.command_id else None
        if ruled is not None and place_of(ruled)[:2] == (entry.context, entry.partition):
            return  # a scope keeps its first ruling in its partition, as in the deciders' fold
        for writer in self._writers:
            yield from writer(overlay, entry)
        if ruled is None and decision.command_id:
            yield key, (entry.partition, entry.offset, request, entry.context)
            yield scope_key(decision.command_id), Scope(request, decision.cause)
        for payload in entry.payloads:
            yield from evolve(overlay, payload, decision.at)

    async def adopt(self, store: Store | MemoryStore, caught_up: Callable[[Marks], Awaitable[None]]) -> None:
        """Read from another generation of this fold from now on, and close the one before.

        Nothing is applied while ``caught_up`` brings it to the marks that it is given; reads go on meanwhile, and none
        ever sees less than one before it did.
        """
        async with self._switching:
            self._open.clear()
            try:
                await caught_up(dict(self._marks))
                behind, self.store = self.store, store
                self._marks = {where: store.mark(topic.events(where[0]), where[1]) for where in self._marks}
            finally:
                self._open.set()
            behind.close()
            self._tell()

    @property
    def positions(self) -> Marks:
        """Give for each (context, partition) how far the store is."""
        return dict(self._marks)

    def last_of(self, context: str, key: str) -> tuple[int, int] | None:
        """Give where the last decision lies that is in the store of a key's partition: the partition, the offset."""
        partitions = self._partitions.get(context)
        if partitions is None:
            return None
        partition = topic.partition_of(key, partitions)
        offset = self._marks[context, partition].last
        return (partition, offset) if offset >= 0 else None

    def get(self, key: str) -> Entry | None:
        """Give an entry of the fold."""
        return self.store.get(key)

    @property
    def reached(self) -> Mapping[tuple[str, int], int]:
        """Give for each (context, partition) that has any the offset of the last decision that is in the store."""
        return {where: mark.last for where, mark in self._marks.items() if mark.last >= 0}

    def time_at(self, context: str, partition: int) -> int:
        """Give the log's time (ms) at the last decision of a partition that was applied here; 0 before the first."""
        return self._times.get((context, partition), 0)

    async def moved(self, timeout_s: float) -> None:
        """Wait until more is in the store, but not longer than this."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._moved.wait()

    async def wait_for(self, positions: Mapping[tuple[str, int], int], timeout_s: float) -> bool:
        """Wait until these positions are in the store; say whether they are."""
        try:
            async with asyncio.timeout(timeout_s):
                while any(
                    where in self._marks and self._marks[where].next <= offset for where, offset in positions.items()
                ):
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True


async def caught_up(log: Log, context: str, mirror: Mirror, timeout_s: float) -> bool:
    """Wait until a mirror holds all that a context's log held when this was asked; say whether it does."""
    name = topic.events(context)
    ends = await log.ends(name, range(await log.partitions(name)))
    return await mirror.wait_for({(context, p): end - 1 for p, end in ends.items() if end}, timeout_s)
