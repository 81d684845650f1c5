"""A feed that knows the registry only by webhooks and the delta feed shows what the registry's own feed shows."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log import strict_json
from log.log import Topic
from log.memory import MemoryLog
from log.store import MemoryStore
from log.topic import FACTS_INGEST
from processors.feed_backfill import RegistryUnavailable, backfill, last_highwater
from projections.feed import FeedWriter
from projections.feed_messages import hook_message, playlist_message
from projections.feed_queue import Held, QueueFold, fold_queue
from projections.feed_view import FeedView
from projections.mirror import Mirror
from tests.feed.registry_scene import Registry, changes, webhook_bodies
from tests.feed.test_feed_rules import CURATORS, expected, fed, play, shown, step


class Remote:
    """A feed with its own log and store, beside a registry whose delta feed it can read."""

    def __init__(self, registry: Registry, page: int = 3) -> None:
        self.registry, self.page = registry, page
        self.log, self.held = MemoryLog(), Held(MemoryStore())
        self.reachable = True

    async def begin(self) -> "Remote":
        await self.log.create([Topic(FACTS_INGEST, 1)])
        return self

    async def put(self, record: tuple[bytes, bytes]) -> None:
        await (await self.log.append(FACTS_INGEST, 0, [record]))

    async def since(self, cursor: str) -> dict[str, Any]:
        if not self.reachable:
            raise RegistryUnavailable("away")
        items = list(changes(self.registry))[int(cursor) : int(cursor) + self.page]
        return {"items": items, "next_cursor": str(int(cursor) + len(items))}

    async def fold(self, step: Any = lambda _name: None) -> "FeedView":
        end = len(self.log.messages(FACTS_INGEST, 0))
        await fold_queue(self.log, QueueFold(self.held), end, step)
        return FeedView(self.held)


async def starred_scene() -> tuple[Registry, Remote]:
    registry = await Registry().begin(CURATORS)
    await registry.post("p", title="title 0")
    await registry.star(CURATORS[0], "p", reason="because")
    remote = await Remote(registry).begin()
    await remote.put(
        playlist_message(playlist_id="p", slug="s-p", title="title 0", created=0, items=[], posted_by="did:key:zP")
    )
    return registry, remote


async def test_a_webhook_stars_at_once_and_the_backfill_adds_the_reason() -> None:
    registry, remote = await starred_scene()
    for key, body in webhook_bodies(registry):
        await remote.put(hook_message(key, body))
    found = (await remote.fold()).playlist("p")
    assert found is not None
    assert (found.starred, found.recent[0].reason) == (True, None)
    await backfill(remote.log, remote.since)
    assert shown(await remote.fold()) == shown(FeedView(await fed(registry)))
    assert remote.held.store.get("facts_highwater") == ("1",)


async def test_a_lost_revocation_is_healed_by_the_backfill() -> None:
    registry, remote = await starred_scene()
    ((key, body),) = webhook_bodies(registry)
    await remote.put(hook_message(key, body))
    await registry.revoke(CURATORS[0], next(changes(registry))["fact"]["id"])
    await backfill(remote.log, remote.since)
    found = (await remote.fold()).playlist("p")
    assert found is not None
    assert not found.starred


async def test_a_webhook_that_comes_late_does_not_undo_what_came_after_it() -> None:
    registry, remote = await starred_scene()
    await registry.revoke(CURATORS[0], next(changes(registry))["fact"]["id"])
    for key, body in reversed(webhook_bodies(registry)):
        await remote.put(hook_message(key, body))
    found = (await remote.fold()).playlist("p")
    assert found is not None
    assert not found.starred


async def test_a_key_that_was_seen_has_no_effect_even_with_another_body() -> None:
    registry, remote = await starred_scene()
    ((key, body),) = webhook_bodies(registry)
    await remote.put(hook_message(key, body))
    other = strict_json.parse(body) | {"id": "fct_other"}  # type: ignore[operator]
    await remote.put(hook_message(key, strict_json.dump(other)))
    found = (await remote.fold()).playlist("p")
    assert found is not None
    assert len(found.recent) == 1


async def test_a_backfill_with_no_news_puts_nothing_on_the_queue() -> None:
    _, remote = await starred_scene()
    assert await backfill(remote.log, remote.since) == ("1", 1)
    held = len(remote.log.messages(FACTS_INGEST, 0))
    assert await backfill(remote.log, remote.since) == ("1", 0)
    assert len(remote.log.messages(FACTS_INGEST, 0)) == held


async def test_the_last_highwater_is_found_below_any_number_of_webhooks() -> None:
    registry, remote = await starred_scene()
    await backfill(remote.log, remote.since)
    for number in range(1200):
        await remote.put(hook_message(f"w{number}", b"{}"))
    assert await last_highwater(remote.log) == "1"
    del registry


@pytest.mark.parametrize(
    "record",
    [
        (None, b"{}"),
        (b"hook/x", b""),
        (b"hook/x", b"[]"),
        (b"hook/x", b'{"id":1}'),
        (b"backfill", b'{"items":3}'),
        (b"backfill", b'{"items":[1,{"id":[]}]}'),
        (b"playlist", b'{"id":"p"}'),
        (b"\xff\xfe", b"\xff"),
        (b"unknown", b"{}"),
    ],
)
async def test_a_message_that_says_nothing_is_passed_over(record: tuple[bytes, bytes]) -> None:
    _, remote = await starred_scene()
    await remote.put(record)
    fold = QueueFold(remote.held)
    await fold_queue(remote.log, fold, 2)
    assert (fold.next, fold.rejected) == (2, 1)
    assert FeedView(remote.held).playlist("p") is not None


async def test_another_publisher_does_not_replace_a_playlist_on_the_queue() -> None:
    _, remote = await starred_scene()
    for title, publisher in (("mine", "did:key:zQ"), ("changed", "did:key:zP")):
        await remote.put(
            playlist_message(playlist_id="p", slug="s", title=title, created=5, items=[], posted_by=publisher)
        )
    found = (await remote.fold()).playlist("p")
    assert found is not None
    assert (found.playlist.title, found.playlist.created) == ("changed", 5)


class Crash(Exception):
    """Ends the consumer at a step."""


@pytest.mark.parametrize("at", ["apply", "applied"])
async def test_a_crash_at_any_step_of_the_consumer_loses_and_repeats_nothing(at: str) -> None:
    registry, remote = await starred_scene()
    for key, body in webhook_bodies(registry):
        await remote.put(hook_message(key, body))
    await backfill(remote.log, remote.since)

    def crash(name: str) -> None:
        if name == at:
            raise Crash

    with pytest.raises(Crash):
        await remote.fold(crash)
    assert shown(await remote.fold()) == shown(FeedView(await fed(registry)))


heal = st.lists(st.one_of(st.just("backfill"), st.just("fold"), st.integers(0, 40)), max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.lists(step, max_size=30), heal, st.integers(1, 5))
def test_lost_reordered_and_repeated_webhooks_end_in_the_registrys_own_state(
    steps: list[Any], deliveries: list[Any], page: int
) -> None:
    async def scene() -> None:
        registry = await Registry().begin(CURATORS)
        posted = await play(registry, steps)
        remote = await Remote(registry, page).begin()
        webhooks = webhook_bodies(registry)
        for each in deliveries:
            if each == "backfill":
                await backfill(remote.log, remote.since)
            elif each == "fold":
                await remote.fold()
            elif webhooks:
                key, body = webhooks[each % len(webhooks)]
                await remote.put(hook_message(key if each % 2 else f"{key}.{each}", body))
        for playlist_id, (created, title) in posted.items():
            await remote.put(
                playlist_message(
                    playlist_id=playlist_id, slug="s", title=title, created=created, items=[], posted_by="did:key:zP"
                )
            )
        await backfill(remote.log, remote.since)
        assert shown(await remote.fold()) == expected(registry, posted)
        again = Held(MemoryStore())
        await fold_queue(remote.log, QueueFold(again), len(remote.log.messages(FACTS_INGEST, 0)))
        assert shown(FeedView(again)) == expected(registry, posted)

    asyncio.run(scene())


@pytest.mark.parametrize("hook_first", [True, False])
async def test_a_star_that_the_own_log_knows_is_as_the_log_says(*, hook_first: bool) -> None:
    registry = await Registry().begin(CURATORS)
    await registry.post("p")
    fact_id = await registry.star(CURATORS[0], "p")
    ((key, body),) = webhook_bodies(registry)
    await registry.revoke(CURATORS[0], fact_id)
    await (await registry.log.append(FACTS_INGEST, 0, [hook_message(key, body)]))
    mirror = Mirror(MemoryStore(), [FeedWriter()])
    for hook in (hook_first, not hook_first):
        if hook:
            await fold_queue(registry.log, QueueFold(mirror), 1)
        else:
            await fed(registry, mirror=mirror)
    assert shown(FeedView(mirror)) == shown(FeedView(await fed(registry)))
