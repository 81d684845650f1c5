"""Days of rewards in which something happened meanwhile, before the auditors: rates, treasury, shortfall."""

from dataclasses import replace
from typing import Any

import pytest

from domain.ledger.account import FreezeAccount, UnfreezeAccount, account_id
from domain.ledger.frame import MintTokens, OpenFrame
from domain.ledger.posting import MAX_AMOUNT, Posting
from domain.ledger.registry import ChangeRegistry, OpenRegistry, Premium, Terms
from domain.ledger.reward import (
    CloseRewardDay,
    OpenRewardDay,
    RewardDayClosed,
    RewardDayOpened,
    RewardStakes,
    StakesRewarded,
    rates_of,
)
from log.fold import Overlay
from log.store import MemoryStore
from log.topic import partition_of
from processors.audit_ledger import changes
from processors.audit_names import Fault
from processors.audit_source import LogSource
from processors.audit_supply import SupplyAudit
from tests.audit.economy import DAY_MS, HOME, START_MS, Economy, first
from tests.audit.registry import key
from tests.audit.test_ledger_audit import audit, heard, own_fold

DAY = START_MS // DAY_MS + 1
OF = (HOME, "north", DAY)
DEARER = (1_500, (Premium(0, 10_000),))
STAKES = (73_000_000, 36_500_000)
DUE = (10_000, 5_000)
"""What the stakes earn a day, by the terms that a registry has by default."""


async def staked(*, mint: bool = False) -> tuple[Economy, list[str]]:
    """Let two stakes lie for all of a day that is over."""
    economy = await Economy().begin()
    economy.by_admin(OpenFrame(HOME, "sovereign", "enabled", economy.authority))
    economy.by_admin(OpenRegistry(HOME, "north", Terms(mint_rewards=mint), economy.authority))
    treasury = account_id(HOME, "north", economy.operator.did, "treasury")
    first(economy.by_admin(MintTokens(HOME, treasury, 20_000, economy.authority)))
    names = []
    for number, amount in enumerate(STAKES):
        owner = key(11 + number)
        account = economy.developer(owner, HOME, "north")
        names.append(first(economy.stake(owner, account, amount, 0)).stake_id)
    economy.now += 3 * DAY_MS
    return economy, names


def terms(economy: Economy, base: int, premiums: tuple[Premium, ...]) -> None:
    """Change a registry's rates."""
    changed: dict[str, Any] = {**dict.fromkeys(Terms.__slots__), "base_apy_bps": base, "premiums": premiums}
    first(economy.by_admin(ChangeRegistry(HOME, "north", **changed, authority=economy.authority)))


def open_day(economy: Economy) -> Any:
    """Open the day."""
    return first(economy.by_reactor(OpenRewardDay(*OF, sum(DUE), rates_of(Terms()))))


async def troubled_day() -> Economy:
    """Pay one stake, change the rates, freeze the treasury, pay the other, let the treasury go, and close."""
    economy, (one, two) = await staked()
    treasury = account_id(HOME, "north", economy.operator.did, "treasury")
    open_day(economy)
    first(economy.by_reactor(RewardStakes(*OF, (one,))))
    terms(economy, *DEARER)
    first(economy.by_admin(FreezeAccount(HOME, treasury, economy.authority)))
    first(economy.by_reactor(RewardStakes(*OF, (two, one))))
    first(economy.by_admin(UnfreezeAccount(HOME, treasury, economy.authority)))
    first(economy.by_reactor(CloseRewardDay(*OF)))
    return economy


async def test_a_day_keeps_its_rates_and_its_shortfall_is_on_the_log() -> None:
    economy = await troubled_day()
    verdict = await audit(economy)
    assert verdict.difference is None
    assert own_fold(economy) is None
    paid = [
        (reward.due, reward.amount)
        for index in (0, 1)
        for reward in economy.find(StakesRewarded, index)[2].events[0].payload.rewards
    ]
    assert paid == [(DUE[0], DUE[0]), (DUE[1], 0)]
    closed = economy.find(RewardDayClosed)[2].events[0].payload
    assert (closed.paid, closed.shortfall) == DUE


