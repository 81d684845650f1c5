"""Stakes, their rewards and their votes before the auditor: each paid once a day, each voter counted once."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from domain.decider import Change
from domain.did import identity
from domain.ledger.proposal import ProposalOpened, ProposalTallied, VoteCast
from domain.ledger.reward import RewardDayClosed, RewardDayOpened, StakesRewarded
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from log.fold import Entries
from processors.audit_names import Fault, require
from processors.audit_shops import WHOLE, Shop, frame, holder, shop

DAY_MS: Final = 86_400_000
LOCK_DAYS: Final = (0, 30, 90, 180, 365)
YEAR_DAYS: Final = 365


class Stake(NamedTuple):
    """A stake; times in ms, ``paid_day`` is the last day that it was rewarded for."""

    registry_id: str
    account: str
    owner: str
    amount: int
    lock_days: int
    placed_at: int
    withdrawn_at: int | None = None
    paid_day: int = -1


class Day(NamedTuple):
    """The day that a registry pays for, or paid for last; ``premiums`` by a lock's days, rates in basis points."""

    day: int
    due: int
    base: int
    premiums: Mapping[str, int]
    budget: int
    minted: bool
    paid: int = 0
    owed: int = 0
    open: bool = True


class Proposal(NamedTuple):
    """A proposal and the power that was counted for each choice."""

    registry_id: str
    number: int
    parameter: str | None
    value: str | None
    ends_at: int
    electorate: int
    status: str = "open"
    yes: int = 0
    no: int = 0
    abstain: int = 0


def _power_key(registry_id: str, owner: str) -> str:
    return f"own/power/{registry_id}/{identity(owner)}"


def _power(state: Entries, registry_id: str, owner: str, number: int) -> int:
    """Give what an owner had staked when a registry's proposal of this number was made."""
    entry = state.get(_power_key(registry_id, owner)) or ()
    return next((int(staked) for before, staked in reversed(entry) if before < number), 0)


def _staked(state: Entries, known: Shop, event: StakePlaced | StakeWithdrawn, amount: int) -> Iterator[Change]:
    """Count what lies in a registry, and since which of its proposals an owner has so much there."""
    yield f"own/shop/{event.registry_id}", known._replace(staked=known.staked + amount)
    key = _power_key(event.registry_id, event.owner)
    history = [tuple(each) for each in state.get(key) or ()]
    power = (history[-1][1] if history else 0) + amount
    if history and history[-1][0] == known.proposals:
        history.pop()
    yield key, (*history, (known.proposals, power))


def placed(state: Entries, event: StakePlaced, at: int) -> Iterator[Change]:
    """A stake locks an amount for one of the lengths that there are."""
    key = f"own/stake/{event.stake_id}"
    require(state.get(key) is None, "uniqueness", f"{event.stake_id} was a stake before")
    by = holder(state, event.frame_id, event.account)
    require((by.registry_id, by.owner) == (event.registry_id, event.owner), "account", "the stake is another's")
    require(event.amount > 0 and event.lock_days in LOCK_DAYS, "bounds", "there is no such stake")
    right = event.unlocks_at == at + event.lock_days * DAY_MS
    require(right, "lock", f"the lock of {event.lock_days} days doesn't end then")
    known = shop(state, event.frame_id, event.registry_id)
    yield key, Stake(event.registry_id, event.account, event.owner, event.amount, event.lock_days, at)
    yield from _staked(state, known, event, event.amount)


def withdrawn(state: Entries, event: StakeWithdrawn, at: int) -> Iterator[Change]:
    """A stake comes back once, whole, and after its lock."""
    key = f"own/stake/{event.stake_id}"
    entry = state.get(key)
    known = None if entry is None else Stake(*entry)
    said = (event.registry_id, event.account, event.owner, event.amount)
    if known is None or known.withdrawn_at is not None or known[:4] != said:
        raise Fault("stakes", f"{event.stake_id} is withdrawn as another than lies there")
    holder(state, event.frame_id, event.account)
    require(known.placed_at + known.lock_days * DAY_MS <= at, "lock", f"{event.stake_id} is locked still")
    yield key, known._replace(withdrawn_at=at)
    yield from _staked(state, shop(state, event.frame_id, event.registry_id), event, -event.amount)


def day_opened(state: Entries, event: RewardDayOpened, at: int) -> Iterator[Change]:
    """A day is paid for once it is over, one after the other, at its registry's rates, and minted where that may be."""
    key = f"own/day/{event.registry_id}"
    entry = state.get(key)
    last = None if entry is None else Day(*entry)
    known = shop(state, event.frame_id, event.registry_id)
    mints = frame(state, event.frame_id).mints and known.terms["mint_rewards"]
    require((event.day + 1) * DAY_MS <= at, "reward", f"day {event.day} isn't over")
    follows = last is None or (not last.open and last.day < event.day)
    require(follows, "reward", f"day {event.day} is opened out of turn")
    require(event.minted == mints, "reward", "the rewards come from where they may not")
    base, premiums = event.rates.base_apy_bps, {str(each.lock_days): each.bps for each in event.rates.premiums}
    rates = (base, premiums) == (known.terms["base_apy_bps"], known.terms["premiums"])
    require(rates, "reward", f"day {event.day} is opened at other rates than the registry has")
    if event.budget and not mints:
        holder(state, event.frame_id, known.treasury)
    yield key, Day(event.day, event.due, base, premiums, event.budget, event.minted)


