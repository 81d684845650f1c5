"""A search that looks at the newest records first finds what one that looks at all of them finds."""

import time
from random import Random
from types import SimpleNamespace

import pytest

from log import memory
from projections import search_queries, search_windows
from projections.generations import Generation
from projections.postgres import Postgres, Transaction
from projections.reads import Reads, vector
from projections.search_windows import Window
from tests.projections.record_world import COLLECTIONS, OWNERS, RecordWorld

BOTH = list(COLLECTIONS)
NOTES, POSTS = COLLECTIONS


class Counting(Transaction):
    """Counts the searches that are asked of it."""

    asked = 0

    async def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        Counting.asked += query.startswith("WITH hit")
        return await super().rows(query, *parameters)


async def sought(postgres: Postgres, text: str, offsets: list[int] | None = None) -> list[str]:
    """Give what is found in both collections, now or as of offsets, in its order."""

    async def ask(transaction: Transaction, generation: Generation) -> list[str]:
        counting = Counting(transaction._connection)
        needle = await search_queries.needle(counting, text, None)
        assert needle is not None
        found = await search_queries.matching(
            counting, generation, needle, collections=BOTH, offsets=offsets or vector(generation), limit=10
        )
        return [f"{each.record.rkey} {each.record.pos}" for each in found]

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
    all_of_them = await sought(postgres, "run")
    assert any(each.startswith("newer ") for each in all_of_them)
    monkeypatch.setattr(search_windows, "NEWEST", 1)
    for widened in ((2, 2), (2, 256)):
        monkeypatch.setattr(search_windows, "WIDENED", widened)
        assert await sought(postgres, "run") == all_of_them


async def test_whatever_was_written_changed_and_let_go_the_newest_windows_hide_nothing(
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
    monkeypatch.setattr(search_queries, "CANDIDATES", 3)
    for text in ("sea", "sea or run", "again", "sea -again", '"sea again"'):
        for offsets in (None, then):
            monkeypatch.setattr(search_windows, "NEWEST", 1_000)
            all_of_them = await sought(postgres, text, offsets)
            monkeypatch.setattr(search_windows, "NEWEST", 2)
            assert await sought(postgres, text, offsets) == all_of_them, (text, offsets)


async def began(_transaction: Transaction, generation: Generation) -> list[int]:
    """Give where the projection stands."""
    return vector(generation)


def test_a_window_begins_where_a_span_does_and_has_no_more_spans_than_it_may() -> None:
    newest = 1_760_000_000_000
    for reach in (1, 4_000, 300_000, 10**8, 10**10, 10**11):
        window = search_windows.beginning(newest - reach, Window(None, newest, 0))
        assert window.since is not None
        assert window.since <= newest - reach
        assert window.since % (1 << window.span) == 0
        assert (newest >> window.span) - (window.since >> window.span) < search_windows.SPANS_LIMIT
    # Further back than spans reach, or than anything is, the window holds all.
    assert search_windows.beginning(newest - 10**12, Window(None, newest, 0)).since is None
    assert search_windows.beginning(newest - 10**8, Window(None, newest, newest - 10**7)).since is None


def test_a_window_grows_by_what_was_found_in_it() -> None:
    window = search_windows.beginning(10**12 - 10_000, Window(None, 10**12, 0))

    def reach(hits: int, matches: int) -> int:
        wider = window.wider(hits, matches, 300)
        assert wider.since is not None
        return (wider.newest - wider.since) // (window.newest - (window.since or 0))

    assert reach(0, 0) > reach(1, 0) > reach(10, 0) > reach(100, 0)
    # Hits that don't match are looked at too: the more there are, the less is added at once.
    assert reach(2_000, 0) == reach(2_000, 250) == 2
    assert 5 <= reach(600, 50) <= 7


async def test_what_nobody_said_is_looked_for_once(postgres: Postgres) -> None:
    world = await RecordWorld(postgres).start()
    await world.put(OWNERS[0], POSTS, "a", {"text": "something"})
    await world.project()
    Counting.asked = 0
    assert await sought(postgres, "nothing") == []
    assert Counting.asked == 1
