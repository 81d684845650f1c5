"""A transfer that nobody accepted in time: the receiving side rejects it for good, and then the sender is refunded.

Two process managers take turns, as two leaders do: what the first asks is on its way to the log for as long as the test
holds it there, and overtaken by what the second asks.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import pytest

from domain.decider import Refusal
from domain.ledger.transit import TransferPrepared
from log import released, topic
from log.fold import outcome_of
from log.following import follow
from log.log import Record
from log.store import MemoryStore
from processors.audit_source import LogSource
from processors.audit_supply import FrameSupply, SupplyAudit
from processors.ledger_agenda import LedgerAgenda
from processors.reactor_commands import ReactorCommands
from processors.transits import Transits
from tests.domain.ledger.money import Line, Row
from tests.domain.ledger.playing import Sheet, sheet_of
from tests.domain.ledger.town import BEGINS, GRANT, Town
from tests.processors.given_times import GivenTimes
from tests.processors.money_on_a_log import PARTITIONS, Deciding, frames_of

COMMANDS, EVENTS = topic.commands("ledger"), topic.events("ledger")
AMOUNT, TIMEOUT_MS = 20_001, 60_000
WITHIN_S = 10.0
BEFORE: Sheet = {"ann": GRANT, "ben": GRANT, "eve": GRANT, "kim": GRANT, "issued": 3 * GRANT, "port issued": GRANT}


class OnItsWay:
    """A log as one sender reaches it: what it appends lies there once it is let through."""

    def __init__(self, log: GivenTimes) -> None:
        self._log, self._held = log, list[tuple[str, int, Sequence[Record]]]()

    async def partitions(self, name: str) -> int:
        return await self._log.partitions(name)

    async def append(self, name: str, partition: int, records: Sequence[Record]) -> Awaitable[int]:
        self._held.append((name, partition, records))
        sent: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        sent.set_result(0)
        return sent

    async def let_through(self) -> None:
        """Let all that is on its way lie on the log."""
        for held in self._held:
            await self._log.append(*held)


class Manager:
    """A process manager with a clock of its own."""

    def __init__(self, log: Any, agenda: LedgerAgenda, now: int) -> None:
        self._transits = Transits(agenda, ReactorCommands(log), lambda: True, lambda: now)

    async def ask(self) -> None:
        """Ask for the next phase of the one transfer that is under way."""
        assert await self._transits.ask() == 1

    async def time_out(self) -> None:
        """Let the one transfer that is late be rejected."""
        assert await self._transits.ask() == 0, "what is late is accepted no more"
        assert (await self._transits.time_out()).said["late"] == 1


class Crossing:
    """Ann has sent to somebody who is of another registry, or of another frame; nothing was asked for yet."""

    def __init__(self, log: GivenTimes, deciding: Deciding, agenda: LedgerAgenda, receiver: str) -> None:
        self.log, self.agenda, self._deciding = log, agenda, deciding
        self.town = Town(Row("", (Line("ann pays kim", None, "", {}),)), frames_of(0, 0), 0)
        self._receiver = receiver

    async def begin(self) -> None:
        for ask, _ in self.town.opening():
            await self._deciding.ask(ask)
        answer = await self._deciding.ask(self.town.understand(f"ann pays {self._receiver} {AMOUNT}"))
        (self.sent,) = answer.events
        assert isinstance(self.sent, TransferPrepared)
        assert self.sent.timeout_at == BEGINS + TIMEOUT_MS
        self._before = {part: len(self.log.messages(EVENTS, part)) for part in range(PARTITIONS)}

    def manager(self, *, after_ms: int, log: Any = None) -> Manager:
        """Give a process manager that comes so long after the transfer was sent."""
        return Manager(log or self.log, self.agenda, BEGINS + after_ms)

    async def decided(self) -> None:
        """Wait until every command has its decision, and the managers know of it."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                ends = {part: len(self.log.messages(COMMANDS, part)) for part in range(PARTITIONS)}
                if ends == {part: len(self.log.messages(EVENTS, part)) for part in range(PARTITIONS)}:
                    break
                await asyncio.sleep(0.005)
        assert await self.agenda.reaches("ledger", ends, WITHIN_S)
        assert await self._deciding.mirror.wait_for({("ledger", p): end - 1 for p, end in ends.items()}, WITHIN_S)

    def became(self) -> list[str]:
        """Give what became of the transfer since, in the order of the log: of two frames the receiving one's first."""
        decode = released.codec("ledger", "decision").decode
        found = []
        for part in sorted(self._before, reverse=True):
            for message in self.log.messages(EVENTS, part)[self._before[part] :]:
                outcome = outcome_of(decode(message.value))
                told = [outcome] if isinstance(outcome, Refusal) else outcome
                found += [each.code if isinstance(each, Refusal) else type(each).__name__ for each in told]
        return found

    async def sheet(self) -> Sheet:
        """Give what each place has."""
        return await sheet_of(self._deciding, self.town)

    async def counted(self) -> Sequence[FrameSupply]:
        """Have an auditor count every frame."""
        audit = SupplyAudit(LogSource(self.log))
        figures = await audit.advance()
        assert audit.difference is None
        assert all(each.holds for each in figures)
        return figures


