"""Frames, minting, burning and the velocity, as given / when / then."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.ledger.frame import (
    BurnTokens,
    FrameOpened,
    MeasureVelocity,
    MintTokens,
    OpenFrame,
    TokensBurned,
    TokensMinted,
)
from domain.ledger.posting import supply
from domain.ledger.transfer import TransferSettled
from tests.domain.ledger.market import (
    ADMIN,
    ANNS,
    BENS,
    EVES,
    FRAME,
    GRANT,
    HERE,
    NOBODYS,
    NORTH,
    TREASURY,
    WORD,
    Market,
    Wrong,
    each_two,
    emptied,
    frozen,
    market,
    moves,
    then_the_first_is_told,
    wrong,
)
from tests.domain.scenario import NOON

MAX = 2**63 - 1
HOUR_MS = 3_600_000
OPEN = OpenFrame("other", "sovereign", "enabled", HERE)
MINT, BURN = MintTokens(FRAME, ANNS, 10, HERE), BurnTokens(FRAME, ANNS, 10, HERE)
FEDERATED = FrameOpened(FRAME, "federated", "disabled", ADMIN, HERE)
FULL = MAX - 3 * GRANT
MINTED_FULL = TokensMinted(
    FRAME, BENS, FULL, ADMIN, HERE, moves(("issued", "counter", -FULL), (BENS, "available", FULL))
)


def moved(amount: int) -> TransferSettled:
    """Write that Ann sent Ben an amount, for no fee."""
    rows = moves((ANNS, "available", -amount), (BENS, "available", amount))
    return TransferSettled("trf", FRAME, NORTH, ANNS, BENS, amount, 0, None, WORD, None, rows)


def test_the_first_frame_of_an_empty_log_needs_nobody() -> None:
    genesis = replace(OPEN, authority="genesis")
    Market(ADMIN).when(genesis, first=True).then(FrameOpened("other", "sovereign", "enabled", ADMIN, "genesis"))


@pytest.mark.parametrize("minting", ["disabled", "enabled"])
def test_an_admin_opens_a_sovereign_frame_that_mints_or_not(minting: str) -> None:
    opened = FrameOpened("other", "sovereign", minting, ADMIN, HERE)
    market().when(replace(OPEN, minting=minting)).then(opened)


def test_a_federated_frame_has_minting_disabled() -> None:
    federated = replace(OPEN, mode="federated", minting="disabled")
    market().when(federated).then(FrameOpened("other", "federated", "disabled", ADMIN, HERE))
    market().when(replace(federated, minting="enabled")).then_refused("out_of_bounds", {"bound": "minting"})


OPEN_WRONG = (
    wrong("forbidden", authority="genesis"),
    wrong("already_exists", frame_id=FRAME),
    wrong("out_of_bounds", mode="federated"),
)


@pytest.mark.parametrize("rows", each_two(OPEN_WRONG))
def test_of_two_things_wrong_with_a_new_frame_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), OPEN, rows)


def test_minting_brings_tokens_into_being() -> None:
    rows = moves(("issued", "counter", -10), (ANNS, "available", 10))
    scene = market()
    scene.when(MINT).then(TokensMinted(FRAME, ANNS, 10, ADMIN, HERE, rows))
    assert scene.balance(ANNS) == (GRANT + 10, 0, 0)
    assert supply(scene.state, FRAME) == (3 * GRANT + 10, 0, 0, 3 * GRANT + 10)


def test_burning_ends_tokens() -> None:
    rows = moves((ANNS, "available", -10), ("destroyed", "counter", 10))
    scene = market()
    scene.when(BURN).then(TokensBurned(FRAME, ANNS, 10, ADMIN, HERE, rows))
    assert scene.balance(ANNS) == (GRANT - 10, 0, 0)
    assert supply(scene.state, FRAME) == (3 * GRANT, 10, 0, 3 * GRANT - 10)


def test_the_least_that_is_minted_and_burned_is_one() -> None:
    scene = market()
    scene.when(replace(MINT, amount=1)).when(replace(BURN, amount=1))
    assert scene.balance(ANNS) == (GRANT, 0, 0)
    for command in (MINT, BURN):
        market().when(replace(command, amount=-1)).then_refused("amount_not_positive")


def test_all_that_an_account_has_may_be_burned_and_no_more() -> None:
    scene = market()
    scene.when(replace(BURN, amount=GRANT + 1))
    scene.then_refused("insufficient_funds", {"available": str(GRANT), "needed": str(GRANT + 1)})
    scene.when(replace(BURN, amount=GRANT))
    assert scene.balance(ANNS) == (0, 0, 0)


MONEY_WRONG = (
    wrong("not_found", frame_id="nowhere"),
    wrong("minting_disabled", FEDERATED),
    wrong("unknown_account", account=NOBODYS),
    wrong("amount_not_positive", amount=0),
)
MINT_WRONG = (*MONEY_WRONG, wrong("out_of_bounds", MINTED_FULL), wrong("account_frozen", frozen(ANNS)))
BURN_WRONG = (*MONEY_WRONG, wrong("insufficient_funds", emptied(ANNS)), wrong("account_frozen", frozen(ANNS)))


@pytest.mark.parametrize("rows", each_two(MINT_WRONG))
def test_of_two_things_wrong_with_minting_the_first_is_told(rows: Sequence[Wrong]) -> None:
    # A frame that is opened again begins with no token: what is minted full comes after it.
    ordered = sorted(rows, key=lambda row: row.code == "minting_disabled")
    scene = market(*(event for row in reversed(ordered) for event in row.given))
    then_the_first_is_told(scene, MINT, [row._replace(given=()) for row in rows])


@pytest.mark.parametrize("rows", each_two(BURN_WRONG))
def test_of_two_things_wrong_with_burning_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), BURN, rows)


@pytest.mark.parametrize(("mode", "minting"), [("federated", "disabled"), ("sovereign", "disabled")])
def test_nothing_is_minted_or_burned_where_minting_is_disabled(mode: str, minting: str) -> None:
    for command in (MINT, BURN):
        scene = market(FrameOpened(FRAME, mode, minting, ADMIN, HERE))
        scene.when(command).then_refused("minting_disabled", {"frame_id": FRAME})


def test_an_account_of_another_frame_is_unknown_here() -> None:
    scene = market(FrameOpened("other", "sovereign", "enabled", ADMIN, HERE))
    scene.when(replace(MINT, frame_id="other")).then_refused("unknown_account", {"account": ANNS})


def test_a_frame_issues_so_much_that_every_figure_fits_64_bits_and_no_more() -> None:
    scene = market()
    scene.when(replace(MINT, account=BENS, amount=FULL + 1)).then_refused("out_of_bounds", {"bound": "tokens_issued"})
    scene.when(replace(MINT, account=BENS, amount=FULL))
    assert supply(scene.state, FRAME).issued == MAX


def test_hours_of_moving_leave_no_more_than_a_day_of_entries() -> None:
    scene = market()
    for hour in range(60):
        scene.at(NOON + hour * HOUR_MS).given(moved(1))
    assert sum(key.startswith("volume/") for key in scene.state) == 24
    scene.when(MeasureVelocity(FRAME))
    assert scene.outcome[0].volume == 24


def test_a_velocity_fits_64_bits_however_little_is_left() -> None:
    rows = moves((BENS, "available", -FULL), ("transit", "counter", FULL))
    scene = market(MINTED_FULL, *(emptied(each) for each in (ANNS, EVES)))
    there = moves((BENS, "available", -FULL), (ANNS, "available", FULL))
    back = moves((ANNS, "available", -FULL), (BENS, "available", FULL))
    event = moved(1)
    scene.given(replace(event, amount=FULL, postings=there), replace(event, amount=FULL, postings=back))
    scene.given(TokensBurned(FRAME, BENS, FULL, ADMIN, HERE, (rows[0], replace(rows[1], account="destroyed"))))
    scene.given(emptied(BENS))
    scene.when(MeasureVelocity(FRAME))
    (measured,) = scene.outcome
    assert measured.circulating == 0
    assert measured.velocity_bps <= MAX
    assert measured.volume <= MAX
    assert measured.velocity_bps == measured.volume * 10_000


def test_no_velocity_is_measured_of_a_frame_that_is_not_there() -> None:
    market().when(MeasureVelocity("nowhere")).then_refused("not_found")


def test_the_treasury_is_minted_to_like_any_account() -> None:
    scene = market()
    scene.when(replace(MINT, account=TREASURY))
    assert scene.balance(TREASURY) == (10, 0, 0)
