"""Generations: each projection's tables lie in a schema of their own, and one generation of each is live.

The row of a generation is its lock: whoever writes its tables or makes another one live holds it. The marks say how
far its tables are, and move in the transaction that moves the tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from log import topic
from log.chain import Mark
from log.following import Decided
from projections.postgres import Transaction

MAKING_LOCK = 7_105_646_101
"""Held while tables are made, so that two processes that start together make them once."""


REGISTER = """
CREATE SCHEMA IF NOT EXISTS muniment;
CREATE TABLE muniment.generations (
  projection text NOT NULL, number integer NOT NULL, live boolean NOT NULL, PRIMARY KEY (projection, number));
CREATE UNIQUE INDEX one_live ON muniment.generations (projection) WHERE live;
CREATE TABLE muniment.positions (
  projection text NOT NULL, number integer NOT NULL, partition integer NOT NULL, next bigint NOT NULL,
  chain bytea NOT NULL, last bigint NOT NULL, PRIMARY KEY (projection, number, partition)) WITH (fillfactor = 50);
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is compared: its columns, the key that orders it, and the columns that no report may show."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    sealed: tuple[str, ...] = ()


class Batch(Protocol):
    """What one projection makes of one batch; nothing is written elsewhere, and nothing before it is asked."""

    def take(self, event: Any, decided: Decided, at: int) -> None:
        """Fold one event in memory."""

    async def drain(self, transaction: Transaction) -> None:
        """Send on what needs not wait for the rest of the batch."""

    async def write(self, transaction: Transaction) -> None:
        """Write the rest."""


class Projection(Protocol):
    """A read model in Postgres: its tables, and how a batch of events changes them."""

    name: str
    context: str
    events: tuple[type, ...]
    tables: Sequence[Table]

    def definition(self, schema: str) -> str:
        """Write the statements that make its tables."""

    def batch(self, schema: str) -> Batch:
        """Begin a batch."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a projection, and how far it is in each partition that it knows.

    ``beside`` has those of other projections that are live in the same snapshot, where a read asks those too.
    """

    projection: str
    number: int
    marks: Mapping[int, Mark]
    beside: Mapping[str, "Generation"] = field(default_factory=dict)

    @property
    def schema(self) -> str:
        """Name the schema of its tables."""
        return schema_of(self.projection, self.number)

    def lasts(self) -> dict[int, int]:
        """Give the offset of the last decision that counted, by partition; -1 where there is none."""
        return {partition: mark.last for partition, mark in self.marks.items()}


def schema_of(projection: str, number: int) -> str:
    """Name the schema of a generation's tables."""
    return f"{projection}_g{number}"


async def prepare(transaction: Transaction, projections: Sequence[Projection]) -> None:
    """Make the register of generations, and a first live generation where a projection has none."""
    await transaction.rows(f"SELECT pg_advisory_xact_lock({MAKING_LOCK})")
    ((register,),) = await transaction.rows("SELECT to_regclass('muniment.positions')")
    if register is None:
        await transaction.run(REGISTER)
    there = {name for (name,) in await transaction.rows("SELECT projection FROM muniment.generations WHERE live")}
    for projection in projections:
        if projection.name not in there:
            await make(transaction, projection, live=True)


async def make(transaction: Transaction, projection: Projection, *, live: bool) -> int:
    """Make the next generation's tables, empty, and give its number."""
    ((number,),) = await transaction.rows(
        "SELECT coalesce(max(number), 0) + 1 FROM muniment.generations WHERE projection = %s", projection.name
    )
    schema = schema_of(projection.name, number)
    await transaction.run(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};")
    await transaction.run(projection.definition(schema))
    await transaction.run("INSERT INTO muniment.generations VALUES (%s, %s, %s)", projection.name, number, live)
    return int(number)


