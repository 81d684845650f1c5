"""The log on Kafka, Redpanda or anything that speaks their protocol; with `kafka_reader` aiokafka's only door."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from log.kafka_address import KafkaAddress
from log.kafka_reader import Handover, KafkaReader, stop_consumer
from log.log import AppendUnknown, LogUnavailable, OnAssigned, OnRevoked, Reader, Record, Topic
from log.message import Message

APPEND_TIMEOUT_MS = 10_000
REACHABLE_TIMEOUT_S = 2.0
LOOKUP_TIMEOUT_S = 5.0
ENDS_ATTEMPT_S = 2.0
"""How long a look-up may take, with the wait for those before it."""
REACHABLE_FOR_S = 0.25
"""An answer of the broker this young is taken as a sign that it is there."""
BATCH_BYTES = 1 << 20
REQUEST_BYTES = 8 << 20
FETCH_BYTES = 2 << 20
SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_MS = 1_000
TOPIC_SETTINGS = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(REQUEST_BYTES)}
FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
COMPACTED = {"cleanup.policy": "compact"}


class KafkaLog:
    """The log on a Kafka cluster; one producer for all that this process appends."""

    def __init__(
        self, address: KafkaAddress, client_id: str = "muniment", instance: str | None = None, replication: int = 1
    ) -> None:
        self._address = address
        self._replication = replication
        self._client_id = client_id
        self._instance = instance
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._heard_at = 0.0
        self._asking: asyncio.Task[AIOKafkaProducer] | None = None
        self._lookups: dict[str, AIOKafkaConsumer] = {}
        self._ends: AIOKafkaConsumer | None = None
        self._opening_ends = asyncio.Lock()
        self._looking = asyncio.Lock()

    async def create(self, topics: Sequence[Topic]) -> None:
        """Create the topics that aren't there yet."""
        admin = AIOKafkaAdminClient(client_id=self._client_id, **self._address.options())
        wanted = [
            NewTopic(
                topic.name,
                topic.partitions,
                self._replication,
                topic_configs=TOPIC_SETTINGS | (COMPACTED if topic.compacted else FOR_EVER),
            )
            for topic in topics
        ]
        try:
            await admin.start()
            there = set(await admin.list_topics())
            answer = await admin.create_topics([topic for topic in wanted if topic.name not in there])
            for name, code, *_ in answer.topic_errors if answer is not None else ():
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise LogUnavailable(f"topic {name} could not be created: {for_code(code).__name__}")
        except KafkaError as error:
            raise LogUnavailable(type(error).__name__) from error
        finally:
            await admin.close()

    async def partitions(self, topic: str) -> int:
        """Count a topic's partitions."""
        producer = await self._connected()
        try:
            return len(await producer.partitions_for(topic))
        except KafkaError as error:
            raise LogUnavailable(type(error).__name__) from error

    async def _connected(self) -> AIOKafkaProducer:
        """Give the producer, started; whoever comes meanwhile waits for the same one."""
        if self._producer is not None:
            return self._producer
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    client_id=self._client_id,
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=0,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=REQUEST_BYTES,
                    request_timeout_ms=APPEND_TIMEOUT_MS,
                    **self._address.options(),
                )
                try:
                    await asyncio.wait_for(producer.start(), REACHABLE_TIMEOUT_S)
                except (KafkaError, TimeoutError) as error:
                    await producer.stop()
                    raise LogUnavailable(type(error).__name__) from error
                self._heard_at = time.monotonic()
                self._producer = producer
            return self._producer

    async def _reachable(self) -> AIOKafkaProducer:
        """Give the producer once the broker has answered lately, so that a refusal here means that nothing was sent."""
        if self._producer is not None and time.monotonic() - self._heard_at <= REACHABLE_FOR_S:
            return self._producer
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            return await asyncio.wait_for(asyncio.shield(self._asking), REACHABLE_TIMEOUT_S)
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(type(error).__name__) from error

    async def _ask(self) -> AIOKafkaProducer:
        """Ask the broker for its metadata; all who wonder at the same time share the answer."""
        producer = await self._connected()
        await asyncio.wait_for(producer.client.fetch_all_metadata(), REACHABLE_TIMEOUT_S)
        self._heard_at = time.monotonic()
        return producer

    async def append(self, topic: str, partition: int, records: Sequence[Record]) -> Awaitable[int]:
        """Send records in as few batches as they fit into."""
        producer = await self._reachable()
        try:
            if len(records) == 1:
                ((key, value),) = records
                sent = [await producer.send(topic, value, key=key, partition=partition)]
            else:
                sent = await self._send_batches(producer, topic, partition, records)
        except KafkaError as error:
            await self._reset(producer)
            raise AppendUnknown(type(error).__name__) from error
        return self._acknowledged(producer, sent)

    async def _send_batches(
        self, producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Record]
    ) -> list[Any]:
        sent = []
        batch = producer.create_batch()
        for key, value in records:
            if batch.append(key=key, value=value, timestamp=None) is None:
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        sent.append(await producer.send_batch(batch, topic, partition=partition))
        return sent

    async def _acknowledged(self, producer: AIOKafkaProducer, sent: Sequence[Any]) -> int:
        """Wait until all is durable: every in-sync replica has it."""
        try:
            answers = [await future for future in sent]
        except KafkaError as error:
            await self._reset(producer)
            raise AppendUnknown(type(error).__name__) from error
        self._heard_at = time.monotonic()
        return int(answers[0].offset)

    async def _reset(self, producer: AIOKafkaProducer) -> None:
        """Drop a producer that failed: its sequence numbers may have a gap, so nothing more goes through it."""
        if self._producer is producer:
            self._producer = None
            self._heard_at = 0.0
            await asyncio.shield(_abandon(producer))

    def _consumer(self, group: str | None = None) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            client_id=self._client_id,
            group_id=group,
            group_instance_id=self._instance if group else None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=REQUEST_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=500,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            request_timeout_ms=APPEND_TIMEOUT_MS,
            retry_backoff_ms=50,
            **self._address.options(),
        )

    async def _started(self, consumer: AIOKafkaConsumer) -> None:
        try:
            await consumer.start()
        except KafkaError as error:
            await stop_consumer(consumer)
            raise LogUnavailable(type(error).__name__) from error
        except asyncio.CancelledError:
            await stop_consumer(consumer)
            raise

    async def reader(self, topic: str, starts: Mapping[int, int]) -> Reader:
        """Read these partitions with no group."""
        consumer = self._consumer()
        await self._started(consumer)
        consumer.assign([TopicPartition(topic, partition) for partition in starts])
        for partition, offset in starts.items():
            consumer.seek(TopicPartition(topic, partition), offset)
        return KafkaReader(consumer, topic)

    async def member(self, topic: str, group: str, on_assigned: OnAssigned, on_revoked: OnRevoked) -> Reader:
        """Read as one member of a Kafka consumer group."""
        consumer = self._consumer(group)
        consumer.subscribe([topic], listener=Handover(consumer, topic, on_assigned, on_revoked))
        await self._started(consumer)
        return KafkaReader(consumer, topic, on_revoked)

    async def read_at(self, topic: str, partition: int, offset: int) -> Message | None:
        """Fetch one message, through a consumer kept for such look-ups; one at a time, none without end."""
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S), self._looking:
                return await self._look_up(TopicPartition(topic, partition), offset)
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(type(error).__name__) from error

    async def _look_up(self, part: TopicPartition, offset: int) -> Message | None:
        consumer = self._lookups.get(part.topic)
        if consumer is None:
            consumer = self._consumer()
            await self._started(consumer)
            self._lookups[part.topic] = consumer
        consumer.assign([part])
        (end,) = (await consumer.end_offsets([part])).values()
        if not 0 <= offset < end:
            return None
        consumer.seek(part, offset)
        batches = await consumer.getmany(part, timeout_ms=int(REACHABLE_TIMEOUT_S * 1000), max_records=1)
        found: Sequence[Message] = batches.get(part, ())
        return found[0] if found and found[0].offset == offset else None

    async def ends(self, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:
        """Ask for the ends of partitions, through a consumer kept for that; it reads nothing."""
        parts = [TopicPartition(topic, partition) for partition in partitions]
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                while True:
                    consumer = await self._ends_consumer()
                    try:
                        async with asyncio.timeout(ENDS_ATTEMPT_S):
                            ends = await consumer.end_offsets(parts)
                            return {part.partition: offset for part, offset in ends.items()}
                    except TimeoutError:
                        # A client that asked for a topic before its leader was known doesn't ask for it again within
                        # minutes: a new one does.
                        await self._leave_ends_consumer(consumer)
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(type(error).__name__) from error

    async def _ends_consumer(self) -> AIOKafkaConsumer:
        async with self._opening_ends:
            if self._ends is None:
                consumer = self._consumer()
                await self._started(consumer)
                self._ends = consumer
            return self._ends

    async def _leave_ends_consumer(self, consumer: AIOKafkaConsumer) -> None:
        """Let go of a consumer that doesn't answer, unless another has taken its place; who waits for it asks anew."""
        async with self._opening_ends:
            if self._ends is consumer and consumer is not None:
                self._ends = None
                await stop_consumer(consumer)

    async def close(self) -> None:
        """Flush and close every connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop_quietly(producer)
        if self._ends is not None:
            await stop_consumer(self._ends)
            self._ends = None
        for consumer in self._lookups.values():
            await stop_consumer(consumer)
        self._lookups.clear()


async def _stop_quietly(producer: AIOKafkaProducer) -> None:
    """Send what is in flight and close a producer; a broker that doesn't answer is not waited for."""
    try:
        await asyncio.wait_for(producer.stop(), REACHABLE_TIMEOUT_S)
    except (KafkaError, TimeoutError):
        await _abandon(producer)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Close a producer without sending what it holds: nobody would hear what became of it.

    aiokafka's ``stop`` always flushes first, so its parts are closed one by one.
    """
    producer._closed = True  # noqa: SLF001  # as above
    producer._message_accumulator.fail_all(KafkaError("the producer was given up"))  # noqa: SLF001  # as above
    await producer._sender.close()  # noqa: SLF001  # as above
    await producer.client.close()
