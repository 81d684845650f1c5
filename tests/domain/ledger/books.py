"""What an accountant counts who reads events and knows no rule's code: balances, counters, and what happened once."""

from collections import Counter, defaultdict
from typing import Any

from domain.ledger.account import AccountFrozen, AccountUnfrozen
from domain.ledger.frame import TokensBurned, TokensMinted
from domain.ledger.payment import PaymentHeld
from domain.ledger.proposal import ProposalOpened, ProposalTallied, VoteCast
from domain.ledger.registry import RegistryChanged, RegistryOpened
from domain.ledger.reward import RewardDayClosed, RewardDayOpened, StakesRewarded
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from domain.ledger.transfer import TransferSettled
from domain.ledger.transit import (
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)

DAY_MS = 86_400_000
PREMIUM_BPS = {0: 0, 30: 100, 90: 200, 180: 300, 365: 500}
"""What a lock adds to the base in the registries of these tests, by its days."""
SENT_OR_RECEIVED = (
    TokensMinted,
    TokensBurned,
    TransferSettled,
    TransferPrepared,
    TransferAccepted,
    PaymentHeld,
    StakePlaced,
    StakeWithdrawn,
    StakesRewarded,
)


def rounded_up(amount: int, bps: int) -> int:
    """Give a share in basis points, rounded up."""
    whole, rest = divmod(amount * bps, 10_000)
    return whole + (rest > 0)


