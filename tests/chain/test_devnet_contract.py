"""The devnet does what every Chain does."""

from dataclasses import dataclass

import pytest

from log.bitcoin import Output
from processors.devnet import Devnet
from tests.chain.chain_contract import ChainContract, Rig
from tests.chain.paying import Coin, Purse


@dataclass
class DevnetRig:
    chain: Devnet
    purse: Purse

    @property
    def script(self) -> bytes:
        return self.purse.script

    async def coin(self) -> Coin:
        return Coin(await self.chain.faucet(self.script, 10_000), 10_000)

    def spend(self, coin: Coin, *outputs: Output) -> bytes:
        return self.purse.spend([coin], outputs)

    async def mine(self) -> None:
        await self.chain.mine()


@pytest.fixture
def rig(devnet: Devnet, purse: Purse) -> Rig:
    return DevnetRig(devnet, purse)


class TestDevnet(ChainContract):
    """All of it."""
