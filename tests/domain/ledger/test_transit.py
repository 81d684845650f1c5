"""Transfers across registries and frames: the receiving side decides for good, the sending side follows."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.ledger.registry import RegistryChanged
from domain.ledger.transit import AcceptTransfer, RejectTransfer, TransferAccepted
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
    SOUTH,
    SOUTHERN_TREASURY,
    TERMS,
    Wrong,
    each_two,
    frozen,
    market,
    then_the_first_is_told,
    wrong,
)
from tests.domain.ledger.transfers import (
    ABORT,
    ABORTED,
    ACCEPT,
    ACCEPTED,
    COMMIT,
    COMMITTED,
    CROSS,
    PREPARED,
    REJECT,
    REJECTED,
)
from tests.domain.scenario import NOON


def test_the_receiving_side_takes_its_fee_from_the_amount() -> None:
    scene = market(PREPARED)
    scene.when(ACCEPT).then(ACCEPTED)
    assert [scene.balance(each)[0] for each in (ANNS, EVES, SOUTHERN_TREASURY)] == [GRANT - 10_001, GRANT + 9_950, 51]


def test_the_fee_across_is_fixed_whatever_the_registries_charge() -> None:
    terms = replace(TERMS, fee_bps=500)
    dear = [RegistryChanged(FRAME, each, terms, ADMIN, HERE) for each in (NORTH, SOUTH)]
    market(*dear).when(CROSS).then(PREPARED)
    market(*dear, PREPARED).when(ACCEPT).then(ACCEPTED)


def test_what_arrives_in_another_frame_is_as_its_sender_says() -> None:
    from_away = replace(ACCEPT, sender_frame="away")
    market().when(from_away).then(replace(ACCEPTED, sender_frame="away"))
    market().when(replace(REJECT, sender_frame="away")).then(replace(REJECTED, sender_frame="away"))


@pytest.mark.parametrize(("account", "reason"), [(EVES, "account_frozen"), (SOUTHERN_TREASURY, "account_frozen")])
def test_what_a_frozen_account_would_receive_is_rejected(account: str, reason: str) -> None:
    market(PREPARED, frozen(account)).when(ACCEPT).then(replace(REJECTED, reason=reason))


def test_what_nobody_would_receive_is_rejected() -> None:
    nobody = replace(ACCEPT, sender_frame="away", receiver=NOBODYS)
    rejected = replace(REJECTED, sender_frame="away", receiver=NOBODYS, reason="unknown_account")
    market().when(nobody).then(rejected)


def test_more_than_fits_64_bits_is_rejected() -> None:
    flood = replace(ACCEPT, sender_frame="away", amount=2**63 - 1)
    scene = market()
    scene.when(flood).then(replace(REJECTED, sender_frame="away", amount=2**63 - 1, reason="out_of_bounds"))
    scene.when(replace(flood, transfer_id="trf_2", amount=2**63 - 1 - 3 * GRANT))
    assert isinstance(scene.outcome[0], TransferAccepted)


@pytest.mark.parametrize(
    "told",
    [
        replace(ACCEPT, transfer_id="trf_none"),
        replace(ACCEPT, amount=10_002),
        replace(ACCEPT, receiver=BENS),
        replace(ACCEPT, sender=BENS),
        replace(REJECT, amount=10_002),
    ],
)
def test_in_one_frame_only_what_departed_arrives(told: AcceptTransfer | RejectTransfer) -> None:
    market(PREPARED).when(told).then_refused("not_found")


def test_the_receiving_side_decides_once() -> None:
    scene = market(PREPARED, ACCEPTED)
    scene.when(ACCEPT).then_refused("already_accepted")
    scene.when(REJECT).then_refused("already_accepted")
    scene = market(PREPARED, REJECTED)
    scene.when(ACCEPT).then_refused("already_rejected")
    scene.when(REJECT).then_refused("already_rejected")


def test_what_was_accepted_is_committed() -> None:
    scene = market(PREPARED, ACCEPTED)
    scene.when(COMMIT).then(COMMITTED)
    scene.when(COMMIT).then_refused("not_prepared", {"transfer_status": "committed"})
    scene.when(ABORT).then_refused("not_prepared", {"transfer_status": "committed"})


def test_what_was_rejected_is_aborted_and_the_sender_refunded_in_full() -> None:
    scene = market(PREPARED, REJECTED)
    scene.when(ABORT).then(ABORTED)
    assert scene.balance(ANNS) == (GRANT, 0, 0)
    scene.when(ABORT).then_refused("not_prepared", {"transfer_status": "aborted"})
    scene.when(COMMIT).then_refused("not_prepared", {"transfer_status": "aborted"})


def test_a_frozen_sender_is_refunded_too() -> None:
    market(PREPARED, REJECTED, frozen(ANNS)).when(ABORT).then(ABORTED)


def test_a_timeout_first_makes_the_receiving_side_reject() -> None:
    scene = market(PREPARED).at(NOON + 60_001)
    scene.when(ABORT).then_refused("not_rejected")
    scene.when(REJECT).then(REJECTED)
    scene.when(ACCEPT).then_refused("already_rejected")
    scene.when(ABORT).then(ABORTED)


def test_what_was_accepted_in_time_commits_after_the_timeout() -> None:
    scene = market(PREPARED, ACCEPTED).at(NOON + 60_001)
    scene.when(REJECT).then_refused("already_accepted")
    scene.when(ABORT).then_refused("not_rejected")
    scene.when(COMMIT).then(COMMITTED)


def test_to_another_frame_the_sending_side_ends_as_it_is_told() -> None:
    away = replace(PREPARED, receiver_frame="away")
    market(away).when(COMMIT).then(COMMITTED)
    market(away).when(ABORT).then(ABORTED)
    scene = market(away, COMMITTED)
    scene.when(ABORT).then_refused("not_prepared")


COMMIT_WRONG = (
    wrong("not_found", transfer_id="trf_none"),
    wrong("not_prepared", PREPARED, REJECTED, ABORTED),
    wrong("not_accepted", PREPARED),
)
ABORT_WRONG = (
    wrong("not_found", frame_id="other"),
    wrong("not_prepared", PREPARED, ACCEPTED, COMMITTED),
    wrong("not_rejected", PREPARED),
)


@pytest.mark.parametrize("rows", each_two(COMMIT_WRONG))
def test_of_two_things_wrong_with_a_commit_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), COMMIT, rows)


@pytest.mark.parametrize("rows", each_two(ABORT_WRONG))
def test_of_two_things_wrong_with_an_abort_the_first_is_told(rows: Sequence[Wrong]) -> None:
    then_the_first_is_told(market(), ABORT, rows)
