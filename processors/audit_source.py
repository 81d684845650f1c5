"""The log as an auditor reads it: one partition at a time, up to where it ended when the audit began."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from log import topic
from log.log import Log, LogUnavailable
from log.message import Message

POLL_S: Final = 1.0
MESSAGES_PER_POLL: Final = 4_000
silence_s: Final = 30.0
"""A log that gives nothing for this long, below its own end, is taken as away."""


class LogSource:
    """Reads a context from the log itself; it appends nothing."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def partitions(self, context: str) -> int:
        """Count the partitions of a context."""
        return await self._log.partitions(topic.events(context))

    async def ends(self, topic: str) -> Mapping[int, int]:
        """Give for each partition the offset behind its last message."""
        return await self._log.ends(topic, range(await self._log.partitions(topic)))

    async def messages(self, topic: str, partition: int, end: int, start: int = 0) -> AsyncIterator[Sequence[Message]]:
        """Give the messages from ``start`` up to ``end``. Raises LogUnavailable."""
        if start >= end:
            return
        reader = await self._log.reader(topic, {partition: start})
        try:
            silent_polls = 0
            while start < end:
                found = (await reader.poll(POLL_S, MESSAGES_PER_POLL)).get(partition, ())
                silent_polls = 0 if found else silent_polls + 1
                if silent_polls * POLL_S > silence_s:
                    raise LogUnavailable(f"{topic}/{partition} gives nothing from {start} on")
                if found:
                    start = found[-1].offset + 1
                    yield found if start <= end else [message for message in found if message.offset < end]
        finally:
            await reader.close()
