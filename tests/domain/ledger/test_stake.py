"""Stakes: locked, and taken back once their lock is over; what they vote with."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.ledger.power import REMEMBERED_MS, change_power, power_at, power_key
from domain.ledger.proposal import ProposalOpened
from domain.ledger.registry import registry
from domain.ledger.stake import PlaceStake, StakePlaced, StakeWithdrawn, WithdrawStake
from tests.domain.ledger.market import (
    ANN,
    ANNS,
    BEN,
    FRAME,
    GRANT,
    NOBODYS,
    NORTH,
    WORD,
    Wrong,
    each_two,
    emptied,
    frozen,
    market,
    moves,
    then_the_first_is_told,
    wrong,
    wrong_word,
)
from tests.domain.ledger.transfers import SETTLED
from tests.domain.scenario import NOON

DAY_MS = 86_400_000
LATER = replace(WORD, nonce="nonce-0000000001", deadline=NOON + 1_000 * DAY_MS)
PLACE = PlaceStake("stk_1", FRAME, ANNS, 500, 30, WORD)
PLACED = StakePlaced(
    "stk_1",
    FRAME,
    NORTH,
    ANNS,
    ANN,
    500,
    30,
    NOON + 30 * DAY_MS,
    WORD,
    moves((ANNS, "available", -500), (ANNS, "staked", 500)),
)
UNLOCKED = replace(PLACED, lock_days=0, unlocks_at=NOON)
WITHDRAW = WithdrawStake("stk_1", FRAME, LATER)
WITHDRAWN = StakeWithdrawn(
    "stk_1", FRAME, NORTH, ANNS, ANN, 500, LATER, moves((ANNS, "staked", -500), (ANNS, "available", 500))
)
TEXT = ProposalOpened("prp_1", FRAME, NORTH, 1, "text", "Well?", "?", None, None, NOON + 5_000, 0, ANN)


def proposed(number: int) -> ProposalOpened:
    """Write that a registry's proposal of this number was made."""
    return replace(TEXT, proposal_id=f"prp_{number}", number=number)


def test_a_stake_moves_an_amount_aside_in_its_account() -> None:
    scene = market()
    scene.when(PLACE).then(PLACED)
    assert scene.balance(ANNS) == (GRANT - 500, 500, 0)
    known = registry(scene.state, NORTH)
    assert known is not None
    assert known.staked == 500


@pytest.mark.parametrize("days", [0, 30, 90, 180, 365])
def test_a_lock_is_one_of_five(days: int) -> None:
    placed = replace(PLACED, lock_days=days, unlocks_at=NOON + days * DAY_MS)
    market().when(replace(PLACE, lock_days=days)).then(placed)


@pytest.mark.parametrize("days", [-30, 1, 29, 31, 364, 366])
def test_a_lock_is_no_other(days: int) -> None:
    market().when(replace(PLACE, lock_days=days)).then_refused("out_of_bounds", {"bound": "lock_days"})


def test_a_stake_comes_back_whole_when_its_lock_is_over() -> None:
    scene = market(PLACED)
    scene.at(PLACED.unlocks_at - 1).when(WITHDRAW).then_refused("stake_locked", {"unlocks_at": str(PLACED.unlocks_at)})
    scene.at(PLACED.unlocks_at).when(WITHDRAW).then(WITHDRAWN)
    assert scene.balance(ANNS) == (GRANT, 0, 0)
    known = registry(scene.state, NORTH)
    assert known is not None
    assert known.staked == 0


def test_a_stake_without_a_lock_comes_back_at_once_and_once() -> None:
    scene = market(UNLOCKED)
    scene.when(WITHDRAW).then(WITHDRAWN)
    again = replace(WITHDRAW, mandate=replace(LATER, nonce="nonce-0000000002"))
    scene.when(again).then_refused("already_withdrawn")


PLACE_WRONG = (
    wrong("unknown_account", account=NOBODYS),
    wrong_word("not_the_owner", signed_by=BEN),
    wrong_word("deadline_passed", deadline=NOON),
    wrong_word("nonce_used", replace(SETTLED, postings=())),
    wrong("out_of_bounds", lock_days=7),
    wrong("amount_not_positive", amount=0),
    wrong("insufficient_funds", emptied(ANNS)),
    wrong("account_frozen", frozen(ANNS)),
)
WITHDRAW_WRONG = (
    wrong("not_found", stake_id="stk_none"),
    wrong_word("not_the_owner", signed_by=BEN),
    wrong_word("deadline_passed", deadline=NOON),
    wrong_word("nonce_used", replace(SETTLED, mandate=LATER, postings=()), nonce=LATER.nonce),
    wrong("already_withdrawn", replace(WITHDRAWN, mandate=replace(LATER, nonce="nonce-0000000003"))),
    wrong("stake_locked"),
    wrong("account_frozen", frozen(ANNS)),
)


@pytest.mark.parametrize("rows", each_two(PLACE_WRONG))
def test_of_two_things_wrong_with_a_stake_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), PLACE, rows)


@pytest.mark.parametrize("rows", each_two(WITHDRAW_WRONG))
def test_of_two_things_wrong_with_taking_back_the_first_is_told(rows: Sequence[Wrong]) -> None:
    locked = any(row.code == "stake_locked" for row in rows)
    then_the_first_is_told(market(PLACED if locked else UNLOCKED), WITHDRAW, rows)


def test_voting_power_is_the_stake_when_a_proposal_was_made() -> None:
    scene = market(PLACED, proposed(1), replace(PLACED, stake_id="stk_2", amount=70), proposed(2))
    scene.given(replace(WITHDRAWN, postings=()), proposed(3), proposed(4))
    assert [power_at(scene.state, NORTH, ANN, number) for number in (1, 2, 3, 4)] == [500, 570, 70, 70]
    assert power_at(scene.state, NORTH, BEN, 4) == 0


def test_what_an_owner_has_in_all_its_accounts_of_a_registry_votes() -> None:
    scene = market(PLACED, replace(PLACED, stake_id="stk_2", account="acc_agent", amount=5, postings=()))
    assert power_at(scene.state, NORTH, ANN, 1) == 505


def test_power_is_remembered_for_as_long_as_a_vote_may_be_open_and_no_longer() -> None:
    key = power_key(NORTH, ANN)
    state: dict[str, tuple[object, ...]] = {}
    for number in range(300):
        for name, entry in change_power(state, key, 1, number, NOON + number * DAY_MS):
            assert entry is not None
            state[name] = entry
    assert len(state[key]) == 92 + 1, "the changes of 91 days and today, and what was before them"
    assert REMEMBERED_MS == 91 * DAY_MS
    for number in range(209, 301):
        assert power_at(state, NORTH, ANN, number) == number
