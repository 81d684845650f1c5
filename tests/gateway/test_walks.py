"""A feed walked page by page over the real Postgres, whatever its authors and its reader do meanwhile."""

import asyncio
import json
from random import Random
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from log.topic import partition_of
from projections import post_queries
from projections.generations import Generation
from projections.post_queries import After, Following
from projections.postgres import Postgres, Transaction
from projections.reads import Reads, vector
from projections.record_queries import StoredRecord
from tests.conftest import Services
from tests.projections.conftest import emptied
from tests.projections.record_world import COLLECTIONS, OWNERS, PARTITIONS, RKEYS, RecordWorld

FOLLOWS, POSTS = COLLECTIONS
READER = OWNERS[0]
MOVE = st.tuples(
    st.sampled_from(("post", "post", "post", "let go", "follow", "unfollow")),
    st.sampled_from(OWNERS),
    st.sampled_from(RKEYS),
)
Post = tuple[str, str]
"""Author and key."""


class Told:
    """What a reader knows who is told of every move: posts with when they were first written, and who is followed."""

    def __init__(self, world: RecordWorld) -> None:
        self.world = world
        self.posts: dict[Post, tuple[int, str]] = {}
        self.follows: dict[str, str] = {}
        self.number = 0

    async def make(self, move: tuple[str, str, str]) -> None:
        """Make one move."""
        what, owner, rkey = move
        self.number += 1
        if what == "follow":
            await self.world.put(READER, FOLLOWS, rkey, {"subject": owner})
            self.follows[rkey] = owner
        elif what == "unfollow":
            await self.world.delete(READER, FOLLOWS, rkey)
            self.follows.pop(rkey, None)
        elif what == "let go":
            await self.world.delete(owner, POSTS, rkey)
            self.posts.pop((owner, rkey), None)
        else:
            text = str(self.number)
            _, _, decision = await self.world.put(owner, POSTS, rkey, {"text": text})
            self.posts[owner, rkey] = self.posts.get((owner, rkey), (decision.at, ""))[0], text

    def feed(self) -> list[tuple[int, str, str, str]]:
        """Give the posts of all who are followed, in their order, each with what makes the order."""
        followed = self.followed
        return sorted((-at, rkey, owner, text) for (owner, rkey), (at, text) in self.posts.items() if owner in followed)

    @property
    def followed(self) -> set[str]:
        """Give who is followed now."""
        return set(self.follows.values())


async def page(
    postgres: Postgres, offsets: list[int] | None, after: After | None
) -> tuple[list[StoredRecord], list[int]]:
    """Read a page of two, as of offsets or now."""

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[StoredRecord], list[int]]:
        then = vector(generation) if offsets is None else offsets
        of = Following(READER, FOLLOWS, partition_of(READER, PARTITIONS))
        found = await post_queries.page(transaction, generation, of, posts=[POSTS], offsets=then, limit=2, after=after)
        return found, then

    return (await Reads(postgres).read("records", ask))[0]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(MOVE, min_size=6, max_size=14),
    between=st.lists(st.lists(MOVE, min_size=1, max_size=3), min_size=2, max_size=4),
    looked=st.sampled_from((1, 3, post_queries.LOOKED)),
)
def test_a_walk_shows_what_there_was_when_it_began_of_who_is_followed_still(
    services: Services, before: list[tuple[str, str, str]], between: list[list[tuple[str, str, str]]], looked: int
) -> None:
    async def scenario() -> None:
        postgres = Postgres(services.postgres)
        await emptied(postgres)
        told = Told(await RecordWorld(postgres).start())
        for move in [("follow", OWNERS[1], RKEYS[0]), *before]:
            await told.make(move)
        await told.world.project()
        began, offsets, after = told.feed(), None, None
        place: tuple[int, str, str] | None = None
        for step in range(len(began) + 1):
            left = [each for each in began if (place is None or each[:3] > place) and each[2] in told.followed]
            found, offsets = await page(postgres, offsets, after)
            shown = [(-each.indexed_at, each.rkey, each.did, json.loads(each.value or "")["text"]) for each in found]
            assert shown == left[:2]
            if not found:
                break
            last = found[-1]
            place, after = shown[-1][:3], After(last.indexed_at, last.rkey, last.did, last.collection)
            for move in between[step] if step < len(between) else ():
                await told.make(move)
            await told.world.project()
        await postgres.close()

    with mock.patch.object(post_queries, "LOOKED", looked):
        asyncio.run(scenario())


async def test_of_two_collections_neither_hides_what_is_newer_in_the_other(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, chance = await RecordWorld(postgres).start(), Random(5)  # noqa: S311  # the same posts each time
    await world.put(READER, FOLLOWS, RKEYS[0], {"subject": OWNERS[1]})
    for number in range(24):
        # One collection has more of those who aren't followed, the other of the one who is, in turns.
        mostly = (OWNERS[1], OWNERS[2]) if number // 8 % 2 else (OWNERS[2], OWNERS[1])
        collection = chance.choice(COLLECTIONS)
        owner = mostly[(collection == POSTS) ^ (chance.random() < 0.2)]
        await world.put(owner, collection, f"r{number}", {"text": str(number)})
    await world.project()
    of = Following(READER, FOLLOWS, partition_of(READER, PARTITIONS))

    async def ask(transaction: Transaction, generation: Generation) -> list[str]:
        found = await post_queries.page(
            transaction, generation, of, posts=COLLECTIONS, offsets=vector(generation), limit=limit
        )
        return [each.rkey for each in found]

    for limit in (1, 2, 3, 5):
        monkeypatch.setattr(post_queries, "LOOKED", 2_000)
        every = (await Reads(postgres).read("records", ask))[0]
        assert len(every) == limit
        for looked in range(1, 12):
            monkeypatch.setattr(post_queries, "LOOKED", looked)
            assert (await Reads(postgres).read("records", ask))[0] == every, (limit, looked)
