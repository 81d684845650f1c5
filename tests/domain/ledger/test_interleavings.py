"""Whatever is asked, in whatever order and however often, no token is lost or made: a machine tries to.

Three frames lie in two partitions, each with a state of its own, as two deciders have. The figures are counted by
``Books`` from the events' postings alone, by no code of the rules.
"""

import hashlib
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.decider import Circumstances, Refusal
from domain.ledger.account import FreezeAccount, Mandate, UnfreezeAccount, account_id
from domain.ledger.developer import RegisterDeveloper
from domain.ledger.frame import BurnTokens, MeasureVelocity, MintTokens, OpenFrame
from domain.ledger.payment import CancelPayment, ClaimPayment, ExpirePayment, HoldPayment
from domain.ledger.proposal import CastVote, OpenProposal, TallyProposal
from domain.ledger.registry import ChangeRegistry, OpenRegistry, Terms
from domain.ledger.reward import CloseRewardDay, OpenRewardDay, Rates, RewardStakes
from domain.ledger.stake import PlaceStake, WithdrawStake
from domain.ledger.transfer import PostTransfer
from domain.ledger.transit import AbortTransfer, AcceptTransfer, CommitTransfer, RejectTransfer, TransferAccepted
from domain.ruling import REPEATED, fold
from domain.ruling import rule as ruling
from log.scope import command_id
from tests.domain.ledger.books import DAY_MS, Books

pytestmark = pytest.mark.slow

BEGAN = 20_000 * DAY_MS
LONG = 10_000 * DAY_MS
PARTITION_OF = {"one": 0, "two": 0, "far": 1}
SHOPS = {"one-a": "one", "one-b": "one", "two-a": "two", "far-a": "far"}
PEOPLE = ("ann", "ben", "eve")
AMOUNTS = st.one_of(st.none(), st.integers(0, 300), st.integers(1, 60_000), st.sampled_from([40_000, 2**63 - 1]))
SHOP, PERSON = st.sampled_from(sorted(SHOPS)), st.sampled_from(PEOPLE)
HOMES = (
    *(("one-a", who) for who in ("ann", "ben")),
    ("one-b", "eve"),
    *((shop, who) for shop in ("two-a", "far-a") for who in PEOPLE),
)
"""Where everybody has an account: a DID registers once in a frame."""
HOME = st.sampled_from([*HOMES, *HOMES, ("one-b", "ann"), *((shop, "admin") for shop in SHOPS)])
"""Where something is asked of an account: one is nobody's, and an admin's is a treasury."""
NONCE = st.integers(0, 200)
STEPS = ("open", "pay", "pay", "close")
PHASES = ("accept", "accept", "reject", "end", "end", "wrong end")


