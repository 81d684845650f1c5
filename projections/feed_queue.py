"""The consumer of the feed's queue: it folds each message into the key-value store together with the queue's offset."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from domain.decider import Change
from log.chain import Mark
from log.log import Log, LogUnavailable
from log.message import Message
from log.store import MemoryStore, Store
from log.topic import FACTS_INGEST
from projections import feed_keys as keys
from projections.feed import DEFAULT_ORIGIN, see_playlist, see_star
from projections.feed_messages import Heard, InvalidMessage, heard, hook_key
from projections.feed_overlay import OrderedOverlay

LOG = logging.getLogger("muniment.feed")
CONTEXT = "feed"
"""The name of the queue's offsets in a token; it has one partition."""
POLL_S = 0.5
RETRY_S = 0.2
MESSAGES_PER_POLL = 1_000


class Holder(Protocol):
    """What holds the store; a mirror may change to another generation of it at any time."""

    store: Store | MemoryStore


class Held:
    """A store that stays the same."""

    def __init__(self, store: Store | MemoryStore) -> None:
        self.store = store


class QueueFold:
    """Folds the queue; ``wanted`` is set when a star was heard of whose body is still to be read."""

    def __init__(self, holder: Holder, origin: str = DEFAULT_ORIGIN) -> None:
        self._holder, self._origin = holder, origin
        self.wanted = asyncio.Event()
        self.rejected = 0
        self._moved = asyncio.Event()

    @property
    def store(self) -> Store | MemoryStore:
        """Give the store as it is held now."""
        return self._holder.store

    @property
    def next(self) -> int:
        """Say which offset of the queue is folded next."""
        return self.store.mark(FACTS_INGEST, 0).next

    @property
    def reached(self) -> Mapping[tuple[str, int], int]:
        """Give the offset of the last message that is in the store, if any is."""
        last = self.store.mark(FACTS_INGEST, 0).last
        return {(CONTEXT, 0): last} if last >= 0 else {}

    async def wait_for(self, positions: Mapping[tuple[str, int], int], timeout_s: float) -> bool:
        """Wait until these positions are in the store; say whether they are."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while any(context == CONTEXT and self.next <= offset for (context, _), offset in positions.items()):
            moved = self._moved
            try:
                await asyncio.wait_for(moved.wait(), max(0.0, deadline - loop.time()))
            except TimeoutError:
                return False
        return True

    def apply(self, messages: Sequence[Message]) -> None:
        """Fold messages in their order, all or nothing; those that the store has already are passed over."""
        store = self.store
        following = store.mark(FACTS_INGEST, 0).next
        view = OrderedOverlay(store)
        changes: list[Change] = []
        for message in messages:
            if message.offset < following:
                continue
            following = message.offset + 1
            for change in self._changes(view, message):
                view.put(change)
                changes.append(change)
        # Durable from here: what the messages said, and the offset behind them, in one write.
        store.write(changes, {(FACTS_INGEST, 0): Mark(following, b"", following - 1)})
        self._moved.set()
        self._moved = asyncio.Event()

    def _changes(self, view: OrderedOverlay, message: Message) -> Iterable[Change]:
        idempotency_key = hook_key(message)
        if idempotency_key is not None and view.get(keys.seen_key(idempotency_key)) is not None:
            return
        try:
            said = heard(message, self._origin)
        except InvalidMessage as error:
            self.rejected += 1
            LOG.warning("feed_message_rejected offset=%d detail=%s", message.offset, error)
            return
        for entry in said:
            yield from self._fold(view, entry)
        if idempotency_key is not None:
            yield keys.seen_key(idempotency_key), (message.offset,)

    def _fold(self, view: OrderedOverlay, entry: Heard) -> Iterator[Change]:
        match entry:
            case ("star", star):
                yield from see_star(view, star)
                if not star.complete:
                    self.wanted.set()
            case ("playlist", playlist):
                yield from see_playlist(view, playlist)
            case ("highwater", cursor):
                yield keys.HIGHWATER, (cursor,)


async def follow_queue(log: Log, fold: QueueFold, step: Callable[[str], None] = lambda _name: None) -> None:
    """Fold the queue from where the store stands, until cancelled; the log being away is waited out."""
    while True:
        try:
            await fold_queue(log, fold, None, step)
        except LogUnavailable:
            await asyncio.sleep(RETRY_S)


async def fold_queue(
    log: Log, fold: QueueFold, until: int | None, step: Callable[[str], None] = lambda _name: None
) -> None:
    """Fold the queue from where the store stands until this offset, or until the store is exchanged for one behind it.

    Raises LogUnavailable.
    """
    reading = fold.next
    if until is not None and reading >= until:
        return
    reader = await log.reader(FACTS_INGEST, {0: reading})
    try:
        while until is None or fold.next < until:
            messages = (await reader.poll(POLL_S, MESSAGES_PER_POLL)).get(0, ())
            if not messages:
                continue
            if fold.next < reading:
                return
            reading = messages[-1].offset + 1
            step("apply")
            fold.apply([message for message in messages if until is None or message.offset < until])
            step("applied")
    finally:
        await reader.close()
