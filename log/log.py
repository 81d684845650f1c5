"""The log as everything above it sees it: append and read; Kafka and the memory log keep the same promises."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from log.message import Message

Record = tuple[bytes | None, bytes]
"""A key and a value."""


class LogUnavailable(ConnectionError):
    """The log can't be reached; nothing was appended."""


class AppendUnknown(ConnectionError):
    """The log did not answer in time; what was sent may have been appended or may be yet."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to create; a compacted one keeps the last value of each key."""

    name: str
    partitions: int
    compacted: bool = False


class Reader(Protocol):
    """Reads partitions of one topic, each from where it was told, in order."""

    async def poll(self, timeout_s: float, max_messages: int | None = None) -> Mapping[int, Sequence[Message]]:
        """Give the next messages by partition; nothing when none came in time. Raises LogUnavailable."""

    def seek(self, partition: int, offset: int) -> None:
        """Go on from this offset."""

    async def ends(self) -> Mapping[int, int]:
        """Give for each assigned partition the offset that the next message appended will get."""

    async def close(self) -> None:
        """Let go of the partitions; a group hands them to another member."""


OnAssigned = Callable[[Sequence[int]], Awaitable[Mapping[int, int]]]
"""Told which partitions a group gives this member; gives the offset to go on from in each."""

OnRevoked = Callable[[Sequence[int]], Awaitable[None]]
"""Told which partitions a group takes from this member, before another gets them."""


class Log(Protocol):
    """An ordered, durable, append-only log in topics and partitions."""

    async def create(self, topics: Sequence[Topic]) -> None:
        """Create what isn't there yet; what is there stays as it is. Raises LogUnavailable."""

    async def partitions(self, topic: str) -> int:
        """Count a topic's partitions. Raises LogUnavailable; KeyError where there is no such topic."""

    async def append(self, topic: str, partition: int, records: Sequence[Record]) -> Awaitable[int]:
        """Send records; the awaitable gives the offset of the first once all are durable.

        Records of one sender and partition lie in the order in which they were sent, but others' may lie between.
        The awaitable raises LogUnavailable (nothing was appended) or AppendUnknown.
        """

    async def reader(self, topic: str, starts: Mapping[int, int]) -> Reader:
        """Read these partitions from these offsets. Raises LogUnavailable."""

    async def member(self, topic: str, group: str, on_assigned: OnAssigned, on_revoked: OnRevoked) -> Reader:
        """Read as one member of a group, which gives each partition to one member at a time, nearly always."""

    async def read_at(self, topic: str, partition: int, offset: int) -> Message | None:
        """Give the message at an offset, or nothing where there is none."""

    async def ends(self, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:
        """Give for each partition the offset that the next message appended will get. Raises LogUnavailable."""

    async def close(self) -> None:
        """Send what is in flight and let go of everything."""
