"""What anchors records in a process: the chain that the settings choose, and the pool's key."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from api.anchorage import Anchorage
from muniment.chain_opening import opened_chain
from muniment.key_files import KeyFileError
from muniment.pool_key import make_pool_key, pool_key
from muniment.settings import InvalidSetting, Settings
from processors.batcher import BatcherSettings
from processors.chain import Chain
from processors.devnet import Devnet, mining
from processors.observer import LOOK_EVERY_S
from processors.pool_key import PoolKey
from processors.publishing_duties import Press
from processors.task import Task

ARC: Final = "arc"
LOOK_AFAR_EVERY_S: Final = 5.0
"""How often a chain of others is looked at: an explorer answers some three questions a second."""


@contextlib.asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Chain, Devnet | None]]:
    """Open the chain; it is given twice where it is the devnet."""
    devnets = list[Devnet]()

    def devnet(path: Path) -> Chain:
        devnets.append(Devnet(path))
        return devnets[0]

    try:
        async with opened_chain(settings, devnet) as chain:
            yield chain, next(iter(devnets), None)
    finally:
        for each in devnets:
            await each.close()


def _key(settings: Settings) -> PoolKey:
    """Give the pool's key, which the devnet's deployment makes itself. Raises InvalidSetting."""
    try:
        return make_pool_key(settings) if settings.chain == "devnet" else pool_key(settings)
    except KeyFileError as error:
        raise InvalidSetting(f"MUNIMENT_BSV_PRIVATE_KEY: {error}") from None


@contextlib.asynccontextmanager
async def opened_press(settings: Settings) -> AsyncIterator[tuple[Press, Sequence[Task]]]:
    """Open what a reactor anchors by, and its tasks. Raises InvalidSetting."""
    async with _opened(settings) as (chain, devnet):
        look_every_s = LOOK_EVERY_S if devnet is not None else LOOK_AFAR_EVERY_S
        press = Press(chain, _key(settings), BatcherSettings(fee_per_kb=settings.fee_per_kb), devnet, look_every_s)
        yield press, [] if devnet is None else [mining(devnet, settings.devnet_block_every)]


@contextlib.asynccontextmanager
async def opened_anchorage(settings: Settings) -> AsyncIterator[Anchorage]:
    """Open what an api process asks the chain by. Raises InvalidSetting."""
    async with _opened(settings) as (chain, devnet):
        token = settings.chain_callback_token if settings.chain == ARC else None
        yield Anchorage(chain, _key(settings).script, settings.fee_per_kb, devnet, token)
