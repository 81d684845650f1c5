"""The publishing projection: public keys, jobs, batches, the pool and its outputs, and the trail of all of it."""

from collections.abc import Sequence
from typing import Any

from log.following import Decided
from projections import (
    publishing_batches,
    publishing_jobs,
    publishing_outputs,
    publishing_publishers,
    publishing_trail,
)
from projections.generations import Batch, Table
from projections.postgres import Transaction
from projections.rows import Noun, Place

DEFINITIONS = (
    publishing_publishers.DEFINITION,
    publishing_jobs.DEFINITION,
    publishing_batches.DEFINITION,
    publishing_outputs.DEFINITION,
    publishing_trail.DEFINITION,
)


def nouns(schema: str) -> Sequence[Noun]:
    """Begin what a batch makes of each noun."""
    return (
        publishing_publishers.Publishers(schema),
        publishing_jobs.Jobs(schema),
        publishing_batches.Batches(schema),
        publishing_outputs.Outputs(schema),
        publishing_trail.Trail(schema),
    )


class PublishingBatch:
    """What a batch makes of publishing's events."""

    def __init__(self, schema: str) -> None:
        self._nouns = nouns(schema)
        self._taken: list[tuple[Any, Place]] = []

    def take(self, event: Any, decided: Decided, at: int) -> None:
        """Keep one event, and note what it is about."""
        before = self._taken[-1][1] if self._taken else None
        same = before is not None and (before.part, before.pos) == (decided.partition, decided.offset)
        place = Place(decided.partition, decided.offset, before.idx + 1 if before is not None and same else 0, at)
        self._taken.append((event, place))
        for noun in self._nouns:
            if isinstance(event, noun.events):
                noun.want(event)

    async def drain(self, transaction: Transaction) -> None:
        """Send nothing: what an event changes is read first."""

    async def write(self, transaction: Transaction) -> None:
        """Fold all events on the rows as they were, and write what changed."""
        for noun in self._nouns:
            await noun.load(transaction)
        for event, place in self._taken:
            for noun in self._nouns:
                if isinstance(event, noun.events):
                    noun.fold(event, place)
        for noun in self._nouns:
            await noun.save(transaction)


class PublishingProjection:
    """Publishing as it is read."""

    name = "publishing"
    context = "publishing"
    events: tuple[type, ...] = publishing_trail.Trail.events
    tables: Sequence[Table] = (
        publishing_publishers.PUBLISHERS,
        publishing_jobs.JOBS,
        publishing_jobs.BATCH_JOBS,
        publishing_batches.BATCHES,
        publishing_outputs.OUTPUTS,
        publishing_outputs.POOL,
        publishing_trail.TRAIL,
    )

    def definition(self, schema: str) -> str:
        """Write the statements that make its tables."""
        return "".join(definition.format(schema=schema) for definition in DEFINITIONS)

    def batch(self, schema: str) -> Batch:
        """Begin a batch."""
        return PublishingBatch(schema)
