"""Rewards: one UTC day at a time, once for each stake, rounded down, pro rata where the treasury is short."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.decider import Refusal
from domain.ledger.account import AccountUnfrozen
from domain.ledger.frame import FrameOpened, TokensMinted
from domain.ledger.posting import MAX_AMOUNT, supply
from domain.ledger.registry import ParameterChanged, Premium, RegistryChanged, Terms
from domain.ledger.reward import (
    CloseRewardDay,
    OpenRewardDay,
    Rates,
    Reward,
    RewardDayClosed,
    RewardDayOpened,
    RewardStakes,
    StakesRewarded,
    rates_of,
    reward_due,
)
from domain.ledger.stake import StakePlaced
from tests.domain.ledger.market import (
    ADMIN,
    ANN,
    ANNS,
    BEN,
    BENS,
    FRAME,
    GRANT,
    HERE,
    NORTH,
    TERMS,
    TREASURY,
    WORD,
    Market,
    Wrong,
    each_two,
    frozen,
    market,
    moves,
    then_the_first_is_told,
    wrong,
)

DAY_MS = 86_400_000
DAY = 20_370
MIDNIGHT, NEXT_MIDNIGHT = DAY * DAY_MS, (DAY + 1) * DAY_MS
OF = (FRAME, NORTH, DAY)
RATES = rates_of(TERMS)
OPEN, PAY, CLOSE = OpenRewardDay(*OF, 30, RATES), RewardStakes(*OF, ("stk_1", "stk_2")), CloseRewardDay(*OF)
SET_ASIDE = moves((TREASURY, "available", -30), (TREASURY, "held", 30))
DAY_OPENED = RewardDayOpened(*OF, 30, RATES, 30, minted=False, postings=SET_ASIDE)
BOTH = (Reward("stk_1", ANNS, 20, 20), Reward("stk_2", BENS, 10, 10))
PAID = StakesRewarded(*OF, BOTH, moves((TREASURY, "held", -30), (ANNS, "available", 20), (BENS, "available", 10)))
DAY_CLOSED = RewardDayClosed(*OF, 30, 0, ())
MINTS = RegistryChanged(FRAME, NORTH, replace(TERMS, mint_rewards=True), ADMIN, HERE)


def treasury(amount: int) -> TokensMinted:
    """Write that a treasury was minted to."""
    return TokensMinted(
        FRAME, TREASURY, amount, ADMIN, HERE, moves(("issued", "counter", -amount), (TREASURY, "available", amount))
    )


def placed(name: str, who: str, account: str, amount: int, lock_days: int = 0) -> StakePlaced:
    """Write that a stake was placed."""
    word = replace(WORD, signed_by=who, nonce=f"nonce-{name}-000000")
    rows = moves((account, "available", -amount), (account, "staked", amount))
    return StakePlaced(name, FRAME, NORTH, account, who, amount, lock_days, 0, word, rows)


ANNS_STAKE, BENS_STAKE = placed("stk_1", ANN, ANNS, 146_000), placed("stk_2", BEN, BENS, 73_000)


def staked(*events: object, has: int = 1_000) -> Market:
    """Begin at the end of a day for all of which Ann and Ben had a stake, which earn 20 and 10."""
    scene = market(*((treasury(has),) if has else ()))
    scene.at(MIDNIGHT).given(ANNS_STAKE, BENS_STAKE)
    scene.at(NEXT_MIDNIGHT).given(*events)
    return scene


EARNED = (
    # amount, lock, base, earns a day: floor(amount x (base + premium) / 10,000 / 365)
    (73_000, 0, 500, 10),
    (72_999, 0, 500, 9),
    (73_000, 30, 500, 12),
    (73_000, 90, 500, 14),
    (73_000, 180, 500, 16),
    (73_000, 365, 500, 20),
    (73_000, 0, 0, 0),
    (73_000, 365, 1_500, 40),
    (729, 0, 500, 0),
    (7_299, 0, 500, 0),
    (7_300, 0, 500, 1),
    (MAX_AMOUNT, 365, 1_500, MAX_AMOUNT * 2_000 // 3_650_000),
)


@pytest.mark.parametrize(("amount", "lock", "base", "earns"), EARNED)
def test_a_stake_earns_by_the_day_rounded_down(amount: int, lock: int, base: int, earns: int) -> None:
    assert reward_due(amount, lock, rates_of(Terms(base_apy_bps=base))) == earns
    assert reward_due(73_000, 90, Rates(500, (Premium(30, 100),))) == 10, "a lock without a premium earns the base"


def test_a_day_is_opened_with_what_is_due_paid_and_closed() -> None:
    scene = staked()
    scene.when(OPEN).then(DAY_OPENED)
    assert scene.balance(TREASURY) == (970, 0, 30)
    scene.when(PAY).then(PAID)
    scene.when(CLOSE).then(DAY_CLOSED)
    assert scene.balance(TREASURY) == (970, 0, 0)
    assert [scene.balance(each)[0] for each in (ANNS, BENS)] == [GRANT - 146_000 + 20, GRANT - 73_000 + 10]


def test_what_is_left_of_a_day_goes_back_to_the_treasury() -> None:
    scene = staked(replace(DAY_OPENED, due=40, budget=40, postings=(*SET_ASIDE, *SET_ASIDE)), PAID)
    scene.when(CLOSE).then(replace(DAY_CLOSED, postings=moves((TREASURY, "held", -10), (TREASURY, "available", 10))))


def test_what_was_counted_too_low_pays_no_more_than_was_set_aside() -> None:
    scene = staked()
    scene.when(replace(OPEN, due=25)).when(PAY)
    assert [each.amount for each in scene.outcome[0].rewards] == [20, 5]
    parts = staked()
    parts.when(replace(OPEN, due=25)).when(replace(PAY, stake_ids=("stk_2",)))
    parts.when(replace(PAY, stake_ids=("stk_1",)))
    assert [each.amount for each in parts.outcome[0].rewards] == [15]


def test_a_stake_is_paid_once_for_a_day_however_often_it_is_asked() -> None:
    scene = staked(DAY_OPENED)
    scene.when(replace(PAY, stake_ids=("stk_1", "stk_1", "stk_none", "stk_1")))
    assert scene.outcome[0].rewards == BOTH[:1]
    scene.when(PAY)
    assert scene.outcome[0].rewards == BOTH[1:]
    scene.when(PAY).then(StakesRewarded(*OF, (), ()))
    scene.when(CLOSE)
    scene.when(PAY).then_refused("day_not_open")
    scene.when(OPEN).then_refused("day_not_open")


def test_a_frozen_account_is_paid_nothing_until_it_is_let_go() -> None:
    scene = staked(DAY_OPENED, frozen(ANNS))
    scene.when(PAY)
    assert scene.outcome[0].rewards == BOTH[1:]
    scene.given(AccountUnfrozen(FRAME, ANNS, ADMIN, HERE)).when(PAY)
    assert scene.outcome[0].rewards == BOTH[:1]


def test_a_frozen_treasury_pays_nothing() -> None:
    scene = staked(frozen(TREASURY))
    scene.when(OPEN).then(replace(DAY_OPENED, budget=0, postings=()))
    scene.when(PAY).when(CLOSE).then(RewardDayClosed(*OF, 0, 30, ()))


def test_a_treasury_that_is_frozen_within_a_day_keeps_what_was_set_aside_and_the_shortfall_is_recorded() -> None:
    scene = staked(DAY_OPENED, frozen(TREASURY))
    scene.when(PAY).then(replace(PAID, rewards=tuple(replace(each, amount=0) for each in BOTH), postings=()))
    back = moves((TREASURY, "held", -30), (TREASURY, "available", 30))
    scene.when(CLOSE).then(RewardDayClosed(*OF, 0, 30, back))
    assert [scene.balance(each)[0] for each in (ANNS, BENS)] == [GRANT - 146_000, GRANT - 73_000]


def test_what_was_paid_before_a_treasury_was_frozen_is_paid_and_the_rest_is_the_shortfall() -> None:
    scene = staked(DAY_OPENED)
    scene.when(replace(PAY, stake_ids=("stk_1",))).given(frozen(TREASURY)).when(PAY)
    assert scene.outcome[0].rewards == (Reward("stk_2", BENS, 10, 0),)
    scene.given(AccountUnfrozen(FRAME, TREASURY, ADMIN, HERE)).when(PAY).then(StakesRewarded(*OF, (), ()))
    back = moves((TREASURY, "held", -10), (TREASURY, "available", 10))
    scene.when(CLOSE).then(RewardDayClosed(*OF, 20, 10, back))


DEARER = replace(TERMS, base_apy_bps=1_500, premiums=())


def test_a_day_keeps_the_rates_that_it_was_opened_with() -> None:
    scene = staked(DAY_OPENED, RegistryChanged(FRAME, NORTH, DEARER, ADMIN, HERE))
    scene.when(replace(PAY, stake_ids=("stk_1",)))
    assert scene.outcome[0].rewards == BOTH[:1]
    voted = ParameterChanged(FRAME, NORTH, "prp_1", "base_apy_bps", "0")
    scene.given(voted).when(PAY)
    assert scene.outcome[0].rewards == BOTH[1:]
    scene.when(CLOSE).then(DAY_CLOSED)


def test_the_next_day_has_the_rates_of_its_own_opening() -> None:
    scene = staked(DAY_OPENED, PAID, DAY_CLOSED, RegistryChanged(FRAME, NORTH, DEARER, ADMIN, HERE))
    scene.at(NEXT_MIDNIGHT + DAY_MS)
    scene.when(replace(OPEN, day=DAY + 1, due=90, rates=rates_of(DEARER)))
    scene.when(replace(PAY, day=DAY + 1))
    assert [each.due for each in scene.outcome[0].rewards] == [60, 30]


def test_a_day_is_not_opened_with_what_was_counted_by_other_rates() -> None:
    scene = staked(RegistryChanged(FRAME, NORTH, DEARER, ADMIN, HERE))
    scene.when(OPEN).then_refused("terms_changed", {"registry_id": NORTH})
    scene.when(PAY).then_refused("day_not_open")
    scene.when(replace(OPEN, due=90, rates=rates_of(DEARER)))
    assert scene.outcome[0].rates == Rates(1_500, ())


def test_what_is_minted_does_not_come_from_a_frozen_treasury() -> None:
    scene = staked(MINTS, frozen(TREASURY))
    scene.when(OPEN).when(PAY)
    assert scene.outcome[0].rewards == BOTH


def test_rewards_are_minted_where_the_registry_is_set_so_and_the_frame_may() -> None:
    scene = staked(MINTS, has=0)
    before = supply(scene.state, FRAME)
    scene.when(OPEN).then(replace(DAY_OPENED, minted=True, postings=()))
    minted = moves(("issued", "counter", -30), (ANNS, "available", 20), (BENS, "available", 10))
    scene.when(PAY).then(replace(PAID, postings=minted))
    scene.when(CLOSE).then(DAY_CLOSED)
    after = supply(scene.state, FRAME)
    assert (after.issued, after.circulating) == (before.issued + 30, before.circulating + 30)


@pytest.mark.parametrize(("mode", "minting"), [("federated", "disabled"), ("sovereign", "disabled")])
def test_rewards_are_not_minted_where_minting_is_disabled(mode: str, minting: str) -> None:
    # A frame that is opened again begins with no token: only its mode is of interest here.
    scene = staked(MINTS, FrameOpened(FRAME, mode, minting, ADMIN, HERE))
    scene.when(OPEN).then(DAY_OPENED)


def test_rewards_are_minted_up_to_what_a_frame_may_hold() -> None:
    room = 25
    scene = staked(MINTS, treasury(MAX_AMOUNT - 3 * GRANT - room), has=0)
    scene.when(OPEN).then(replace(DAY_OPENED, budget=room, minted=True, postings=()))
    scene.when(PAY)
    assert [each.amount for each in scene.outcome[0].rewards] == [16, 8]
    scene = staked(MINTS, treasury(MAX_AMOUNT - 3 * GRANT - 30), has=0)
    scene.when(OPEN).when(PAY)
    assert [each.amount for each in scene.outcome[0].rewards] == [20, 10]


@pytest.mark.parametrize(("room", "anns", "bens"), [(0, 0, 0), (19, 19, 0), (25, 20, 5), (30, 20, 10)])
def test_what_was_minted_since_a_day_opened_leaves_less_room_for_its_rewards(room: int, anns: int, bens: int) -> None:
    scene = staked(MINTS, has=0)
    scene.when(OPEN).given(treasury(MAX_AMOUNT - 3 * GRANT - room))
    scene.when(PAY)
    assert [(each.due, each.amount) for each in scene.outcome[0].rewards] == [(20, anns), (10, bens)]
    scene.when(CLOSE).then(RewardDayClosed(*OF, anns + bens, 30 - anns - bens, ()))


@pytest.mark.parametrize(("now", "opens"), [(NEXT_MIDNIGHT - 1, False), (NEXT_MIDNIGHT, True)])
def test_a_day_is_paid_for_when_it_is_over(now: int, *, opens: bool) -> None:
    scene = staked().at(now).when(OPEN)
    assert isinstance(scene.outcome, Refusal) is not opens


def test_days_are_paid_for_one_after_the_other() -> None:
    late = staked(DAY_OPENED).at(NEXT_MIDNIGHT + 5 * DAY_MS)
    late.when(replace(OPEN, day=DAY + 1)).then_refused("day_not_open", {"day": str(DAY)})
    late.given(PAID, DAY_CLOSED).when(replace(OPEN, day=DAY - 1)).then_refused("day_not_open")
    late.when(replace(OPEN, day=DAY + 1))
    assert isinstance(late.outcome[0], RewardDayOpened)
    late.when(PAY).then_refused("day_not_open")
    late.when(CLOSE).then_refused("day_not_open")


OPEN_WRONG = (
    wrong("not_found", registry_id="nowhere"),
    wrong("day_not_over", day=DAY + 1),
    wrong("day_not_open", DAY_OPENED),
    wrong("terms_changed", rates=Rates(501, RATES.premiums)),
)
PAY_WRONG = (wrong("not_found", frame_id="other"), wrong("day_not_open", day=DAY - 1))


@pytest.mark.parametrize("rows", each_two(OPEN_WRONG))
def test_of_two_things_wrong_with_a_day_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(staked(), OPEN, rows)


@pytest.mark.parametrize("command", [PAY, CLOSE])
@pytest.mark.parametrize("rows", each_two(PAY_WRONG))
def test_of_two_things_wrong_with_paying_the_first_is_told(
    rows: Sequence[Wrong], command: RewardStakes | CloseRewardDay
) -> None:
    then_the_first_is_told(staked(DAY_OPENED), command, rows)
