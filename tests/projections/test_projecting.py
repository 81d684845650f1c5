"""The tables always equal a plain fold of the log: in any order, in any batches, through any crash."""

import asyncio

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain.did import identity
from domain.facts.fact import QuarantineFact
from log import topic
from log.following import follow
from log.memory import MemoryLog
from projections.dump import PROJECTIONS
from projections.postgres import Postgres
from projections.projector import Projector
from tests.conftest import Services
from tests.projections.conftest import emptied, tables_of
from tests.projections.plain_fold import folded
from tests.projections.world import ISSUERS, MOVES, World

pytestmark = pytest.mark.stack
MOVE = st.tuples(st.sampled_from(MOVES), st.integers(0, 40), st.integers(0, 40))


def ends(log: MemoryLog) -> dict[int, int]:
    """Give the ends of the events topic."""
    name = topic.events("facts")
    return {partition: len(log.messages(name, partition)) for partition in range(len(log._topics[name]))}


async def project(world: World, postgres: Postgres) -> None:
    """Project all that the log holds."""
    await follow(world.log, "facts", Projector(postgres, PROJECTIONS), until=ends(world.log))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(MOVE, max_size=40), after=st.lists(MOVE, max_size=40))
def test_the_tables_equal_a_plain_fold_whatever_was_asked(
    services: Services, before: list[tuple[str, int, int]], after: list[tuple[str, int, int]]
) -> None:
    async def scenario() -> None:
        postgres = Postgres(services.postgres)
        await emptied(postgres)
        world = await World().start()
        await world.play(before)
        await project(world, postgres)
        await world.play(after)
        await project(world, postgres)
        assert await tables_of(postgres) == folded(world.log)
        await postgres.close()

    asyncio.run(scenario())


class Crash(Exception):
    """The process ends here."""


async def test_a_crash_between_any_two_steps_repeats_nothing_and_loses_nothing(postgres: Postgres) -> None:
    world = await World().start()
    crashed: set[str] = set()

    def crash_once(name: str) -> None:
        if name not in crashed:
            crashed.add(name)
            raise Crash(name)

    for turn in range(30):
        await world.play([(name, turn + index, turn) for index, name in enumerate(MOVES)])
        try:
            projector = Projector(postgres, PROJECTIONS, step=crash_once)
            await follow(world.log, "facts", projector, until=ends(world.log), step=crash_once)
        except Crash:
            continue
        break
    assert crashed >= {"apply", "locked", "write facts", "mark webhooks", "commit", "committed", "applied"}
    assert await tables_of(postgres) == folded(world.log)


async def test_two_projectors_at_once_write_everything_once(postgres: Postgres) -> None:
    world = await World().start()
    running = [asyncio.create_task(Projector(postgres, PROJECTIONS).run(world.log, "facts")) for _ in range(2)]
    for turn in range(20):
        await world.play([(name, turn + index, turn * index) for index, name in enumerate(MOVES)])
        await asyncio.sleep(0.01)
    await project(world, postgres)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert await tables_of(postgres) == folded(world.log)


async def test_a_projector_whose_tables_went_back_reads_again_what_they_lack(postgres: Postgres) -> None:
    world = await World().start()
    running = asyncio.create_task(Projector(postgres, PROJECTIONS).run(world.log, "facts"))
    await world.play([("issue", index, index) for index in range(20)])
    await project(world, postgres)
    await emptied(postgres)
    await world.play([("issue", index, index + 20) for index in range(20)])
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.1)
            try:
                if await tables_of(postgres) == folded(world.log):
                    break
            except (LookupError, ConnectionError):
                continue
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_log_that_is_another_one_is_not_mixed_into_the_tables(postgres: Postgres) -> None:
    first, second = await World().start(), await World().start()
    await first.play([("issue", 0, 0)])
    await project(first, postgres)
    await second.play([("issue", index, index) for index in range(8)])
    before = await tables_of(postgres)
    await project(second, postgres)  # by the reading rule nothing of it counts
    assert await tables_of(postgres) == before


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), max_size=8))
@example(texts=["\\N", "\\", "\t", "\n\r", "\x1e", "\\.", "", "a\\tb", "\x1e\x1e", "\u2028", "\U0001f600"])
def test_any_text_lies_in_the_tables_as_it_lay_on_the_log(services: Services, texts: list[str]) -> None:
    async def scenario() -> None:
        postgres = Postgres(services.postgres)
        await emptied(postgres)
        world = await World().start()
        for text in texts:
            fact_id, _ = await world.issue(ISSUERS[0], text)
            await world.do(identity(ISSUERS[0]), QuarantineFact(fact_id, text, text))
        await project(world, postgres)
        assert await tables_of(postgres) == folded(world.log)
        await postgres.close()

    asyncio.run(scenario())


async def test_a_character_that_postgres_can_not_hold_does_not_stop_the_projector(postgres: Postgres) -> None:
    world = await World().start()
    fact_id, _ = await world.issue(ISSUERS[0], "nul\0")
    await project(world, postgres)
    assert (await tables_of(postgres))["facts"][fact_id,]["ref"] == "nul\ufffd"
