"""What the feed shows of stars and playlists, whatever order they come in."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.facts import fact, mark
from log.chain import Chain
from log.following import follow
from log.store import MemoryStore
from log.topic import events
from projections import feed_keys
from projections.feed import FeedWriter
from projections.feed_view import FeedView
from projections.mirror import Mirror
from tests.feed.registry_scene import DAY_MS, PARTITIONS, Registry, plainly_starred

CURATORS = ["did:key:zA", "did:key:zB", "did:key:zC"]
IDS = ["p", "p:1", "p;1", "created:asc:1:p", "ü", "p!", "p 1"]


async def fed(registry: Registry, origin: str = "feed.ff", mirror: Mirror | None = None) -> Mirror:
    """Fold the whole log into a mirror."""
    mirror = mirror or Mirror(MemoryStore(), [FeedWriter(origin)])
    ends = {partition: len(registry.log.messages(events("facts"), partition)) for partition in range(PARTITIONS)}
    await follow(registry.log, "facts", mirror, until=ends)
    return mirror


def shown(view: FeedView) -> dict[str, Any]:
    """Give all that readers see."""
    seen: dict[str, Any] = {}
    for starred in (True, False, None):
        for descends in (True, False):
            page, more = view.page(starred=starred, descends=descends, after=None, limit=1000)
            assert not more
            seen[f"{starred} {descends}"] = [each.playlist.playlist_id for each in page]
    for playlist_id in IDS:
        found = view.playlist(playlist_id)
        if found is not None:
            stars = [(star.fact_id, star.reason, star.position) for star in found.recent]
            seen[playlist_id] = (found.starred, stars, found.playlist.title, found.playlist.created)
    return seen


def expected(registry: Registry, posted: dict[str, tuple[int, str]]) -> dict[str, Any]:
    """Give the same by definition."""
    stars = plainly_starred(registry)
    seen: dict[str, Any] = {}
    for starred in (True, False, None):
        for descends in (True, False):
            ids = [each for each in posted if starred is None or (each in stars) == starred]
            ids.sort(key=lambda each: ((-1 if descends else 1) * posted[each][0], each))
            seen[f"{starred} {descends}"] = ids
    for playlist_id, (created, title) in posted.items():
        recent = [
            (item["fact"]["id"], item["fact"]["body"].get("reason"), item["position"])
            for item in stars.get(playlist_id, [])[:10]
        ]
        seen[playlist_id] = (playlist_id in stars, recent, title, created)
    return seen


async def test_a_playlist_is_starred_while_any_curators_star_is_active() -> None:
    registry = await Registry().begin(CURATORS)
    await registry.post("p")
    first, second = await registry.star(CURATORS[0], "p"), await registry.star(CURATORS[1], "p")
    starred = []
    for curator, fact_id in ((CURATORS[0], first), (CURATORS[1], second)):
        found = FeedView(await fed(registry)).playlist("p")
        starred.append(found is not None and found.starred)
        await registry.revoke(curator, fact_id)
    found = FeedView(await fed(registry)).playlist("p")
    assert found is not None
    assert [*starred, found.starred] == [True, True, False]


async def test_keys_are_those_of_the_specification_and_go_with_the_last_star() -> None:
    registry = await Registry().begin(CURATORS)
    await registry.post("p", DAY_MS)
    fact_id = await registry.star(CURATORS[0], "p")
    store = (await fed(registry)).store
    assert [key for key, _ in store.scan("star")] == [
        f"star:created:asc:{DAY_MS + 2**63:020d}:p",
        f"star:created:desc:{2**63 - 1 - DAY_MS:020d}:p",
        "star:p",
        "stars_recent:p",
    ]
    assert store.get("star:p") == ("p",)
    await registry.revoke(CURATORS[0], fact_id)
    store = (await fed(registry)).store
    assert [key for prefix in ("star", "feed/star") for key, _ in store.scan(prefix)] == []


async def test_only_the_last_ten_stars_are_recent_and_an_older_one_follows_when_one_goes() -> None:
    curators = [f"did:key:z{index}" for index in range(12)]
    registry = await Registry().begin(curators)
    await registry.post("p")
    ids = [await registry.star(curator, "p", issued_at=index) for index, curator in enumerate(curators)]
    found = FeedView(await fed(registry)).playlist("p")
    assert found is not None
    assert [star.fact_id for star in found.recent] == ids[:1:-1]
    await registry.revoke(curators[11], ids[11])
    await registry.revoke(curators[3], ids[3])
    found = FeedView(await fed(registry)).playlist("p")
    assert found is not None
    assert [star.fact_id for star in found.recent] == [ids[n] for n in (10, 9, 8, 7, 6, 5, 4, 2, 1, 0)]


async def test_a_star_of_another_origin_or_of_an_asset_or_of_another_kind_stars_nothing() -> None:
    registry = await Registry().begin(CURATORS)
    await registry.post("p")
    await registry.star(CURATORS[0], "p", origin="other.feed")
    await registry.star(CURATORS[0], "p", type="asset")
    found = FeedView(await fed(registry)).playlist("p")
    assert found is not None
    assert not found.starred
    other = FeedView(await fed(registry, origin="other.feed")).playlist("p")
    assert other is not None
    assert other.starred


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=2, max_size=8))
def test_escaped_ids_sort_as_ids_and_no_two_share_a_key(ids: list[str]) -> None:
    escaped = [feed_keys.escape(each) for each in ids]
    by_bytes = sorted(set(ids), key=str.encode)
    assert sorted(set(escaped), key=str.encode) == [feed_keys.escape(each) for each in by_bytes]
    assert len(set(escaped)) == len(set(ids))
    assert not any(":" in each for each in escaped)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2))
def test_times_sort_in_keys_as_they_do_in_time(times: list[int]) -> None:
    assert sorted(times, key=feed_keys.ascending) == sorted(times)
    assert sorted(times, key=feed_keys.descending) == sorted(times, reverse=True)


step = st.one_of(
    st.tuples(st.just("star"), st.sampled_from(CURATORS), st.sampled_from(IDS), st.integers(0, 3)),
    st.tuples(st.sampled_from(["revoke", "quarantine", "release", "expire", "mark", "clear"]), st.integers(0, 30)),
    st.tuples(st.just("post"), st.sampled_from(IDS), st.integers(-3, 3)),
)


async def play(registry: Registry, steps: list[Any]) -> dict[str, tuple[int, str]]:
    """Do what the steps say; give the playlists posted."""
    posted: dict[str, tuple[int, str]] = {}
    stars: list[tuple[str, str]] = []
    for number, each in enumerate(steps):
        match each:
            case ("star", curator, ref, issued_at):
                fact_id = await registry.star(
                    curator, ref, issued_at, reason=f"because {number}" if number % 2 else None
                )
                if fact_id:
                    stars.append((curator, fact_id))
            case ("post", playlist_id, created):
                assert await registry.post(playlist_id, created * DAY_MS, f"title {number}") is None
                posted[playlist_id] = (created * DAY_MS, f"title {number}")
            case (change, index) if stars:
                curator, fact_id = stars[index % len(stars)]
                payload: dict[str, Any] = {
                    "revoke": fact.RevokeFact(fact_id, curator, None, "ed25519", None, ""),
                    "quarantine": fact.QuarantineFact(fact_id, "why", "facts/0/0"),
                    "release": fact.ReleaseFact(fact_id, "facts/0/0"),
                    "expire": fact.ExpireFact(fact_id),
                    "mark": mark.MarkFactKey(fact_id, "KeyRevoked identity/0/1"),
                    "clear": mark.ClearFactKey(fact_id, "DidRecovered identity/0/2"),
                }
                await registry.do(curator, payload[change])
    return posted


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


@settings(max_examples=60, deadline=None)
@given(st.lists(step, max_size=40), st.integers(1, 7))
def test_any_interleaving_shows_what_the_plain_definition_says(steps: list[Any], batch: int) -> None:
    async def scene() -> None:
        registry = await Registry().begin(CURATORS)
        posted = await play(registry, steps)
        assert shown(FeedView(await fed(registry))) == expected(registry, posted)
        mirror = Mirror(MemoryStore(), [FeedWriter()])
        await _in_batches(registry, mirror, batch)
        assert shown(FeedView(mirror)) == expected(registry, posted)

    run(scene)


async def _in_batches(registry: Registry, mirror: Mirror, size: int) -> None:
    """Apply the decisions a few at a time, the partitions in turn."""
    name = events("facts")
    waiting = {p: [each for each in registry.decided() if each.partition == p] for p in range(PARTITIONS)}
    while any(waiting.values()):
        for partition, decided in waiting.items():
            chain, few = Chain(mirror.store.mark(name, partition)), decided[:size]
            assert all(chain.admit(each.message) for each in few)
            await mirror.apply("facts", few, {partition: chain.mark})
            waiting[partition] = decided[size:]
