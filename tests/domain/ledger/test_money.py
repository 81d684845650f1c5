"""What money does, as tables that an accountant can read; amounts in micro-AVT."""

from dataclasses import replace
from typing import Any

import pytest

from domain.decider import Refusal
from domain.ledger.account import Account, AccountFrozen, FreezeAccount, Mandate, UnfreezeAccount, account_id
from domain.ledger.developer import RegisterDeveloper
from domain.ledger.frame import BurnTokens, MeasureVelocity, MintTokens, OpenFrame
from domain.ledger.payment import CancelPayment, ClaimPayment, ExpirePayment, HoldPayment
from domain.ledger.posting import supply
from domain.ledger.proposal import CastVote, OpenProposal, TallyProposal
from domain.ledger.registry import OpenRegistry, Terms
from domain.ledger.reward import CloseRewardDay, OpenRewardDay, RewardStakes
from domain.ledger.stake import DAY_MS, PlaceStake, WithdrawStake
from domain.ledger.transfer import PostTransfer
from domain.ledger.transit import AbortTransfer, AcceptTransfer, CommitTransfer, RejectTransfer
from tests.domain.scenario import NOON, Scenario

HOME, HERE = "town", "facts/0/0"
GRANT = 1_000_000
DAY = NOON // DAY_MS


def acc(shop: str, who: str, kind: str = "user") -> str:
    return account_id(HOME, shop, who, kind)


ANN, BEN, EVE = acc("shop", "ann"), acc("shop", "ben"), acc("mall", "eve")
TREASURY, FAR_TREASURY = acc("shop", "admin", "treasury"), acc("mall", "admin", "treasury")


class Town(Scenario):
    """A frame with two registries: Ann and Ben in the shop, Eve in the mall."""

    def begin(self, **terms: Any) -> "Town":
        self.ask(OpenFrame(HOME, "sovereign", "enabled", HERE), "admin")
        for shop in ("shop", "mall"):
            self.ask(OpenRegistry(HOME, shop, Terms(genesis_grant=GRANT, **terms), HERE), "admin")
        for shop, who in (("shop", "ann"), ("shop", "ben"), ("mall", "eve")):
            self.ask(RegisterDeveloper(HOME, shop, who, who, None, None, None), who)
        return self

    def ask(self, command: Any, by: str = "ann") -> Any:
        """Ask, twice as the scenario does, and give what became of it."""
        self.actor = by
        self.when(command)
        return self.outcome

    def code(self, command: Any, by: str = "ann") -> str | None:
        outcome = self.ask(command, by)
        return str(outcome.code) if isinstance(outcome, Refusal) else None

    def word(self, who: str = "ann", nonce: str | None = None, deadline: int | None = None) -> Mandate:
        return Mandate(who, nonce or f"nonce-{self.sent:012}", deadline or self.now + 1)

    def transfer(self, amount: int, to: str = BEN, sender: str = ANN, **word: Any) -> PostTransfer:
        return PostTransfer(f"trf_{self.sent}", HOME, sender, to, HOME, amount, None, self.word(**word), 60_000)

    def of(self, name: str) -> Account:
        return Account(*self.state[f"account/{name}"])


def town(**terms: Any) -> Town:
    return Town().begin(**terms)


@pytest.mark.parametrize(
    ("fee_bps", "amount", "fee"),
    [
        (50, 1, 1),
        (50, 199, 1),
        (50, 200, 1),
        (50, 201, 2),
        (50, 20_000, 100),
        (50, 20_001, 101),
        (500, 1, 1),
        (500, 20, 1),
        (500, 21, 2),
        (333, 100_000, 3_330),
    ],
)
def test_inside_a_registry_the_sender_pays_the_fee_besides_rounded_up(fee_bps: int, amount: int, fee: int) -> None:
    scene = town(fee_bps=fee_bps)
    assert scene.code(scene.transfer(amount)) is None
    assert scene.of(ANN).available == GRANT - amount - fee
    assert scene.of(BEN).available == GRANT + amount
    assert scene.of(TREASURY).available == fee


