"""The log in memory: the same promises as Kafka's, kept within one process, for rules and tests that need no broker."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass

from log.log import LogUnavailable, OnAssigned, OnRevoked, Reader, Record, Topic
from log.message import Message


@dataclass(frozen=True, slots=True)
class MemoryMessage:
    """One message that the memory log holds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes


class MemoryReader:
    """Reads partitions of one topic; as a member of a group it may be given others while it reads."""

    def __init__(self, log: "MemoryLog", topic: str, starts: Mapping[int, int], group: "_Group | None" = None) -> None:
        self._log, self._topic, self._group = log, topic, group
        self.next = dict(starts)

    async def poll(self, timeout_s: float, max_messages: int | None = None) -> Mapping[int, Sequence[Message]]:
        """Give the next messages by partition."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._log.check_reachable()
            found = self._take(max_messages)
            remaining = deadline - time.monotonic()
            if found or remaining <= 0:
                return found
            await self._log.wait_for_more(remaining)

    def _take(self, max_messages: int | None) -> dict[int, Sequence[Message]]:
        found: dict[int, Sequence[Message]] = {}
        room = max_messages if max_messages is not None else 1 << 62
        for partition, start in self.next.items():
            messages = self._log.messages(self._topic, partition)[start : start + room]
            if messages:
                found[partition] = messages
                self.next[partition] = start + len(messages)
                room -= len(messages)
            if room <= 0:
                break
        return found

    def seek(self, partition: int, offset: int) -> None:
        """Go on from this offset."""
        self.next[partition] = offset

    async def ends(self) -> Mapping[int, int]:
        """Give the end of each assigned partition."""
        self._log.check_reachable()
        return {partition: len(self._log.messages(self._topic, partition)) for partition in self.next}

    async def close(self) -> None:
        """Leave the group, if any."""
        if self._group is not None:
            await self._group.leave(self)


class _Group:
    """Gives each partition of a topic to one member at a time."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._members: dict[MemoryReader, tuple[OnAssigned, OnRevoked]] = {}

    async def join(self, reader: MemoryReader, on_assigned: OnAssigned, on_revoked: OnRevoked) -> None:
        self._members[reader] = (on_assigned, on_revoked)
        await self._rebalance()

    async def leave(self, reader: MemoryReader) -> None:
        if reader in self._members:
            _, on_revoked = self._members.pop(reader)
            await on_revoked(sorted(reader.next))
            reader.next = {}
            await self._rebalance()

    async def _rebalance(self) -> None:
        for reader, (_, on_revoked) in self._members.items():
            taken, reader.next = sorted(reader.next), {}
            await on_revoked(taken)
        for index, (reader, (on_assigned, _)) in enumerate(self._members.items()):
            given = list(range(index, self._partitions, len(self._members)))
            reader.next = dict.fromkeys(given, 0) | dict(await on_assigned(given))


class MemoryLog:
    """Topics as lists. ``reachable = False`` makes it behave as a broker that is away."""

    def __init__(self) -> None:
        self.reachable = True
        self._topics: dict[str, list[list[MemoryMessage]]] = {}
        self._groups: dict[tuple[str, str], _Group] = {}
        self._more = asyncio.Event()

    def check_reachable(self) -> None:
        """Raise LogUnavailable while the log plays a broker that is away."""
        if not self.reachable:
            raise LogUnavailable("the memory log is set unreachable")

    def messages(self, topic: str, partition: int) -> list[MemoryMessage]:
        """Give the messages of a partition."""
        return self._topics[topic][partition]

    async def wait_for_more(self, timeout_s: float) -> None:
        """Wait until something was appended anywhere, but not longer than this."""
        more = self._more
        try:
            # Not wait_for, which in Python 3.11 loses a cancellation that comes together with what it waits for.
            async with asyncio.timeout(timeout_s):
                await more.wait()
        except TimeoutError:
            return

    async def create(self, topics: Sequence[Topic]) -> None:
        """Create the topics that aren't there yet."""
        self.check_reachable()
        for topic in topics:
            self._topics.setdefault(topic.name, [[] for _ in range(topic.partitions)])

    async def partitions(self, topic: str) -> int:
        """Count a topic's partitions."""
        self.check_reachable()
        return len(self._topics[topic])

    async def append(self, topic: str, partition: int, records: Sequence[Record]) -> Awaitable[int]:
        """Append records; they lie there at once."""
        self.check_reachable()
        held = self._topics[topic][partition]
        first = len(held)
        now = max(time.time_ns() // 1_000_000, held[-1].timestamp if held else 0)
        held.extend(
            MemoryMessage(topic, partition, first + index, now, key, value)
            for index, (key, value) in enumerate(records)
        )
        self._more.set()
        self._more = asyncio.Event()
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        answer.set_result(first)
        return answer

    async def reader(self, topic: str, starts: Mapping[int, int]) -> Reader:
        """Read these partitions from these offsets."""
        self.check_reachable()
        return MemoryReader(self, topic, starts)

    async def member(self, topic: str, group: str, on_assigned: OnAssigned, on_revoked: OnRevoked) -> Reader:
        """Read as one member of a group."""
        self.check_reachable()
        members = self._groups.setdefault((topic, group), _Group(len(self._topics[topic])))
        reader = MemoryReader(self, topic, {}, members)
        await members.join(reader, on_assigned, on_revoked)
        return reader

    async def read_at(self, topic: str, partition: int, offset: int) -> Message | None:
        """Give the message at an offset."""
        self.check_reachable()
        held = self._topics[topic][partition]
        return held[offset] if 0 <= offset < len(held) else None

    async def ends(self, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:
        """Give the end of each partition."""
        self.check_reachable()
        return {partition: len(self._topics[topic][partition]) for partition in partitions}

    async def close(self) -> None:
        """Hold on to nothing; the messages go with the object."""