class Interleavings(RuleBasedStateMachine):
    """Asks anything of three frames, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[dict[str, Any]] = [{}, {}]
        self.now, self.asked = BEGAN, 0
        self.books = Books()
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
                state[key] = tuple(json.loads(json.dumps(entry)))  # as a store on disk gives it back
        for event in () if isinstance(outcome, Refusal) else outcome:
            self.books.count(event, self.now)
        return outcome

    def word(self, who: str, nonce: int) -> Mandate:
        return Mandate(who, f"nonce-{nonce:010}", self.now + LONG)

    def account(self, home: tuple[str, str]) -> str:
        shop, who = home
        return account_id(SHOPS[shop], shop, who, "treasury" if who == "admin" else "user")

    def amount(self, home: tuple[str, str], amount: int | None) -> int:
        """Give an amount, or all that lies there for none."""
        return self.books.balances.get((self.account(home), "available"), 0) if amount is None else amount

    @initialize(fee=st.integers(50, 500), step=st.integers(0, 500), grant=st.integers(0, 100_000), mints=st.booleans())
    def begin(self, *, fee: int, step: int, grant: int, mints: bool) -> None:
        for frame_id in PARTITION_OF:
            self.ask(OpenFrame(frame_id, "sovereign", "enabled", "facts/0/0"))
        for shop, frame_id in SHOPS.items():
            granted = 50_000 + grant
            terms = Terms(fee, step, 500, genesis_grant=granted, base_apy_bps=1_500, quorum_bps=0, mint_rewards=mints)
            self.ask(OpenRegistry(frame_id, shop, terms, "facts/0/0"))
        for shop, who in HOMES:
            self.ask(RegisterDeveloper(SHOPS[shop], shop, who, who, None, None, None), who)

    @rule(shop=SHOP, who=PERSON)
    def register(self, shop: str, who: str) -> None:
        self.ask(RegisterDeveloper(SHOPS[shop], shop, who, who, None, None, None), who)

    @rule(home=HOME, amount=AMOUNTS, burn=st.booleans())
    def mint_or_burn(self, *, home: tuple[str, str], amount: int | None, burn: bool) -> None:
        make = BurnTokens if burn else MintTokens
        self.ask(make(SHOPS[home[0]], self.account(home), self.amount(home, amount), "facts/0/0"))

    @rule(home=HOME, thaws=st.integers(0, 3))
    def freeze(self, *, home: tuple[str, str], thaws: int) -> None:
        for make in (FreezeAccount, *[UnfreezeAccount] * thaws):
            self.ask(make(SHOPS[home[0]], self.account(home), "facts/0/0"))

    @rule(home=HOME, goal=HOME, amount=AMOUNTS, other=st.sampled_from([None] * 6 + ["ann"]), nonce=NONCE)
    def transfer(
        self, *, home: tuple[str, str], goal: tuple[str, str], amount: int | None, other: str | None, nonce: int
    ) -> None:
        name, by = f"trf_{self.asked}", other or home[1]
        sides = (self.account(home), self.account(goal), SHOPS[goal[0]])
        self.ask(
            PostTransfer(name, SHOPS[home[0]], *sides, self.amount(home, amount), None, self.word(by, nonce), 60_000),
            by,
        )

    @rule(data=st.data(), phases=st.lists(st.sampled_from(PHASES), min_size=1, max_size=4))
    def saga(self, *, data: st.DataObject, phases: list[str]) -> None:
        """Take any phases of any transfer: late, early, again, or one that the other side never said."""
        if self.books.flying:
            name = data.draw(st.sampled_from(sorted(self.books.flying)))
            for phase in phases:
                self.take(name, phase)

    def take(self, name: str, phase: str) -> None:
        flown, arrived = self.books.flying[name], self.books.arrived.get(name)
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
    def hold(self, *, home: tuple[str, str], goal: tuple[str, str], amount: int | None, nonce: int) -> None:
        sides = (self.account(home), self.account(goal), SHOPS[goal[0]], goal[1])
        word = self.word(home[1], nonce)
        self.ask(
            HoldPayment(
                f"pay_{self.asked}", SHOPS[home[0]], *sides, self.amount(home, amount), self.now + 60_000, word
            ),
            home[1],
        )

    @rule(
        data=st.data(),
        by=st.sampled_from([None, None, None, "eve"]),
        what=st.sampled_from(["claim", "cancel", "expire"]),
    )
    def end_payment(self, *, data: st.DataObject, by: str | None, what: str) -> None:
        if self.books.payments:
            held = data.draw(st.sampled_from(self.books.payments))
            name, frame_id = held.payment_id, held.frame_id
            payload: Any = {
                "claim": ClaimPayment(name, frame_id, f"trf_of_{name}", 60_000),
                "cancel": CancelPayment(name, frame_id),
                "expire": ExpirePayment(name, frame_id),
            }[what]
            self.ask(payload, by or (held.receiver_owner if what == "claim" else held.mandate.signed_by))

    @rule(home=HOME, amount=AMOUNTS, lock=st.sampled_from([0, 0, 30, 365]), nonce=NONCE)
    def place(self, *, home: tuple[str, str], amount: int | None, lock: int, nonce: int) -> None:
        name, word = f"stk_{self.asked}", self.word(home[1], nonce)
        self.ask(PlaceStake(name, SHOPS[home[0]], self.account(home), self.amount(home, amount), lock, word), home[1])

    @rule(data=st.data(), nonce=NONCE)
    def withdraw(self, *, data: st.DataObject, nonce: int) -> None:
        if self.books.stakes:
            known = self.books.stakes[data.draw(st.sampled_from(sorted(self.books.stakes)))][0]
            self.ask(WithdrawStake(known.stake_id, known.frame_id, self.word(known.owner, nonce)), known.owner)

    @rule(shop=SHOP, base=st.sampled_from([0, 500, 1_500]))
    def change_rates(self, *, shop: str, base: int) -> None:
        changed: dict[str, Any] = {**dict.fromkeys(Terms.__slots__), "base_apy_bps": base}
        self.ask(ChangeRegistry(SHOPS[shop], shop, **changed, authority="facts/0/0"))

    @rule(shop=SHOP, due=st.integers(0, 10_000), days=st.integers(0, 2), steps=st.lists(st.sampled_from(STEPS)))
    def reward(self, *, shop: str, due: int, days: int, steps: list[str]) -> None:
        """Take any steps of paying for the last day that is over, once some have passed."""
        self.now += days * DAY_MS
        of = (SHOPS[shop], shop, self.now // DAY_MS - 1)
        stakes = tuple(sorted(self.books.stakes))
        asks: dict[str, Any] = {
            "open": OpenRewardDay(*of, due, Rates(self.books.base[shop], Terms().premiums)),
            "pay": RewardStakes(*of, stakes + stakes),
            "close": CloseRewardDay(*of),
        }
        for step in steps or asks:
            self.ask(asks[step])

    @rule(data=st.data(), home=HOME)
    def propose(self, *, data: st.DataObject, home: tuple[str, str]) -> None:
        asked = ("parameter", "Charge more", None, "fee_bps", "500", self.now + 10_000)
        lying = [(each.registry_id, each.owner) for each, _ in self.books.stakes.values()]
        shop, who = data.draw(st.sampled_from([*lying, *lying, home]))
        self.ask(OpenProposal(f"prp_{self.asked}", SHOPS[shop], shop, *asked), who)

    @rule(data=st.data(), choices=st.lists(st.sampled_from(["yes", "no", "abstain"]), min_size=1, max_size=3))
    def vote(self, data: st.DataObject, choices: list[str]) -> None:
        if self.books.proposals:
            known = data.draw(st.sampled_from(self.books.proposals))
            for choice in choices:
                who = data.draw(st.sampled_from([*sorted(self.books.powers[known.proposal_id]), "ben"]))
                word = self.word(who, data.draw(NONCE))
                self.place(home=(known.registry_id, who), amount=data.draw(AMOUNTS), lock=0, nonce=data.draw(NONCE))
                self.ask(CastVote(known.proposal_id, known.frame_id, choice, word), who)

    @rule(data=st.data(), waits=st.booleans())
    def tally(self, *, data: st.DataObject, waits: bool) -> None:
        if self.books.proposals:
            known = data.draw(st.sampled_from(self.books.proposals))
            self.now = max(self.now, known.ends_at) if waits else self.now
            self.ask(TallyProposal(known.proposal_id, known.frame_id))

    @rule(frame_id=st.sampled_from(sorted(PARTITION_OF)))
    def measure(self, frame_id: str) -> None:
        self.ask(MeasureVelocity(frame_id))

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Ask for anything again under its id, as after a crash."""
        if self.past:
            outcome = self.decide(*data.draw(st.sampled_from(self.past)))
            assert isinstance(outcome, Refusal)
            assert outcome.code == REPEATED

    @rule(ms=st.sampled_from([1, 30_000, 61_000, 31 * DAY_MS]))
    def wait(self, ms: int) -> None:
        self.now += ms

    @invariant()
    def nothing_is_lost_between_frames(self) -> None:
        self.books.check_transit()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=500, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