@pytest.mark.parametrize(
    ("amount", "fee", "arrives"),
    [(2, 1, 1), (199, 1, 198), (200, 1, 199), (201, 2, 199), (20_001, 101, 19_900), (GRANT, 5_000, 995_000)],
)
def test_across_registries_the_fee_comes_out_of_the_amount(amount: int, fee: int, arrives: int) -> None:
    scene = town()
    (sent,) = scene.ask(scene.transfer(amount, EVE))
    assert scene.of(ANN).available == GRANT - amount
    assert supply(scene.state, HOME).transit_net == -amount
    scene.ask(AcceptTransfer(sent.transfer_id, HOME, HOME, ANN, EVE, amount, "ledger/0/5"))
    scene.ask(CommitTransfer(sent.transfer_id, HOME, "ledger/0/6"))
    assert scene.of(EVE).available == GRANT + arrives
    assert scene.of(FAR_TREASURY).available == fee
    assert supply(scene.state, HOME).transit_net == 0


def test_a_rejection_is_for_good_and_gives_all_back() -> None:
    scene = town()
    (sent,) = scene.ask(scene.transfer(500, EVE))
    of = (sent.transfer_id, HOME, HOME, ANN, EVE, 500, "ledger/0/5")
    assert scene.code(AbortTransfer(sent.transfer_id, HOME, "timeout", "ledger/0/6")) == "not_rejected"
    assert scene.code(CommitTransfer(sent.transfer_id, HOME, "ledger/0/6")) == "not_accepted"
    assert scene.code(RejectTransfer(*of)) is None
    assert scene.code(AcceptTransfer(*of)) == "already_rejected"
    assert scene.code(CommitTransfer(sent.transfer_id, HOME, "ledger/0/6")) == "not_accepted"
    assert scene.code(AbortTransfer(sent.transfer_id, HOME, "timeout", "ledger/0/6")) is None
    assert scene.of(ANN).available == GRANT
    assert scene.code(AbortTransfer(sent.transfer_id, HOME, "timeout", "ledger/0/6")) == "not_prepared"


def test_an_acceptance_is_for_good() -> None:
    scene = town()
    (sent,) = scene.ask(scene.transfer(500, EVE))
    of = (sent.transfer_id, HOME, HOME, ANN, EVE, 500, "ledger/0/5")
    scene.ask(AcceptTransfer(*of))
    assert scene.code(RejectTransfer(*of)) == "already_accepted"
    assert scene.code(AbortTransfer(sent.transfer_id, HOME, "timeout", "ledger/0/6")) == "not_rejected"
    changed = AcceptTransfer(sent.transfer_id, HOME, HOME, ANN, EVE, 501, "ledger/0/5")
    assert scene.code(changed) == "not_found", "what departed is looked up, not believed"


def test_a_frozen_account_neither_sends_nor_receives_and_a_refusal_uses_no_nonce() -> None:
    scene = town()
    scene.given(AccountFrozen(HOME, BEN, "admin", HERE))
    once = scene.transfer(1, nonce="once-nonce-00000")
    assert scene.code(once) == "account_frozen"
    assert scene.code(FreezeAccount(HOME, BEN, HERE)) == "account_frozen"
    scene.ask(UnfreezeAccount(HOME, BEN, HERE))
    assert scene.code(UnfreezeAccount(HOME, BEN, HERE)) == "account_not_frozen"
    assert scene.code(replace(once, transfer_id="trf_again")) is None


@pytest.mark.parametrize(
    ("step", "threshold", "moved", "fee_bps"),
    [(0, 100, 500_000, 50), (10, 1_000, 600_000, 70), (10, 10_000, 600_000, 50), (100, 1, 600_000, 500)],
)
def test_a_fee_rises_with_the_last_measured_velocity(step: int, threshold: int, moved: int, fee_bps: int) -> None:
    scene = town(step_bps=step, velocity_threshold_bps=threshold)
    scene.ask(scene.transfer(moved))
    assert scene.ask(scene.transfer(1_000))[0].fee == 5, "a velocity counts once it was measured"
    (measured,) = scene.ask(MeasureVelocity(HOME))
    assert measured.velocity_bps == (moved + 1_000) * 10_000 // (3 * GRANT)
    assert scene.ask(scene.transfer(10_000))[0].fee == 10_000 * fee_bps // 10_000
    scene.at(NOON + 24 * 3_600_000)
    assert scene.ask(MeasureVelocity(HOME))[0].volume == 0


