"""The last events of the stream as they are sent, bounded in number and in bytes; readers take them from here."""

from collections.abc import Callable, Iterable, Set
from typing import NamedTuple

from api.event_types import EventTypes

CHUNKS_SHARED = 16
"""How many chunks are kept for the next reader that wants the same one, until there is more."""


class Told(NamedTuple):
    """One event as it is sent: a JSON object, and the cursor behind it.

    ``bare`` is the object without what its owner can have erased.
    """

    type: str
    did: str
    body: bytes
    bare: bytes
    cursor: str


class Chunk(NamedTuple):
    """What is written at once, how many events it is, where to go on behind it, and its reader's place behind it."""

    content: bytes
    events: int
    cursor: str
    place: int


class Fallen(Exception):
    """What lies behind a reader's place is no longer kept."""


Frame = Callable[[bytes, str], bytes]
"""Writes an event's JSON object and its cursor as a connection carries them."""


class RecentEvents:
    """Keeps the last events; the place of each is its number since this process began."""

    def __init__(self, events_max: int, bytes_max: int, chunk_bytes: int) -> None:
        self._events_max, self._bytes_max, self._chunk_bytes = events_max, bytes_max, chunk_bytes
        self._told: list[Told] = []
        self._bytes = 0
        self._first = 0
        self._chunks: dict[tuple[Frame, EventTypes, int], Chunk] = {}

    def __len__(self) -> int:
        return len(self._told)

    @property
    def place(self) -> int:
        """Give the place behind the newest event."""
        return self._first + len(self._told)

    def take(self, told: Iterable[Told], erased: Set[str] = frozenset()) -> None:
        """Take events, forget what these owners erased, and drop the oldest of what is too much."""
        for each in told:
            self._told.append(each)
            self._bytes += len(each.body)
        for index, each in enumerate(self._told if erased else ()):
            if each.did in erased:
                self._told[index] = each._replace(body=each.bare)
                self._bytes -= len(each.body) - len(each.bare)
        surplus = 0
        for each in self._told:
            kept = len(self._told) - surplus
            if kept <= self._events_max and (self._bytes <= self._bytes_max or kept == 1):
                break
            surplus += 1
            self._bytes -= len(each.body)
        del self._told[:surplus]
        self._first += surplus
        self._chunks.clear()

    def chunk(self, frame: Frame, types: EventTypes, place: int, newest: str) -> Chunk:
        """Give what a reader at a place is sent next; readers alike get the same bytes. Raises Fallen.

        ``newest`` is the cursor behind the newest event.
        """
        if place < self._first:
            raise Fallen
        known = self._chunks.get((frame, types, place))
        if known is not None:
            return known
        frames: list[bytes] = []
        size, index = 0, place - self._first
        while index < len(self._told) and size < self._chunk_bytes:
            each = self._told[index]
            index += 1
            if types.wants(each.type):
                frames.append(frame(each.body, each.cursor))
                size += len(frames[-1])
        cursor = newest if index == len(self._told) else self._told[index - 1].cursor
        made = Chunk(b"".join(frames), len(frames), cursor, self._first + index)
        if len(self._chunks) < CHUNKS_SHARED:
            self._chunks[frame, types, place] = made
        return made
