"""The readers of the event stream: where each stands, what it is sent next, and how many there may be."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from api.event_tail import EventTail, cursor_of
from api.event_types import EventTypes
from api.problems import ProblemError
from api.recent_events import Chunk, Frame

RETRY_AFTER_S = 5
NO_PLACE = -1


class Reader:
    """Stands behind what it was sent: first anywhere in the store, then in the tail."""

    def __init__(self, tail: EventTail, types: EventTypes, frame: Frame, vector: Mapping[int, int] | None) -> None:
        """Start behind a vector, or where the tail is now."""
        self._tail, self._types, self._frame = tail, types, frame
        self._vector = dict(tail.vector if vector is None else vector)
        self._place: int | None = None
        self.cursor = cursor_of(self._vector)
        """Where to go on behind what was sent."""

    async def next(self) -> Chunk | None:
        """Give what is sent next; nothing, without having waited, where there is nothing now.

        Raises Fallen where what comes next is no longer kept.
        """
        if self._place is None:
            if not self._tail.following or self._vector != self._tail.vector:
                return await self._from_store()
            # All up to where the tail stands was read, and nothing waited since: what the tail takes next comes next.
            self._place = self._tail.recent.place
        chunk = self._tail.recent.chunk(self._frame, self._types, self._place, self._tail.cursor)
        if chunk.place != self._place:
            return chunk
        self.cursor = chunk.cursor
        return None

    async def _from_store(self) -> Chunk | None:
        # Not ahead of the tail, so as to come to stand where it does.
        until = self._tail.vector if self._tail.following else self._tail.reached()
        if all(self._vector.get(partition, -1) >= offset for partition, offset in until.items()):
            return None
        told, self._vector = await self._tail.read_store(self._types, self._vector, until)
        content = b"".join(self._frame(each.body, each.cursor) for each in told)
        return Chunk(content, len(told), cursor_of(self._vector), NO_PLACE)

    def stand_behind(self, chunk: Chunk) -> None:
        """Take a chunk as sent."""
        self.cursor = chunk.cursor
        if self._place is not None:
            self._place = chunk.place

    @property
    def lag(self) -> int:
        """Count the events of the tail that it still has before it; none while it reads the store."""
        return 0 if self._place is None else self._tail.recent.place - self._place


class Readers:
    """Who reads, and how many may, in all and of each caller."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seats: Counter[str] = Counter()
        self._reading: set[Reader] = set()

    def __len__(self) -> int:
        return self._seats.total()

    @property
    def lag(self) -> int:
        """Count the events that the reader furthest behind in the tail has before it."""
        return max((reader.lag for reader in self._reading), default=0)

    @contextmanager
    def seated(self, name: str, most: int | None) -> Iterator[None]:
        """Let one more in while the block runs; raises ``rate_limited``."""
        if len(self) >= self._most:
            raise _too_many("this process has as many readers as it takes")
        if most is not None and self._seats[name] >= most:
            raise _too_many(f"a caller like this one may read {most} streams at once")
        self._seats[name] += 1
        try:
            yield
        finally:
            self._seats[name] -= 1
            if not self._seats[name]:
                del self._seats[name]

    @contextmanager
    def reading(self, reader: Reader) -> Iterator[None]:
        """Count a reader while the block runs."""
        self._reading.add(reader)
        try:
            yield
        finally:
            self._reading.discard(reader)


def _too_many(detail: str) -> ProblemError:
    return ProblemError("rate_limited", detail, headers={"Retry-After": str(RETRY_AFTER_S)})
