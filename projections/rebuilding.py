"""Rebuilding: the next generation is replayed beside the live one, compared, and made live in one transaction.

The comparison is of one moment: the next generation is brought to exactly the live one's marks, a snapshot of both is
taken while the live one is held, and the rows are compared in that snapshot while both worlds go on. Where a row
differs the new generation is made live all the same: it is what this code makes of the log, and the log is the truth.
The report names the first difference, so that it is looked into. A crash anywhere leaves the live generation as it
was; what was half-built is dropped by the next rebuild.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from log import topic
from log.chain import Mark
from log.following import follow
from log.log import Log
from projections import generations
from projections.dump import PROJECTIONS, dump_timeout_ms
from projections.generations import Generation, Projection, Table, schema_of
from projections.postgres import Postgres, TableGone, Transaction
from projections.projector import Projector

REBUILD_LOCK = 7_105_646_102
Step = Callable[[str], None]


class RebuildRunning(RuntimeError):
    """Another process rebuilds this projection now."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place at which the old rows were not what the log makes of it; a row that was missing is None.

    ``key`` is empty where the old table hasn't the columns of today's.
    """

    table: str
    key: tuple[Any, ...]
    live: Mapping[str, Any] | None
    rebuilt: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did: the generation that is live now, how many rows were compared, and the first difference."""

    projection: str
    number: int
    rows: int
    difference: Difference | None


Rebuild = Callable[[], Awaitable[Rebuilt]]


def rebuilds(
    log: Log,
    postgres: Postgres,
    others: Mapping[str, Rebuild] | None = None,
    step: Step = lambda _name: None,
    projections: Sequence[Projection] = PROJECTIONS,
) -> dict[str, Rebuild]:
    """Give what rebuilds each projection by its name; ``others`` are those that lie elsewhere than in Postgres.

    ``all`` is for the caller to walk: each of these in turn.
    """

    def of(projection: Projection) -> Rebuild:
        return lambda: rebuild(log, postgres, projection, step)

    return {projection.name: of(projection) for projection in projections} | dict(others or {})


async def rebuild(log: Log, postgres: Postgres, projection: Projection, step: Step = lambda _name: None) -> Rebuilt:
    """Replay, compare, switch, drop. Raises RebuildRunning, PostgresUnavailable, LogUnavailable."""
    async with _alone(postgres, projection):
        async with postgres.transaction() as transaction:
            await generations.prepare(transaction, [projection])
            for leftover in await generations.others(transaction, projection.name):
                await generations.drop(transaction, projection.name, leftover)
            number = await generations.make(transaction, projection, live=False)
        step("made")
        await _approach(log, postgres, projection, number)
        step("replayed")
        rows, difference = await _compared(log, postgres, projection, number)
        step("compared")
        await _approach(log, postgres, projection, number)
        async with postgres.transaction() as transaction:
            for table in projection.tables:
                await transaction.run(f"ANALYZE {schema_of(projection.name, number)}.{table.name}")
        async with postgres.transaction() as holding:
            live = await _hold_live(log, holding, projection)
            await _bring_to(log, postgres, projection, number, live)
            await generations.switch(holding, projection.name, number)
            step("switch")
            # From this commit on every new snapshot reads the next generation; a crash before it changes nothing.
        step("switched")
        async with postgres.transaction() as transaction:
            await generations.drop(transaction, projection.name, live.number)
    return Rebuilt(projection.name, number, rows, difference)


@asynccontextmanager
async def _alone(postgres: Postgres, projection: Projection) -> AsyncIterator[None]:
    """Hold the projection's rebuild lock as long as this connection lives."""
    async with postgres.transaction() as transaction:
        index = [entry.name for entry in PROJECTIONS].index(projection.name)
        ((held,),) = await transaction.rows(f"SELECT pg_try_advisory_xact_lock({REBUILD_LOCK + index})")
        if not held:
            raise RebuildRunning(f"{projection.name} is being rebuilt already")
        yield


