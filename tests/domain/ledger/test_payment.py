"""Payments: held for one payee, and claimed, cancelled or expired once."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import Any

import pytest

from domain.ledger.payment import (
    CancelPayment,
    ClaimPayment,
    ExpirePayment,
    HoldPayment,
    PaymentCancelled,
    PaymentClaimed,
    PaymentExpired,
    PaymentHeld,
)
from domain.ledger.posting import supply
from domain.ledger.registry import RegistryChanged
from domain.ledger.transfer import TransferSettled
from domain.ledger.transit import TransferPrepared
from tests.domain.ledger.market import (
    ADMIN,
    ANN,
    ANNS,
    BEN,
    BENS,
    EVE,
    EVES,
    FRAME,
    GRANT,
    HERE,
    NOBODYS,
    NORTH,
    TERMS,
    TREASURY,
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

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
HOLD = HoldPayment("pay_1", FRAME, ANNS, BENS, FRAME, BEN, 10_001, None, WORD)
HELD = PaymentHeld(
    "pay_1",
    FRAME,
    NORTH,
    ANNS,
    BENS,
    FRAME,
    BEN,
    10_001,
    51,
    NOON + MINUTE_MS,
    WORD,
    moves((ANNS, "available", -10_052), (ANNS, "held", 10_052)),
)
HOLD_CROSS = replace(HOLD, receiver=EVES, receiver_owner=EVE)
HELD_CROSS = replace(
    HELD,
    receiver=EVES,
    receiver_owner=EVE,
    fee=0,
    postings=moves((ANNS, "available", -10_001), (ANNS, "held", 10_001)),
)
CLAIM, CANCEL, EXPIRE = (
    ClaimPayment("pay_1", FRAME, "trf_1", 60_000),
    CancelPayment("pay_1", FRAME),
    ExpirePayment("pay_1", FRAME),
)
CLAIMED = PaymentClaimed("pay_1", FRAME, "trf_1", BEN)
BACK = moves((ANNS, "held", -10_052), (ANNS, "available", 10_052))
CANCELLED, EXPIRED = PaymentCancelled("pay_1", FRAME, ANN, BACK), PaymentExpired("pay_1", FRAME, BACK)
PAID = TransferSettled(
    "trf_1",
    FRAME,
    NORTH,
    ANNS,
    BENS,
    10_001,
    51,
    None,
    None,
    "pay_1",
    moves((ANNS, "held", -10_052), (BENS, "available", 10_001), (TREASURY, "available", 51)),
)
LEFT = TransferPrepared(
    "trf_1",
    FRAME,
    NORTH,
    ANNS,
    EVES,
    FRAME,
    10_001,
    None,
    None,
    "pay_1",
    NOON + 60_000,
    moves((ANNS, "held", -10_001), ("transit", "counter", 10_001)),
)


def test_a_payment_holds_the_amount_and_its_fee() -> None:
    scene = market()
    scene.when(HOLD).then(HELD)
    assert scene.balance(ANNS) == (GRANT - 10_052, 0, 10_052)
    assert supply(scene.state, FRAME).circulating == 3 * GRANT


def test_across_registries_a_payment_holds_the_amount_alone() -> None:
    market().when(HOLD_CROSS).then(HELD_CROSS)
    away = replace(HOLD, receiver=NOBODYS, receiver_frame="away", receiver_owner=EVE)
    told = replace(HELD_CROSS, receiver=NOBODYS, receiver_frame="away")
    market().when(away).then(told)


def test_in_one_frame_the_payee_is_looked_up_not_believed() -> None:
    market().when(replace(HOLD, receiver_owner=EVE)).then(HELD)
    away = replace(HELD_CROSS, receiver=BENS, receiver_frame="away")
    market().when(replace(HOLD, receiver_frame="away", receiver_owner=EVE)).then(away)


@pytest.mark.parametrize("ahead_ms", [1, MINUTE_MS, HOUR_MS])
def test_a_payment_holds_for_an_hour_at_most(ahead_ms: int) -> None:
    market().when(replace(HOLD, expires_at=NOON + ahead_ms)).then(replace(HELD, expires_at=NOON + ahead_ms))


@pytest.mark.parametrize("ahead_ms", [-1, 0, HOUR_MS + 1])
def test_a_payment_holds_for_no_other_time(ahead_ms: int) -> None:
    market().when(replace(HOLD, expires_at=NOON + ahead_ms)).then_refused("out_of_bounds", {"bound": "expires_at"})


def test_the_payee_claims_and_the_payment_becomes_a_transfer() -> None:
    scene = market(HELD)
    scene.asked_by(BEN).when(CLAIM).then(CLAIMED, PAID)
    assert scene.balance(ANNS) == (GRANT - 10_052, 0, 0)
    assert [scene.balance(each)[0] for each in (BENS, TREASURY)] == [GRANT + 10_001, 51]


def test_a_claim_across_registries_begins_a_transfer_in_two_phases() -> None:
    scene = market(HELD_CROSS)
    scene.asked_by(EVE).when(CLAIM).then(replace(CLAIMED, claimed_by=EVE), LEFT)
    assert scene.balance(ANNS) == (GRANT - 10_001, 0, 0)
    assert supply(scene.state, FRAME).transit_net == -10_001


def test_the_fee_is_that_of_the_payments_making() -> None:
    dearer = RegistryChanged(FRAME, NORTH, replace(TERMS, fee_bps=500), ADMIN, HERE)
    market(HELD, dearer).asked_by(BEN).when(CLAIM).then(CLAIMED, PAID)


def test_the_payer_takes_back_what_nobody_claimed() -> None:
    scene = market(HELD)
    scene.asked_by(ANN).when(CANCEL).then(CANCELLED)
    assert scene.balance(ANNS) == (GRANT, 0, 0)


def test_a_payment_expires_when_the_logs_time_reaches_its_end() -> None:
    scene = market(HELD).at(NOON + MINUTE_MS - 1)
    scene.when(EXPIRE).then_refused("not_expired", {"payment_status": "held"})
    scene.at(NOON + MINUTE_MS).when(EXPIRE).then(EXPIRED)
    scene.when(EXPIRE).then_refused("not_expired", {"payment_status": "expired"})
    for command, by in ((CLAIM, BEN), (CANCEL, ANN)):
        scene.actor = by
        scene.when(command).then_refused("payment_expired")


def test_what_is_late_is_not_claimed_though_nobody_released_it_yet() -> None:
    scene = market(HELD).asked_by(BEN)
    scene.at(NOON + MINUTE_MS).when(CLAIM).then_refused("payment_expired")
    scene.at(NOON + MINUTE_MS - 1).when(CLAIM).then(CLAIMED, PAID)


@pytest.mark.parametrize(("ended", "code"), [((CLAIMED, PAID), "already_claimed"), ((CANCELLED,), "payment_cancelled")])
def test_a_payment_ends_once(ended: Sequence[Any], code: str) -> None:
    for command, by in ((CLAIM, BEN), (CANCEL, ANN)):
        market(HELD, *ended).asked_by(by).when(command).then_refused(code)
        market(HELD, *ended).asked_by(by).at(NOON + HOUR_MS).when(command).then_refused(code)
    market(HELD, *ended).at(NOON + HOUR_MS).when(EXPIRE).then_refused("not_expired")


def test_a_frozen_payer_gets_its_money_back_and_pays_nothing() -> None:
    market(HELD, frozen(ANNS)).asked_by(ANN).when(CANCEL).then(CANCELLED)
    market(HELD, frozen(ANNS)).at(NOON + MINUTE_MS).when(EXPIRE).then(EXPIRED)
    market(HELD, frozen(ANNS)).asked_by(BEN).when(CLAIM).then_refused("account_frozen", {"account": ANNS})


@pytest.mark.parametrize("account", [ANNS, BENS, TREASURY])
def test_nothing_is_held_or_claimed_for_a_frozen_account(account: str) -> None:
    market(frozen(account)).when(HOLD).then_refused("account_frozen", {"account": account})
    market(HELD, frozen(account)).asked_by(BEN).when(CLAIM).then_refused("account_frozen", {"account": account})


def test_a_payment_uses_its_nonce_up() -> None:
    market(HELD).when(replace(HOLD, payment_id="pay_2")).then_refused("nonce_used")


WORD_WRONG = (
    wrong_word("not_the_owner", signed_by=BEN),
    wrong_word("deadline_passed", deadline=NOON),
    wrong_word("nonce_used", replace(SETTLED, postings=())),
    wrong("out_of_bounds", expires_at=NOON),
)
HOLD_WRONG = (
    wrong("unknown_account", sender=NOBODYS),
    *WORD_WRONG,
    wrong("same_account", receiver=ANNS),
    wrong("amount_not_positive", amount=0),
    wrong("insufficient_funds", emptied(ANNS)),
    wrong("account_frozen", frozen(ANNS)),
)
HOLD_CROSS_WRONG = (
    wrong("unknown_account", receiver=NOBODYS),
    *WORD_WRONG,
    wrong("amount_not_positive", amount=0),
    wrong("amount_too_small", amount=1),
    wrong("insufficient_funds", emptied(ANNS)),
    wrong("account_frozen", frozen(ANNS)),
)


@pytest.mark.parametrize("rows", each_two(HOLD_WRONG))
def test_of_two_things_wrong_with_a_payment_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), HOLD, rows)


@pytest.mark.parametrize("rows", each_two(HOLD_CROSS_WRONG))
def test_of_two_things_wrong_with_a_payment_across_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), HOLD_CROSS, rows)


END_WRONG = ("not_found", "payment_expired", "a stranger", "over", "account_frozen")
"""What ended in time doesn't expire, and a frozen payer may cancel: those two are no two things that are wrong."""
ENDS = [
    (command, first, second)
    for command in (CLAIM, CANCEL)
    for first, second in combinations_with_replacement(END_WRONG, 2)
    if (first, second) != ("payment_expired", "over") and (command is CLAIM or first != "account_frozen")
]


@pytest.mark.parametrize(("command", "first", "second"), ENDS)
def test_of_two_things_wrong_with_an_end_the_first_is_told(
    command: ClaimPayment | CancelPayment, first: str, second: str
) -> None:
    what, claims = {first, second}, command is CLAIM
    scene = market(HELD, *((CLAIMED, PAID) if "over" in what else ()))
    scene.given(*((frozen(ANNS),) if "account_frozen" in what else ()))
    scene.at(NOON + MINUTE_MS * ("payment_expired" in what))
    scene.actor = EVE if "a stranger" in what else BEN if claims else ANN
    told = {"a stranger": "not_the_payee" if claims else "not_the_owner", "over": "already_claimed"}
    asked = replace(command, payment_id="pay_none") if "not_found" in what else command
    scene.when(asked).then_refused(told.get(first, first))


def test_a_payment_of_another_frame_is_not_found_here() -> None:
    for command in (CLAIM, CANCEL, EXPIRE):
        market(HELD).when(replace(command, frame_id="other")).then_refused("not_found", {"payment_id": "pay_1"})
