"""Whatever is asked, in whatever order and however often, no token is lost or made: a machine tries to.

Three frames lie in two partitions, each with a state of its own, as two deciders have. The figures are counted here
from the events' postings alone, by no code of the rules.
"""

import hashlib
from collections import Counter, defaultdict
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.decider import Circumstances, Refusal
from domain.ledger.account import FreezeAccount, Mandate, UnfreezeAccount, account_id
from domain.ledger.developer import RegisterDeveloper
from domain.ledger.frame import BurnTokens, MintTokens, OpenFrame
from domain.ledger.payment import CancelPayment, ClaimPayment, ExpirePayment, HoldPayment, PaymentHeld
from domain.ledger.proposal import CastVote, OpenProposal, ProposalOpened, TallyProposal, VoteCast
from domain.ledger.registry import OpenRegistry, Terms
from domain.ledger.reward import CloseRewardDay, OpenRewardDay, RewardStakes, StakesRewarded
from domain.ledger.stake import PlaceStake, StakePlaced, WithdrawStake
from domain.ledger.transfer import PostTransfer, TransferSettled
from domain.ledger.transit import (
    AbortTransfer,
    AcceptTransfer,
    CommitTransfer,
    RejectTransfer,
    TransferAborted,
    TransferAccepted,
    TransferPrepared,
    TransferRejected,
)
from domain.ruling import REPEATED, fold
from domain.ruling import rule as ruling
from log.scope import command_id

DAY_MS = 86_400_000
BEGAN = 20_000 * DAY_MS
PARTITION_OF = {"one": 0, "two": 0, "far": 1}
SHOPS = {"one-a": "one", "one-b": "one", "two-a": "two", "far-a": "far"}
PEOPLE = ("ann", "ben", "eve")
GRANT = 10_000
AMOUNTS = st.one_of(st.integers(0, 300), st.integers(1, 20_000), st.just(2**63 - 1))
SHOP, PERSON = st.sampled_from(sorted(SHOPS)), st.sampled_from(PEOPLE)
HOMES = (
    *(("one-a", who) for who in ("ann", "ben")),
    ("one-b", "eve"),
    *((shop, who) for shop in ("two-a", "far-a") for who in PEOPLE),
)
"""Where everybody has an account: a DID registers once in a frame."""
HOME = st.sampled_from([*HOMES, *HOMES, ("one-b", "ann")])
NONCE = st.integers(0, 60)


