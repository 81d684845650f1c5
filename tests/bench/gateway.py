"""How long the gateway's reads take in Postgres: the feed of who follows 1,000, an author's, and a search.

A million posts of ten thousand authors are put into a table of records of their own, as the projector would write them,
twenty words each of a vocabulary that is used as people use theirs: few words often, most seldom. What is measured is
each query with its rows on their way here, over one connection, beside a bare ``SELECT`` of one row over the same.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random

from domain.records.built_in import FOLLOW, POST
from projections import post_queries, search_queries
from projections.generations import Generation
from projections.identity_keys import DEFINITION as KEYS
from projections.lines import Copying, line
from projections.post_queries import After, Following
from projections.postgres import Postgres, Transaction
from projections.record_queries import StoredRecord
from projections.record_rows import DEFINITION, VERSION
from projections.record_words import about

POSTS, AUTHORS, READERS, FOLLOWS = 1_000_000, 10_000, 20, 1_000
PARTITIONS, AT_ONCE, PAGE, TIMES = 4, 500, 51, 300
WORDS, WORDS_EACH = 50_000, 20
WRITTEN, WRITTEN_EACH_S = 20, 200
BEGAN_MS, APART_MS = 1_760_000_000_000, 10
FOREVER = [1 << 60] * PARTITIONS
BENCH = Generation("gateway_bench", 1, {}, beside={"identity": Generation("gateway_bench", 1, {})})
CID, KEY = "sha256-" + "x" * 43, "main"


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of one kind of read."""

    p50: float
    p99: float


def author(number: int) -> str:
    """Name the n-th author."""
    return f"did:mun:{number:026}"


def word(number: int) -> str:
    """Give the word of a rank; the first is the commonest."""
    return ("star", "sea", "house", "blue", "running", "thought")[number % 6] + f"{number:x}".translate(LETTERS)


LETTERS = str.maketrans("0123456789", "ghijklmnop")


def row(number: int, by: int, collection: str, value: object) -> str:
    """Write a record as the projector does."""
    text, at = json.dumps(value), str(BEGAN_MS + number * APART_MS)
    where = [author(by), collection, f"{number:019}", str(by % PARTITIONS), str(number), at, at]
    return line([*where, CID, text, "1", str(len(text)), None, None, KEY, *about(text)])


def posts_of(numbers: range, authors: int, chance: Random) -> Iterator[str]:
    """Give posts in their order."""
    vocabulary = [word(number) for number in range(WORDS)]
    weights = list(itertools.accumulate(1 / (rank + 5) for rank in range(WORDS)))
    for number in numbers:
        said = " ".join(chance.choices(vocabulary, cum_weights=weights, k=WORDS_EACH))
        yield row(number, chance.randrange(authors), POST, {"text": said})


def follows_of(posts: int, authors: int, readers: int, follows: int, chance: Random) -> Iterator[str]:
    """Give the follows of the first authors, behind all posts."""
    for reader in range(readers):
        for index, followed in enumerate(chance.sample(range(authors), follows)):
            yield row(posts + reader * follows + index, reader, FOLLOW, {"subject": author(followed)})


async def written(postgres: Postgres, lines: Iterable[str]) -> None:
    """Write records in batches, each a transaction."""
    waiting = iter(lines)
    while some := list(itertools.islice(waiting, AT_ONCE)):
        async with postgres.transaction() as transaction:
            copying = Copying(f"{BENCH.schema}.records ({', '.join(VERSION)})")
            for each in some:
                copying.add(each)
            await copying.end(transaction)


