"""Nonces that every api process of a deployment remembers, in the real Postgres."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from projections import used_nonces
from projections.postgres import Postgres, PostgresUnavailable
from projections.used_nonces import UsedNonces
from tests.conftest import Services

pytestmark = pytest.mark.stack


@pytest.fixture
async def postgres(services: Services) -> AsyncIterator[Postgres]:
    """Give a database without the table."""
    found = Postgres(services.postgres)
    async with found.transaction() as transaction:
        await transaction.run("DROP TABLE IF EXISTS muniment.used_nonces")
    yield found
    await found.close()


async def test_of_many_processes_that_use_a_nonce_one_may(postgres: Postgres, services: Services) -> None:
    others = [Postgres(services.postgres) for _ in range(3)]
    soon = int(time.time()) + 300
    used = [UsedNonces(each) for each in (postgres, *others)]
    for name in ("a", "b"):
        found = await asyncio.gather(*(each.use(name, soon) for each in used for _ in range(5)))
        assert sum(found) == 1
    for each in others:
        await each.close()


async def test_what_has_expired_is_forgotten(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(used_nonces, "FORGET_EVERY_S", -1.0)
    used, now = UsedNonces(postgres), int(time.time())
    assert await used.use("old", now - 1000)
    assert await used.use("new", now + 300)
    assert not await used.use("new", now + 300)
    async with postgres.transaction() as transaction:
        ((count,),) = await transaction.rows("SELECT count(*) FROM muniment.used_nonces")
    assert count == 1


async def test_without_postgres_nobody_is_let_in() -> None:
    used = UsedNonces(Postgres("postgresql://127.0.0.1:1/none"))
    with pytest.raises(PostgresUnavailable):
        await used.use("a", int(time.time()) + 300)
