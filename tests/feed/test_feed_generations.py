"""The key-value store is folded again beside the process that serves it, and no read goes without an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from log import topic
from log.log import LogUnavailable
from log.store import StoreInUse
from log.topic import FACTS_INGEST
from projections.feed_dump import dump_feed, open_running
from projections.feed_generations import Generations
from projections.feed_messages import hook_message
from projections.feed_rebuild import NotServed, rebuild_playlists
from projections.feed_store import FeedStore
from projections.rebuilding import RebuildRunning
from tests.feed.registry_scene import PARTITIONS, Registry, webhook_bodies
from tests.feed.test_feed_rules import CURATORS, shown


@asynccontextmanager
async def serving(registry: Registry, folder: Path) -> AsyncIterator[FeedStore]:
    store = FeedStore(registry.log, folder)
    running = asyncio.create_task(store.run())
    try:
        yield store
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        store.close()


async def caught_up(registry: Registry, store: FeedStore) -> None:
    ends = {("facts", p): len(registry.log.messages(topic.events("facts"), p)) - 1 for p in range(PARTITIONS)}
    async with asyncio.timeout(5):
        while not store.mirror.positions:  # the loops begin in their own time
            await asyncio.sleep(0.01)
        assert await store.mirror.wait_for({where: end for where, end in ends.items() if end >= 0}, 5)
        queued = len(registry.log.messages(FACTS_INGEST, 0))
        assert await store.queue.wait_for({("feed", 0): queued - 1}, 5)


async def starred() -> Registry:
    registry = await Registry().begin(CURATORS)
    other = await Registry().begin(CURATORS)
    for number in range(30):
        await registry.post(f"p{number}", number)
        await registry.star(CURATORS[number % 3], f"p{number % 7}", number)
    await other.star(CURATORS[0], "p9", 5)
    for key, body in webhook_bodies(other):
        await (await registry.log.append(FACTS_INGEST, 0, [hook_message(key, body)]))
    return registry


async def test_a_rebuild_while_the_process_serves_ends_in_the_same_state_and_drops_no_read(tmp_path: Path) -> None:
    registry = await starred()
    async with serving(registry, tmp_path) as store:
        await caught_up(registry, store)
        before, missed = shown(store.view), 0
        rebuilding = asyncio.create_task(rebuild_playlists(registry.log, tmp_path))
        number = 0
        while not rebuilding.done():
            found = store.view.playlist("p3")
            missed += found is None or not found.starred
            number += 1
            await registry.post(f"q{number % 20}", number)
            await asyncio.sleep(0.002)
        rebuilt = await rebuilding
        await caught_up(registry, store)
        assert (missed, rebuilt.difference, rebuilt.number, store.generation) == (0, None, 2, 2)
        assert rebuilt.rows > 100
        assert {key: each for key, each in shown(store.view).items() if key.startswith("p")} == {
            key: each for key, each in before.items() if key.startswith("p")
        }
        assert store.view.playlist("p9").starred  # type: ignore[union-attr]
        assert not (tmp_path / "1").exists()
        one = list(dump_feed(store.mirror.store))
    again = FeedStore(registry.log, tmp_path)
    assert (again.generation, list(dump_feed(again.mirror.store))) == (2, one)
    again.close()


async def test_a_spoiled_key_is_named_and_healed(tmp_path: Path) -> None:
    registry = await starred()
    async with serving(registry, tmp_path) as store:
        await caught_up(registry, store)
        store.mirror.store.write([("star:p8", ("p8",))], {})
        assert store.view.playlist("p8").starred  # type: ignore[union-attr]
        rebuilt = await rebuild_playlists(registry.log, tmp_path)
        assert rebuilt.difference is not None
        assert (rebuilt.difference.key, rebuilt.difference.rebuilt) == (("star:p8",), None)
        assert not store.view.playlist("p8").starred  # type: ignore[union-attr]


async def test_without_a_running_process_the_next_one_to_start_reads_the_new_generation(tmp_path: Path) -> None:
    registry = await starred()
    async with serving(registry, tmp_path) as store:
        await caught_up(registry, store)
        before = list(dump_feed(store.mirror.store))
    assert (await rebuild_playlists(registry.log, tmp_path)).difference is None
    async with serving(registry, tmp_path) as store:
        assert (store.generation, list(dump_feed(store.mirror.store))) == (2, before)


async def test_a_rebuild_where_there_was_no_store_folds_the_whole_log(tmp_path: Path) -> None:
    registry = await starred()
    assert (await rebuild_playlists(registry.log, tmp_path)).difference is None
    async with serving(registry, tmp_path) as store:
        await caught_up(registry, store)
        assert store.view.playlist("p3").starred  # type: ignore[union-attr]


async def test_a_process_that_does_not_change_over_is_reported(tmp_path: Path) -> None:
    registry = await starred()
    store = FeedStore(registry.log, tmp_path)
    with pytest.raises(NotServed):
        await rebuild_playlists(registry.log, tmp_path, served_timeout_s=0.2)
    store.close()


async def test_two_processes_cannot_serve_from_one_folder_nor_two_rebuilds_run(tmp_path: Path) -> None:
    registry = await starred()
    store = FeedStore(registry.log, tmp_path)
    with pytest.raises(StoreInUse):
        FeedStore(registry.log, tmp_path)
    with Generations(tmp_path).building(), pytest.raises(RebuildRunning):
        await rebuild_playlists(registry.log, tmp_path)
    store.close()


async def test_a_rebuild_that_the_log_interrupts_leaves_the_live_generation_as_it_was(tmp_path: Path) -> None:
    registry = await starred()
    async with serving(registry, tmp_path) as store:
        await caught_up(registry, store)

        def away(_decisions: int) -> None:
            registry.log.reachable = False

        with pytest.raises(LogUnavailable):
            await rebuild_playlists(registry.log, tmp_path, progress=away)
        registry.log.reachable = True
        assert (Generations(tmp_path).live, (tmp_path / "2").exists()) == (1, False)
        assert store.view.playlist("p3").starred  # type: ignore[union-attr]


async def test_a_running_store_is_dumped_from_outside(tmp_path: Path) -> None:
    registry = await starred()
    async with serving(registry, tmp_path) as store:
        await caught_up(registry, store)
        outside = open_running(tmp_path)
        assert outside is not None
        assert list(dump_feed(outside)) == list(dump_feed(store.mirror.store))
        outside.close()
    assert open_running(tmp_path / "nowhere") is None
