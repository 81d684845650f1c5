"""The reads of the gateway find what they show by indexes, whatever the tables hold."""

import re
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from domain.records.built_in import FOLLOW, POST, PROFILE
from projections import handle_queries, post_queries, profile_queries, search_queries, search_spans
from projections.generations import Generation
from projections.identity_dids import DEFINITION as DIDS
from projections.post_queries import After, Following
from projections.postgres import Postgres, Transaction
from projections.record_words import SPANS
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


def looked_at(plan: str) -> tuple[int, int]:
    """Give how many spans a search looked at, and how many records it took from them."""
    lines = plan.splitlines()
    (index,) = (number for number, text in enumerate(lines) if "Bitmap Index Scan on records_words" in text)
    scan = next(text for text in reversed(lines[:index]) if "Bitmap Heap Scan on records" in text)
    ran = re.search(r"actual rows=([\d.]+) loops=(\d+)", scan)
    assert ran is not None, scan
    return int(ran[2]), round(float(ran[1]) * int(ran[2]))


async def taken(postgres: Postgres, text: str, language: str | None = None) -> tuple[int, int]:
    """Search, and give how many spans and records it took."""
    async with postgres.snapshot() as opened:
        transaction = Explaining(opened)
        sought = await search_queries.needle(transaction, text, language)
        assert sought is not None
        await search_queries.matching(transaction, BENCH, sought, collections=[POST], offsets=gateway.FOREVER, limit=51)
    return looked_at(next(plan for plan in transaction.plans if "records_words" in plan))


async def most_taken(postgres: Postgres) -> tuple[int, int]:
    """Search for words of every frequency, and give the most spans and the most records that one of them took."""
    each = [await taken(postgres, word(rank)) for rank in (0, 5, 20, 60, 200, 1_000, 5_000, 40_000)]
    return max(spans for spans, _ in each), max(records for _, records in each)


async def test_a_search_takes_little_more_than_it_ranks_however_often_a_word_is_said(filled: Postgres) -> None:
    spans, records = await most_taken(filled)
    assert spans <= 40
    assert records <= search_queries.CANDIDATES + 2 * search_spans.HITS_WANTED
    # A month after all that was said within minutes, somebody says something every hour.
    month, hour = 30 * 86_400_000 // gateway.APART_MS, 3_600_000 // gateway.APART_MS
    later = (gateway.row(POSTS + month + hour * number, 7, POST, {"text": word(number % 3)}) for number in range(40))
    await gateway.written(filled, later)
    spans, records = await most_taken(filled)
    assert spans <= 60
    # Each length of span can have turned out to have too many once.
    assert records <= search_queries.CANDIDATES + len(SPANS) * (search_spans.HITS_LIMIT + 1)


async def test_where_few_hits_match_a_search_takes_more_at_once(filled: Postgres) -> None:
    # "wandero" is "wander" in Spanish, and a word of its own in English; five posts a second.
    later = (
        gateway.row(POSTS + 20 * number, 7, POST, {"text": "wandero" if number % 20 else "wander"})
        for number in range(3_000)
    )
    await gateway.written(filled, later)
    spans, records = await taken(filled, "wander", "en")
    # What a longer span has of those that were looked at already is taken again.
    assert 3_000 <= records <= 3_000 + search_spans.HITS_WANTED
    assert spans <= 40


async def test_what_is_pending_in_the_index_of_words_stays_short(filled: Postgres) -> None:
    await gateway.written(filled, gateway.posts_of(range(POSTS, POSTS + 1_000), AUTHORS, Random(1)))  # noqa: S311
    async with filled.transaction() as transaction:
        ((pages,),) = await transaction.rows(
            "SELECT gin_clean_pending_list(%s::text::regclass)", f"{BENCH.schema}.records_words"
        )
    assert pages * 8 <= 128 + 8


async def test_a_feed_of_whom_somebody_follows_looks_at_no_more_posts_than_fill_its_page(filled: Postgres) -> None:
    async with filled.snapshot() as opened:
        transaction = Explaining(opened)
        found = await post_queries.page(
            transaction, BENCH, Following(author(0), FOLLOW, 0), posts=[POST], offsets=gateway.FOREVER, limit=51
        )
    assert len(found) == 51
    looked = re.findall(r"using records_newest on .*actual rows=([\d.]+) loops=1\)", transaction.plans[0])
    # Somebody who follows three of ten finds 51 among 170, or a few more.
    assert [51 <= float(rows) <= 400 for rows in looked] == [True]


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
