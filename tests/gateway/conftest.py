"""A registry with the first collections, whose identity and records are projected to the real Postgres."""

from collections.abc import AsyncIterator

import pytest

from projections.postgres import Postgres
from tests.api.serving import running
from tests.gateway.crowd import Crowd, gathered
from tests.projections.conftest import postgres

__all__ = ["postgres"]


@pytest.fixture
async def crowd(postgres: Postgres) -> AsyncIterator[Crowd]:
    """Run an api with its deciders and projectors, where people can post, follow and show themselves."""
    async with running() as registry, gathered(registry, postgres) as found:
        yield found
