"""The reads of the gateway find what they show by indexes, whatever the tables hold."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.records.built_in import FOLLOW, POST, PROFILE
from projections import handle_queries, post_queries, profile_queries, search_queries
from projections.generations import Generation
from projections.identity_dids import DEFINITION as DIDS
from projections.post_queries import After, Following
from projections.postgres import Postgres, Transaction
from projections.search_queries import Rank
from tests.bench import gateway
from tests.bench.gateway import BENCH, author, word
from tests.conftest import Services

pytestmark = [pytest.mark.stack, pytest.mark.slow]
POSTS, AUTHORS, READERS, FOLLOWS = 20_000, 1_000, 2, 300
HANDLES, ERASED = 20_000, 100_000


class Explaining(Transaction):
    """Runs each query as it is and keeps its plan."""

    def __init__(self, inner: Transaction) -> None:
        super().__init__(inner._connection)
        self.plans: list[str] = []

    async def rows(self, query: str, *parameters: Any) -> Any:
        plan = await super().rows(f"EXPLAIN (ANALYZE, TIMING OFF) {query}", *parameters)
        self.plans.append("\n".join(text for (text,) in plan))
        return await super().rows(query, *parameters)


@pytest.fixture
async def filled(services: Services) -> AsyncIterator[Postgres]:
    """Give tables with many posts, follows and handles."""
    postgres = Postgres(services.postgres)
    await gateway.fill(postgres, POSTS, AUTHORS, READERS, FOLLOWS)
    async with postgres.transaction() as transaction:
        await transaction.run(DIDS.format(schema=BENCH.schema))
        letters = "translate(lower(encode(sha256(n::text::bytea), 'base64')), '+/=', 'xyz')"
        await transaction.run(
            f"INSERT INTO {BENCH.schema}.dids SELECT 'did:mun:' || n, left({letters}, 20), 'h', 'k', NULL, NULL,"  # noqa: S608
            " NULL, NULL, NULL, 0, n, n, n, n FROM generate_series(1, %s) n",
            HANDLES,
        )
        await transaction.run(
            f"INSERT INTO {BENCH.schema}.erased_owners SELECT 'did:mun:gone' || n, 0, n, n"  # noqa: S608
            " FROM generate_series(1, %s) n",
            ERASED,
        )
        await transaction.run(f"ANALYZE {BENCH.schema}.dids; ANALYZE {BENCH.schema}.erased_owners")
    yield postgres
    async with postgres.transaction() as transaction:
        await transaction.run(f"DROP SCHEMA {BENCH.schema} CASCADE")
    await postgres.close()


async def asked(transaction: Transaction, generation: Generation) -> int:
    """Ask everything, and give how many posts were shown."""
    shown, offsets = 0, gateway.FOREVER
    for after in (None, After(gateway.BEGAN_MS + POSTS * gateway.APART_MS // 2, "~", author(1), POST)):
        for of in (Following(author(0), FOLLOW, 0), author(7)):
            for then in (offsets, [POSTS // 2] * gateway.PARTITIONS):
                shown += len(
                    await post_queries.page(
                        transaction, generation, of, posts=[POST], offsets=then, limit=51, after=after
                    )
                )
    for text, language in ((word(0), None), (word(900), None), (word(20_000), "en"), (f"{word(1)} -{word(2)}", "de")):
        sought = await search_queries.needle(transaction, text, language)
        assert sought is not None
        for collection in (POST, PROFILE):
            for rank in (None, Rank(1, 1, "~", author(1), POST)):
                shown += len(
                    await search_queries.matching(
                        transaction, generation, sought, collections=[collection], offsets=offsets, limit=51, after=rank
                    )
                )
    people = [author(number) for number in range(100)]
    await profile_queries.profiles(transaction, generation, people, posts=[POST], follows=FOLLOW, profiles=PROFILE)
    for text in ("a4ayc380bd4fc8kf8s1w", "a4ay", "zzz"):
        await handle_queries.handles_like(transaction, generation, text, 300)
    return shown


async def test_no_read_of_the_gateway_scans_a_table(filled: Postgres) -> None:
    async with filled.snapshot() as opened:
        transaction = Explaining(opened)
        assert await asked(transaction, BENCH) > 300
    assert len(transaction.plans) > 25
    for plan in transaction.plans:
        assert not re.search(r"Seq Scan on (records|dids|erased_owners|identity_keys)\b", plan), plan
        # A while is asked of the index of words, together with the word.
        assert not re.search(r"Filter: .*hashtextextended", plan), plan
    assert any(re.search(r"Index Cond: .*words @@ .* AND .*hashtextextended", plan) for plan in transaction.plans)