async def drop(transaction: Transaction, projection: str, number: int) -> None:
    """Drop a generation that isn't live, with its tables and marks."""
    await transaction.run(
        "DELETE FROM muniment.generations WHERE projection = %s AND number = %s AND NOT live", projection, number
    )
    await transaction.run("DELETE FROM muniment.positions WHERE projection = %s AND number = %s", projection, number)
    await transaction.run(f"DROP SCHEMA IF EXISTS {schema_of(projection, number)} CASCADE")


async def others(transaction: Transaction, projection: str) -> list[int]:
    """Give the numbers of the generations that aren't live: half-built ones, and old ones not dropped yet."""
    query = "SELECT number FROM muniment.generations WHERE projection = %s AND NOT live ORDER BY number"
    return [number for (number,) in await transaction.rows(query, projection)]


async def live(transaction: Transaction, names: Sequence[str]) -> dict[str, Generation]:
    """Give the live generations with their marks."""
    rows = await transaction.rows(
        "SELECT g.projection, g.number, p.partition, p.next, p.chain, p.last FROM muniment.generations g"
        " LEFT JOIN muniment.positions p USING (projection, number) WHERE g.live AND g.projection = ANY(%s)",
        list(names),
    )
    found: dict[str, tuple[int, dict[int, Mark]]] = {}
    for name, number, partition, following, chain, last in rows:
        marks = found.setdefault(name, (number, {}))[1]
        if partition is not None:
            marks[partition] = Mark(following, bytes(chain), last)
    return {name: Generation(name, number, marks) for name, (number, marks) in found.items()}


async def lock(transaction: Transaction, name: str, number: int | None) -> Generation | None:
    """Hold a generation (the live one where no number is given) until the transaction ends, and give its marks.

    Gives nothing where there is none, or where another became live while this waited.
    """
    chosen, parameters = ("live", ()) if number is None else ("number = %s", (number,))
    rows = await transaction.rows(
        f"SELECT number FROM muniment.generations WHERE projection = %s AND {chosen} FOR UPDATE", name, *parameters
    )
    if not rows:
        return None
    held = int(rows[0][0])
    return Generation(name, held, await marks(transaction, name, held))


async def marks(transaction: Transaction, name: str, number: int) -> dict[int, Mark]:
    """Give the marks of a generation."""
    rows = await transaction.rows(
        "SELECT partition, next, chain, last FROM muniment.positions WHERE projection = %s AND number = %s",
        name,
        number,
    )
    return {partition: Mark(following, bytes(chain), last) for partition, following, chain, last in rows}


async def save(transaction: Transaction, generation: Generation, marks: Mapping[int, Mark]) -> None:
    """Move the marks of a generation that this transaction holds."""
    partitions = sorted(marks)
    await transaction.run(
        "INSERT INTO muniment.positions SELECT %s, %s, * FROM"
        " unnest(%s::integer[], %s::bigint[], %s::bytea[], %s::bigint[])"
        " ON CONFLICT (projection, number, partition)"
        " DO UPDATE SET next = excluded.next, chain = excluded.chain, last = excluded.last",
        generation.projection,
        generation.number,
        partitions,
        [marks[p].next for p in partitions],
        [marks[p].chain for p in partitions],
        [marks[p].last for p in partitions],
    )


async def begin(transaction: Transaction, generation: Generation, context: str, partitions: int) -> Generation:
    """Put the marks of partitions that a generation has never seen at their start."""
    name = topic.events(context)
    new = {p: Mark.start(name, p) for p in range(partitions) if p not in generation.marks}
    if new:
        await save(transaction, generation, new)
    return Generation(generation.projection, generation.number, {**generation.marks, **new})


async def switch(transaction: Transaction, projection: str, number: int) -> None:
    """Make a generation the live one; readers and the projector notice in their next transaction."""
    await transaction.run("UPDATE muniment.generations SET live = false WHERE projection = %s AND live", projection)
    await transaction.run(
        "UPDATE muniment.generations SET live = true WHERE projection = %s AND number = %s", projection, number
    )
