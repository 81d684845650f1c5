"""A projector that is cancelled anywhere, also amid a COPY, leaves nothing open behind it."""

import asyncio
import gc

import pytest

from projections.ledger import LedgerProjection
from projections.postgres import Postgres
from projections.projector import Projector
from tests.projections.conftest import emptied
from tests.projections.ledger_world import MOVES, Economy, ledger_tables, project

pytestmark = pytest.mark.stack


async def test_a_projector_that_is_cancelled_amid_a_batch_leaves_nothing_open(postgres: Postgres) -> None:
    economy = await Economy().start()
    await economy.play([(name, index * 7, index * 3) for index, name in enumerate(MOVES * 8)])
    # What other tests left in memory is not looked through eighty times.
    gc.collect()
    gc.freeze()
    for hops in range(0, 160, 2):
        running = asyncio.create_task(Projector(postgres, [LedgerProjection()]).run(economy.log, "ledger"))
        for _ in range(hops):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        gc.collect()
    gc.unfreeze()
    await project(economy, postgres)
    whole = await ledger_tables(postgres)
    await emptied(postgres)
    await project(economy, postgres)
    assert await ledger_tables(postgres) == whole