class Interleavings(RuleBasedStateMachine):
    """Asks anything of three frames, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[dict[str, Any]] = [{}, {}]
        self.now, self.asked = BEGAN, 0
        self.balances: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.frame_of: dict[str, str] = {}
        self.counters: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.flying: dict[str, TransferPrepared] = {}
        self.arrived: dict[str, TransferAccepted | TransferRejected] = {}
        self.landed: set[str] = set()
        self.seen: Counter[tuple[Any, ...]] = Counter()
        self.votes: dict[tuple[str, str], VoteCast] = {}
        self.payments: list[PaymentHeld] = []
        self.stakes: list[StakePlaced] = []
        self.proposals: list[ProposalOpened] = []
        self.past: list[tuple[str, Any, str]] = []

    def ask(self, payload: Any, actor: str = "admin") -> Any:
        """Ask for something new, and give what became of it."""
        self.asked += 1
        digest = hashlib.sha256(f"{self.asked}".encode()).digest()
        name = command_id(actor, digest, idempotency_key=str(self.asked))
        self.past.append((name, payload, actor))
        return self.decide(name, payload, actor)

    def decide(self, name: str, payload: Any, actor: str) -> Any:
        state = self.states[PARTITION_OF[payload.frame_id]]
        outcome = ruling(state, name, payload, Circumstances(actor, self.now, first=not state))
        for key, entry in fold(state, name, self.asked, outcome, self.now):
            if entry is None:
                state.pop(key, None)
            else:
                state[key] = entry
        for event in () if isinstance(outcome, Refusal) else outcome:
            self.count(event)
        return outcome

    def count(self, event: Any) -> None:
        """Count one event's postings, and check what one event alone must keep."""
        moves = getattr(event, "postings", ())
        assert sum(move.amount for move in moves) == 0, event
        for move in moves:
            if move.part == "counter":
                self.counters[event.frame_id, move.account] += move.amount
            else:
                assert self.frame_of.setdefault(move.account, event.frame_id) == event.frame_id
                self.balances[move.account, move.part] += move.amount
                assert self.balances[move.account, move.part] >= 0, event
        self.check_supply(event.frame_id)
        word = getattr(event, "mandate", None)
        if word is not None:
            self.once("nonce", event.frame_id, word.signed_by, word.nonce)
        match event:
            case TransferSettled():
                assert -(-event.amount * 50 // 10_000) <= event.fee <= -(-event.amount * 500 // 10_000)
            case TransferPrepared():
                self.flying[event.transfer_id] = event
            case TransferAccepted():
                self.once("arrival", event.transfer_id)
                assert event.fee == -(-event.amount * 50 // 10_000)
                assert event.amount == self.flying[event.transfer_id].amount
                self.arrived[event.transfer_id] = event
                self.landed.add(event.transfer_id)
            case TransferRejected():
                self.once("arrival", event.transfer_id)
                self.arrived[event.transfer_id] = event
            case TransferAborted():
                assert isinstance(self.arrived[event.transfer_id], TransferRejected)
                self.once("landing", event.transfer_id)
                self.landed.add(event.transfer_id)
            case StakesRewarded():
                for reward in event.rewards:
                    self.once("reward", reward.stake_id, event.day)
            case VoteCast():
                self.votes[event.proposal_id, event.voter] = event
            case PaymentHeld():
                self.payments.append(event)
            case StakePlaced():
                self.stakes.append(event)
            case ProposalOpened():
                self.proposals.append(event)

    def once(self, *what: Any) -> None:
        self.seen[what] += 1
        assert self.seen[what] == 1, what

    def check_supply(self, frame_id: str) -> None:
        circulating = sum(amount for (name, _), amount in self.balances.items() if self.frame_of[name] == frame_id)
        issued, destroyed = -self.counters[frame_id, "issued"], self.counters[frame_id, "destroyed"]
        assert issued - destroyed - self.counters[frame_id, "transit"] == circulating

    def word(self, who: str, nonce: int) -> Mandate:
        return Mandate(who, f"nonce-{nonce:010}", self.now + 60_000)

    def account(self, home: tuple[str, str]) -> str:
        shop, who = home
        return account_id(SHOPS[shop], shop, who, "user")

    @initialize(fee=st.integers(50, 500), grant=st.integers(1, GRANT), mints=st.booleans())
    def begin(self, *, fee: int, grant: int, mints: bool) -> None:
        for frame_id in PARTITION_OF:
            self.ask(OpenFrame(frame_id, "sovereign", "enabled", "facts/0/0"))
        for shop, frame_id in SHOPS.items():
            terms = Terms(fee_bps=fee, genesis_grant=grant * 100, base_apy_bps=1_500, mint_rewards=mints)
            self.ask(OpenRegistry(frame_id, shop, terms, "facts/0/0"))
        for shop, who in HOMES:
            self.ask(RegisterDeveloper(SHOPS[shop], shop, who, who, None, None, None), who)

    @rule(shop=SHOP, who=PERSON)
    def register(self, shop: str, who: str) -> None:
        self.ask(RegisterDeveloper(SHOPS[shop], shop, who, who, None, None, None), who)

    @rule(home=HOME, amount=AMOUNTS, burn=st.booleans())
    def mint_or_burn(self, *, home: tuple[str, str], amount: int, burn: bool) -> None:
        make = BurnTokens if burn else MintTokens
        self.ask(make(SHOPS[home[0]], self.account(home), amount, "facts/0/0"))

    @rule(home=HOME, thaws=st.integers(0, 3))
    def freeze(self, *, home: tuple[str, str], thaws: int) -> None:
        for make in (FreezeAccount, *[UnfreezeAccount] * thaws):
            self.ask(make(SHOPS[home[0]], self.account(home), "facts/0/0"))

    @rule(home=HOME, goal=HOME, amount=AMOUNTS, other=st.sampled_from([None] * 6 + ["ann"]), nonce=NONCE)
    def transfer(
        self, *, home: tuple[str, str], goal: tuple[str, str], amount: int, other: str | None, nonce: int
    ) -> None:
        name, by = f"trf_{self.asked}", other or home[1]
        sides = (self.account(home), self.account(goal), SHOPS[goal[0]])
        self.ask(PostTransfer(name, SHOPS[home[0]], *sides, amount, None, self.word(by, nonce), 60_000), by)

    @rule(data=st.data(), phases=st.lists(st.sampled_from(["accept", "reject", "end", "wrong end"]), max_size=3))
    def saga(self, *, data: st.DataObject, phases: list[str]) -> None:
        """Take any phases of any transfer: late, early, again, or one that the other side never said."""
        if self.flying:
            name = data.draw(st.sampled_from(sorted(self.flying)))
            for phase in phases:
                self.take(name, phase)

    def take(self, name: str, phase: str) -> None:
        flown, arrived = self.flying[name], self.arrived.get(name)
        said = (name, flown.receiver_frame, flown.frame_id, flown.sender, flown.receiver, flown.amount, "ledger/0/0")
        if phase in ("accept", "reject"):
            self.ask((AcceptTransfer if phase == "accept" else RejectTransfer)(*said))
        elif arrived is not None or flown.receiver_frame == flown.frame_id:
            # Across frames a sending side can only believe; what the process manager tells it is what was decided.
            commits = isinstance(arrived, TransferAccepted)
            if phase == "wrong end" and flown.receiver_frame == flown.frame_id:
                commits = not commits
            end = CommitTransfer(name, flown.frame_id, "ledger/0/0")
            self.ask(end if commits else AbortTransfer(name, flown.frame_id, "timeout", "ledger/0/0"))

    @rule(home=HOME, goal=HOME, amount=AMOUNTS, nonce=NONCE)
    def hold(self, *, home: tuple[str, str], goal: tuple[str, str], amount: int, nonce: int) -> None:
        sides = (self.account(home), self.account(goal), SHOPS[goal[0]], goal[1])
        word = self.word(home[1], nonce)
        self.ask(HoldPayment(f"pay_{self.asked}", SHOPS[home[0]], *sides, amount, self.now + 60_000, word), home[1])

    @rule(data=st.data(), by=PERSON, what=st.sampled_from(["claim", "cancel", "expire"]))
    def end_payment(self, *, data: st.DataObject, by: str, what: str) -> None:
        if self.payments:
            held = data.draw(st.sampled_from(self.payments))
            name, frame_id = held.payment_id, held.frame_id
            if what == "claim":
                self.ask(ClaimPayment(name, frame_id, f"trf_of_{name}", 60_000), held.receiver_owner)
            else:
                self.ask((CancelPayment if what == "cancel" else ExpirePayment)(name, frame_id), by)

    @rule(home=HOME, amount=AMOUNTS, lock=st.sampled_from([0, 30, 365]), nonce=NONCE)
    def place(self, *, home: tuple[str, str], amount: int, lock: int, nonce: int) -> None:
        name, word = f"stk_{self.asked}", self.word(home[1], nonce)
        self.ask(PlaceStake(name, SHOPS[home[0]], self.account(home), amount, lock, word), home[1])

    @rule(data=st.data(), nonce=NONCE)
    def withdraw(self, *, data: st.DataObject, nonce: int) -> None:
        if self.stakes:
            known = data.draw(st.sampled_from(self.stakes))
            self.ask(WithdrawStake(known.stake_id, known.frame_id, self.word(known.owner, nonce)), known.owner)

    @rule(shop=SHOP, due=st.integers(0, 10_000), step=st.sampled_from(["open", "pay", "close", "all"]))
    def reward(self, *, shop: str, due: int, step: str) -> None:
        of = (SHOPS[shop], shop, self.now // DAY_MS - 1)
        stakes = tuple(each.stake_id for each in self.stakes)
        steps: dict[str, Any] = {
            "open": OpenRewardDay(*of, due),
            "pay": RewardStakes(*of, stakes + stakes),
            "close": CloseRewardDay(*of),
        }
        for payload in steps.values() if step == "all" else [steps[step]]:
            self.ask(payload)

    @rule(home=HOME)
    def propose(self, home: tuple[str, str]) -> None:
        asked = ("parameter", "Charge more", None, "fee_bps", "500", self.now + 10_000)
        self.ask(OpenProposal(f"prp_{self.asked}", SHOPS[home[0]], home[0], *asked), home[1])

    @rule(data=st.data(), who=PERSON, choice=st.sampled_from(["yes", "no", "abstain"]), nonce=NONCE)
    def vote(self, *, data: st.DataObject, who: str, choice: str, nonce: int) -> None:
        if self.proposals:
            known = data.draw(st.sampled_from(self.proposals))
            self.ask(CastVote(known.proposal_id, known.frame_id, choice, self.word(who, nonce)), who)

    @rule(data=st.data())
    def tally(self, data: st.DataObject) -> None:
        if self.proposals:
            known = data.draw(st.sampled_from(self.proposals))
            outcome = self.ask(TallyProposal(known.proposal_id, known.frame_id))
            if not isinstance(outcome, Refusal):
                self.once("tally", known.proposal_id)
                cast = [each for (name, _), each in self.votes.items() if name == known.proposal_id]
                counted = [sum(each.power for each in cast if each.choice == it) for it in ("yes", "no", "abstain")]
                assert [outcome[0].yes, outcome[0].no, outcome[0].abstain] == counted

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Ask for anything again under its id, as after a crash."""
        if self.past:
            outcome = self.decide(*data.draw(st.sampled_from(self.past)))
            assert isinstance(outcome, Refusal)
            assert outcome.code == REPEATED

    @rule(ms=st.sampled_from([1, 30_000, 61_000, DAY_MS, 31 * DAY_MS]))
    def wait(self, ms: int) -> None:
        self.now += ms

    @invariant()
    def nothing_is_lost_between_frames(self) -> None:
        net = -sum(amount for (_, name), amount in self.counters.items() if name == "transit")
        flying = sum(each.amount for name, each in self.flying.items() if name not in self.landed)
        assert net + flying == 0


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
