"""Registries: their terms, and the bounds that no operator and no vote can leave."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.ledger.frame import VelocityMeasured
from domain.ledger.posting import supply
from domain.ledger.registry import (
    ChangeRegistry,
    OpenRegistry,
    ParameterChanged,
    Premium,
    Registry,
    RegistryChanged,
    RegistryOpened,
    Terms,
    fee_bps,
    registry,
    terms_of,
)
from tests.domain.ledger.market import (
    ADMIN,
    FRAME,
    HERE,
    NORTH,
    TERMS,
    TREASURY,
    Wrong,
    each_two,
    market,
    then_the_first_is_told,
    wrong,
)

AVT = 1_000_000
TREASURY_OF_EAST = "acc_e5jyzekm5qejmj6cctkr3fnxds"
OPEN = OpenRegistry(FRAME, "east", Terms(), HERE)
SAME: Any = dict.fromkeys(Terms.__slots__)


def change(registry_id: str = NORTH, **named: Any) -> ChangeRegistry:
    """Change the terms that are named."""
    return ChangeRegistry(FRAME, registry_id, **{**SAME, **named}, authority=HERE)


def known_of(scene: Any) -> Registry:
    """Give the north as it is."""
    known = registry(scene.state, NORTH)
    assert known is not None
    return known


def test_a_registry_opens_with_a_treasury_of_its_opener() -> None:
    scene = market()
    scene.when(OPEN).then(RegistryOpened(FRAME, "east", TREASURY_OF_EAST, Terms(), ADMIN, HERE))
    assert scene.balance(TREASURY_OF_EAST) == (0, 0, 0)
    assert supply(scene.state, FRAME).holds


def test_what_nobody_said_is_as_it_is_by_default() -> None:
    terms = Terms()
    assert (terms.fee_bps, terms.step_bps, terms.genesis_grant, terms.genesis_enabled) == (50, 0, 1_000 * AVT, True)
    assert terms.velocity_threshold_bps == 1_000
    assert (terms.invite_required, terms.base_apy_bps, terms.mint_rewards) == (False, 500, False)
    assert {each.lock_days: each.bps for each in terms.premiums} == {30: 100, 90: 200, 180: 300, 365: 500}
    assert (terms.quorum_bps, terms.threshold_bps) == (2_000, 5_000)


BOUNDS = (
    ("fee_bps", 50, 500),
    ("step_bps", 0, 500),
    ("velocity_threshold_bps", 1, 1_000_000),
    ("genesis_grant", 0, 100_000 * AVT),
    ("base_apy_bps", 0, 1_500),
    ("quorum_bps", 0, 10_000),
    ("threshold_bps", 0, 10_000),
)


@pytest.mark.parametrize(("term", "least", "most"), BOUNDS)
def test_a_term_is_from_its_least_to_its_most(term: str, least: int, most: int) -> None:
    told = {"bound": term, "minimum": str(least), "maximum": str(most)}
    for value in (least, most):
        named: Any = {term: value}
        market().when(replace(OPEN, terms=Terms(**named)))
        market().when(change(**named)).then(RegistryChanged(FRAME, NORTH, replace(TERMS, **named), ADMIN, HERE))
    for value in (least - 1, most + 1):
        named = {term: value}
        market().when(replace(OPEN, terms=Terms(**named))).then_refused("out_of_bounds", told)
        market().when(change(**named)).then_refused("out_of_bounds", told)


@pytest.mark.parametrize("bps", [-1, 10_001])
def test_a_premium_has_bounds_too(bps: int) -> None:
    least_and_most = (Premium(30, 0), Premium(90, 10_000))
    terms = replace(TERMS, premiums=least_and_most)
    market().when(change(premiums=least_and_most)).then(RegistryChanged(FRAME, NORTH, terms, ADMIN, HERE))
    premiums = (Premium(30, 100), Premium(90, bps))
    market().when(change(premiums=premiums)).then_refused("out_of_bounds", {"bound": "premiums_bps"})


OPEN_WRONG = (
    wrong("not_found", frame_id="nowhere"),
    wrong("already_exists", registry_id=NORTH),
    wrong("out_of_bounds", terms=Terms(fee_bps=49)),
)
CHANGE_WRONG = (wrong("not_found", registry_id="nowhere"), wrong("out_of_bounds", fee_bps=501))


@pytest.mark.parametrize("rows", each_two(OPEN_WRONG))
def test_of_two_things_wrong_with_a_new_registry_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), OPEN, rows)


@pytest.mark.parametrize("rows", each_two(CHANGE_WRONG))
def test_of_two_things_wrong_with_a_change_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), change(), rows)


def test_a_registry_of_another_frame_is_not_found_in_this_one() -> None:
    market().when(replace(change(fee_bps=60), frame_id="other")).then_refused("not_found", {"registry_id": NORTH})


def test_terms_that_are_not_named_stay() -> None:
    named: Any = {"fee_bps": 75, "genesis_enabled": False, "premiums": (Premium(30, 7),), "mint_rewards": True}
    scene = market()
    scene.when(change(**named)).then(RegistryChanged(FRAME, NORTH, replace(TERMS, **named), ADMIN, HERE))
    scene.when(change(quorum_bps=0, invite_required=True))
    changed = replace(TERMS, **named, quorum_bps=0, invite_required=True)
    assert scene.outcome == [RegistryChanged(FRAME, NORTH, changed, ADMIN, HERE)]
    assert terms_of(known_of(scene)) == changed
    assert known_of(scene).treasury == TREASURY


PARAMETERS: tuple[tuple[str, str, str, Any], ...] = (
    ("fee_bps", "fee_bps", "77", 77),
    ("step_bps", "step_bps", "5", 5),
    ("base_apy_bps", "base_apy_bps", "1500", 1_500),
    ("genesis.grant", "genesis_grant", "0", 0),
    ("genesis.enabled", "genesis_enabled", "false", False),
    ("invite_required", "invite_required", "true", True),
    ("quorum_bps", "quorum_bps", "10000", 10_000),
    ("threshold_bps", "threshold_bps", "6666", 6_666),
)


@pytest.mark.parametrize(("parameter", "term", "value", "is_now"), PARAMETERS)
def test_what_passed_takes_effect(parameter: str, term: str, value: str, is_now: Any) -> None:
    scene = market(ParameterChanged(FRAME, NORTH, "prp_1", parameter, value))
    changed: Any = {term: is_now}
    assert terms_of(known_of(scene)) == replace(TERMS, **changed)


RISING = (
    # fee, step, threshold, velocity, effective
    (50, 0, 1_000, 99_999, 50),
    (300, 0, 1_000, 99_999, 300),
    (50, 10, 1_000, 0, 50),
    (50, 10, 1_000, 999, 50),
    (50, 10, 1_000, 1_000, 60),
    (50, 10, 1_000, 1_999, 60),
    (50, 10, 1_000, 2_000, 70),
    (100, 25, 500, 1_700, 175),
    (50, 10, 1_000, 45_000, 500),
    (50, 10, 1_000, 46_000, 500),
    (500, 500, 1, 10_000, 500),
    (50, 1, 1_000_000, 999_999, 50),
    (50, 1, 1_000_000, 1_000_000, 51),
)


@pytest.mark.parametrize(("fee", "step", "threshold", "velocity", "effective"), RISING)
def test_a_fee_rises_by_a_step_for_each_threshold_of_velocity_and_keeps_to_its_bounds(
    fee: int, step: int, threshold: int, velocity: int, effective: int
) -> None:
    terms = replace(TERMS, fee_bps=fee, step_bps=step, velocity_threshold_bps=threshold)
    scene = market(RegistryChanged(FRAME, NORTH, terms, ADMIN, HERE), VelocityMeasured(FRAME, 0, 0, velocity))
    assert fee_bps(scene.state, known_of(scene)) == effective


def test_a_fee_has_no_steps_before_a_velocity_was_measured() -> None:
    terms = replace(TERMS, step_bps=10, velocity_threshold_bps=1)
    scene = market(RegistryChanged(FRAME, NORTH, terms, ADMIN, HERE))
    assert fee_bps(scene.state, known_of(scene)) == 50
