"""The registry that a test of the api asks."""

from collections.abc import AsyncIterator

import pytest

from tests.api.serving import Registry, running


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    """Run an api with its decider."""
    async with running() as found:
        yield found
