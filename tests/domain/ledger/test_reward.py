"""Rewards: one UTC day at a time, once for each stake, rounded down, pro rata where the treasury is short."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.decider import Refusal
from domain.ledger.account import AccountUnfrozen
from domain.ledger.frame import FrameOpened, TokensMinted
from domain.ledger.posting import MAX_AMOUNT, supply
from domain.ledger.registry import Premium, RegistryChanged, Terms
from domain.ledger.reward import (
    CloseRewardDay,
    OpenRewardDay,
    Reward,
    RewardDayClosed,
    RewardDayOpened,
    RewardStakes,
    StakesRewarded,
    reward_due,
)
from domain.ledger.stake import StakePlaced, StakeWithdrawn
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
OPEN, PAY, CLOSE = OpenRewardDay(*OF, 30), RewardStakes(*OF, ("stk_1", "stk_2")), CloseRewardDay(*OF)
SET_ASIDE = moves((TREASURY, "available", -30), (TREASURY, "held", 30))
DAY_OPENED = RewardDayOpened(*OF, 30, 30, minted=False, postings=SET_ASIDE)
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
    assert reward_due(amount, lock, Terms(base_apy_bps=base)) == earns
    assert reward_due(73_000, 90, Terms(premiums=(Premium(30, 100),))) == 10, "a lock without a premium earns the base"


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


SHORT = (
    # in the treasury, Ann's of 20, Ben's of 10, shortfall
    (30, 20, 10, 0),
    (29, 19, 9, 2),
    (15, 10, 5, 15),
    (14, 9, 4, 17),
    (2, 1, 0, 29),
    (1, 0, 0, 30),
    (0, 0, 0, 30),
)


@pytest.mark.parametrize(("has", "anns", "bens", "shortfall"), SHORT)
def test_a_short_treasury_pays_pro_rata_and_owes_nothing(has: int, anns: int, bens: int, shortfall: int) -> None:
    scene = staked(has=has)
    scene.when(OPEN).when(PAY)
    assert [each.amount for each in scene.outcome[0].rewards] == [anns, bens]
    scene.when(CLOSE)
    (closed,) = scene.outcome
    assert (closed.paid, closed.shortfall) == (anns + bens, shortfall)
    assert scene.balance(TREASURY) == (has - anns - bens, 0, 0)
    scene.at(NEXT_MIDNIGHT + DAY_MS).when(replace(OPEN, day=DAY + 1))
    assert scene.outcome[0].due == 30


def test_paying_in_parts_is_paying_at_once() -> None:
    scene = staked(has=14)
    scene.when(OPEN)
    for name, amount in (("stk_2", 4), ("stk_1", 9)):
        scene.when(replace(PAY, stake_ids=(name,)))
        assert [each.amount for each in scene.outcome[0].rewards] == [amount]


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


LAY = (
    # placed, taken back, earns for the day
    (MIDNIGHT - 1, None, True),
    (MIDNIGHT, None, True),
    (MIDNIGHT + 1, None, False),
    (MIDNIGHT, NEXT_MIDNIGHT, True),
    (MIDNIGHT, NEXT_MIDNIGHT - 1, False),
    (NEXT_MIDNIGHT, None, False),
)


@pytest.mark.parametrize(("placed_at", "back_at", "earns"), LAY)
def test_a_stake_earns_for_a_day_that_it_lay_for_as_a_whole(
    placed_at: int, back_at: int | None, *, earns: bool
) -> None:
    scene = market(treasury(1_000)).at(placed_at).given(ANNS_STAKE)
    if back_at is not None:
        rows = moves((ANNS, "staked", -146_000), (ANNS, "available", 146_000))
        back = StakeWithdrawn("stk_1", FRAME, NORTH, ANNS, ANN, 146_000, WORD, rows)
        scene.at(back_at).given(back)
    scene.at(NEXT_MIDNIGHT).given(DAY_OPENED).when(PAY)
    assert [each.stake_id for each in scene.outcome[0].rewards] == ["stk_1"] * earns


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


def test_a_treasury_that_is_frozen_within_a_day_keeps_what_was_set_aside() -> None:
    scene = staked(DAY_OPENED, frozen(TREASURY))
    scene.when(PAY).then_refused("account_frozen", {"account": TREASURY})
    back = moves((TREASURY, "held", -30), (TREASURY, "available", 30))
    scene.when(CLOSE).then(RewardDayClosed(*OF, 0, 0, back))


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


def test_what_was_minted_since_a_day_opened_leaves_no_room_for_its_rewards() -> None:
    scene = staked(MINTS, has=0)
    scene.when(OPEN).given(treasury(MAX_AMOUNT - 3 * GRANT))
    scene.when(PAY).then_refused("out_of_bounds", {"bound": "tokens_issued"})
    scene.when(CLOSE).then(RewardDayClosed(*OF, 0, 0, ()))


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
