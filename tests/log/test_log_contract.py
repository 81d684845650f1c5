"""What every log promises: the memory log and Kafka run the same sentences."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import pytest

from log import kafka_reader
from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.kafka_reader import KafkaReader
from log.log import Log, LogUnavailable, Reader, Topic
from log.memory import MemoryLog
from log.message import Message
from tests.conftest import Services


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.stack)])
async def open_log(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Log]]:
    """Give a function that opens another client of one and the same log."""
    opened: list[Log] = []
    memory = MemoryLog()

    def open_one() -> Log:
        if request.param == "memory":
            return memory
        address = KafkaAddress.parse(request.getfixturevalue("services").kafka)
        opened.append(KafkaLog(address))
        return opened[-1]

    if request.param == "kafka":
        request.getfixturevalue("services")
    yield open_one
    for log in opened:
        await log.close()


@pytest.fixture
async def log(open_log: Callable[[], Log]) -> Log:
    """Give one client of the log."""
    return open_log()


@pytest.fixture
async def topic(log: Log) -> str:
    """Give the name of a new topic with four partitions."""
    name = f"contract.{uuid.uuid4().hex}"
    await log.create([Topic(name, 4)])
    return name


async def read(reader: Reader, count: int) -> list[Message]:
    """Read until this many messages came."""
    found: list[Message] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            for messages in (await reader.poll(0.5)).values():
                found.extend(messages)
    return found


async def append(log: Log, topic: str, partition: int, values: Sequence[bytes]) -> int:
    """Append values and wait until they are durable."""
    return await (await log.append(topic, partition, [(b"key", value) for value in values]))


async def test_what_is_appended_is_read_in_order_with_its_key_and_the_logs_time(log: Log, topic: str) -> None:
    assert await append(log, topic, 1, [b"a", b"b"]) == 0
    assert await append(log, topic, 1, [b"c"]) == 2
    reader = await log.reader(topic, {1: 0})
    found = await read(reader, 3)
    assert [(entry.offset, entry.key, entry.value) for entry in found] == [
        (0, b"key", b"a"),
        (1, b"key", b"b"),
        (2, b"key", b"c"),
    ]
    assert [entry.timestamp for entry in found] == sorted(entry.timestamp for entry in found)
    assert found[0].timestamp > 1_700_000_000_000
    await reader.close()


async def test_appends_in_flight_lie_in_the_order_in_which_they_were_sent(log: Log, topic: str) -> None:
    waiting = []
    for number in range(200):
        records = [(None, f"{number}.{index}".encode()) for index in range(1 + number % 3)]
        waiting.append(await log.append(topic, 0, records))
    offsets = [await answer for answer in waiting]
    assert offsets == sorted(offsets)
    reader = await log.reader(topic, {0: 0})
    found = await read(reader, sum(1 + number % 3 for number in range(200)))
    expected = [f"{number}.{index}".encode() for number in range(200) for index in range(1 + number % 3)]
    assert [entry.value for entry in found] == expected
    await reader.close()


async def test_a_batch_larger_than_one_request_is_appended_whole_and_in_order(log: Log, topic: str) -> None:
    values = [str(index).encode() * 100_000 for index in range(40)]
    assert await append(log, topic, 3, values) == 0
    reader = await log.reader(topic, {3: 0})
    assert [entry.value for entry in await read(reader, 40)] == values
    await reader.close()


async def test_a_reader_starts_where_it_is_told_and_seeks(log: Log, topic: str) -> None:
    await append(log, topic, 2, [b"0", b"1", b"2", b"3"])
    reader = await log.reader(topic, {2: 2})
    assert [entry.value for entry in await read(reader, 2)] == [b"2", b"3"]
    reader.seek(2, 1)
    assert (await read(reader, 1))[0].value == b"1"
    assert await reader.ends() == {2: 4}
    await reader.close()


async def test_a_reader_of_the_end_hears_of_what_comes_later(log: Log, topic: str) -> None:
    reader = await log.reader(topic, dict.fromkeys(range(4), 0))
    assert await reader.poll(0.05) == {}
    later = asyncio.create_task(read(reader, 1))
    await append(log, topic, 3, [b"late"])
    assert (await later)[0].value == b"late"
    await reader.close()


async def test_one_message_is_found_by_its_offset_and_none_beyond_the_end(log: Log, topic: str) -> None:
    await append(log, topic, 0, [b"x", b"y"])
    found = await log.read_at(topic, 0, 1)
    assert found is not None
    assert found.value == b"y"
    assert await log.read_at(topic, 0, 2) is None
    assert await log.read_at(topic, 0, -1) is None


async def test_the_ends_of_partitions_are_told_without_a_reader_as_soon_as_an_append_is_durable(
    open_log: Callable[[], Log], log: Log, topic: str
) -> None:
    other = open_log()
    assert await other.ends(topic, range(4)) == dict.fromkeys(range(4), 0)
    for count in range(1, 20):
        await append(log, topic, 2, [b"x"])
        asked = await asyncio.gather(*(other.ends(topic, [2, 3]) for _ in range(3)))
        assert asked == [{2: count, 3: 0}] * 3


@pytest.mark.stack
@pytest.mark.parametrize("loses", ["loses the cancellation", "passes a cancellation on"])
async def test_a_reader_whose_fetch_doesnt_end_is_given_up(
    services: Services, monkeypatch: pytest.MonkeyPatch, loses: str
) -> None:
    log = KafkaLog(KafkaAddress.parse(services.kafka))
    await log.create([Topic(name := f"contract.{uuid.uuid4().hex}", 1)])
    reader = await log.reader(name, {0: 0})
    assert isinstance(reader, KafkaReader)
    consumer = reader._consumer

    async def close() -> None:
        if loses == "loses the cancellation":
            await asyncio.Event().wait()
        raise asyncio.CancelledError

    monkeypatch.setattr(kafka_reader, "CLOSE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(consumer._fetcher, "close", close)
    async with asyncio.timeout(10):
        await reader.close()
        await log.close()
    assert not any(connection.connected() for connection in consumer._client._conns.values())


@pytest.mark.stack
async def test_a_topic_that_was_asked_for_before_it_was_there_is_found_once_it_is(services: Services) -> None:
    log, other = KafkaLog(KafkaAddress.parse(services.kafka)), KafkaLog(KafkaAddress.parse(services.kafka))
    name = f"contract.{uuid.uuid4().hex}"
    try:
        with pytest.raises(LogUnavailable):
            await log.ends(name, [0])
        await other.create([Topic(name, 1)])
        await append(other, name, 0, [b"x"])
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(LogUnavailable):
                    assert await log.ends(name, [0]) == {0: 1}
                    break
    finally:
        await log.close()
        await other.close()


async def test_creating_a_topic_again_keeps_what_it_holds(log: Log, topic: str) -> None:
    await append(log, topic, 0, [b"kept"])
    await log.create([Topic(topic, 4)])
    assert await log.partitions(topic) == 4
    found = await log.read_at(topic, 0, 0)
    assert found is not None


async def test_a_group_gives_each_partition_to_one_member_and_hands_over_what_a_leaver_had(
    open_log: Callable[[], Log], topic: str
) -> None:
    held: dict[str, set[int]] = {"first": set(), "second": set()}

    async def join(name: str) -> Reader:
        async def on_assigned(partitions: Sequence[int]) -> Mapping[int, int]:
            held[name].update(partitions)
            return dict.fromkeys(partitions, 0)

        async def on_revoked(partitions: Sequence[int]) -> None:
            held[name].difference_update(partitions)

        return await open_log().member(topic, f"group.{topic}", on_assigned, on_revoked)

    async def poll_until(*readers: Reader, shares: tuple[int, int]) -> None:
        async with asyncio.timeout(30):
            while (len(held["first"]), len(held["second"])) != shares:
                for reader in readers:
                    await reader.poll(0.1)

    first = await join("first")
    await poll_until(first, shares=(4, 0))
    second = await join("second")
    await poll_until(first, second, shares=(2, 2))
    assert held["first"].isdisjoint(held["second"])
    await first.close()
    await poll_until(second, shares=(0, 4))
    await second.close()
