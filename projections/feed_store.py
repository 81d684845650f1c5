"""The key-value store of an api process, and the loops that keep it: decisions, the feed's queue, generations."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from domain.catalog import CONTEXTS
from log import topic
from log.chain import Chain, Mark
from log.following import MESSAGES_PER_POLL, POLL_S, Decided, follow
from log.log import Log, LogUnavailable
from log.store import MemoryStore, Store, StoreInUse
from projections.feed import DEFAULT_ORIGIN, FeedWriter
from projections.feed_generations import Generations
from projections.feed_queue import Held, QueueFold, fold_queue, follow_queue
from projections.feed_view import FeedView
from projections.mirror import Marks, Mirror, Writer

LOG = logging.getLogger("muniment.feed")
WATCH_S: Final = 0.25


class FeedStore:
    """Opens the live generation in ``folder`` and follows the log into it; ``run`` keeps it until cancelled.

    ``mirror`` answers for the deciders' fold and what ``writers`` add to it, ``view`` for the feed. Raises StoreInUse.
    """

    def __init__(
        self,
        log: Log,
        folder: Path,
        *,
        origin: str = DEFAULT_ORIGIN,
        writers: Sequence[Writer] = (),
        on_decided: Callable[[Decided], None] = lambda _decided: None,
    ) -> None:
        self._log, self._origin = log, origin
        self._writers: list[Writer] = [FeedWriter(origin), *writers]
        self.generations = Generations(folder)
        self._held = self.generations.hold()
        self.generation, store = self.generations.open()
        self.generations.now_served(self.generation)
        self.mirror = Mirror(store, self._writers, on_decided)
        self.queue = QueueFold(self.mirror, origin)
        self.view = FeedView(self.mirror)

    async def run(self) -> None:
        """Follow every context and the queue, and change over to the next generation when one is made live."""
        async with asyncio.TaskGroup() as group:
            for context in CONTEXTS:
                group.create_task(follow(self._log, context, self.mirror))
            group.create_task(follow_queue(self._log, self.queue))
            group.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if self.generations.live != self.generation:
                try:
                    await self._change_over()
                except (LogUnavailable, StoreInUse) as error:
                    LOG.warning("feed_generation_waits detail=%s", error)

    async def _change_over(self) -> None:
        number, store = self.generations.open()
        adopted = False

        async def caught_up(marks: Marks) -> None:
            await self._catch_up(store, marks)

        try:
            await self._catch_up(store, self.mirror.positions)
            await self.mirror.adopt(store, caught_up)
            adopted = True
        finally:
            if not adopted:
                store.close()
        self.generation = number
        self.generations.now_served(number)
        LOG.info("feed_generation_served number=%d", number)

    async def _catch_up(self, store: Store, marks: Marks) -> None:
        """Bring a store to where the live one is; the last look at the queue is followed by no wait."""
        await fold_to(self._log, store, marks, self._writers)
        beside = QueueFold(Held(store), self._origin)
        while beside.next < self.queue.next:
            await fold_queue(self._log, beside, self.queue.next)

    def close(self) -> None:
        """Let go of the store."""
        self.mirror.store.close()
        self._held.close()


async def fold_to(
    log: Log,
    store: Store | MemoryStore,
    marks: Marks,
    writers: Sequence[Writer],
    progress: Callable[[int], None] = lambda _decisions: None,
) -> int:
    """Fold decisions into a store from where it stands until exactly these marks, and count them."""
    mirror, folded = Mirror(store, writers), 0
    for context in sorted({context for context, _ in marks}):
        ends = {partition: mark.next for (of, partition), mark in marks.items() if of == context}
        folded += await _fold_context(log, context, mirror, ends, progress)
    return folded


async def _fold_context(
    log: Log, context: str, mirror: Mirror, ends: Mapping[int, int], progress: Callable[[int], None]
) -> int:
    name, folded = topic.events(context), 0
    chains = {p: Chain(mirror.store.mark(name, p)) for p, end in ends.items() if mirror.store.mark(name, p).next < end}
    if not chains:
        return 0
    reader = await log.reader(name, {partition: chain.mark.next for partition, chain in chains.items()})
    try:
        while any(chains[partition].mark.next < ends[partition] for partition in chains):
            batches = await reader.poll(POLL_S, MESSAGES_PER_POLL)
            decided: Sequence[Decided] = [
                Decided(context, message)
                for partition, messages in batches.items()
                for message in chains[partition].counted(m for m in messages if m.offset < ends[partition])
            ]
            reached: Mapping[int, Mark] = {partition: chains[partition].mark for partition in batches}
            await mirror.apply(context, decided, reached)
            folded += len(decided)
            progress(len(decided))
    finally:
        await reader.close()
    return folded
