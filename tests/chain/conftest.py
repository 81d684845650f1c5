"""A devnet in a file of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from processors.devnet import Devnet
from tests.chain.paying import Purse


@pytest.fixture
async def devnet(tmp_path: Path) -> AsyncIterator[Devnet]:
    """Open a devnet, and have all of it validated once more when the test is over."""
    opened = Devnet(tmp_path / "devnet" / "chain")
    yield opened
    await opened.check()
    await opened.close()


@pytest.fixture
def purse() -> Purse:
    """Give a purse with a key."""
    return Purse()
