"""Postings: what they do to balances and counters, and what stops whoever meets it."""

from collections.abc import Sequence

import pytest

from domain.ledger.posting import MAX_AMOUNT, Posting, Supply, UnbalancedError, moved, post, room, supply, supply_key
from tests.domain.ledger.market import ANNS, BENS, FRAME, GRANT, TREASURY, Market, market, moves

ASIDE = moves((ANNS, "available", -30), (ANNS, "staked", 10), (ANNS, "held", 20))


def posted(scene: Market, rows: Sequence[Posting]) -> Market:
    """Fold postings."""
    for key, entry in post(scene.state, FRAME, rows):
        assert entry is not None
        scene.state[key] = entry
    return scene


FOLDED = (
    # postings, Ann's parts, issued, destroyed, transit net, circulating
    (ASIDE, (GRANT - 30, 10, 20), (3 * GRANT, 0, 0, 3 * GRANT)),
    (
        moves(("issued", "counter", -5), (ANNS, "staked", 5)),
        (GRANT, 5, 0),
        (3 * GRANT + 5, 0, 0, 3 * GRANT + 5),
    ),
    (
        moves((ANNS, "available", -5), ("destroyed", "counter", 5)),
        (GRANT - 5, 0, 0),
        (3 * GRANT, 5, 0, 3 * GRANT - 5),
    ),
    (
        moves((ANNS, "available", -5), ("transit", "counter", 5)),
        (GRANT - 5, 0, 0),
        (3 * GRANT, 0, -5, 3 * GRANT - 5),
    ),
    (
        moves(("transit", "counter", -5), (ANNS, "held", 2), (ANNS, "held", 3)),
        (GRANT, 0, 5),
        (3 * GRANT, 0, 5, 3 * GRANT + 5),
    ),
)


@pytest.mark.parametrize(("rows", "parts", "figures"), FOLDED)
def test_postings_are_the_only_way_that_a_figure_changes(
    rows: Sequence[Posting], parts: tuple[int, int, int], figures: tuple[int, int, int, int]
) -> None:
    scene = posted(market(), rows)
    assert scene.balance(ANNS) == parts
    assert supply(scene.state, FRAME) == figures
    assert supply(scene.state, FRAME).holds


@pytest.mark.parametrize(
    "rows",
    [
        moves((ANNS, "available", -1)),
        moves((ANNS, "available", -2), (BENS, "available", 1)),
        moves(("issued", "counter", 1), (ANNS, "available", 1)),
        moves(("transit", "counter", -1)),
    ],
)
def test_what_does_not_sum_to_zero_stops(rows: Sequence[Posting]) -> None:
    with pytest.raises(UnbalancedError, match="sum to zero"):
        posted(market(), rows)


@pytest.mark.parametrize("part", ["available", "staked", "held"])
def test_no_part_of_an_account_goes_below_zero(part: str) -> None:
    scene = posted(market(), ASIDE)
    has = {"available": GRANT - 30, "staked": 10, "held": 20}[part]
    posted(posted(market(), ASIDE), moves((ANNS, part, -has), (BENS, "available", has)))
    with pytest.raises(UnbalancedError, match="below zero"):
        posted(scene, moves((ANNS, part, -has - 1), (BENS, "available", has + 1)))


def test_no_more_is_issued_than_fits_and_no_less_than_nothing() -> None:
    full = MAX_AMOUNT - 3 * GRANT
    posted(market(), moves(("issued", "counter", -full), (BENS, "available", full)))
    with pytest.raises(UnbalancedError, match="add up"):
        posted(market(), moves(("issued", "counter", -full - 1), (BENS, "available", full + 1)))
    scene = posted(market(), moves(("transit", "counter", -GRANT), (BENS, "available", GRANT)))
    posted(scene, moves((BENS, "available", -2 * GRANT), ("issued", "counter", 2 * GRANT)))
    posted(scene, moves((ANNS, "available", -GRANT), ("issued", "counter", GRANT)))
    assert supply(scene.state, FRAME) == (0, 0, GRANT, GRANT)
    posted(scene, moves(("transit", "counter", -1), (ANNS, "available", 1)))
    with pytest.raises(UnbalancedError, match="add up"):
        posted(scene, moves((ANNS, "available", -1), ("issued", "counter", 1)))


def test_a_supply_that_did_not_add_up_before_stops() -> None:
    scene = market()
    scene.state[supply_key(FRAME)] = Supply(3 * GRANT, 0, 0, 3 * GRANT - 1)
    assert not supply(scene.state, FRAME).holds
    with pytest.raises(UnbalancedError, match="add up"):
        posted(scene, moves((ANNS, "available", -5), ("destroyed", "counter", 5)))


def test_there_is_room_for_what_fits_besides_what_was_issued_and_what_lies_here() -> None:
    scene = market()
    assert room(scene.state, FRAME) == room(scene.state, FRAME, arriving=True) == MAX_AMOUNT - 3 * GRANT
    posted(scene, moves((ANNS, "available", -7), ("destroyed", "counter", 7)))
    assert room(scene.state, FRAME) == MAX_AMOUNT - 3 * GRANT
    assert room(scene.state, FRAME, arriving=True) == MAX_AMOUNT - 3 * GRANT + 7
    posted(scene, moves(("transit", "counter", -10), (ANNS, "available", 10)))
    assert room(scene.state, FRAME) == room(scene.state, FRAME, arriving=True) == MAX_AMOUNT - 3 * GRANT - 3


def test_what_is_put_nowhere_is_not_written() -> None:
    rows = moved(10, (ANNS, "available"), (BENS, "available", 10), (TREASURY, "available", 0))
    assert rows == moves((ANNS, "available", -10), (BENS, "available", 10))
