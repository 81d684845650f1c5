"""Logs whose time a test gives: the one in memory, and the real broker's under topics of their own.

A decider knows no clock but the time that its log gives a command, so a test that gives it plays years in a second.
"""

import contextlib
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import replace

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from log.kafka import FOR_EVER, KafkaLog
from log.kafka_address import KafkaAddress
from log.log import OnAssigned, OnRevoked, Reader, Record, Topic
from log.memory import MemoryLog
from log.message import Message

EVER = str(2**63 - 1)
SENDERS_CLOCK = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": EVER,
    "segment.ms": EVER,
}
"""The broker's own time is neither given nor a bound; nor is a segment ended for the years that a test passes over."""


class GivenTimes(MemoryLog):
    """The log in memory; ``now`` is the time of each partition, in ms."""

    def __init__(self) -> None:
        super().__init__()
        self.now: defaultdict[int, int] = defaultdict(int)

    async def append(self, topic: str, partition: int, records: Sequence[Record]) -> Awaitable[int]:
        answer = await super().append(topic, partition, records)
        held, count = self.messages(topic, partition), len(records)
        held[-count:] = [replace(message, timestamp=self.now[partition]) for message in held[-count:]]
        return answer


class GivenTimesOnKafka(KafkaLog):
    """The broker's log; its topics take the sender's time, and are this object's own for as long as it is open."""

    def __init__(self, address: KafkaAddress) -> None:
        super().__init__(address)
        self.now: defaultdict[int, int] = defaultdict(int)
        self._run, self._created = uuid.uuid4().hex, list[str]()

    def _name(self, topic: str) -> str:
        return f"{self._run}.{topic}"

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(**self._address.options())
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def create(self, topics: Sequence[Topic]) -> None:
        self._created += [self._name(each.name) for each in topics]
        async with self._admin() as admin:
            await admin.create_topics(
                [
                    NewTopic(self._name(each.name), each.partitions, 1, topic_configs=SENDERS_CLOCK | FOR_EVER)
                    for each in topics
                ]
            )

    async def partitions(self, topic: str) -> int:
        return await super().partitions(self._name(topic))

    async def append(self, topic: str, partition: int, records: Sequence[Record]) -> Awaitable[int]:
        producer, at = await self._reachable(), self.now[partition]
        sent = [
            await producer.send(self._name(topic), value, key=key, partition=partition, timestamp_ms=at)
            for key, value in records
        ]
        return self._acknowledged(producer, sent)

    async def reader(self, topic: str, starts: Mapping[int, int]) -> Reader:
        return await super().reader(self._name(topic), starts)

    async def member(self, topic: str, group: str, on_assigned: OnAssigned, on_revoked: OnRevoked) -> Reader:
        return await super().member(self._name(topic), self._name(group), on_assigned, on_revoked)

    async def read_at(self, topic: str, partition: int, offset: int) -> Message | None:
        return await super().read_at(self._name(topic), partition, offset)

    async def ends(self, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:
        return await super().ends(self._name(topic), partitions)

    async def close(self) -> None:
        await super().close()
        async with self._admin() as admin:
            await admin.delete_topics(self._created)