async def _approach(log: Log, postgres: Postgres, projection: Projection, number: int) -> None:
    """Replay to where the live generation is by now, while it goes on: what is left to do under its lock is short."""
    async with postgres.transaction() as transaction:
        live = await _hold_live(log, transaction, projection)
    await _bring_to(log, postgres, projection, number, live)


async def _hold_live(log: Log, transaction: Transaction, projection: Projection) -> Generation:
    """Hold the live generation, whichever it is once the lock is ours."""
    partitions = await log.partitions(topic.events(projection.context))
    while True:
        live = await generations.lock(transaction, projection.name, None)
        if live is not None:
            return await generations.begin(transaction, live, projection.context, partitions)


async def _bring_to(log: Log, postgres: Postgres, projection: Projection, number: int, live: Generation) -> None:
    """Replay to exactly the marks of the live generation; the next one is never past them."""
    projector = Projector(postgres, [projection], number=number, stop_at=live.marks)
    await follow(log, projection.context, projector, until={p: mark.next for p, mark in live.marks.items()})


async def _compared(log: Log, postgres: Postgres, projection: Projection, number: int) -> tuple[int, Difference | None]:
    """Compare both generations in one snapshot that shows them at the same marks."""
    async with postgres.snapshot(dump_timeout_ms) as frozen:
        async with postgres.transaction() as holding:
            live = await _hold_live(log, holding, projection)
            await _bring_to(log, postgres, projection, number, live)
            # The first query takes the snapshot, while the live generation is held at these marks.
            next_marks = await generations.marks(frozen, projection.name, number)
        for partition, mark in sorted(live.marks.items()):
            if next_marks.get(partition) != mark:
                found = next_marks.get(partition)
                return 0, Difference("positions", (partition,), plain(mark), None if found is None else plain(found))
        rows = 0
        for table in projection.tables:
            schemas = schema_of(projection.name, live.number), schema_of(projection.name, number)
            ((held,),) = await frozen.rows(f"SELECT count(*) FROM {schemas[1]}.{table.name}")
            rows += held
            try:
                difference = await first_difference(frozen, table, *schemas)
            except TableGone:
                # The live one was made by an earlier release, with other columns.
                difference = Difference(table.name, (), None, None)
            if difference is not None:
                return rows, difference
    return rows, None


def plain(mark: Mark) -> Mapping[str, Any]:
    """Give a mark's members."""
    return {"next": mark.next, "chain": mark.chain.hex(), "last": mark.last}


async def first_difference(transaction: Transaction, table: Table, live: str, rebuilt: str) -> Difference | None:
    """Find the first key at which two generations of a table don't hold the same row."""
    left, right = ([f"{side}.{name}" for name in table.columns] for side in "lr")
    same_key = " AND ".join(f"l.{name} = r.{name}" for name in table.key)
    order = ", ".join(f"coalesce(l.{name}, r.{name})" for name in table.key)
    rows = await transaction.rows(
        f"SELECT {', '.join(left)}, {', '.join(right)} FROM {live}.{table.name} l"
        f" FULL JOIN {rebuilt}.{table.name} r ON {same_key}"
        f" WHERE ROW({', '.join(left)}) IS DISTINCT FROM ROW({', '.join(right)}) ORDER BY {order} LIMIT 1"
    )
    if not rows:
        return None
    width = len(table.columns)
    sides = [dict(zip(table.columns, part, strict=True)) for part in (rows[0][:width], rows[0][width:])]
    shown = [side if side[table.key[0]] is not None else None for side in sides]
    holder = shown[0] or sides[1]
    key = tuple(holder[name] for name in table.key)
    return Difference(table.name, key, *(_without(side, table.sealed) for side in shown))


def _without(row: Mapping[str, Any] | None, sealed: Sequence[str]) -> Mapping[str, Any] | None:
    """Give a row without what no report may show."""
    return None if row is None else {name: value for name, value in row.items() if name not in sealed}
