"""A stake is an amount that its owner locks: it earns by the day, and votes while it lies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.ledger.account import (
    Account,
    AccountRefusal,
    Mandate,
    account,
    account_key,
    check_mandate,
    frozen,
    insufficient,
    nonce_key,
    unknown,
)
from domain.ledger.posting import AVAILABLE, STAKED, Posting, moved, post
from domain.ledger.power import change_power, power_key
from domain.ledger.registry import LOCKS, Registry, registry_key

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class StakePlaced:
    """An amount is locked until ``unlocks_at`` (ms)."""

    stake_id: str
    frame_id: str
    registry_id: str
    account: str
    owner: str
    amount: int
    lock_days: int
    unlocks_at: int
    mandate: Mandate
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class StakeWithdrawn:
    """A stake's amount is available again."""

    stake_id: str
    frame_id: str
    registry_id: str
    account: str
    owner: str
    amount: int
    mandate: Mandate
    postings: tuple[Posting, ...]


class Stake(NamedTuple):
    """A stake's entry in the state; times in ms, ``rewarded_day`` counted from 1970."""

    frame_id: str
    registry_id: str
    account: str
    owner: str
    amount: int
    lock_days: int
    placed_at: int
    unlocks_at: int
    withdrawn_at: int | None
    rewarded_day: int

    def earns_for(self, day: int) -> bool:
        """Tell whether it lay for the whole of a UTC day, and earned nothing for that day yet."""
        begins, ends = day * DAY_MS, (day + 1) * DAY_MS
        lay = self.placed_at <= begins and (self.withdrawn_at is None or self.withdrawn_at >= ends)
        return lay and self.rewarded_day < day


def stake_key(stake_id: str) -> str:
    """Give the key of a stake's entry."""
    return f"stake/{stake_id}"


def stake(state: State, stake_id: str) -> Stake | None:
    """Find a stake, withdrawn or not."""
    entry = state.get(stake_key(stake_id))
    return None if entry is None else Stake(*entry)


def evolve(state: State, event: StakePlaced | StakeWithdrawn, at: int) -> Iterable[Change]:
    """Fold one event of a stake."""
    key, shop = stake_key(event.stake_id), registry_key(event.registry_id)
    known = Registry(*state[shop])
    sign = 1 if isinstance(event, StakePlaced) else -1
    if isinstance(event, StakePlaced):
        placed = (event.frame_id, event.registry_id, event.account, event.owner, event.amount, event.lock_days)
        yield key, Stake(*placed, at, event.unlocks_at, None, -1)
    else:
        yield key, Stake(*state[key])._replace(withdrawn_at=at)
    yield shop, known._replace(staked=known.staked + sign * event.amount)
    power = power_key(event.registry_id, event.owner)
    yield from change_power(state, power, sign * event.amount, known.proposals, at)
    yield nonce_key(event.frame_id, event.mandate.signed_by, event.mandate.nonce), ()
    yield from post(state, event.frame_id, event.postings)


@dataclass(frozen=True, slots=True)
class PlaceStake:
    """Lock an amount."""

    stake_id: str
    frame_id: str
    account: str
    amount: int
    lock_days: int
    mandate: Mandate


@dataclass(frozen=True, slots=True)
class WithdrawStake:
    """Take a stake back whose lock is over."""

    stake_id: str
    frame_id: str
    mandate: Mandate


class StakeRefusal(StrEnum):
    """Why a stake stays as it is, in order of precedence; an account's refusals come before these."""

    NOT_FOUND = "not_found"
    OUT_OF_BOUNDS = "out_of_bounds"
    ALREADY_WITHDRAWN = "already_withdrawn"
    STAKE_LOCKED = "stake_locked"


def decide(
    state: State, command: PlaceStake | WithdrawStake, around: Circumstances
) -> Sequence[StakePlaced | StakeWithdrawn] | Refusal:
    """Rule on a stake."""
    if isinstance(command, WithdrawStake):
        return decide_withdraw(state, command, around)
    frame_id, name, amount = command.frame_id, command.account, command.amount
    held = account(state, name)
    if held is None or held.frame_id != frame_id:
        return unknown(name)
    refusal = check_mandate(state, frame_id, held.owner, command.mandate, around.now)
    if refusal is not None:
        return refusal
    if command.lock_days not in LOCKS:
        detail = f"a lock is one of {', '.join(map(str, LOCKS))} days"
        return Refusal(StakeRefusal.OUT_OF_BOUNDS, {"bound": "lock_days", "detail": detail})
    if amount <= 0:
        return Refusal(AccountRefusal.AMOUNT_NOT_POSITIVE, {"amount": str(amount)})
    if held.available < amount:
        return insufficient(held.available, amount)
    if held.frozen:
        return frozen(name)

    postings = moved(amount, (name, AVAILABLE), (name, STAKED, amount))
    unlocks_at = around.now + command.lock_days * DAY_MS
    return [
        StakePlaced(
            command.stake_id,
            frame_id,
            held.registry_id,
            name,
            held.owner,
            amount,
            command.lock_days,
            unlocks_at,
            command.mandate,
            postings,
        )
    ]


def decide_withdraw(
    state: State, command: WithdrawStake, around: Circumstances
) -> Sequence[StakePlaced | StakeWithdrawn] | Refusal:
    """Rule on taking a stake back."""
    known = stake(state, command.stake_id)
    if known is None or known.frame_id != command.frame_id:
        return Refusal(StakeRefusal.NOT_FOUND, {"stake_id": command.stake_id})
    refusal = check_mandate(state, known.frame_id, known.owner, command.mandate, around.now)
    if refusal is not None:
        return refusal
    if known.withdrawn_at is not None:
        return Refusal(StakeRefusal.ALREADY_WITHDRAWN, {"stake_id": command.stake_id})
    if known.unlocks_at > around.now:
        return Refusal(StakeRefusal.STAKE_LOCKED, {"stake_id": command.stake_id, "unlocks_at": str(known.unlocks_at)})
    if Account(*state[account_key(known.account)]).frozen:
        return frozen(known.account)

    postings = moved(known.amount, (known.account, STAKED), (known.account, AVAILABLE, known.amount))
    return [
        StakeWithdrawn(
            command.stake_id,
            known.frame_id,
            known.registry_id,
            known.account,
            known.owner,
            known.amount,
            command.mandate,
            postings,
        )
    ]


STAKE = Decider(initial={}, decide=decide, evolve=evolve)