def rewarded(state: Entries, event: StakesRewarded, _at: int) -> Iterator[Change]:
    """Each stake is paid once a day what the day's rates say, pro rata where it is short, nothing while it is frozen.

    How much a frame has room for that is minted is counted with its supply (``audit_movements``).
    """
    entry = state.get(f"own/day/{event.registry_id}")
    if entry is None or not Day(*entry).open or entry[0] != event.day:
        raise Fault("reward", f"day {event.day} of {event.registry_id} isn't open")
    day, treasury = Day(*entry), shop(state, event.frame_id, event.registry_id).treasury
    frozen = not day.minted and holder(state, event.frame_id, treasury, thawed=False).frozen
    begins, ends = event.day * DAY_MS, (event.day + 1) * DAY_MS
    paid = owed = 0
    seen: set[str] = set()
    for each in event.rewards:
        found = state.get(f"own/stake/{each.stake_id}")
        stake = None if found is None else Stake(*found)
        if stake is None or (stake.registry_id, stake.account) != (event.registry_id, each.account):
            raise Fault("reward", f"{each.stake_id} is rewarded and is no such stake")
        once = stake.paid_day < event.day and each.stake_id not in seen
        require(once, "reward", f"{each.stake_id} is rewarded twice for day {event.day}")
        seen.add(each.stake_id)
        lay = stake.placed_at <= begins and (stake.withdrawn_at is None or stake.withdrawn_at >= ends)
        require(lay, "reward", f"{each.stake_id} didn't lie for all of day {event.day}")
        holder(state, event.frame_id, each.account)
        due = stake.amount * (day.base + day.premiums.get(str(stake.lock_days), 0)) // WHOLE // YEAR_DAYS
        share = due if day.budget >= day.due else due * day.budget // day.due
        amount = 0 if frozen else min(share, day.budget - day.paid - paid)
        right = each.due == due and (each.amount == amount or (day.minted and each.amount < amount))
        require(
            right, "reward", f"{each.stake_id} gets {each.amount} of {each.due}, and by the terms {amount} of {due}"
        )
        paid, owed = paid + each.amount, owed + due
        yield f"own/stake/{each.stake_id}", stake._replace(paid_day=event.day)
    yield f"own/day/{event.registry_id}", day._replace(paid=day.paid + paid, owed=day.owed + owed)


def day_closed(state: Entries, event: RewardDayClosed, _at: int) -> Iterator[Change]:
    """A day closes with what was paid, and what was due beyond it."""
    entry = state.get(f"own/day/{event.registry_id}")
    day = None if entry is None else Day(*entry)
    if day is None or not day.open or day.day != event.day:
        raise Fault("reward", f"day {event.day} of {event.registry_id} isn't open")
    right = (event.paid, event.shortfall) == (day.paid, day.owed - day.paid)
    require(right, "reward", f"day {event.day} closes with other figures than were paid")
    yield f"own/day/{event.registry_id}", day._replace(open=False)


def asked(state: Entries, event: ProposalOpened, at: int) -> Iterator[Change]:
    """A proposal is made by one who has a stake, and asks all who have."""
    key = f"own/proposal/{event.proposal_id}"
    known = shop(state, event.frame_id, event.registry_id)
    number = known.proposals + 1
    require(state.get(key) is None and event.number == number, "uniqueness", "the proposal is out of its order")
    require(event.electorate == known.staked, "vote", f"{event.electorate} may vote, and {known.staked} is staked")
    require(_power(state, event.registry_id, event.opened_by, number) > 0, "vote", f"{event.opened_by} has no power")
    require(event.ends_at > at, "vote", "the vote ends before it begins")
    told = (event.parameter, event.value, event.ends_at, event.electorate)
    yield key, Proposal(event.registry_id, number, *told)
    yield f"own/shop/{event.registry_id}", known._replace(proposals=number)


def cast(state: Entries, event: VoteCast, at: int) -> Iterator[Change]:
    """A DID's last vote before the end counts, with its power when the proposal was made."""
    entry = state.get(f"own/proposal/{event.proposal_id}")
    known = None if entry is None else Proposal(*entry)
    if known is None or known.status != "open" or known.ends_at <= at or event.choice not in {"yes", "no", "abstain"}:
        raise Fault("vote", f"{event.voter} can't vote so on {event.proposal_id}")
    power = _power(state, known.registry_id, event.voter, known.number)
    require(0 < power == event.power, "vote", f"{event.voter} votes with {event.power}, and has {power}")
    key = f"own/vote/{event.proposal_id}/{identity(event.voter)}"
    counted, before = known._asdict(), state.get(key)
    if before is not None:
        counted[before[0]] -= before[1]
    counted[event.choice] += power
    yield f"own/proposal/{event.proposal_id}", Proposal(**counted)
    yield key, (event.choice, power)


def tallied(state: Entries, event: ProposalTallied, at: int) -> Iterator[Change]:
    """Votes are counted once, at the end, and pass by quorum and threshold."""
    key = f"own/proposal/{event.proposal_id}"
    entry = state.get(key)
    known = None if entry is None else Proposal(*entry)
    if known is None or known.status != "open" or known.ends_at > at:
        raise Fault("vote", f"{event.proposal_id} is counted and isn't at its end")
    said = (event.registry_id, event.yes, event.no, event.abstain, event.electorate)
    counted = (known.registry_id, known.yes, known.no, known.abstain, known.electorate)
    require(said == counted, "vote", f"{event.proposal_id} is counted as {said}, and {counted} voted")
    terms = shop(state, event.frame_id, event.registry_id).terms
    enough = (known.yes + known.no + known.abstain) * WHOLE >= terms["quorum_bps"] * known.electorate
    passed = enough and known.yes * WHOLE > terms["threshold_bps"] * (known.yes + known.no)
    status = "passed" if passed else "rejected"
    require(event.status == status, "vote", f"{event.proposal_id} is {event.status}, and by its votes {status}")
    yield key, known._replace(status=status)
