"""Rewards are paid for one UTC day at a time: a day is opened with what there is to pay, paid in parts, and closed.

What is set aside when a day opens is held in the treasury until the day closes, so that paying in parts is paying from
one sum; and the rates that the registry has then are the day's, whatever changes meanwhile. A stake that was paid for a
day is not paid for it again, whatever is repeated.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.ledger.account import Account, account_key
from domain.ledger.frame import frame
from domain.ledger.posting import AVAILABLE, COUNTER, HELD, ISSUED, Posting, moved, post, room
from domain.ledger.registry import Premium, Terms, registry, terms_of
from domain.ledger.stake import DAY_MS, Stake, stake, stake_key
from domain.ledger.volume import BPS

DAYS_A_YEAR: Final = 365


@dataclass(frozen=True, slots=True)
class Rates:
    """What a stake earns in a year, in basis points: the base, and by its lock what is added to it."""

    base_apy_bps: int
    premiums: tuple[Premium, ...]


@dataclass(frozen=True, slots=True)
class RewardDayOpened:
    """A registry's day (counted from 1970) is paid for at these rates: ``due`` in all, of which ``budget`` is there."""

    frame_id: str
    registry_id: str
    day: int
    due: int
    rates: Rates
    budget: int
    minted: bool
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class Reward:
    """What one stake earned for a day; ``amount`` of ``due`` was paid, in micro-AVT."""

    stake_id: str
    account: str
    due: int
    amount: int


@dataclass(frozen=True, slots=True)
class StakesRewarded:
    """Some stakes got what they earned for a day."""

    frame_id: str
    registry_id: str
    day: int
    rewards: tuple[Reward, ...]
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class RewardDayClosed:
    """All of a day is paid; ``shortfall`` was due and not there, and is not owed."""

    frame_id: str
    registry_id: str
    day: int
    paid: int
    shortfall: int
    postings: tuple[Posting, ...]


RewardEvent = RewardDayOpened | StakesRewarded | RewardDayClosed


class RewardDay(NamedTuple):
    """The last day that a registry opened; ``paid`` and ``owed`` so far, in micro-AVT."""

    day: int
    due: int
    rates: tuple[Any, ...]
    budget: int
    minted: bool
    paid: int = 0
    owed: int = 0
    closed: bool = False


def reward_key(registry_id: str) -> str:
    """Give the key of a registry's last day."""
    return f"reward/{registry_id}"


def rates_entry(rates: Rates) -> tuple[Any, ...]:
    """Write rates as an entry holds them."""
    return rates.base_apy_bps, tuple((each.lock_days, each.bps) for each in rates.premiums)


def rates_of(terms: Terms) -> Rates:
    """Give what stakes earn by a registry's terms."""
    return Rates(terms.base_apy_bps, terms.premiums)


def evolve(state: State, event: RewardEvent, _at: int) -> Iterable[Change]:
    """Fold one event of a day's rewards."""
    key = reward_key(event.registry_id)
    match event:
        case RewardDayOpened():
            yield key, RewardDay(event.day, event.due, rates_entry(event.rates), event.budget, event.minted)
        case StakesRewarded():
            known = RewardDay(*state[key])
            paid = known.paid + sum(each.amount for each in event.rewards)
            owed = known.owed + sum(each.due for each in event.rewards)
            yield key, known._replace(paid=paid, owed=owed)
            for each in event.rewards:
                entry = stake_key(each.stake_id)
                yield entry, Stake(*state[entry])._replace(rewarded_day=event.day)
        case RewardDayClosed():
            yield key, RewardDay(*state[key])._replace(closed=True)
    yield from post(state, event.frame_id, event.postings)


@dataclass(frozen=True, slots=True)
class OpenRewardDay:
    """Begin to pay for a day that is over; ``due`` is what its stakes earn in all, counted by ``rates``."""

    frame_id: str
    registry_id: str
    day: int
    due: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class RewardStakes:
    """Pay some stakes for the day that is open."""

    frame_id: str
    registry_id: str
    day: int
    stake_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloseRewardDay:
    """End the day that is open: what is left goes back to the treasury."""

    frame_id: str
    registry_id: str
    day: int


RewardCommand = OpenRewardDay | RewardStakes | CloseRewardDay


class RewardRefusal(StrEnum):
    """Why nothing is paid, in order of precedence."""

    NOT_FOUND = "not_found"
    DAY_NOT_OVER = "day_not_over"
    DAY_NOT_OPEN = "day_not_open"
    TERMS_CHANGED = "terms_changed"


