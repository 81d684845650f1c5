"""A client's own facts: found as soon as they were issued, whichever client of the key it was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from muniment import Client, SigningKey
from muniment.client import Subject
from muniment.client.facts import STAR
from projections.postgres import Postgres
from tests.api.serving import Registry

pytestmark = pytest.mark.stack
SUMMER = Subject("feed.ff", "playlist", "summer")
A_WHILE_S = 0.3


def client(registry: Registry, of: SigningKey) -> Client:
    return Client(str(registry.client.make_url("/")), of, timeout_s=20)


@asynccontextmanager
async def nothing_projected(postgres: Postgres) -> AsyncIterator[None]:
    """Hold what a projector of facts must hold to write."""
    async with postgres.transaction() as transaction:
        await transaction.rows("SELECT FROM muniment.generations WHERE projection = 'facts' FOR UPDATE")
        yield


async def test_a_fact_that_another_client_of_the_key_just_issued_is_waited_for(
    registry: Registry, postgres: Postgres
) -> None:
    curator = await registry.signer(1, "curator")
    async with client(registry, curator) as one, client(registry, curator) as other:
        async with nothing_projected(postgres):
            issued = await one.facts.star("summer")
            found = asyncio.create_task(other.facts.own(STAR, SUMMER))
            await asyncio.sleep(A_WHILE_S)
            assert not found.done(), "it said that there is none, or read what can't be there"
        assert getattr(await found, "id", None) == issued.id


async def test_what_is_not_ones_own_or_not_active_is_not_found(registry: Registry) -> None:
    one, other = await registry.signer(1, "curator"), await registry.signer(2, "curator")
    async with client(registry, one) as mine, client(registry, other) as theirs:
        assert await mine.facts.own(STAR, SUMMER) is None
        await theirs.facts.star("summer")
        assert await mine.facts.own(STAR, SUMMER) is None
        exact = Subject(SUMMER.origin, SUMMER.type, SUMMER.ref, "A" * 43 + "=")
        star = await mine.facts.issue(STAR, exact, {})
        assert getattr(await mine.facts.own(STAR, SUMMER), "id", None) == star.id
        await mine.facts.revoke(star.id)
        assert await mine.facts.own(STAR, SUMMER) is None
