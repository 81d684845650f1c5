"""The registry that a test of the ledger's api asks."""

from collections.abc import AsyncIterator

import pytest

from tests.api.serving import running
from tests.api_ledger.economy import Economy


@pytest.fixture
async def economy() -> AsyncIterator[Economy]:
    """Run an api with its deciders, with a frame and two registries."""
    async with running() as registry:
        found = Economy(registry)
        await found.open()
        yield found
