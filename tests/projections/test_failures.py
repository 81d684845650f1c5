"""Postgres away, killed, without room or cutting a connection: the projector waits, goes on, and nothing is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from muniment.stack.embedded import Stack, embedded_stack
from projections.dump import PROJECTIONS
from projections.postgres import Postgres, PostgresUnavailable
from projections.projector import Projector
from projections.reads import NotCaughtUp, Reads
from tests.conftest import Services
from tests.projections.conftest import tables_of
from tests.projections.plain_fold import folded
from tests.projections.test_projecting import ends, project
from tests.projections.world import MOVES, World

pytestmark = pytest.mark.stack
CUTS = ("mark facts", "write signers", "commit")


async def play(world: World, turn: int) -> None:
    """Let something of everything happen."""
    await world.play([(name, turn + index, turn * 7) for index, name in enumerate(MOVES)])


async def test_a_full_disk_is_waited_out_and_nothing_is_lost(postgres: Postgres, services: Services) -> None:
    world = await World().start()
    await project(world, postgres)
    full = (
        "CREATE FUNCTION muniment.full() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left' USING ERRCODE = '53100'; END $$"
    )
    async with postgres.transaction() as transaction:
        await transaction.run(full)
        await transaction.run(
            "CREATE TRIGGER full_disk BEFORE UPDATE ON muniment.positions EXECUTE FUNCTION muniment.full()"
        )
    running = asyncio.create_task(Projector(postgres, PROJECTIONS).run(world.log, "facts"))
    for turn in range(5):
        await play(world, turn)
    await asyncio.sleep(0.5)
    assert not running.done()
    assert await tables_of(postgres) != folded(world.log)
    async with postgres.transaction() as transaction:
        await transaction.run("DROP TRIGGER full_disk ON muniment.positions")
    await until_equal(world, postgres)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until_equal(world: World, postgres: Postgres) -> None:
    """Wait until the tables are the plain fold."""
    reads = Reads(postgres)
    positions = {("facts", partition): end - 1 for partition, end in ends(world.log).items()}

    async def reached() -> bool:
        try:
            for projection in (each for each in PROJECTIONS if each.context == "facts"):
                await reads.read(projection.name, lambda _t, _g: asyncio.sleep(0), positions, 5)
        except (PostgresUnavailable, NotCaughtUp):
            await asyncio.sleep(0.1)
            return False
        return True

    async with asyncio.timeout(60):
        while not await reached():
            pass
    assert await tables_of(postgres) == folded(world.log)


async def test_a_connection_lost_in_the_middle_of_a_batch_repeats_nothing(
    postgres: Postgres, services: Services
) -> None:
    world, cut = await World().start(), []

    def cut_connections(name: str) -> None:
        if name in CUTS and name not in cut:
            cut.append(name)
            with psycopg.connect(services.postgres, application_name="cutter") as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'muniment'"
                )

    running = asyncio.create_task(Projector(postgres, PROJECTIONS, step=cut_connections).run(world.log, "facts"))
    for turn in range(5):
        await play(world, turn)
        await asyncio.sleep(0.05)
    await until_equal(world, postgres)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert set(cut) == set(CUTS)


@pytest.fixture
async def own_stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """Start a Postgres that a test may kill; the broker's address is one that nobody asks."""
    async with embedded_stack(tmp_path / "data", kafka="127.0.0.1:1") as stack:
        yield stack


@pytest.mark.slow
async def test_postgres_killed_under_load_comes_back_and_nothing_is_lost(own_stack: Stack) -> None:
    postgres = Postgres(own_stack.services.postgres)
    world = await World().start()
    running = asyncio.create_task(Projector(postgres, PROJECTIONS).run(world.log, "facts"))
    killed: list[int] = []
    for turn in range(30):
        await play(world, turn)
        await asyncio.sleep(0.05)
        if turn in (5, 15, 25) and (pid := own_stack.supervisor.pids.get("postgres")) is not None:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
    assert killed
    assert not running.done()
    await until_equal(world, postgres)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await postgres.close()


async def test_postgres_that_is_away_is_named_and_never_by_its_address() -> None:
    postgres = Postgres("postgresql://muniment:secret@127.0.0.1:1/muniment")
    with pytest.raises(PostgresUnavailable) as raised:
        async with postgres.snapshot():
            pass
    assert "secret" not in str(raised.value)
    assert "127.0.0.1" not in str(raised.value)
    assert "secret" not in repr(postgres)
