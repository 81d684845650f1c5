"""A registry whose reads come from the real Postgres, kept up by a running projector."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from projections.dump import PROJECTIONS
from projections.postgres import Postgres
from projections.projector import Projector
from projections.reads import Reads
from tests.api.serving import Registry, running
from tests.projections.conftest import postgres

__all__ = ["postgres"]


@pytest.fixture
async def registry(postgres: Postgres) -> AsyncIterator[Registry]:
    """Run an api with its decider and a projector."""
    async with running() as found:
        projecting = asyncio.create_task(Projector(postgres, PROJECTIONS).run(found.log, "facts"))
        found.api.reads = Reads(postgres)
        while (await found.ask("GET", "/facts?wait_ms=0")).status != 200:
            await found.api.mirror.moved(0.02)
        yield found
        projecting.cancel()
        await asyncio.gather(projecting, return_exceptions=True)
