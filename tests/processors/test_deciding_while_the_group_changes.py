"""A command processor to which the group gives and from which it takes while the log is not there."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest

from domain.facts.signer import AddSigner
from log import released, topic
from log.log import AppendUnknown, OnAssigned, OnRevoked, Reader, Record
from log.memory import MemoryLog, MemoryReader
from log.message import Command, Message
from log.scope import command_id
from log.store import MemoryStore
from processors.deciding import POLL_S, CommandProcessor

pytestmark = pytest.mark.slow

COMMANDS, EVENTS = topic.commands("facts"), topic.events("facts")


class HeldReader(MemoryReader):
    """Reads nothing while its log holds it."""

    def __init__(self, log: "TroubledLog", topic: str, starts: Mapping[int, int]) -> None:
        super().__init__(log, topic, starts)
        self._troubled = log

    async def poll(self, timeout_s: float, max_messages: int | None = None) -> Mapping[int, Sequence[Message]]:
        await self._troubled.readable.wait()
        return await super().poll(timeout_s, max_messages)


class TroubledLog(MemoryLog):
    """A log whose group passes over what a member raises, as aiokafka's does, and which can be in trouble."""

    def __init__(self) -> None:
        super().__init__()
        self.readable = asyncio.Event()
        self.readable.set()
        self.readers_fail = 0
        self.appends_unknown = 0
        self.slow_appends = 0
        self.hasty = False

    async def reader(self, topic: str, starts: Mapping[int, int]) -> Reader:
        if self.readers_fail:
            self.readers_fail -= 1
            self.reachable = False
            try:
                return await super().reader(topic, starts)
            finally:
                self.reachable = True
        return HeldReader(self, topic, starts)

    async def append(self, topic: str, partition: int, records: Sequence[Record]) -> Awaitable[int]:
        if topic == EVENTS and self.slow_appends:
            self.slow_appends -= 1
            await asyncio.sleep(0.05)
        answer = await super().append(topic, partition, records)
        if topic == EVENTS and self.appends_unknown:
            self.appends_unknown -= 1
            raise AppendUnknown("in trouble")
        return answer

    async def member(self, topic: str, group: str, on_assigned: OnAssigned, on_revoked: OnRevoked) -> Reader:
        async def given(partitions: Sequence[int]) -> Mapping[int, int]:
            try:
                return await on_assigned(partitions)
            except Exception:  # noqa: BLE001  # as aiokafka's coordinator does
                return {}

        if not self.hasty:
            return await super().member(topic, group, given, on_revoked)
        # As aiokafka does: messages come from the start on while the member still prepares for them.
        reader = MemoryReader(self, topic, dict.fromkeys(range(await self.partitions(topic)), 0))

        async def hand_over() -> None:
            for partition, offset in (await given(sorted(reader.next))).items():
                reader.seek(partition, offset)

        self.handing_over = asyncio.create_task(hand_over())
        return reader


async def ask(log: MemoryLog, partition: int, number: int = 0) -> None:
    """Append a command that is the first of its partition, or refused."""
    did = f"did:key:z{partition}{number}"
    request = hashlib.sha256(did.encode()).digest()
    name = command_id(did, request, idempotency_key="one")
    command = Command(name, "AddSigner", did, "one", request, AddSigner(did, ("admin",), "genesis"), None)
    value = released.codec("facts", "command").encode(command)
    await (await log.append(COMMANDS, partition, [(did.encode(), value)]))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # what is waited for has no event
            await asyncio.sleep(0.01)


def processor(log: MemoryLog) -> CommandProcessor:
    return CommandProcessor(log, "facts", lambda _partition: MemoryStore())


async def ended(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_member_that_could_not_read_what_it_was_given_starts_over() -> None:
    log = TroubledLog()
    await released.prepare(log, 1)
    log.readers_fail = 1
    decider = processor(log)
    running = asyncio.create_task(decider.run())
    await ask(log, 0)
    await until(lambda: bool(decider.seats) and decider.seats[0].settled == 1)
    assert decider.seats[0].in_flight == 0
    await ended(running)


async def test_a_partition_taken_away_while_it_is_read_to_its_end_holds_up_no_other() -> None:
    log = TroubledLog()
    await released.prepare(log, 2)
    first, second = processor(log), processor(log)
    running = asyncio.create_task(first.run())
    await until(lambda: len(first.seats) == 2)
    log.readable.clear()
    await asyncio.sleep(2 * POLL_S)  # by now nothing reads any more
    log.appends_unknown = 1
    await ask(log, 1)
    await until(lambda: len(log.messages(EVENTS, 1)) == 1)
    await asyncio.sleep(2 * POLL_S)  # by now it reads to the end
    joining = asyncio.create_task(second.run())
    await asyncio.sleep(0.05)
    log.readable.set()
    await until(lambda: len(second.seats) == 1 and len(first.seats) == 1)
    await ask(log, 0)
    await until(lambda: len(log.messages(EVENTS, 0)) == 1)
    await ended(running, joining)


async def test_decisions_lie_in_the_order_in_which_they_were_made_though_one_append_is_slow() -> None:
    log = TroubledLog()
    await released.prepare(log, 1)
    decider = processor(log)
    running = asyncio.create_task(decider.run())
    await until(lambda: len(decider.seats) == 1)
    log.slow_appends = 1
    for number in range(2):
        await ask(log, 0, number)
        await asyncio.sleep(0.02)
    await until(lambda: decider.seats[0].settled == 2)
    assert len(log.messages(EVENTS, 0)) == 2
    await ended(running)


async def test_nothing_is_decided_in_a_partition_that_is_still_read_to_its_end() -> None:
    log = TroubledLog()
    await released.prepare(log, 1)
    before = processor(log)
    running = asyncio.create_task(before.run())
    for number in range(5):
        await ask(log, 0, number)
    await until(lambda: bool(before.seats) and before.seats[0].settled == 5)
    await ended(running)
    log.hasty = True
    log.readable.clear()
    decider = processor(log)
    running = asyncio.create_task(decider.run())
    await asyncio.sleep(POLL_S)  # by now commands were read
    log.readable.set()
    await ask(log, 0, 5)
    await until(lambda: decider.seats[0].settled == 6)
    assert len(log.messages(EVENTS, 0)) == 6
    await ended(running)
