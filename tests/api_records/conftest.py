"""A registry with vaults: the real Postgres for keys and reads, a running projector, and a collection."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from projections.postgres import Postgres
from tests.api.serving import running
from tests.api_records.keeping import Keeper, keeping
from tests.projections.conftest import postgres

__all__ = ["postgres"]


@pytest.fixture
async def keeper(postgres: Postgres) -> AsyncIterator[Keeper]:
    """Run an api with its deciders and a projector, with a collection of notes."""
    async with running() as registry, keeping(registry, postgres) as found:
        await found.collection()
        yield found


async def settled(task: "asyncio.Task[None]") -> None:
    """End a task."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