def paid_by(rewarded: StakesRewarded, due: int, amount: int, treasury: str) -> StakesRewarded:
    """Let the one reward of an event be another, and its postings too."""
    (only,) = rewarded.rewards
    postings = (Posting(treasury, "held", -amount), Posting(only.account, "available", amount)) if amount else ()
    return replace(rewarded, rewards=(replace(only, due=due, amount=amount),), postings=postings)


LIES = [
    # of the second payment: what is said to be due and paid
    (DUE[1] * 23, 0, "at the rates that the registry has since"),
    (DUE[1], DUE[1], "from a treasury that is frozen"),
    (0, 0, "as if nothing was due"),
]


@pytest.mark.parametrize(("due", "amount", "how"), LIES, ids=[how for *_, how in LIES])
async def test_a_stake_that_is_paid_otherwise_is_named(due: int, amount: int, how: str) -> None:
    economy = await troubled_day()
    treasury = account_id(HOME, "north", economy.operator.did, "treasury")
    place = economy.change(StakesRewarded, lambda event: paid_by(event, due, amount, treasury), 1)
    assert own_fold(economy) == (place, "reward"), how
    verdict = await audit(economy)
    assert verdict.difference is not None
    assert verdict.difference.place == place


async def test_a_shortfall_that_is_kept_quiet_is_named() -> None:
    economy = await troubled_day()
    place = economy.change(RewardDayClosed, lambda event: replace(event, shortfall=0))
    assert own_fold(economy) == (place, "reward")


@pytest.mark.parametrize("other", [{"base_apy_bps": 501}, {"premiums": (Premium(30, 101),)}])
async def test_a_day_that_is_opened_at_other_rates_than_its_registry_s_is_named(other: dict[str, Any]) -> None:
    economy, _ = await staked()
    rates = replace(rates_of(Terms()), **other)
    assert economy.by_reactor(OpenRewardDay(*OF, 1, rates)).refusal is not None
    partition, state = partition_of(HOME, economy.partitions), Overlay(MemoryStore())
    assert heard(economy, partition, state) is None
    opened = RewardDayOpened(*OF, 1, rates, 0, minted=False, postings=())
    with pytest.raises(Fault, match="at other rates"):
        list(changes(state, opened, opened, "", economy.now))
    honest = replace(opened, rates=rates_of(Terms()))
    assert list(changes(state, honest, honest, "", economy.now))


@pytest.mark.parametrize("room", [0, 12_000])
async def test_what_is_minted_for_a_day_is_as_much_as_the_frame_has_room_for(room: int) -> None:
    economy, (one, two) = await staked(mint=True)
    treasury = account_id(HOME, "north", economy.operator.did, "treasury")
    open_day(economy)
    issued = 2 * Terms().genesis_grant + 20_000
    first(economy.by_admin(MintTokens(HOME, treasury, MAX_AMOUNT - issued - room, economy.authority)))
    rewarded = first(economy.by_reactor(RewardStakes(*OF, (one, two))))
    assert [each.amount for each in rewarded.rewards] == [min(room, DUE[0]), max(0, room - DUE[0])]
    assert first(economy.by_reactor(CloseRewardDay(*OF))).shortfall == sum(DUE) - room
    assert (await audit(economy)).difference is None
    if room:
        place = economy.change(StakesRewarded, lambda event: replace(event, rewards=unpaid(event), postings=()))
        supply = SupplyAudit(LogSource(economy.log))
        await supply.advance()
        assert supply.difference is not None
        assert (supply.difference.place, supply.difference.rule) == (place, "reward")


def unpaid(event: StakesRewarded) -> tuple[Any, ...]:
    """Give an event's rewards as if there had been no room."""
    return tuple(replace(each, amount=0) for each in event.rewards)
