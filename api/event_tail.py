"""The tail of the event stream: one loop shows each event once, and every reader of this process takes it from there.

Readers pull: each has a place among the recent events and takes what lies behind it when its connection has room, so
nothing is kept for a reader, and a slow one holds up nobody. Whoever stands further back reads the store until it
stands where the tail does; both are the same events in the same order of each partition, so nothing is between them.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from api.event_bounds import EventBounds
from api.event_types import EventTypes
from api.metrics import Metrics
from api.recent_events import RecentEvents, Told
from api.since import START
from domain.did import identity
from log.token import write_token
from projections.mirror import Mirror
from projections.record_events import CONTEXT, ERASED, Found, scan

LOG = logging.getLogger("muniment.api.events")
TICK_S = 1.0
"""How often everybody looks up though nothing happened."""
CATCHING_UP_POLL_S = 0.1
RETRY_S = 1.0


class Shown(NamedTuple):
    """An event as a JSON object without a cursor; ``bare`` has nothing of what its owner can have erased."""

    whole: bytes
    bare: bytes


Show = Callable[[Sequence[Found]], Awaitable[Sequence[Shown]]]


def cursor_of(vector: Mapping[int, int]) -> str:
    """Write the cursor of all up to these offsets by partition."""
    positions = {(CONTEXT, partition): offset for partition, offset in vector.items()}
    return write_token(positions) if positions else START


def with_cursor(body: bytes, cursor: str) -> bytes:
    """Add the cursor to an event's JSON object."""
    return b'%b,"cursor":"%b"}' % (body[:-1], cursor.encode())


def _told(found: Found, shown: Shown) -> Told:
    whole, bare = (with_cursor(body, found.cursor) for body in shown)
    return Told(found.event.type, identity(found.event.did), whole, bare, found.cursor)


class EventTail:
    """Follows the public events in a mirror; ``run`` does so until cancelled."""

    def __init__(self, mirror: Mirror, show: Show, metrics: Metrics, bounds: EventBounds) -> None:
        self.bounds = bounds
        self.recent = RecentEvents(self.bounds.recent_events, self.bounds.recent_bytes, self.bounds.chunk_bytes)
        self._mirror, self._show, self._metrics = mirror, show, metrics
        self.vector: dict[int, int] = {}
        """How far the tail is: by partition the offset of the last decision."""
        self.cursor = START
        """The same, as a cursor."""
        self.following = False
        """Whether the tail follows: before, nobody can stand where it does."""
        self.ended: str | None = None
        """Why all readers are to go."""
        self._moved = asyncio.Event()
        self._reading = asyncio.Lock()

    def reached(self) -> dict[int, int]:
        """Give by partition the last decision that is in the store."""
        return {
            partition: offset for (context, partition), offset in self._mirror.reached.items() if context == CONTEXT
        }

    async def moved(self) -> None:
        """Wait until there is more, or time to look up."""
        await self._moved.wait()

    def _tell(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def count_sent(self, events: int) -> None:
        """Count events that were sent to a reader."""
        self._metrics.events_sent.inc(events)

    def end(self, reason: str) -> None:
        """Tell every reader to go."""
        self.ended = reason
        self._tell()

    async def run(self, is_caught_up: Callable[[], bool]) -> None:
        """Follow until cancelled, once the store holds what the log held; what goes wrong is told and tried again."""
        while not is_caught_up():
            await self._mirror.moved(CATCHING_UP_POLL_S)
            self._tell()
        self._stand(self.reached())
        self.following = True
        while True:
            try:
                await self._follow()
            except Exception:
                LOG.exception("event_tail_failed")
                await asyncio.sleep(RETRY_S)

    def _stand(self, vector: dict[int, int]) -> None:
        self.vector, self.cursor = vector, cursor_of(vector)
        self._tell()

    async def _follow(self) -> None:
        while True:
            until = self.reached()
            if until == self.vector:
                await self._mirror.moved(TICK_S)
                self._tell()
                continue
            most, size = self.bounds.chunk_events, self.bounds.chunk_bytes
            scanned = scan(self._mirror.store, self.vector, until, most=most, most_bytes=size)
            found = [each for each in scanned.found if each.event.type != ERASED]
            shown = await self._show(found)
            # From here on nothing waits: a reader sees all of this or nothing of it.
            erased = {identity(each.event.did) for each in scanned.found if each.event.type == ERASED}
            self.recent.take(map(_told, found, shown), erased)
            self._stand(scanned.vector)
            now = time.time()
            for each in found:
                self._metrics.event_delay.observe(max(0.0, now - each.event.at / 1000))

    async def read_store(
        self, types: EventTypes, vector: Mapping[int, int], until: Mapping[int, int], events: int | None = None
    ) -> tuple[list[Told], dict[int, int]]:
        """Read what lies between two vectors from the store, at most so many events, and give how far that is.

        It may be nothing though there is more: what is looked at at once is bounded, and readers take turns at it.
        """
        async with self._reading:
            scanned = scan(
                self._mirror.store,
                vector,
                until,
                types.wants,
                most=self.bounds.chunk_events,
                most_bytes=self.bounds.chunk_bytes,
                most_found=events,
            )
            # Whoever else has something to do goes before the next turn.
            await asyncio.sleep(0)
        shown = await self._show(scanned.found)
        return [*map(_told, scanned.found, shown)], scanned.vector