def test_a_payment_holds_its_fee_too_and_ends_once() -> None:
    ends: tuple[tuple[Any, str | None], ...] = (
        (ClaimPayment, None),
        (CancelPayment, None),
        (ExpirePayment, "not_expired"),
    )
    for end, status in ends:
        scene = town()
        (held,) = scene.ask(HoldPayment("pay_1", HOME, ANN, BEN, HOME, "ben", 1_000, None, scene.word()))
        assert (scene.of(ANN).held, scene.of(ANN).available) == (1_005, GRANT - 1_005)
        assert held.expires_at == NOON + 60_000
        by = "ben" if end is ClaimPayment else "ann"
        command: Any = ClaimPayment("pay_1", HOME, "trf_1", 60_000) if end is ClaimPayment else end("pay_1", HOME)
        assert scene.code(command, by) == status
        if status is not None:
            scene.at(NOON + 60_000)
            assert scene.code(ClaimPayment("pay_1", HOME, "trf_1", 60_000), "ben") == "payment_expired"
            assert scene.code(command) is None
        claimed = end is ClaimPayment
        assert scene.of(ANN).held == 0
        assert scene.of(ANN).available == GRANT - 1_005 * claimed
        assert scene.of(BEN).available == GRANT + 1_000 * claimed


@pytest.mark.parametrize(
    ("lock", "amount", "treasury", "paid", "shortfall"),
    [
        (0, 73_000, 100, 10, 0),
        (30, 73_000, 100, 12, 0),
        (90, 73_000, 100, 14, 0),
        (180, 73_000, 100, 16, 0),
        (365, 73_000, 100, 20, 0),
        (365, 72_999, 100, 19, 0),
        (0, 729, 100, 0, 0),
        (365, 73_000, 7, 7, 13),
        (365, 73_000, 0, 0, 20),
    ],
)
def test_a_day_pays_what_a_stake_earns_rounded_down_or_what_there_is(
    lock: int, amount: int, treasury: int, paid: int, shortfall: int
) -> None:
    scene = town()
    if treasury:
        scene.ask(MintTokens(HOME, TREASURY, treasury, HERE), "admin")
    (placed,) = scene.ask(PlaceStake("stk_1", HOME, ANN, amount, lock, scene.word()))
    due = paid + shortfall
    assert scene.code(OpenRewardDay(HOME, "shop", DAY + 1, due)) == "day_not_over"
    scene.at((DAY + 2) * DAY_MS)
    scene.ask(OpenRewardDay(HOME, "shop", DAY + 1, due))
    scene.ask(RewardStakes(HOME, "shop", DAY + 1, ("stk_1", "stk_1")))
    assert scene.ask(RewardStakes(HOME, "shop", DAY + 1, ("stk_1",)))[0].rewards == ()
    (closed,) = scene.ask(CloseRewardDay(HOME, "shop", DAY + 1))
    assert (closed.paid, closed.shortfall) == (paid, shortfall)
    assert scene.of(ANN).available == GRANT - amount + paid
    assert (scene.of(TREASURY).available, scene.of(TREASURY).held) == (treasury - paid, 0)
    assert scene.code(OpenRewardDay(HOME, "shop", DAY + 1, due)) == "day_not_open"
    assert placed.unlocks_at == NOON + lock * DAY_MS


def test_a_short_treasury_pays_pro_rata_and_the_day_of_placing_earns_nothing() -> None:
    scene = town()
    scene.ask(MintTokens(HOME, TREASURY, 15, HERE), "admin")
    scene.ask(PlaceStake("stk_1", HOME, ANN, 146_000, 0, scene.word()))
    scene.ask(PlaceStake("stk_2", HOME, BEN, 73_000, 0, scene.word("ben")), "ben")
    scene.at((DAY + 1) * DAY_MS)
    scene.ask(OpenRewardDay(HOME, "shop", DAY, 0))
    assert scene.ask(RewardStakes(HOME, "shop", DAY, ("stk_1", "stk_2")))[0].rewards == ()
    scene.ask(CloseRewardDay(HOME, "shop", DAY))
    scene.at((DAY + 2) * DAY_MS)
    scene.ask(OpenRewardDay(HOME, "shop", DAY + 1, 30))
    (paid,) = scene.ask(RewardStakes(HOME, "shop", DAY + 1, ("stk_1", "stk_2")))
    assert [each.amount for each in paid.rewards] == [10, 5]