async def fill(postgres: Postgres, posts: int, authors: int, readers: int, follows: int) -> None:
    """Make the table with its rows, as a registry has them that has been running for long.

    What is older was cleaned up by Postgres; the newest hundredth was written since. The older rows get their indexes
    behind them, which takes a fraction of the time.
    """
    schema, chance = BENCH.schema, Random(20_261_126)  # noqa: S311  # the same posts each time
    async with postgres.transaction() as transaction:
        await transaction.run(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};")
        await transaction.run(DEFINITION.format(schema=schema) + KEYS.format(schema=schema))
        indexes = await transaction.rows(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s AND tablename = 'records'"
            " AND indexname <> 'records_pkey'",
            schema,
        )
        for name, _ in indexes:
            await transaction.run(f"DROP INDEX {schema}.{name}")
        await transaction.run(
            f"INSERT INTO {schema}.identity_keys SELECT did, %s, 0, 'ed25519', 'z', 'authentication', NULL, NULL,"  # noqa: S608
            " 0, 0, 0, NULL FROM unnest(%s::text[]) did",
            KEY,
            [author(number) for number in range(authors)],
        )
    newest = range(posts - posts // 100, posts)
    await written(postgres, posts_of(range(newest.start), authors, chance))
    await written(postgres, follows_of(posts, authors, readers, follows, chance))
    async with postgres.transaction() as transaction:
        await transaction.run("SET LOCAL maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            await transaction.run(definition)
    async with postgres._connection() as connection:
        await connection.execute(f"VACUUM ANALYZE {schema}.records, {schema}.identity_keys".encode())
    await written(postgres, posts_of(newest, authors, chance))


async def timed(times: int, act: Callable[[int], Awaitable[object]]) -> Took:
    """Time an act each time it is done."""
    took = []
    for number in range(times):
        started = time.perf_counter()
        await act(number)
        took.append((time.perf_counter() - started) * 1000)
    took.sort()
    return Took(took[times // 2], took[times * 99 // 100])


class Reading:
    """The reads, over one connection, of what ``fill`` made."""

    def __init__(self, transaction: Transaction, readers: int, authors: int, seed: int = 7) -> None:
        self._transaction, self._readers, self._authors = transaction, readers, authors
        self._chance = Random(seed)  # noqa: S311  # the same reads each time

    async def bare(self, _number: int) -> None:
        """Read one row by its key."""
        query = f"SELECT cid FROM {BENCH.schema}.records WHERE did = %s AND collection = %s LIMIT 1"  # noqa: S608
        await self._transaction.rows(query, author(0), FOLLOW)

    async def following(self, number: int) -> list[StoredRecord]:
        """Read the newest page of all whom somebody follows."""
        by = number % self._readers
        return await self._page(Following(author(by), FOLLOW, by % PARTITIONS), None)

    async def further(self, number: int) -> list[StoredRecord]:
        """Read a page somewhere down that feed."""
        by = number % self._readers
        at = BEGAN_MS + self._chance.randrange(POSTS) * APART_MS
        after = After(at, "~", author(by), POST)
        return await self._page(Following(author(by), FOLLOW, by % PARTITIONS), after)

    async def author(self, _number: int) -> list[StoredRecord]:
        """Read the newest page of an author."""
        return await self._page(author(self._chance.randrange(self._authors)), None)

    async def _page(self, of: Following | str, after: After | None) -> list[StoredRecord]:
        return await post_queries.page(
            self._transaction, BENCH, of, posts=[POST], offsets=FOREVER, limit=PAGE, after=after
        )

    def search(self, text: Callable[[Random], str], language: str | None = None) -> Callable[[int], Awaitable[object]]:
        """Give the search for what is chosen each time."""

        async def ask(_number: int) -> object:
            sought = await search_queries.needle(self._transaction, text(self._chance), language)
            assert sought is not None
            return await search_queries.matching(
                self._transaction, BENCH, sought, collections=[POST], offsets=FOREVER, limit=PAGE
            )

        return ask


SEVERAL = "a word of 1,000 to 5,000 posts"
SEARCHES: dict[str, Callable[[Random], str]] = {
    "one of the 50 commonest words": lambda chance: word(chance.randrange(50)),
    SEVERAL: lambda chance: word(chance.randrange(300, 1_500)),
    "such a word, asked for twice": lambda chance: " ".join([word(chance.randrange(300, 1_500))] * 2),
    "a rare word": lambda chance: word(chance.randrange(10_000, WORDS)),
    "two common words": lambda chance: f"{word(chance.randrange(50))} {word(chance.randrange(50))}",
    "a common and a rare word": lambda chance: f"{word(chance.randrange(50))} {word(chance.randrange(10_000, WORDS))}",
    "a phrase of two common words": lambda chance: f'"{word(chance.randrange(50))} {word(chance.randrange(50))}"',
    "one of two words, without a third": lambda chance: " ".join((
        word(chance.randrange(500)), "or", word(chance.randrange(500)), "-" + word(chance.randrange(50)),
    )),
}  # fmt: skip


async def measure(postgres: Postgres, times: int = TIMES) -> dict[str, Took]:
    """Measure every read, each a few times before it counts."""
    found = {}
    async with postgres.snapshot() as transaction:
        reading = Reading(transaction, READERS, AUTHORS)
        acts: dict[str, Callable[[int], Awaitable[object]]] = {
            "one row by its key": reading.bare,
            f"following feed, {FOLLOWS:,} follows": reading.following,
            "a page further down it": reading.further,
            "author feed": reading.author,
            **{f"search, {name}": reading.search(text) for name, text in SEARCHES.items()},
            f"search, {SEVERAL}, in English": reading.search(SEARCHES[SEVERAL], "en"),
        }
        for name, act in acts.items():
            await timed(10, act)
            found[name] = await timed(times, act)
    return found


async def measure_while_written(postgres: Postgres, times: int = TIMES) -> tuple[dict[str, Took], float]:
    """Measure reads of which each sees what others have just written, and how many posts a second they wrote."""
    found, count, started = {}, 0, time.perf_counter()

    async def write() -> None:
        nonlocal count
        posts = posts_of(range(2 * POSTS, 3 * POSTS), AUTHORS, Random(8))  # noqa: S311  # the same posts each time
        while some := list(itertools.islice(posts, WRITTEN)):
            await asyncio.sleep(started + count / WRITTEN_EACH_S - time.perf_counter())
            await written(postgres, some)
            count += len(some)

    def fresh(act: Callable[[Reading], Callable[[int], Awaitable[object]]]) -> Callable[[int], Awaitable[object]]:
        async def read(number: int) -> object:
            async with postgres.snapshot() as transaction:
                return await act(Reading(transaction, READERS, AUTHORS, number))(number)

        return read

    writing = asyncio.create_task(write())
    try:
        found["following feed"] = await timed(times, fresh(lambda reading: reading.following))
        for name in ("one of the 50 commonest words", SEVERAL, "a rare word"):
            text = SEARCHES[name]
            found[f"search, {name}"] = await timed(times, fresh(partial(Reading.search, text=text)))
        pace = count / (time.perf_counter() - started)
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
    return found, pace


async def filled(dsn: str) -> None:
    """Fill a database."""
    postgres = Postgres(dsn)
    try:
        await fill(postgres, POSTS, AUTHORS, READERS, FOLLOWS)
    finally:
        await postgres.close()


async def measured(dsn: str) -> tuple[dict[str, Took], dict[str, Took], tuple[dict[str, Took], float]]:
    """Measure a database that was filled: just after its start, once more, and while others write."""
    postgres = Postgres(dsn)
    try:
        return await measure(postgres), await measure(postgres), await measure_while_written(postgres)
    finally:
        await postgres.close()
