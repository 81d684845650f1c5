"""A search that looks at the newest hits first finds what one that looks at all of them finds."""

import pytest

from projections import search_queries
from projections.generations import Generation
from projections.postgres import Postgres, Transaction
from projections.reads import Reads, vector
from tests.projections.record_world import COLLECTIONS, OWNERS, RecordWorld

BOTH = list(COLLECTIONS)
NOTES, POSTS = COLLECTIONS


class Counting(Transaction):
    """Counts the searches that are asked of it."""

    asked = 0

    async def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        Counting.asked += query.startswith("WITH hit")
        return await super().rows(query, *parameters)


async def sought(postgres: Postgres, text: str) -> list[str]:
    """Give what is found in both collections."""

    async def ask(transaction: Transaction, generation: Generation) -> list[str]:
        counting = Counting(transaction._connection)
        needle = await search_queries.needle(counting, text, None)
        assert needle is not None
        found = await search_queries.matching(
            counting, generation, needle, collections=BOTH, offsets=vector(generation), limit=10
        )
        return sorted(each.record.rkey for each in found)

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
    monkeypatch.setattr(search_queries, "HITS", (None,))
    all_of_them = await sought(postgres, "run")
    assert "newer" in all_of_them
    monkeypatch.setattr(search_queries, "HITS", (2, 3, None))
    assert await sought(postgres, "run") == all_of_them


async def test_what_nobody_said_is_looked_for_once(postgres: Postgres) -> None:
    world = await RecordWorld(postgres).start()
    await world.put(OWNERS[0], POSTS, "a", {"text": "something"})
    await world.project()
    Counting.asked = 0
    assert await sought(postgres, "nothing") == []
    assert Counting.asked == 1