class Books:
    """Counts events one by one, and fails at the first that doesn't add up."""

    def __init__(self) -> None:
        self.balances: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.frame_of: dict[str, str] = {}
        self.counters: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.frozen: set[str] = set()
        self.seen: Counter[tuple[Any, ...]] = Counter()
        self.flying: dict[str, TransferPrepared] = {}
        self.arrived: dict[str, TransferAccepted | TransferRejected] = {}
        self.landed: set[str] = set()
        self.payments: list[PaymentHeld] = []
        self.base: dict[str, int] = {}
        self.days: dict[str, tuple[int, int, int]] = {}
        self.stakes: dict[str, tuple[StakePlaced, int]] = {}
        self.withdrawn: dict[str, int] = {}
        self.proposals: list[ProposalOpened] = []
        self.powers: dict[str, dict[str, int]] = {}
        self.votes: dict[tuple[str, str], VoteCast] = {}

    def count(self, event: Any, now: int) -> None:
        """Count one event that was decided now (ms)."""
        moves = getattr(event, "postings", ())
        assert sum(move.amount for move in moves) == 0, event
        for move in moves:
            if move.part == "counter":
                self.counters[event.frame_id, move.account] += move.amount
            else:
                assert self.frame_of.setdefault(move.account, event.frame_id) == event.frame_id
                self.balances[move.account, move.part] += move.amount
                assert self.balances[move.account, move.part] >= 0, event
                assert not (isinstance(event, SENT_OR_RECEIVED) and move.account in self.frozen), event
        self.check_supply(event.frame_id)
        word = getattr(event, "mandate", None)
        if word is not None:
            self.once("nonce", event.frame_id, word.signed_by, word.nonce)
        self.count_transfer(event)
        self.count_stake(event, now)
        self.count_vote(event)

    def count_transfer(self, event: Any) -> None:
        """Count what moves between accounts."""
        match event:
            case AccountFrozen():
                self.frozen.add(event.account)
            case AccountUnfrozen():
                self.frozen.remove(event.account)
            case TransferSettled():
                self.once("transfer", event.transfer_id)
                assert rounded_up(event.amount, 50) <= event.fee <= rounded_up(event.amount, 500)
            case TransferPrepared():
                self.once("transfer", event.transfer_id)
                self.flying[event.transfer_id] = event
            case TransferAccepted():
                self.once("arrival", event.transfer_id)
                assert event.fee == rounded_up(event.amount, 50) < event.amount
                assert event.amount == self.flying[event.transfer_id].amount
                self.arrived[event.transfer_id] = event
                self.landed.add(event.transfer_id)
            case TransferRejected():
                self.once("arrival", event.transfer_id)
                self.arrived[event.transfer_id] = event
            case TransferCommitted():
                assert isinstance(self.arrived[event.transfer_id], TransferAccepted)
                self.once("end", event.transfer_id)
            case TransferAborted():
                assert isinstance(self.arrived[event.transfer_id], TransferRejected)
                self.once("end", event.transfer_id)
                self.landed.add(event.transfer_id)
            case PaymentHeld():
                self.payments.append(event)

    def count_stake(self, event: Any, now: int) -> None:
        """Count what lies locked, and what it earns."""
        match event:
            case StakePlaced():
                self.stakes[event.stake_id] = (event, now)
            case StakeWithdrawn():
                self.once("withdrawal", event.stake_id)
                placed, at = self.stakes[event.stake_id]
                assert now >= at + placed.lock_days * DAY_MS
                self.withdrawn[event.stake_id] = now
            case RegistryOpened() | RegistryChanged():
                self.base[event.registry_id] = event.terms.base_apy_bps
            case RewardDayOpened():
                self.days[event.registry_id] = (self.base[event.registry_id], 0, 0)
            case StakesRewarded():
                base, due, paid = self.days[event.registry_id]
                for reward in event.rewards:
                    self.once("reward", reward.stake_id, event.day)
                    placed, at = self.stakes[reward.stake_id]
                    assert at <= event.day * DAY_MS
                    assert self.withdrawn.get(reward.stake_id, now) >= (event.day + 1) * DAY_MS
                    assert reward.due == placed.amount * (base + PREMIUM_BPS[placed.lock_days]) // 3_650_000
                    assert 0 <= reward.amount <= reward.due
                    due, paid = due + reward.due, paid + reward.amount
                self.days[event.registry_id] = (base, due, paid)
            case RewardDayClosed():
                _, due, paid = self.days[event.registry_id]
                assert (event.paid, event.shortfall) == (paid, due - paid)

    def count_vote(self, event: Any) -> None:
        """Count who chose what, with the stake that it had when it was asked."""
        match event:
            case ProposalOpened():
                powers: defaultdict[str, int] = defaultdict(int)
                for name, (placed, _) in self.stakes.items():
                    if placed.registry_id == event.registry_id and name not in self.withdrawn:
                        powers[placed.owner] += placed.amount
                self.proposals.append(event)
                self.powers[event.proposal_id] = powers
                assert event.electorate == sum(powers.values())
                assert powers[event.opened_by] > 0
            case VoteCast():
                assert event.power == self.powers[event.proposal_id][event.voter] > 0
                self.votes[event.proposal_id, event.voter] = event
            case ProposalTallied():
                self.once("tally", event.proposal_id)
                cast = [each for (name, _), each in self.votes.items() if name == event.proposal_id]
                counted = [sum(each.power for each in cast if each.choice == it) for it in ("yes", "no", "abstain")]
                assert [event.yes, event.no, event.abstain] == counted

    def once(self, *what: Any) -> None:
        """Count what may happen once."""
        self.seen[what] += 1
        assert self.seen[what] == 1, what

    def check_supply(self, frame_id: str) -> None:
        """Hold a frame's counters against what lies in its accounts."""
        circulating = sum(amount for (name, _), amount in self.balances.items() if self.frame_of[name] == frame_id)
        issued, destroyed = -self.counters[frame_id, "issued"], self.counters[frame_id, "destroyed"]
        assert issued - destroyed - self.counters[frame_id, "transit"] == circulating

    def check_transit(self) -> None:
        """Hold what left all frames against what is on its way."""
        net = -sum(amount for (_, name), amount in self.counters.items() if name == "transit")
        flying = sum(each.amount for name, each in self.flying.items() if name not in self.landed)
        assert net + flying == 0
