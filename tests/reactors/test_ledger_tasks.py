"""The ledger's periodic tasks: run twice they do what they do once, and so when another reactor leads in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from domain.ledger.account import FreezeAccount
from domain.ledger.frame import VelocityMeasured
from domain.ledger.payment import PaymentExpired
from domain.ledger.proposal import ProposalTallied
from domain.ledger.registry import ChangeRegistry, Terms
from domain.ledger.reward import RewardDayClosed, RewardDayOpened, StakesRewarded
from domain.ledger.transit import TransferAborted, TransferRejected
from log.log import LogUnavailable
from log.message import Message
from processors import ledger_tasks
from processors.audit_source import LogSource
from processors.ledger_audits import LedgerAudits
from processors.reactor_commands import Ask
from tests.audit.economy import DAY_MS, EVENTS, HOME, first
from tests.reactors.ledger_rig import STAKES, Mind, Town

ONCE: dict[str, dict[type, int]] = {
    "expire_payments": {PaymentExpired: 1},
    "tally": {ProposalTallied: 1},
    "velocity": {VelocityMeasured: 2},
    "rewards": {RewardDayOpened: 1, StakesRewarded: 1, RewardDayClosed: 1},
    "transits": {TransferRejected: 1},
}
"""By task what it brings about, here where there are two frames, and one registry in which somebody staked."""
AUDITORS = ("supply", "settlement", "invariants")
DUE = 10_000
"""What each stake earns a day."""


@pytest.fixture
async def town(monkeypatch: pytest.MonkeyPatch) -> Town:
    """Give a ledger in which there is something to do for every task."""
    return await Town().set_clock(monkeypatch).with_all_to_do()


def effects(town: Town) -> dict[type, int]:
    """Count what all tasks brought about."""
    return {kind: len(town.happened(kind)) for kinds in ONCE.values() for kind in kinds}


@pytest.mark.parametrize("name", ONCE)
async def test_a_task_that_runs_twice_does_what_it_does_once(name: str, town: Town) -> None:
    mind = await Mind(town).catch_up()
    for _ in range(2):
        assert (await mind.runs()[name]()).outcome == "done"
    town.settle()
    assert effects(town) == dict.fromkeys(effects(town), 0) | ONCE[name]
    await mind.catch_up()
    for _ in range(2):
        town.now += ledger_tasks.ASK_AGAIN_MS
        await mind.runs()[name]()
        town.settle()
        await mind.catch_up()
    assert effects(town) == dict.fromkeys(effects(town), 0) | ONCE[name]


@pytest.mark.parametrize("name", AUDITORS)
async def test_an_auditor_that_runs_twice_finds_the_same_and_asks_for_nothing(name: str, town: Town) -> None:
    mind, asked = Mind(town), town.asked()
    runs = [await mind.runs()[name]() for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0].outcome == "done"
    assert town.asked() == asked


class Counting(LogSource):
    """Counts the messages that are read."""

    read = 0

    async def messages(self, topic: str, partition: int, end: int, start: int = 0) -> AsyncIterator[Sequence[Message]]:
        """Give the messages."""
        async for batch in super().messages(topic, partition, end, start):
            self.read += len(batch)
            yield batch


async def test_the_auditors_read_the_log_once_between_them(town: Town) -> None:
    source = Counting(town.log)
    audits = LedgerAudits(source, lambda: town.now)
    await asyncio.gather(audits.supply(), audits.settlement(), audits.invariants())
    await audits.supply()
    assert source.read == sum(len(town.log.messages(EVENTS, partition)) for partition in range(town.partitions))


@pytest.mark.parametrize("decided", [False, True], ids=["before it was decided", "after it was decided"])
@pytest.mark.parametrize("name", ONCE)
async def test_a_task_of_two_leaders_in_turn_does_what_it_does_once(name: str, town: Town, *, decided: bool) -> None:
    one, two = await Mind(town).catch_up(), await Mind(town).catch_up()
    await one.runs()[name]()
    if decided:
        town.settle()
        await two.catch_up()
    town.now += ledger_tasks.ASK_AGAIN_MS
    await two.runs()[name]()
    town.settle()
    for mind in (one, two, one):
        await mind.catch_up()
        await mind.runs()[name]()
        town.settle()
    assert effects(town) == dict.fromkeys(effects(town), 0) | ONCE[name]


class Dies(Exception):
    """A reactor ends here."""


def dying_after(mind: Mind, count: int) -> None:
    """Let a reactor append so many commands of what it asks, and end."""
    append = mind.commands.append

    async def dies(asks: Sequence[Ask]) -> None:
        await append(asks[:count])
        raise Dies

    mind.commands.append = dies  # type: ignore[method-assign]


@pytest.mark.parametrize("count", range(5))
async def test_a_day_of_rewards_that_a_leader_left_half_paid_is_paid_by_the_next(
    count: int, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_tasks, "STAKES_A_COMMAND", 1)
    one, two = await Mind(town).catch_up(), Mind(town)
    dying_after(one, count)
    with pytest.raises(Dies):
        await one.tasks.reward()
    town.settle()
    await two.catch_up()
    town.now += ledger_tasks.ASK_AGAIN_MS
    for _ in range(2):
        await two.tasks.reward()
        town.settle()
    paid = [each for event in town.happened(StakesRewarded) for each in event.rewards]
    assert len({each.stake_id for each in paid}) == len(paid) == STAKES
    assert [(each.due, each.amount) for each in paid] == [(DUE, DUE)] * STAKES
    (closed,) = town.happened(RewardDayClosed)
    assert (closed.paid, closed.shortfall) == (STAKES * DUE, 0)
    assert len(town.happened(RewardDayOpened)) == 1


async def test_a_late_transfer_is_given_back_once_by_the_loop_and_two_leaders(town: Town) -> None:
    one, two = await Mind(town).catch_up(), await Mind(town).catch_up()
    assert await one.transits.ask() == 0, "what is late is not asked to be accepted any more"
    said = (await one.transits.time_out()).said
    assert said == {"under_way": 1, "late": 1, "timed_out": 1}
    assert (await one.transits.time_out()).said == said, "it is the same one"
    assert (await two.transits.time_out()).said == said
    town.settle()
    for mind in (one, two):
        await mind.catch_up()
        assert await mind.transits.ask() == 1
        assert (await mind.transits.time_out()).said == {"under_way": 1, "late": 0, "timed_out": 1}
    town.settle()
    assert [event.reason for event in town.happened(TransferRejected)] == ["timeout"]
    assert len(town.happened(TransferAborted)) == 1
    for mind in (one, two):
        await mind.catch_up()
        assert await mind.transits.ask() == 0
        assert (await mind.audits.settlement()).said["pending"] == 0


async def test_a_rejection_that_may_not_lie_on_the_log_is_asked_for_again_at_once(town: Town) -> None:
    mind = await Mind(town).catch_up()
    town.log.reachable = False
    with pytest.raises(LogUnavailable):
        await mind.transits.time_out()
    town.log.reachable = True
    asked = town.asked()
    assert (await mind.transits.time_out()).said["timed_out"] == 1
    assert town.asked() == asked + 1


async def test_an_auditor_that_leads_after_another_finds_what_that_one_found(town: Town) -> None:
    one, two = await Mind(town).catch_up(), Mind(town)
    first_runs = {name: await one.runs()[name]() for name in AUDITORS}
    await one.tasks.reward()
    await one.tasks.expire_payments()
    town.settle()
    for name in AUDITORS:
        assert await two.runs()[name]() == await one.runs()[name]()
    assert one.audits.found == two.audits.found
    assert first_runs["invariants"].said == {"treasuries": 2, "stakes": STAKES, "payments": 1, "reward_days": 0}
    assert (await two.audits.invariants()).said["payments"] == 0


async def test_rewards_that_were_counted_before_the_rates_changed_are_counted_again(town: Town) -> None:
    mind = await Mind(town).catch_up()
    changed: dict[str, Any] = {**dict.fromkeys(Terms.__slots__), "base_apy_bps": 1_000}
    await mind.tasks.reward()
    town.settle()
    assert [event.rates.base_apy_bps for event in town.happened(RewardDayOpened)] == [500]
    first(town.by_admin(ChangeRegistry(HOME, "north", **changed, authority=town.authority)))
    town.now += DAY_MS
    await mind.tasks.reward()  # its fold is of before the change
    town.settle()
    assert len(town.happened(RewardDayOpened)) == 1
    town.now += ledger_tasks.ASK_AGAIN_MS
    await (await mind.catch_up()).tasks.reward()
    town.settle()
    assert [(event.due, event.rates.base_apy_bps) for event in town.happened(RewardDayOpened)] == [
        (STAKES * DUE, 500),
        (2 * STAKES * DUE, 1_000),
    ]
    assert [each.amount for event in town.happened(StakesRewarded)[1:] for each in event.rewards] == [2 * DUE] * STAKES


async def test_a_treasury_that_is_frozen_while_a_day_is_paid_leaves_its_shortfall_on_the_log(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_tasks, "STAKES_A_COMMAND", 1)
    one, two = await Mind(town).catch_up(), Mind(town)
    dying_after(one, 2)
    with pytest.raises(Dies):
        await one.tasks.reward()
    town.settle()
    first(town.by_admin(FreezeAccount(HOME, town.treasury(), town.authority)))
    town.now += ledger_tasks.ASK_AGAIN_MS
    await (await two.catch_up()).tasks.reward()
    town.settle()
    (closed,) = town.happened(RewardDayClosed)
    assert (closed.paid, closed.shortfall) == (DUE, (STAKES - 1) * DUE)
    for name in AUDITORS:
        assert (await two.runs()[name]()).outcome == "done"
