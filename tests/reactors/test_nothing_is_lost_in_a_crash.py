"""A reactor that ends between any two steps, and partitions that are read in any order."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from domain.facts.fact import FactExpired
from domain.facts.webhook import DeliveryAttempted, DeliveryScheduled
from log.chain import Chain
from log.following import Decided
from log.memory import MemoryLog
from log.store import MemoryStore, Store
from processors.agenda import Agenda
from processors.webhook_catching_up import CatchingUp
from tests.reactors.rig import PARTITIONS, Reacting, Registry, receiving, until

pytestmark = pytest.mark.slow

STEPS = ("send", "sent", "report", "reported")


@pytest.mark.parametrize("at", STEPS)
async def test_a_crash_at_this_step_delivers_each_at_least_once_and_numbers_without_a_gap(
    at: str, tmp_path: Path
) -> None:
    async with receiving() as receiver, Registry() as registry:
        await registry.register("whk_a", f"{receiver.url}/a")
        left = 5

        def step(name: str) -> None:
            nonlocal left
            if name == at and (left := left - 1) == 0:
                raise SystemError(f"ended before {name}")

        store = Store(tmp_path / "first")
        async with Reacting(registry, store, step=step) as first:
            for _ in range(12):
                await registry.issue(wait=False)
            with pytest.raises(SystemError):
                await until(first.check)
        store.close()
        store = Store(tmp_path / "first")
        async with Reacting(registry, store) as second:
            await until(lambda: len({r.sequence for r in registry.events(DeliveryAttempted)}) == 12)
            second.check()
            assert [event.sequence for event in registry.events(DeliveryScheduled)] == list(range(1, 13))
            heard = Counter(entry.json["sequence"] for entry in receiver.heard)
            assert set(heard) == set(range(1, 13))
            assert all(
                len({e.headers["webhook-id"] for e in receiver.heard if e.json["sequence"] == n}) == 1 for n in heard
            )
        store.close()


async def test_a_reactor_with_an_empty_store_repeats_nothing_that_was_delivered() -> None:
    async with receiving() as receiver, Registry() as registry:
        async with Reacting(registry):
            await registry.register("whk_a", f"{receiver.url}/a")
            for _ in range(10):
                await registry.issue(wait=False)
            await until(lambda: len(registry.events(DeliveryAttempted)) == 10)
        async with Reacting(registry, leads=False) as anew:
            ends = {p: len(registry.log.messages("muniment.facts.events", p)) for p in range(PARTITIONS)}  # type: ignore[attr-defined]
            assert await anew.agenda.reaches(ends, 5.0)
            await until(lambda: not list(anew.agenda.store.scan("job/")))
            anew.leads = True
            await registry.issue()
            await until(lambda: len(receiver.heard) == 11)
            await asyncio.sleep(0.1)
            assert len(receiver.heard) == 11
            assert [key for prefix in ("due/", "matched/") for key, _ in anew.agenda.store.scan(prefix)] == []


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1)])
async def test_in_whatever_order_the_partitions_are_read_the_same_is_due(order: tuple[int, ...]) -> None:
    """Endpoints are read before, between and after the changes; only what was not scheduled is due."""
    async with receiving() as receiver, Registry() as registry:
        await registry.issue("before")
        async with Reacting(registry) as reacting:
            for name in ("whk_a", "whk_b", "whk_c", "whk_d", "whk_e"):
                await registry.register(name, f"{receiver.url}/{name}")
            for _ in range(3):
                await registry.issue()
            await until(lambda: len(receiver.heard) == 15)
            reacting.check()
        unscheduled = [await registry.issue() for _ in range(2)]
        assert isinstance(registry.log, MemoryLog)
        async with Reacting(registry, leads=False) as anew:
            follower = anew.tasks[0]
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
            fresh = Agenda(MemoryStore())
            await fold_in_order(registry.log, fresh, order)
            await look_behind(registry, fresh)
            for name in ("whk_a", "whk_b", "whk_c", "whk_d", "whk_e"):
                assert sorted(due.fact_id for _, due in fresh.due(name, 100)) == sorted(unscheduled)
            assert len(list(fresh.store.scan("matched/"))) == 10


async def fold_in_order(log: MemoryLog, agenda: Agenda, order: tuple[int, ...]) -> None:
    """Fold whole partitions, one after another."""
    marks = await agenda.marks("facts", PARTITIONS)
    for partition in order:
        chain = Chain(marks[partition])
        decided = [Decided("facts", each) for each in chain.counted(log.messages("muniment.facts.events", partition))]
        await agenda.apply("facts", decided, {partition: chain.mark})


async def look_behind(registry: Registry, agenda: Agenda) -> None:
    """Run an agenda's jobs until none is left."""
    looking = asyncio.create_task(CatchingUp(registry.log, agenda).run())
    await until(lambda: not list(agenda.store.scan("job/")))
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def test_a_fact_expires_once_its_time_is_over_and_asking_again_changes_nothing() -> None:
    async with Registry() as registry, Reacting(registry) as reacting:
        fact_id = await registry.issue(expires_at=1_000)
        later = await registry.issue(expires_at=9_000_000_000_000)
        await until(lambda: len(list(reacting.agenda.store.scan("expires/"))) == 2)
        asked: list[Any] = [await reacting.expiring.ask() for _ in range(3)]
        assert asked[0] == 1
        await until(lambda: [event.fact_id for event in registry.events(FactExpired)] == [fact_id])
        await until(lambda: len(list(reacting.agenda.store.scan("expires/"))) == 1)
        assert await reacting.expiring.ask() == 0
        assert later not in [event.fact_id for event in registry.events(FactExpired)]
