"""Every row of a projection in an order that stays, with the marks that they stand at: for auditors and comparisons."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from projections import generations
from projections.facts import FactsProjection
from projections.generations import Generation, Projection, Table
from projections.identity import IdentityProjection
from projections.ledger import LedgerProjection
from projections.postgres import Postgres, PostgresUnavailable, Transaction
from projections.publishing import PublishingProjection
from projections.records import RecordsProjection
from projections.signers import SignersProjection
from projections.webhooks import WebhooksProjection

PROJECTIONS: Sequence[Projection] = (
    FactsProjection(),
    SignersProjection(),
    WebhooksProjection(),
    IdentityProjection(),
    LedgerProjection(),
    RecordsProjection(),
    PublishingProjection(),
)
"""Every projection in Postgres, as it is compared and dumped; what writes them is given the keys that they need."""
dump_timeout_ms = 3_600_000


def writing(vault_key: bytes) -> Sequence[Projection]:
    """Give every projection as it is written; ``vault_key`` is what owners' keys are wrapped with."""
    return [RecordsProjection(vault_key) if each.name == RecordsProjection.name else each for each in PROJECTIONS]


@dataclass(frozen=True, slots=True)
class Dump:
    """One generation of a projection as one snapshot shows it; ``generation.marks`` say which decisions it holds."""

    projection: Projection
    generation: Generation
    transaction: Transaction

    async def rows(self, table: str) -> AsyncIterator[dict[str, Any]]:
        """Give the rows of one of its tables as plain members, in the order of their key (text by code point)."""
        (found,) = [entry for entry in self.projection.tables if entry.name == table]
        async for row in self.transaction.stream(select(self.generation.schema, found)):
            yield dict(zip(found.columns, row, strict=True))


def select(schema: str, table: Table) -> str:
    """Write the query of a whole table in the order of its key."""
    return f"SELECT {', '.join(table.columns)} FROM {schema}.{table.name} ORDER BY {', '.join(table.key)}"


@asynccontextmanager
async def dump(postgres: Postgres, projection: str) -> AsyncIterator[Dump]:
    """Open the live generation of a projection in one snapshot. Raises PostgresUnavailable.

    One table is read at a time; ``Dump.projection.tables`` names them, their columns and their keys.
    """
    (found,) = [entry for entry in PROJECTIONS if entry.name == projection]
    async with postgres.snapshot(dump_timeout_ms) as transaction:
        generation = (await generations.live(transaction, [projection])).get(projection)
        if generation is None:
            raise PostgresUnavailable(f"no generation of {projection} can be read")
        yield Dump(found, generation, transaction)
