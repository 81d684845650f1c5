"""The projector: one read of a context's log feeds its Postgres projections, rows and marks in one transaction."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from log.chain import Mark, chain_value
from log.following import Decided, follow
from log.log import Log
from projections import generations
from projections.generations import Batch, Generation, Projection
from projections.postgres import Postgres, PostgresUnavailable, TableGone, Transaction

logger = logging.getLogger(__name__)

DRAIN_EVERY = 500
FIRST_RETRY_S = 0.1
LINGER_S = 0.01
"""What a reader of its own write waits longer at most, and what a transaction for each fact would cost otherwise."""
LONGEST_RETRY_S = 1.0


class MarksMoved(RuntimeError):
    """The tables stand elsewhere than this reader thought: it asks for their marks again."""


class Diverged(RuntimeError):
    """The tables stand on another chain than the log that is read; going on would mix two histories."""


class Routes:
    """Which batches take which events, and from which offset on in each partition."""

    def __init__(self) -> None:
        self._of: dict[type, list[tuple[Batch, Mapping[int, int]]]] = {}

    def add(self, projection: Projection, batch: Batch, starts: Mapping[int, int]) -> None:
        """Let a batch take its projection's events."""
        for event in projection.events:
            self._of.setdefault(event, []).append((batch, starts))

    def take(self, entry: Decided) -> None:
        """Hand the events of a decision to whoever takes them. Raises UndecodableValue."""
        decision = entry.decision
        for happening in decision.events:
            for batch, starts in self._of.get(type(happening.payload), ()):
                if entry.offset >= starts[entry.partition]:
                    batch.take(happening.payload, entry, decision.at)


class Projector:
    """Follows contexts, each into the live generations of its projections, or one into what is being built.

    Any number may run at once: each holds the generation while it writes, and passes over what another has done.
    """

    def __init__(
        self,
        postgres: Postgres,
        projections: Sequence[Projection],
        *,
        number: int | None = None,
        stop_at: Mapping[int, Mark] | None = None,
        step: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._postgres, self._step = postgres, step
        self._projections: dict[str, list[Projection]] = {}
        for projection in sorted(projections, key=lambda projection: projection.name):
            self._projections.setdefault(projection.context, []).append(projection)
        self._number, self._stop_at = number, stop_at
        self._fed: dict[str, dict[int, Mark]] = {}
        self.reached: dict[str, Mapping[int, int]] = {}
        """By projection, the offset of the last decision in its tables, by partition; for the process's status."""

    @property
    def contexts(self) -> Sequence[str]:
        """Name the contexts that have a projection."""
        return tuple(self._projections)

    async def marks(self, context: str, partitions: int) -> Mapping[int, Mark]:
        """Give for each partition the earliest mark of any projection."""
        async with self._postgres.transaction() as transaction:
            if self._number is None:
                await generations.prepare(transaction, self._projections[context])
            held = [
                await generations.begin(transaction, await self._held(transaction, projection), context, partitions)
                for projection in self._projections[context]
            ]
        self.reached |= {generation.projection: generation.lasts() for generation in held}
        self._fed[context] = {
            partition: min((generation.marks[partition] for generation in held), key=lambda mark: mark.next)
            for partition in range(partitions)
        }
        return dict(self._fed[context])

    async def _held(self, transaction: Transaction, projection: Projection) -> Generation:
        held = await generations.lock(transaction, projection.name, self._number)
        if held is None:
            raise MarksMoved(f"another generation of {projection.name} became live")
        return held

    async def apply(self, context: str, decided: Sequence[Decided], marks: Mapping[int, Mark]) -> None:
        """Write what decisions change, and the marks behind them, in one transaction."""
        started = self._fed[context]
        async with self._postgres.transaction() as transaction:
            self._step("locked")
            writing: list[tuple[Generation, Batch]] = []
            routes = Routes()
            for projection in self._projections[context]:
                held = await self._held(transaction, projection)
                check(context, held, started, marks)
                batch = projection.batch(held.schema)
                writing.append((held, batch))
                routes.add(projection, batch, {partition: held.marks[partition].next for partition in marks})
            await self._take(transaction, decided, routes, [batch for _, batch in writing])
            moved: Mapping[int, Mark] = {}
            for held, batch in writing:
                self._step(f"write {held.projection}")
                await batch.write(transaction)
                moved = self._moved(held, decided, marks)
                self._step(f"mark {held.projection}")
                await generations.save(transaction, held, moved)
                self.reached[held.projection] = held.lasts() | {p: mark.last for p, mark in moved.items()}
            # Durable as a whole or not at all; a crash before this line reads the same decisions again.
            self._step("commit")
        self._step("committed")
        # One that stops before a batch's end stands where it stopped, however far the log was read.
        self._fed[context] = {**started, **(marks if self._stop_at is None else moved)}

    async def _take(
        self, transaction: Transaction, decided: Sequence[Decided], routes: "Routes", batches: Sequence[Batch]
    ) -> None:
        """Fold events in the order of the log, and let Postgres take in what is ready meanwhile."""
        stop_at = self._stop_at
        for index, entry in enumerate(decided, start=1):
            if stop_at is None or entry.offset < stop_at[entry.partition].next:
                routes.take(entry)
            if index % DRAIN_EVERY == 0:
                for batch in batches:
                    await batch.drain(transaction)

    def _moved(self, held: Generation, decided: Sequence[Decided], marks: Mapping[int, Mark]) -> dict[int, Mark]:
        """Give the marks behind what was taken, which is less than was read where this stops before."""
        moved = {p: mark for p, mark in marks.items() if mark.next > held.marks[p].next}
        for partition, stop in (self._stop_at or {}).items():
            if partition in moved and moved[partition].next > stop.next:
                there = held.marks[partition]
                taken = [d for d in decided if d.partition == partition and there.next <= d.offset < stop.next]
                last = (chain_value(taken[-1].message.value), taken[-1].offset) if taken else (there.chain, there.last)
                moved[partition] = Mark(max(stop.next, there.next), *last)
        return moved

    async def run(self, log: Log, context: str) -> None:
        """Project until cancelled; Postgres or the log being away, or without room, is waited out."""
        wait_s = FIRST_RETRY_S
        while True:
            before = self._fed.get(context)
            try:
                await follow(log, context, self, linger_s=LINGER_S, step=self._step)
            except (PostgresUnavailable, TableGone, MarksMoved) as error:
                wait_s = FIRST_RETRY_S if self._fed.get(context) != before else min(wait_s * 2, LONGEST_RETRY_S)
                logger.warning("projector_waits reason=%s retry_s=%.1f", type(error).__name__, wait_s)
                await asyncio.sleep(wait_s)


def check(context: str, held: Generation, started: Mapping[int, Mark], marks: Mapping[int, Mark]) -> None:
    """See that a batch joins what the tables hold. Raises MarksMoved, Diverged."""
    for partition in marks:
        there, here = held.marks.get(partition), started[partition]
        if there is None or there.next < here.next:
            raise MarksMoved(f"{held.projection} stands before what is read now")
        if there.next == here.next and there.chain != here.chain:
            raise Diverged(f"{held.projection} stands on another chain in {context}/{partition}")
        if there.next == marks[partition].next and there.chain != marks[partition].chain:
            raise Diverged(f"{held.projection} stands on another chain in {context}/{partition}")
