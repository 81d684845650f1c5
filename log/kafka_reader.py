"""Reading from Kafka: one consumer as a reader, alone or as a member of a group."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from log.log import LogUnavailable, OnAssigned, OnRevoked
from log.message import Message

CLOSE_TIMEOUT_S: Final = 5.0
"""How long a consumer may take to leave its group and end its fetches before it is given up."""


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Close a consumer; one that doesn't end is given up, and its connections are closed.

    aiokafka cancels its fetches and waits for each: one that loses the cancellation, as when the broker dies under it,
    would be waited for without end, and one that was cancelled would pass for a cancellation of ours.
    """
    task = asyncio.current_task()
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await consumer.stop()
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        if task is not None and task.cancelling():
            raise
    else:
        return
    await consumer._client.close()  # noqa: SLF001  # what stop() didn't come to


class KafkaReader:
    """Reads through one consumer, with or without a group."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, on_revoked: OnRevoked | None = None) -> None:
        self._consumer = consumer
        self._topic = topic
        self._on_revoked = on_revoked

    async def poll(self, timeout_s: float, max_messages: int | None = None) -> Mapping[int, Sequence[Message]]:
        """Give the next messages by partition."""
        try:
            batches = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=max_messages)
        except KafkaError as error:
            raise LogUnavailable(type(error).__name__) from error
        return {part.partition: messages for part, messages in batches.items()}

    def seek(self, partition: int, offset: int) -> None:
        """Go on from this offset."""
        self._consumer.seek(TopicPartition(self._topic, partition), offset)

    async def ends(self) -> Mapping[int, int]:
        """Give the end of each assigned partition."""
        try:
            ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        except KafkaError as error:
            raise LogUnavailable(type(error).__name__) from error
        return {part.partition: offset for part, offset in ends.items()}

    async def close(self) -> None:
        """Leave the group, if any, and close the connections."""
        if self._on_revoked is not None:
            await self._on_revoked(sorted(part.partition for part in self._consumer.assignment()))
        # aiokafka ends a task of its own; one that never ran yet would pass for a cancellation of ours and leave the
        # connections open.
        await asyncio.sleep(0)
        await stop_consumer(self._consumer)


class Handover(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Tells a member what it was given and what was taken, and seeks to where it wants to go on."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, on_assigned: OnAssigned, on_revoked: OnRevoked) -> None:
        self._consumer, self._topic = consumer, topic
        self._on_assigned, self._on_revoked = on_assigned, on_revoked

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        await self._on_revoked(sorted(part.partition for part in revoked))

    async def on_partitions_assigned(self, assigned: set[Any]) -> None:
        starts = await self._on_assigned(sorted(part.partition for part in assigned))
        for partition, offset in starts.items():
            self._consumer.seek(TopicPartition(self._topic, partition), offset)