@contextlib.asynccontextmanager
async def crossing_to(receiver: str) -> AsyncIterator[Crossing]:
    """Let a transfer be under way on a log that is decided."""
    log = GivenTimes()
    async with Deciding(log).run() as deciding:
        agenda = LedgerAgenda(MemoryStore())
        following = asyncio.create_task(follow(log, "ledger", agenda))
        try:
            crossing = Crossing(log, deciding, agenda, receiver)
            await crossing.begin()
            await crossing.decided()
            yield crossing
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize("receiver", ["eve", "kim"])
async def test_an_acceptance_that_lands_between_rejection_and_refund_changes_nothing(receiver: str) -> None:
    async with crossing_to(receiver) as crossing:
        slow, late = OnItsWay(crossing.log), crossing.manager(after_ms=TIMEOUT_MS)
        await crossing.manager(after_ms=TIMEOUT_MS - 1, log=slow).ask()
        await late.time_out()
        await crossing.decided()
        assert crossing.became() == ["TransferRejected"]
        assert (await crossing.sheet())["ann"] == GRANT - AMOUNT, "a rejection alone gives nothing back"
        await slow.let_through()
        await crossing.decided()
        await late.ask()
        await crossing.decided()
        assert crossing.became() == ["TransferRejected", "already_rejected", "TransferAborted"]
        assert await crossing.sheet() == BEFORE
        assert [(each.transit_net, each.in_flight) for each in await crossing.counted()] == [(0, 0), (0, 0)]


@pytest.mark.parametrize("receiver", ["eve", "kim"])
async def test_an_acceptance_that_lands_after_the_refund_changes_nothing_however_often_it_does(receiver: str) -> None:
    async with crossing_to(receiver) as crossing:
        slow, late = OnItsWay(crossing.log), crossing.manager(after_ms=TIMEOUT_MS)
        await crossing.manager(after_ms=TIMEOUT_MS - 1, log=slow).ask()
        await late.time_out()
        await crossing.decided()
        await late.ask()
        await crossing.decided()
        assert crossing.became() == ["TransferRejected", "TransferAborted"]
        assert await crossing.sheet() == BEFORE
        for _ in range(2):
            await slow.let_through()
        await crossing.decided()
        assert sorted(crossing.became()) == ["TransferAborted", "TransferRejected", "already_rejected", "repeated"]
        assert await crossing.sheet() == BEFORE
        assert [(each.transit_net, each.in_flight) for each in await crossing.counted()] == [(0, 0), (0, 0)]


@pytest.mark.parametrize("receiver", ["eve", "kim"])
async def test_an_acceptance_that_lands_before_the_rejection_stands_and_is_committed(receiver: str) -> None:
    async with crossing_to(receiver) as crossing:
        slow, late = OnItsWay(crossing.log), OnItsWay(crossing.log)
        await crossing.manager(after_ms=TIMEOUT_MS - 1, log=slow).ask()
        await crossing.manager(after_ms=TIMEOUT_MS, log=late).time_out()
        for each in (slow, late):
            await each.let_through()
        await crossing.decided()
        await crossing.manager(after_ms=TIMEOUT_MS).ask()
        await crossing.decided()
        assert crossing.became() == ["TransferAccepted", "already_accepted", "TransferCommitted"]
        arrived = {receiver: GRANT + AMOUNT - 101, {"eve": "mall", "kim": "quay"}[receiver]: 101}
        across = {"transit": -AMOUNT, "port transit": AMOUNT} if receiver == "kim" else {}
        assert await crossing.sheet() == BEFORE | {"ann": GRANT - AMOUNT} | arrived | across
        assert sum(each.transit_net + each.in_flight for each in await crossing.counted()) == 0
