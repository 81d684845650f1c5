"""A search that looks back span by span finds what one that looks at everything finds."""

import itertools
import time
from random import Random
from types import SimpleNamespace

import pytest

from log import memory
from projections import search_queries, search_spans
from projections.generations import Generation
from projections.postgres import Postgres, Transaction
from projections.reads import Reads, vector
from tests.projections.record_world import COLLECTIONS, OWNERS, RecordWorld

BOTH = list(COLLECTIONS)
NOTES, POSTS = COLLECTIONS
EVERYTHING = (
    "SELECT rkey, pos FROM (SELECT r.*, q FROM (SELECT *, to_tsvector('simple', said) AS words_said"
    " FROM {schema}.records WHERE pos <= (%(offsets)s::bigint[])[part + 1]"
    " AND (until_pos IS NULL OR until_pos > (%(offsets)s::bigint[])[part + 1])) r"
    " CROSS JOIN websearch_to_tsquery('simple', %(text)s) q WHERE r.words_said @@ q"
    " ORDER BY r.indexed_at DESC, r.rkey, r.did, r.collection LIMIT %(ranked)s) newest"
    " ORDER BY (ts_rank_cd(words_said, q, 32) * 1000000000)::bigint DESC, indexed_at DESC, rkey, did, collection"
)
PACES = list(itertools.product((0, 64, 1_000_000), (0, 1, search_spans.HITS_LIMIT)))
"""How many hits are wanted of a longer span, and how many it may have."""


async def sought(postgres: Postgres, text: str, offsets: list[int] | None = None) -> tuple[list[str], list[str]]:
    """Give what is found in both collections, now or as of offsets, and what looking at everything finds."""

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[str], list[str]]:
        needle = await search_queries.needle(transaction, text, None)
        assert needle is not None
        at, ranked = offsets or vector(generation), search_queries.CANDIDATES
        found = await search_queries.matching(
            transaction, generation, needle, collections=BOTH, offsets=at, limit=ranked + 1
        )
        rows = await transaction.rows(
            EVERYTHING.format(schema=generation.schema), {"offsets": at, "text": text, "ranked": ranked}
        )
        return [f"{each.record.rkey} {each.record.pos}" for each in found], [f"{rkey} {pos}" for rkey, pos in rows]

    return (await Reads(postgres).read("records", ask))[0]


async def test_of_two_collections_neither_hides_what_is_newer_in_the_other(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await RecordWorld(postgres).start()
    # The index of words knows "running" as "run" too; taken as it is written, it is another word.
    for rkey in ("old-1", "old-2"):
        await world.put(OWNERS[0], POSTS, rkey, {"text": "run"})
    await world.put(OWNERS[0], NOTES, "newer", {"text": "run"})
    for rkey in ("a", "b", "c"):
        await world.put(OWNERS[0], NOTES, rkey, {"text": "running"})
    await world.project()
    monkeypatch.setattr(search_queries, "CANDIDATES", 2)
    found, everything = await sought(postgres, "run")
    assert found == everything
    assert any(each.startswith("newer ") for each in found)


async def test_whatever_was_written_changed_and_let_go_no_pace_of_looking_back_hides_anything(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, chance = await RecordWorld(postgres).start(), Random(3)  # noqa: S311  # the same moves each time
    clock = [1_760_000_000_000]
    stands = SimpleNamespace(time_ns=lambda: clock[0] * 1_000_000, monotonic=time.monotonic)
    monkeypatch.setattr(memory, "time", stands)
    for number in range(60):
        owner, rkey = chance.choice(OWNERS), f"r{chance.randrange(12)}"
        await world.put(owner, chance.choice(BOTH), rkey, {"text": f"{chance.choice(('sea', 'seas', 'run'))} {number}"})
        # Days and hours lie between some of them, and nothing at all between others.
        clock[0] += chance.choice((0, 0, 1, 5_000, 90_000, 7_200_000, 40 * 86_400_000))
    await world.project()
    then, _ = await Reads(postgres).read("records", began)
    for rkey in ("r1", "r2", "r3"):
        for owner in OWNERS:
            await world.put(owner, POSTS, rkey, {"text": "sea again"})
    await world.project()
    every = search_queries.CANDIDATES
    for wanted, limit in PACES:
        monkeypatch.setattr(search_spans, "HITS_WANTED", wanted)
        monkeypatch.setattr(search_spans, "HITS_LIMIT", limit)
        for text, ranked, offsets in itertools.product(
            ("sea", "sea or run", "again", "sea -again", '"sea again"'), (3, every), (None, then)
        ):
            monkeypatch.setattr(search_queries, "CANDIDATES", ranked)
            found, everything = await sought(postgres, text, offsets)
            assert found == everything, (wanted, limit, text, ranked, offsets)


async def began(_transaction: Transaction, generation: Generation) -> list[int]:
    """Give where the projection stands."""
    return vector(generation)


async def test_where_nothing_was_written_nothing_is_found(postgres: Postgres) -> None:
    await (await RecordWorld(postgres).start()).project()
    assert await sought(postgres, "nothing") == ([], [])