def reward_due(amount: int, lock_days: int, rates: Rates) -> int:
    """Give what a stake earns in one day, in micro-AVT, rounded down."""
    premium = next((each.bps for each in rates.premiums if each.lock_days == lock_days), 0)
    return amount * (rates.base_apy_bps + premium) // BPS // DAYS_A_YEAR


def decide(state: State, command: RewardCommand, around: Circumstances) -> Sequence[RewardEvent] | Refusal:
    """Rule on a day's rewards."""
    known = registry(state, command.registry_id, command.frame_id)
    if known is None:
        return Refusal(RewardRefusal.NOT_FOUND, {"registry_id": command.registry_id})
    entry = state.get(reward_key(command.registry_id))
    last = None if entry is None else RewardDay(*entry)
    treasury = (known.treasury, AVAILABLE)
    if isinstance(command, OpenRewardDay):
        if (command.day + 1) * DAY_MS > around.now:
            return Refusal(RewardRefusal.DAY_NOT_OVER, {"day": str(command.day)})
        if last is not None and (not last.closed or command.day <= last.day):
            return Refusal(RewardRefusal.DAY_NOT_OPEN, {"day": str(last.day)})
        if command.rates != rates_of(terms_of(known)):
            return Refusal(RewardRefusal.TERMS_CHANGED, {"registry_id": command.registry_id})
        return [opened(state, command, terms_of(known), known.treasury)]
    if last is None or last.closed or last.day != command.day:
        return Refusal(RewardRefusal.DAY_NOT_OPEN, {"day": str(command.day)})
    if isinstance(command, RewardStakes):
        return [rewarded(state, command, last, known.treasury)]
    left = 0 if last.minted else last.budget - last.paid
    postings = moved(left, (known.treasury, HELD), (*treasury, left)) if left else ()
    return [
        RewardDayClosed(command.frame_id, command.registry_id, command.day, last.paid, last.owed - last.paid, postings)
    ]


def opened(state: State, command: OpenRewardDay, terms: Terms, treasury: str) -> RewardDayOpened:
    """Set aside what a day may take, which is nothing while the treasury is frozen."""
    shop = frame(state, command.frame_id)
    of = (command.frame_id, command.registry_id, command.day, command.due, command.rates)
    if terms.mint_rewards and shop is not None and (shop.mode, shop.minting) == ("sovereign", "enabled"):
        budget = min(command.due, room(state, command.frame_id))
        return RewardDayOpened(*of, budget, minted=True, postings=())
    lies = Account(*state[account_key(treasury)])
    budget = 0 if lies.frozen else min(command.due, lies.available)
    held = moved(budget, (treasury, AVAILABLE), (treasury, HELD, budget)) if budget else ()
    return RewardDayOpened(*of, budget, minted=False, postings=held)


def payable(state: State, frame_id: str, day: RewardDay, treasury: str) -> int:
    """Give how much of a day's budget can be paid now: a treasury may be frozen since, or a frame be full."""
    left = day.budget - day.paid
    if day.minted:
        return min(left, room(state, frame_id))
    return 0 if Account(*state[account_key(treasury)]).frozen else left


def rewarded(state: State, command: RewardStakes, day: RewardDay, treasury: str) -> StakesRewarded:
    """Pay those of these stakes that earn for the day, pro rata where the budget is short.

    What can't be paid is noted as due all the same: it is the day's shortfall when it closes, and is not owed.
    """
    rewards: list[Reward] = []
    base, premiums = day.rates
    rates = Rates(base, tuple(Premium(*each) for each in premiums))
    left = payable(state, command.frame_id, day, treasury)
    for stake_id in dict.fromkeys(command.stake_ids):
        known = stake(state, stake_id)
        if known is None or known.registry_id != command.registry_id or not known.earns_for(command.day):
            continue
        if Account(*state[account_key(known.account)]).frozen:
            continue
        due = reward_due(known.amount, known.lock_days, rates)
        fair = due if day.budget >= day.due else due * day.budget // max(day.due, 1)
        amount = min(fair, left)
        left -= amount
        rewards.append(Reward(stake_id, known.account, due, amount))

    paid = sum(each.amount for each in rewards)
    source = (ISSUED, COUNTER) if day.minted else (treasury, HELD)
    targets = tuple((each.account, AVAILABLE, each.amount) for each in rewards)
    postings = moved(paid, source, *targets) if paid else ()
    return StakesRewarded(command.frame_id, command.registry_id, command.day, tuple(rewards), postings)


REWARD = Decider(initial={}, decide=decide, evolve=evolve)
