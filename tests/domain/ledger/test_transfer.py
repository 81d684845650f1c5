"""Transfers: inside a registry at once, across registries prepared; every refusal in its order."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.ledger.account import account_id
from tests.domain.ledger.market import (
    ADMIN,
    ANN,
    ANNS,
    BEN,
    BENS,
    EVES,
    FRAME,
    GRANT,
    NOBODYS,
    NORTH,
    TREASURY,
    WORD,
    Wrong,
    each_two,
    emptied,
    frozen,
    market,
    registered,
    then_the_first_is_told,
    wrong,
    wrong_word,
)
from tests.domain.ledger.transfers import CROSS, PREPARED, SEND, SETTLED
from tests.domain.scenario import NOON


def test_inside_a_registry_a_transfer_settles_at_once() -> None:
    scene = market()
    scene.when(SEND).then(SETTLED)
    assert [scene.balance(each)[0] for each in (ANNS, BENS, TREASURY)] == [GRANT - 10_052, GRANT + 10_001, 51]


def test_across_registries_a_transfer_is_prepared_and_the_sender_pays_the_amount_alone() -> None:
    scene = market()
    scene.when(CROSS).then(PREPARED)
    assert [scene.balance(each)[0] for each in (ANNS, EVES)] == [GRANT - 10_001, GRANT]


def test_to_another_frame_a_transfer_is_prepared_whatever_is_known_of_the_receiver() -> None:
    away = replace(SEND, receiver_frame="away")
    market().when(away).then(replace(PREPARED, receiver=BENS, receiver_frame="away"))
    market().when(replace(away, receiver=NOBODYS))
    market().when(replace(away, receiver=NOBODYS)).then(replace(PREPARED, receiver=NOBODYS, receiver_frame="away"))


def test_a_treasury_sends_and_receives_like_any_account() -> None:
    scene = market(SETTLED)
    scene.when(replace(SEND, transfer_id="trf_2", receiver=TREASURY, amount=200, mandate=replace(WORD, nonce="n" * 16)))
    assert scene.balance(TREASURY) == (51 + 201, 0, 0)
    by_admin = replace(WORD, signed_by=ADMIN)
    scene.when(replace(SEND, transfer_id="trf_3", sender=TREASURY, amount=200, mandate=by_admin))
    assert scene.balance(TREASURY) == (252 - 201 + 1, 0, 0)


@pytest.mark.parametrize("amount", [0, -1, -10_001])
def test_an_amount_is_positive(amount: int) -> None:
    for command in (SEND, CROSS):
        market().when(replace(command, amount=amount)).then_refused("amount_not_positive", {"amount": str(amount)})


def test_a_deadline_is_ahead_of_the_logs_time() -> None:
    market().at(NOON + 1).when(SEND).then_refused("deadline_passed")
    market().at(NOON).when(SEND).then(SETTLED)


def test_a_nonce_is_used_once_by_an_owner_for_whatever_it_signs_and_by_another_owner_again() -> None:
    scene = market(SETTLED)
    scene.when(CROSS).then_refused("nonce_used", {"nonce": WORD.nonce})
    theirs = replace(SEND, sender=BENS, receiver=ANNS, mandate=replace(WORD, signed_by=BEN))
    scene.when(theirs)
    assert scene.balance(BENS)[0] == GRANT + 10_001 - 10_052


def test_a_refused_transfer_uses_up_no_nonce() -> None:
    scene = market()
    scene.when(replace(SEND, amount=10 * GRANT)).then_refused("insufficient_funds")
    scene.when(SEND).then(SETTLED)


WORD_WRONG = (
    wrong_word("not_the_owner", signed_by=BEN),
    wrong_word("deadline_passed", deadline=NOON),
    wrong_word("nonce_used", replace(SETTLED, transfer_id="trf_0", postings=()), nonce=WORD.nonce),
)
SEND_WRONG = (
    wrong("unknown_account", sender=NOBODYS),
    *WORD_WRONG,
    wrong("same_account", receiver=ANNS),
    wrong("amount_not_positive", amount=0),
    wrong("insufficient_funds", emptied(ANNS)),
    wrong("account_frozen", frozen(ANNS)),
)
UNKNOWN_RECEIVER = (wrong("unknown_account", receiver=NOBODYS), *SEND_WRONG[1:4], *SEND_WRONG[5:])
CROSS_WRONG = (
    *SEND_WRONG[:4],
    *SEND_WRONG[5:6],
    wrong("amount_too_small", amount=1),
    *SEND_WRONG[6:],
)


@pytest.mark.parametrize("rows", each_two(SEND_WRONG) + each_two(UNKNOWN_RECEIVER))
def test_of_two_things_wrong_with_a_transfer_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), SEND, rows)


@pytest.mark.parametrize("rows", each_two(CROSS_WRONG))
def test_of_two_things_wrong_with_a_transfer_across_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), CROSS, rows)


@pytest.mark.parametrize("account", [ANNS, BENS, TREASURY])
def test_a_frozen_account_neither_sends_nor_receives_nor_takes_a_fee(account: str) -> None:
    market(frozen(account)).when(SEND).then_refused("account_frozen", {"account": account})


def test_a_frozen_treasury_does_not_hold_up_what_it_takes_no_fee_of() -> None:
    market(frozen(TREASURY)).when(CROSS).then(PREPARED)


def test_an_address_in_another_case_is_the_same_owner_with_the_same_nonces() -> None:
    did = "did:pkh:eip155:1:0xAbC"
    theirs = account_id(FRAME, NORTH, did, "user")
    scene = market(registered(NORTH, did, theirs))
    scene.when(replace(SEND, sender=theirs, mandate=replace(WORD, signed_by=did.lower())))
    assert scene.balance(theirs) == (GRANT - 10_052, 0, 0)
    scene.when(replace(SEND, sender=theirs, mandate=replace(WORD, signed_by=did))).then_refused("nonce_used")


def test_another_spelling_of_a_key_is_another_owner() -> None:
    mine = replace(WORD, signed_by=ANN.upper())
    market().when(replace(SEND, mandate=mine)).then_refused("not_the_owner")
