"""Postgres for projections: the run's own server, emptied before each test."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from projections import generations
from projections.dump import PROJECTIONS, dump
from projections.identity import IdentityProjection
from projections.postgres import Postgres
from tests.conftest import Services
from tests.projections.plain_fold import Tables


async def emptied(postgres: Postgres) -> None:
    """Drop every generation, and make identity's first, which reads of other projections ask too."""
    async with postgres.transaction() as transaction:
        found = await transaction.rows(
            "SELECT nspname FROM pg_namespace"
            " WHERE nspname ~ '^((facts|signers|webhooks|identity|ledger|records|publishing)_g[0-9]+|muniment)$'"
        )
        for (schema,) in found:
            await transaction.run(f"DROP SCHEMA {schema} CASCADE")
        await generations.prepare(transaction, [IdentityProjection()])


@pytest.fixture
async def postgres(services: Services) -> AsyncIterator[Postgres]:
    """Give an empty database."""
    found = Postgres(services.postgres)
    await emptied(found)
    yield found
    await found.close()


async def tables_of(postgres: Postgres) -> Tables:
    """Give every row of every live generation of facts, by table and key."""
    found: Tables = {}
    for projection in PROJECTIONS:
        if projection.context != "facts":
            continue
        async with dump(postgres, projection.name) as opened:
            for table in projection.tables:
                rows: dict[Any, dict[str, Any]] = {}
                async for row in opened.rows(table.name):
                    rows[tuple(row[name] for name in table.key)] = row
                found[table.name] = rows
    return found
