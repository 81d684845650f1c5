"""A publishing house for each file of tests: with the real Postgres for reads, or at a time that stands still."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from projections.postgres import Postgres
from tests.api.serving import running
from tests.api_publishing.publishing_house import Clock, PublishingHouse, opened, read_from
from tests.conftest import Services
from tests.projections.conftest import emptied

NOON = 1_767_268_800_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PublishingHouse]:
    """Run an api with its deciders, a projector and a devnet."""
    postgres = Postgres(services.postgres)
    await emptied(postgres)
    async with (
        running() as registry,
        opened(registry, tmp_path_factory.mktemp("house")) as found,
        read_from(postgres, found),
    ):
        yield found
    await postgres.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PublishingHouse]:
    """Run an api with its deciders at noon, without a read model."""
    clock, folder = Clock(NOON), tmp_path_factory.mktemp("desk")
    with clock.told():
        async with running() as registry, opened(registry, folder, clock) as found:
            yield found
