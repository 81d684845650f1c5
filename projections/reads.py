"""Reads of Postgres: rows and the positions that they stand at come from one snapshot, and a position is waited for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from log.token import Positions
from projections import generations
from projections.generations import Generation
from projections.postgres import Postgres, PostgresUnavailable, TableGone, Transaction

T = TypeVar("T")

POLL_S = 0.005
ATTEMPTS = 3
READ = {
    "facts": "facts",
    "signers": "facts",
    "webhooks": "facts",
    "identity": "identity",
    "ledger": "ledger",
    "records": "records",
    "publishing": "publishing",
}
"""By projection the context that it follows."""
BESIDE = {"records": ("identity",), "ledger": ("identity",)}
"""By projection the others whose tables its queries ask too: whose keys signed is identity's to say."""

Query = Callable[[Transaction, Generation], Awaitable[T]]
"""Asks one generation's tables in one snapshot."""


class NotCaughtUp(RuntimeError):
    """A position was not reached in time."""


class Reads:
    """Answers from the live generation of a projection, whichever that is when it is asked."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._looking: asyncio.Task[Mapping[str, Generation]] | None = None

    async def read(
        self, projection: str, query: Query[T], wanted: Positions | None = None, wait_s: float = 0.0
    ) -> tuple[T, dict[tuple[str, int], int]]:
        """Run a query once these positions are reached, and give the positions that it saw beside its answer.

        Positions of other contexts and of partitions that there are not are passed over. Raises NotCaughtUp,
        PostgresUnavailable.
        """
        of = READ[projection]
        positions = {p: offset for (context, p), offset in (wanted or {}).items() if context == of}
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            answer = await self._attempt(projection, query, positions)
            if answer is not None:
                found, generation = answer
                lasts = generation.lasts().items()
                return found, {(of, p): last for p, last in lasts if last >= 0}
            await self._wait(projection, positions, deadline)

    async def _attempt(
        self, projection: str, query: Query[T], positions: Mapping[int, int]
    ) -> tuple[T, Generation] | None:
        """Read in one snapshot; nothing where that snapshot isn't there yet."""
        for _ in range(ATTEMPTS):
            try:
                async with self._postgres.snapshot() as transaction:
                    beside = BESIDE.get(projection, ())
                    found = await generations.live(transaction, [projection, *beside])
                    generation = found.get(projection)
                    if generation is None or not generation.marks or not found.keys() >= {*beside}:
                        break
                    generation = replace(generation, beside=found)
                    if not is_reached(generation, positions):
                        return None
                    return await query(transaction, generation), generation
            except TableGone:
                continue  # the generation was dropped behind a newer one, which the next snapshot shows
        raise PostgresUnavailable(f"no generation of {projection} can be read")

    async def _wait(self, projection: str, positions: Mapping[int, int], deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            left = deadline - loop.time()
            if left <= 0:
                raise NotCaughtUp(f"{projection} has not reached what was asked for")
            await asyncio.sleep(min(POLL_S, left))
            generation = (await self.look()).get(projection)
            if generation is not None and is_reached(generation, positions):
                return

    async def look(self) -> Mapping[str, Generation]:
        """Give every live generation with its marks; all who ask at once share one query."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> Mapping[str, Generation]:
        try:
            async with self._postgres.snapshot() as transaction:
                return await generations.live(transaction, list(READ))
        except TableGone:
            return {}


def is_reached(generation: Generation, positions: Mapping[int, int]) -> bool:
    """Say whether a generation has all up to these offsets."""
    marks = generation.marks
    return all(marks[p].next > offset for p, offset in positions.items() if p in marks)


def vector(generation: Generation) -> list[int]:
    """Give the offset of the last decision in each partition in their order, -1 where there is none."""
    return [generation.marks[p].last for p in range(max(generation.marks) + 1)]
