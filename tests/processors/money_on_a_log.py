"""Plays the tables of ``money.md`` through the log: commands appended, decided by the real processor, and read back."""

import asyncio
import contextlib
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from domain.catalog import NAMES
from domain.decider import Refusal
from domain.ledger.account import Account, account_key
from domain.ledger.posting import Supply, supply_key
from domain.ledger.stake import DAY_MS
from log import topic
from log.fold import outcome_of
from log.following import Decided, follow
from log.log import Topic
from log.message import Command
from log.released import codec
from log.scope import command_id
from log.store import MemoryStore
from log.topic import partition_of
from processors.deciding import CommandProcessor
from projections.mirror import Mirror
from tests.domain.ledger.money import Row
from tests.domain.ledger.playing import Answer, Played, play
from tests.domain.ledger.town import PORT, TOWN, Ask
from tests.processors.given_times import GivenTimes, GivenTimesOnKafka

ANSWERED_WITHIN_S = 60.0
LANES = 8
PARTITIONS = 2 * LANES
LATER_MS = 400 * DAY_MS
"""No row of the tables is as long."""
Outcomes = Mapping[str, Played | Exception]
"""What became of each row, by its name."""


class Deciding:
    """A log with its command processor, and a fold of what counts on it."""

    def __init__(self, log: GivenTimes | GivenTimesOnKafka) -> None:
        self.log, self._asked = log, 0
        self._answers: defaultdict[tuple[int, int], asyncio.Future[Decided]] = defaultdict(
            asyncio.get_running_loop().create_future
        )
        self.mirror = Mirror(MemoryStore(), on_decided=self._on_decided)
        self._loops: list[asyncio.Task[None]] = []

    def _on_decided(self, decided: Decided) -> None:
        self._answers[decided.partition, decided.decision.cause].set_result(decided)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["Deciding"]:
        """Decide until the block ends."""
        names = (topic.commands("ledger"), topic.events("ledger"))
        await self.log.create([Topic(name, PARTITIONS) for name in names])
        processor = CommandProcessor(self.log, "ledger", lambda _partition: MemoryStore())
        self._loops = [
            asyncio.create_task(processor.run()),
            asyncio.create_task(follow(self.log, "ledger", self.mirror)),
        ]
        try:
            yield self
        finally:
            for loop in self._loops:
                loop.cancel()
            await asyncio.gather(*self._loops, return_exceptions=True)

    async def ask(self, ask: Ask) -> Answer:
        """Append a command twice, and give what the first was answered."""
        self._asked += 1
        request = hashlib.sha256(str(self._asked).encode()).digest()
        name = command_id(ask.actor, request, idempotency_key=str(self._asked))
        command = Command(name, NAMES[type(ask.payload)], ask.actor, None, request, ask.payload, None)
        value, key = codec("ledger", "command").encode(command), ask.payload.frame_id
        partition = partition_of(key, PARTITIONS)
        self.log.now[partition] = ask.when
        sent = [await self.log.append(topic.commands("ledger"), partition, [(key.encode(), value)]) for _ in range(2)]
        first, again = [await self._decided(partition, await durable) for durable in sent]
        if outcome_of(again.decision) != Refusal("repeated", {"cause": str(first.decision.cause)}):
            raise AssertionError(f"{ask} was decided again: {again.decision}")
        if first.decision.at != ask.when:
            raise AssertionError(f"{ask} was decided at {first.decision.at}")
        return Answer(outcome_of(first.decision), partition, first.offset)

    async def _decided(self, partition: int, cause: int) -> Decided:
        answer = self._answers[partition, cause]
        awaited: list[asyncio.Future[Any]] = [answer, *self._loops]
        await asyncio.wait(awaited, timeout=ANSWERED_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            for loop in self._loops:
                if loop.done():
                    loop.result()
            raise TimeoutError(f"command {partition}/{cause} was not decided within {ANSWERED_WITHIN_S} s")
        return answer.result()

    async def account(self, name: str) -> Account:
        """Give an account as it is in the fold."""
        return Account(*(self.mirror.get(account_key(name)) or ()))

    async def supply(self, frame_id: str) -> Supply:
        """Give a frame's supply as it is in the fold."""
        return Supply(*(self.mirror.get(supply_key(frame_id)) or ()))


def frames_of(lane: int, number: int) -> dict[str, str]:
    """Give a row of a lane its frames, in the lane's own partitions."""
    return {
        name: next(
            frame_id
            for n in range(1_000 * PARTITIONS)
            if partition_of(frame_id := f"{name}-{number}-{n}", PARTITIONS) == 2 * lane + which
        )
        for which, name in enumerate((TOWN, PORT))
    }


async def play_all(rows: Sequence[Row], deciding: Deciding) -> Outcomes:
    """Play every row, and give what became of each.

    A partition's time never goes back, so the rows of a lane are played one after the other, each as much later.
    """
    outcomes: dict[str, Played | Exception] = {}

    async def play_lane(lane: int) -> None:
        for number, row in enumerate(rows[lane::LANES]):
            try:
                outcomes[row.name] = await play(row, deciding, frames_of(lane, number), number * LATER_MS)
            except Exception as error:  # noqa: BLE001  # raised by the row's own test
                outcomes[row.name] = error

    await asyncio.gather(*map(play_lane, range(LANES)))
    return outcomes