def test_a_stake_is_locked_to_the_millisecond() -> None:
    scene = town()
    (placed,) = scene.ask(PlaceStake("stk_1", HOME, ANN, 500, 30, scene.word()))
    assert (scene.of(ANN).staked, scene.of(ANN).available) == (500, GRANT - 500)
    scene.at(placed.unlocks_at - 1)
    assert scene.code(WithdrawStake("stk_1", HOME, scene.word())) == "stake_locked"
    scene.at(placed.unlocks_at)
    assert scene.code(WithdrawStake("stk_1", HOME, scene.word("ben"))) == "not_the_owner"
    assert scene.code(WithdrawStake("stk_1", HOME, scene.word())) is None
    assert scene.code(WithdrawStake("stk_1", HOME, scene.word())) == "already_withdrawn"
    assert (scene.of(ANN).staked, scene.of(ANN).available) == (0, GRANT)


@pytest.mark.parametrize(
    ("votes", "passes"),
    [
        ({}, False),
        ({"ann": "yes"}, True),
        ({"ann": "no"}, False),
        ({"ann": "yes", "ben": "no"}, True),
        ({"ann": "abstain", "ben": "yes"}, True),
        ({"ann": "abstain"}, False),
        ({"ben": "yes"}, False),
    ],
)
def test_a_proposal_passes_by_turnout_and_strictly_more_than_its_threshold(
    votes: dict[str, str], *, passes: bool
) -> None:
    scene = town(quorum_bps=5_000)
    scene.ask(PlaceStake("stk_1", HOME, ANN, 600, 0, scene.word()))
    scene.ask(PlaceStake("stk_2", HOME, BEN, 400, 0, scene.word("ben")), "ben")
    asked = ("parameter", "Charge more", None, "fee_bps", "500")
    assert scene.code(OpenProposal("prp_0", HOME, "shop", *asked, NOON + 4_999)) == "out_of_bounds"
    assert scene.code(OpenProposal("prp_0", HOME, "shop", *asked, NOON + 5_000), "eve") == "no_voting_power"
    scene.ask(OpenProposal("prp_1", HOME, "shop", *asked, NOON + 5_000))
    scene.ask(PlaceStake("stk_3", HOME, BEN, 9_000, 0, scene.word("ben")), "ben")
    scene.ask(WithdrawStake("stk_1", HOME, scene.word()))
    for who, choice in votes.items():
        assert scene.code(CastVote("prp_1", HOME, "no" if choice == "yes" else "yes", scene.word(who)), who) is None
        (cast,) = scene.ask(CastVote("prp_1", HOME, choice, scene.word(who)), who)
        assert cast.power == {"ann": 600, "ben": 400}[who], "what was staked when the proposal was made"
    assert scene.code(TallyProposal("prp_1", HOME)) == "voting_open"
    scene.at(NOON + 5_000)
    assert scene.code(CastVote("prp_1", HOME, "no", scene.word())) == "voting_closed"
    counted, *effects = scene.ask(TallyProposal("prp_1", HOME))
    assert counted.status == ("passed" if passes else "rejected")
    assert len(effects) == passes
    assert scene.ask(scene.transfer(1_000))[0].fee == (50 if passes else 5)


def test_minting_and_burning_keep_the_supply_and_its_bound() -> None:
    scene = town()
    scene.ask(MintTokens(HOME, ANN, 10, HERE), "admin")
    scene.ask(BurnTokens(HOME, ANN, 4, HERE), "admin")
    now = supply(scene.state, HOME)
    assert (now.issued, now.destroyed, now.circulating, now.holds) == (3 * GRANT + 10, 4, 3 * GRANT + 6, True)
    assert scene.code(MintTokens(HOME, ANN, 2**63 - 1, HERE)) == "out_of_bounds"
    assert scene.code(BurnTokens(HOME, ANN, 10 * GRANT, HERE)) == "insufficient_funds"
