"""A rebuild replaces a projection while it is read and written, and says whether the old one was right."""

import asyncio
from typing import Any

import pytest

from log import following
from log.memory import MemoryLog
from projections import fact_queries, generations
from projections.dump import PROJECTIONS
from projections.fact_queries import Filters
from projections.facts import FactsProjection
from projections.postgres import Postgres
from projections.projector import Projector
from projections.reads import Reads
from projections.rebuilding import Rebuild, RebuildRunning, rebuild, rebuilds
from tests.projections.conftest import tables_of
from tests.projections.plain_fold import folded
from tests.projections.test_projecting import Crash, project
from tests.projections.world import MOVES, World

pytestmark = pytest.mark.stack


async def played(turns: int = 10) -> World:
    """Give a world in which something of everything happened."""
    world = await World().start()
    for turn in range(turns):
        await world.play([(name, turn + index, turn) for index, name in enumerate(MOVES)])
    return world


def of_facts(log: MemoryLog, postgres: Postgres) -> dict[str, Rebuild]:
    """Give what rebuilds each projection of facts."""
    names = {projection.name for projection in PROJECTIONS if projection.context == "facts"}
    return {name: again for name, again in rebuilds(log, postgres).items() if name in names}


async def schemas(postgres: Postgres) -> set[str]:
    """Name the schemas of generations."""
    async with postgres.snapshot() as transaction:
        rows = await transaction.rows("SELECT nspname FROM pg_namespace WHERE nspname ~ '_g[0-9]+$'")
    return {name for (name,) in rows}


async def test_a_rebuild_of_each_projection_finds_it_equal_and_drops_the_old_one(postgres: Postgres) -> None:
    world = await played()
    await project(world, postgres)
    for name, again in of_facts(world.log, postgres).items():
        done = await again()
        assert (done.projection, done.number, done.difference) == (name, 2, None)
        assert done.rows > 0
    assert await schemas(postgres) == {"facts_g2", "signers_g2", "webhooks_g2", "identity_g1"}
    assert await tables_of(postgres) == folded(world.log)


async def test_a_rebuild_under_load_loses_nothing_and_reads_go_on(postgres: Postgres) -> None:
    world = await played()
    await project(world, postgres)
    projector = asyncio.create_task(Projector(postgres, PROJECTIONS).run(world.log, "facts"))
    reads, seen, done = Reads(postgres), [0], asyncio.Event()

    async def write() -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            await world.play([(name, turn + index, turn * 7) for index, name in enumerate(MOVES)])
            await asyncio.sleep(0.005)

    async def read() -> None:
        async def newest(transaction: Any, generation: Any) -> list[fact_queries.StoredFact]:
            return await fact_queries.page(transaction, generation, Filters(), status="active", limit=5)

        last: dict[tuple[str, int], int] = {}
        while not done.is_set():
            found, reached = await reads.read("facts", newest)
            assert len(found) == 5
            assert all(reached[where] >= offset for where, offset in last.items()), "a switch never goes back"
            last = reached
            seen[0] += 1

    working = [asyncio.create_task(write()), asyncio.create_task(read())]
    for _ in range(2):
        for again in of_facts(world.log, postgres).values():
            assert (await again()).difference is None
    done.set()
    await asyncio.gather(*working)
    assert seen[0] > 10
    await project(world, postgres)
    projector.cancel()
    await asyncio.gather(projector, return_exceptions=True)
    assert await tables_of(postgres) == folded(world.log)


async def test_a_rebuild_names_the_first_difference_and_heals_it(postgres: Postgres) -> None:
    world = await played()
    await project(world, postgres)
    first, second = sorted(fact_id for fact_id, _ in world.facts)[:2]
    async with postgres.transaction() as transaction:
        await transaction.run("UPDATE facts_g1.facts SET body = '{}' WHERE fact_id = %s", second)
    done = await rebuild(world.log, postgres, FactsProjection())
    assert done.difference is not None
    assert (done.difference.table, done.difference.key) == ("facts", (second,))
    assert done.difference.live is not None
    assert done.difference.live["body"] == "{}"
    async with postgres.transaction() as transaction:
        await transaction.run("DELETE FROM facts_g2.facts WHERE fact_id = %s", first)
    done = await rebuild(world.log, postgres, FactsProjection())
    assert done.difference is not None
    assert (done.difference.key, done.difference.live) == ((first,), None)
    assert await tables_of(postgres) == folded(world.log)


async def test_a_difference_in_a_secret_is_found_and_never_shown(postgres: Postgres) -> None:
    world = await World().start()
    await world.play([("register", 0, 0)])
    await project(world, postgres)
    async with postgres.transaction() as transaction:
        await transaction.run("UPDATE webhooks_g1.webhooks SET sealed_secret = 'c0ffee'")
    difference = (await rebuilds(world.log, postgres)["webhooks"]()).difference
    assert difference is not None
    assert difference.key == ("wh_a",)
    assert "c0ffee" not in repr(difference)
    assert "secret" not in repr(difference)


async def test_a_rebuild_that_crashes_at_any_step_leaves_the_live_one_and_is_cleaned_up(postgres: Postgres) -> None:
    world = await played()
    await project(world, postgres)
    for name in ("made", "replayed", "compared", "switch", "switched"):

        def crash(step: str, at: str = name) -> None:
            if step == at:
                raise Crash(step)

        with pytest.raises(Crash):
            await rebuild(world.log, postgres, FactsProjection(), step=crash)
        assert await tables_of(postgres) == folded(world.log)
    assert (await rebuild(world.log, postgres, FactsProjection())).difference is None
    assert len([name for name in await schemas(postgres) if name.startswith("facts_")]) == 1
    assert await tables_of(postgres) == folded(world.log)


async def test_a_second_rebuild_of_the_same_projection_is_refused_meanwhile(postgres: Postgres) -> None:
    world = await played(2)
    await project(world, postgres)
    refused: list[RebuildRunning] = []

    async def again() -> None:
        try:
            await rebuild(world.log, postgres, FactsProjection())
        except RebuildRunning as error:
            refused.append(error)

    waiting: list[asyncio.Task[None]] = []
    done = await rebuild(
        world.log, postgres, FactsProjection(), step=lambda _name: waiting.append(asyncio.create_task(again()))
    )
    await asyncio.gather(*waiting)
    assert refused
    assert done.difference is None
    async with postgres.snapshot() as transaction:
        assert set(await generations.live(transaction, ["facts"])) == {"facts"}


async def test_a_rebuild_before_anything_was_projected_replays_the_log(postgres: Postgres) -> None:
    world = await played(2)
    assert (await rebuild(world.log, postgres, FactsProjection())).difference is None
    await project(world, postgres)
    assert await tables_of(postgres) == folded(world.log)


async def test_a_rebuild_replaces_tables_that_an_earlier_release_made(postgres: Postgres) -> None:
    world = await played(2)
    await project(world, postgres)
    async with postgres.transaction() as transaction:
        await transaction.run("ALTER TABLE facts_g1.facts DROP COLUMN key_id")
    running = asyncio.create_task(Projector(postgres, PROJECTIONS).run(world.log, "facts"))
    await world.play([("issue", 1, 1)])
    await asyncio.sleep(0.1)
    assert not running.done()
    difference = (await rebuild(world.log, postgres, FactsProjection())).difference
    assert difference is not None
    assert (difference.table, difference.key) == ("facts", ())
    await project(world, postgres)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await tables_of(postgres) == folded(world.log)


async def test_a_rebuild_stops_where_the_live_one_stands_though_the_log_goes_on(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await played(3)
    await project(world, postgres)
    before = await tables_of(postgres)
    await world.play([(name, index, 5) for index, name in enumerate(MOVES * 3)])
    monkeypatch.setattr(following, "MESSAGES_PER_POLL", 2)
    for again in of_facts(world.log, postgres).values():
        assert (await again()).difference is None
    assert await tables_of(postgres) == before
    await project(world, postgres)
    assert await tables_of(postgres) == folded(world.log)
